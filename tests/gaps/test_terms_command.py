"""The command line of the gap queue, and the way of its entries into the mapping's folder and back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from gap_stage import CODE, ROOT, URATE, converters, gap, report, take

from healthhub import clock, keep
from healthhub.cli import main
from healthhub.convert import Converter
from healthhub.errors import MappingError
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Target
from healthhub.pipeline import process
from healthhub.settings import Settings
from healthhub.terms import lists

TOML = """
database_url = "{database}"
mappings_dir = "{mappings}"
[institutions.hospital-a]
title = "江城市第一人民医院"
[sources.a-lis]
institution = "hospital-a"
mapping = "hospital-a"
"""


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the mappings, which exports may write to."""
    copy = tmp_path / "mappings"
    for name in ("hospital-a", "national/hl7v2", "national/terms"):
        shutil.copytree(ROOT / "mappings" / name, copy / name)
    return copy


@pytest.fixture
def command(
    database: str,
    conn: psycopg.Connection,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[object]:
    """``command("gaps")`` gives the status and what was said."""
    path = folder.parent / "hub.toml"
    path.write_text(TOML.format(database=database, mappings=folder), encoding="utf-8")
    monkeypatch.setenv("HEALTHHUB_SETTINGS", str(path))
    take(database, report(1), report(2))
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, converters(), 3)

    def run(*words: str) -> tuple[int, str]:
        status = main(["terms", *words])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run  # type: ignore[return-value]


def test_a_code_is_listed_previewed_mapped_and_taken_back(command, conn) -> None:
    number = str(gap(conn).id)
    status, said = command("gaps")
    assert status == 0
    assert CODE in said
    assert "1 codes in 2 messages" in said
    _, said = command("show", number)
    assert "1. 95% 14933-6 尿酸: name 尿酸 +0.60" in said
    assert "267 μmol/L [155-357]" in said
    _, said = command("preview", number, "14933-6", "--display", "尿酸")
    assert "2 resources of 2 patients change, in 2 messages" in said
    assert keep.code_maps.newest(conn) == 0
    _, said = command("map", number, "14933-6", "--display", "尿酸", "--reason", "checked")
    assert "version 1; 2 messages are derived again" in said
    assert keep.code_maps.overlay(conn).entries[0].target == URATE
    _, said = command("versions")
    assert f"hospital-a tests {CODE} -> 14933-6 尿酸; 2 messages, 2 left; checked" in said
    status, said = command("map", number, "14933-5", "--reason", "checked")
    assert status == 2
    assert "check digit" in said
    _, said = command("undo", "1", "--reason", "wrong")
    assert "version 2" in said
    assert keep.code_maps.overlay(conn).entries == ()
    command("aside", number, "--reason", "own")
    assert "0 codes" in command("gaps")[1]
    command("aside", number, "--reason", "not so", "--back")
    assert "1 codes" in command("gaps")[1]


def test_entries_go_to_the_folder_which_is_then_believed_and_come_from_it(
    command,
    conn,
    folder: Path,
) -> None:
    command("map", str(gap(conn).id), "14933-6", "--display", "尿酸", "--reason", "checked")
    _, said = command("export", "hospital-a")
    assert "solved.csv: 1 codes" in said
    written = (folder / "hospital-a" / "solved.csv").read_text(encoding="utf-8")
    assert f"tests,{CODE},14933-6,尿酸,,1," in written
    assert command("export", "hospital-a")[1] == said, "again it writes the same"
    settings = Settings.model_validate(
        {
            "institutions": {"h": {"title": "h"}},
            "sources": {"a-lis": {"institution": "h", "mapping": "hospital-a"}},
        }
    )
    fresh = Converter("a-lis", settings.sources["a-lis"], Library(folder))
    overlaid = fresh.overlaid(keep.code_maps.overlay(conn))
    for each in (fresh, overlaid):
        converted = each.convert(1, report(1), clock.now())
        assert (converted.findings, converted.sightings) == ((), ())
    (folder / "hospital-a" / "solved.csv").rename(folder.parent / "from-elsewhere.csv")
    command("undo", "1", "--reason", "to bring it anew")
    file = str(folder.parent / "from-elsewhere.csv")
    _, said = command("import", "hospital-a", file, "--reason", "from the other hub")
    assert "1 codes mapped, 0 were so already" in said
    assert keep.code_maps.overlay(conn).entries[0].target == Target("14933-6", "尿酸")
    assert (
        "0 codes mapped, 1 were so already"
        in command("import", "hospital-a", file, "--reason", "again")[1]
    )


WRONG = [
    ("table,code\ntests,1\n", "must have the columns"),
    ("table,source,code\nno-such,1,2\n", "solved.csv:2"),
]


@pytest.mark.parametrize(("content", "why"), WRONG)
def test_a_faulty_file_is_told_by_its_line(folder: Path, content: str, why: str) -> None:
    (folder / "hospital-a" / "solved.csv").write_text(content, encoding="utf-8")
    with pytest.raises(MappingError, match=why):
        Library(folder).definition("hospital-a")


def test_a_code_list_is_added_by_a_command(command, folder: Path) -> None:
    file = folder.parent / "list.csv"
    file.write_text("code,name\nA1,甲\nA2,乙\n", encoding="utf-8")
    words = ["--url", "urn:city:list", "--name", "CityList", "--title", "城市代码"]
    status, said = command("add", str(file), *words, "--licence", "own")
    assert status == 0
    assert "2 codes of urn:city:list" in said
    lists.register.cache_clear()
    found = lists.system("urn:city:list", folder)
    assert found is not None
    concept = found.find("A2")
    assert concept is not None
    assert concept.display == "乙"
    assert lists.of_system("http://loinc.org", folder), "the others are there still"
    file.write_text("code,name\nA1,甲\nA1,乙\n", encoding="utf-8")
    status, said = command("add", str(file), *words, "--licence", "own")
    assert status == 2
    assert "twice" in said
