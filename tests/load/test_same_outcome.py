"""A load ends as the same history does message by message: records, findings, persons, index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from bench import histories
from healthhub import city, keep
from healthhub.model.message import State
from healthhub.settings import Settings
from tests.load.hubs import MAPPINGS, holding, loaded, one_by_one, settings
from tests.pipeline.test_chain import message

Given = tuple[Settings, dict[str, list[Path]]]


def hl7v2(folder: Path) -> Given:
    """Two hospitals with people in common, mishaps, resends and garbage among them."""
    sources = ("hospital-a-his", "hospital-a-lis", "hospital-b-his")
    written: dict[str, list[bytes]] = {name: [] for name in sources}
    for source, _, raw in city.feed(12):
        if source in written:
            written[source].append(b"\x0b" + raw + b"\x1c\r")
    written[sources[0]] += [b"rubbish\r", written[sources[0]][0]]
    paths: dict[str, list[Path]] = {}
    for name, frames in written.items():
        (folder / name).mkdir()
        half = len(frames) // 2
        (folder / name / "1.hl7").write_bytes(b"".join(frames[:half]))
        (folder / name / "2.hl7").write_bytes(b"".join(frames[half:]))
        paths[name] = [folder / name]
    of = settings(
        **{
            name: {"mapping": name[:10], "charset": "gb18030" if "-b-" in name else "utf-8"}
            for name in sources
        }
    )
    return of, paths


def csv(folder: Path) -> Given:
    """Files with rows that change within the file, are refused, and come twice."""
    histories.files(folder / "in", 8)
    visits = folder / "in" / "门诊就诊.csv"
    lines = visits.read_bytes().splitlines(keepends=True)
    changed = lines[1].replace(b",01,", b",02,")
    visits.write_bytes(
        b"".join([*lines, changed, b",,,,,,,,,\r\n", b",X,,Y,,,,,,\r\n", lines[5]])
    )
    return (
        settings(p={"adapter": "tabular", "mapping": "township-p", "charset": "gb18030"}),
        {"p": [folder / "in"]},
    )


def view(folder: Path) -> Given:
    histories.views(folder / "v.db", 8)
    of = {
        "adapter": "tabular",
        "mapping": "hospital-b-views",
        "database": {"url": f"sqlite:///{folder}/v.db", "batch": 50},
    }
    return settings(b=of), {"b": []}


def cda(folder: Path) -> Given:
    """Documents of all kinds, one of them cut off."""
    histories.documents(folder / "in", MAPPINGS / "national/cda/samples", 24)
    whole = (folder / "in" / "0000001.xml").read_bytes()
    (folder / "in" / "cut.xml").write_bytes(whole[:3000])
    return settings(c={"adapter": "cda", "mapping": "national/cda"}), {"c": [folder / "in"]}


@pytest.mark.parametrize("made", [hl7v2, csv, view, cda])
def test_a_load_ends_as_the_same_messages_one_by_one(
    made: Callable[[Path], Given], tmp_path: Path, database: str, other: str
) -> None:
    of, paths = made(tmp_path)
    one_by_one(of, database, paths)
    outcome = loaded(of, other, paths)
    expected, found = holding(database), holding(other)
    assert outcome.waiting == 0
    assert len(expected["bodies"]) > 50
    for what in expected:
        assert found[what] == expected[what], what


@pytest.mark.parametrize("made", [hl7v2, csv, view, cda])
def test_a_load_of_what_is_loaded_changes_nothing(
    made: Callable[[Path], Given], tmp_path: Path, database: str
) -> None:
    of, paths = made(tmp_path)
    first = loaded(of, database, paths)
    before = holding(database)
    again = loaded(of, database, paths, processes=1)
    assert (again.done, again.resources, again.rejected) == (0, 0, 0)
    assert again.skipped or made is view
    assert holding(database) == before
    if made in (hl7v2, cda):
        again = loaded(of, database, paths, again=True)
        assert (again.done, again.resources, again.skipped) == (0, 0, 0)
        assert again.known >= first.done
        before.pop("repeats")
        assert holding(database) == before | {"repeats": holding(database)["repeats"]}


def test_what_was_rejected_and_can_be_read_now_is_taken(
    tmp_path: Path, database: str, connection: psycopg.Connection
) -> None:
    raw = message("ADT^A01", "20260301", "诸葛镕").encode("gb18030")
    path = tmp_path / "a.hl7"
    path.write_bytes(raw)
    wrong = settings(his={"mapping": "national/hl7v2", "charset": "utf-8"})
    right = settings(his={"mapping": "national/hl7v2", "charset": "gb18030"})
    assert loaded(wrong, database, {"his": [path]}, 1).rejected == 1
    assert loaded(right, database, {"his": [path]}, 1).skipped == 1
    assert loaded(right, database, {"his": [path]}, 1, again=True).done == 1
    assert keep.counts(connection).by_state[State.DONE] == 1


def test_a_message_at_fault_is_parked_and_the_others_are_in(
    tmp_path: Path, database: str, connection: psycopg.Connection
) -> None:
    """PostgreSQL itself refuses one message's resource; its portion is then taken one by one."""
    connection.execute(
        """create function refuse() returns trigger language plpgsql as
           $$ begin raise check_violation; end $$;
           create trigger refuse before insert on resource_text for each row
           when (new.value like '%不可%') execute function refuse()"""
    )
    connection.commit()
    names = ["王一", "王不可", "王三"]
    raws = [
        message("ADT^A01", f"2026030{n}", name).replace("P1^^^", f"P{n}^^^").encode()
        for n, name in enumerate(names, 1)
    ]
    path = tmp_path / "a.hl7"
    path.write_bytes(b"\n".join(raws))
    of = settings(his={"mapping": "national/hl7v2"})
    outcome = loaded(of, database, {"his": [path]}, 1)
    assert (outcome.done, outcome.parked, outcome.waiting) == (2, 1, 0)
    counts = keep.counts(connection).by_state
    assert (counts[State.DONE], counts[State.PARKED]) == (2, 1)
