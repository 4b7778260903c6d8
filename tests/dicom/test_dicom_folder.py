"""Files of objects in a watched folder: kept once, refused ones put beside with the reason."""

from __future__ import annotations

from pathlib import Path

import psycopg

from healthhub import keep
from healthhub.keep import Choice
from healthhub.model.message import State
from healthhub.receive import polling
from healthhub.settings import Folder, Institution, Settings, Source
from tests.dicom import invented_objects as made


def hub(folder: Path, most: int = 2**20) -> Settings:
    source = Source(
        institution="h",
        adapter="dicom",
        mapping="national/dicom",
        max_message_bytes=most,
        folder=Folder(path=folder, settle_seconds=0),
    )
    return Settings(institutions={"h": Institution(title="H")}, sources={"pacs": source})


def look(settings: Settings, dsn: str) -> None:
    (duty,) = polling.duties(settings, "pacs")
    for _ in range(2):  # a file is complete when it has not changed since the last look
        assert polling.once("pacs", duty.turn, dsn) == ""


def states(dsn: str) -> dict[State, int]:
    with psycopg.connect(dsn) as conn:
        return {state: n for state, n in keep.counts(conn).by_state.items() if n}


def test_whole_objects_are_kept_and_put_away_others_are_refused_beside_their_reason(
    tmp_path: Path, database: str
) -> None:
    (tmp_path / "IM0001").write_bytes(made.ct_first())
    (tmp_path / "IM0002.dcm").write_bytes(made.dx_in_gb18030())
    (tmp_path / "IM0003.dcm").write_bytes(made.cut_off())
    (tmp_path / "list.txt").write_text("no object")
    (tmp_path / "IM0004.dcm.part").write_bytes(b"still being written")
    look(hub(tmp_path), database)
    assert states(database) == {State.PENDING: 2, State.REJECTED: 2}
    assert sorted(p.name for p in (tmp_path / "done").iterdir()) == ["IM0001", "IM0002.dcm"]
    told = (tmp_path / "failed" / "IM0003.dcm.findings.txt").read_text("utf-8")
    assert "byte 965 (7FE0,0010) PixelData: the object is cut off" in told
    assert (tmp_path / "failed" / "list.txt").is_file()
    assert (tmp_path / "IM0004.dcm.part").is_file()
    with psycopg.connect(database) as conn:
        kept = {keep.get(conn, line.id).raw for line in keep.find(conn, Choice(source="pacs"))}
    assert kept >= {made.ct_first(), made.dx_in_gb18030(), made.cut_off()}


def test_a_file_that_comes_again_says_nothing_new(tmp_path: Path, database: str) -> None:
    for _ in range(2):
        (tmp_path / "IM0001").write_bytes(made.ct_first())
        look(hub(tmp_path), database)
    assert states(database) == {State.PENDING: 1}


def test_a_file_beyond_the_limit_is_refused_and_only_its_head_kept(
    tmp_path: Path, database: str
) -> None:
    (tmp_path / "IM0001").write_bytes(made.ct_first() + b"\0" * 100_000)
    look(hub(tmp_path, 5000), database)
    assert states(database) == {State.REJECTED: 1}
    with psycopg.connect(database) as conn:
        (line,) = keep.find(conn, Choice(source="pacs"))
        assert line.size == 64 * 2**10
    told = (tmp_path / "failed" / "IM0001.findings.txt").read_text("utf-8")
    assert "longer than 5000 bytes" in told


def test_messages_of_other_kinds_come_by_folder_too(tmp_path: Path, database: str) -> None:
    source = Source(
        institution="h",
        mapping="hospital-a",
        folder=Folder(path=tmp_path, settle_seconds=0),
    )
    settings = Settings(institutions={"h": Institution(title="H")}, sources={"pacs": source})
    samples = made.MAPPINGS / "hospital-a" / "samples"
    both = [
        (samples / f"{n}.hl7").read_bytes() for n in ("adt-a01-admission", "adt-a08-diagnoses")
    ]
    (tmp_path / "night.hl7").write_bytes(b"\r".join(both))
    look(settings, database)
    assert states(database) == {State.PENDING: 2}
