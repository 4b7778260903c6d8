"""A folder of views as a sample: rows joined to their parents as a poll joins them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from healthhub import cli
from healthhub.convert.samples import Sample, outcome, samples
from healthhub.mapping.library import Library

MAPPING = """
mapping: clinic
version: "1"
adapter: tabular
tables:
  LAB:
    from: [V_LAB]
    columns: {report: 报告号, pat: 患者}
    key: [report]
    patient: pat
  RES:
    from: [V_RES]
    of: LAB
    on: [report]
    columns: {report: 报告号, item: 项目, value: 结果}
    key: [report, item]
resources:
  patient: {type: Patient, key: [LAB-pat], rules: [active <- true]}
  result:
    type: Observation
    each: RES
    key: [LAB-report, RES-item]
    rules:
      - status <- "final"
      - code.text <- RES-item
      - subject <- ref(patient)
      - valueString <- RES-value
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    views = tmp_path / "clinic" / "samples" / "two.gb18030.views"
    views.mkdir(parents=True)
    (tmp_path / "clinic" / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    for name, text in (
        ("V_LAB", "报告号,患者\nR1,P1\nR2,P2\n"),
        ("V_RES", "报告号,项目,结果\nR2,钾,4.1\nR1,葡萄糖,5.5\nR1,钾,4.0\nR9,钠,140\n"),
    ):
        (views / f"{name}.csv").write_bytes(text.encode("gb18030"))
    return tmp_path


def test_children_stand_in_their_parents_message_and_orphans_are_told(folder: Path) -> None:
    library = Library(folder)
    [sample] = samples(library, "clinic")
    assert sample.charset == "gb18030"
    assert sample.expected.name == "two.gb18030.json"
    told = orjson.loads(outcome(library, "clinic", sample))
    found = [
        (r["code"]["text"], r["valueString"], r["subject"]["reference"])
        for r in told["resources"]
        if r["resourceType"] == "Observation"
    ]
    people = [r["id"] for r in told["resources"] if r["resourceType"] == "Patient"]
    assert found == [
        ("葡萄糖", "5.5", f"Patient/{people[0]}"),
        ("钾", "4.0", f"Patient/{people[0]}"),
        ("钾", "4.1", f"Patient/{people[1]}"),
    ]
    [orphan] = told["findings"]
    assert (orphan["code"], orphan["where"]) == ("rejected", "V_RES.csv row 5")


def test_map_try_shows_such_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "clinic" / "samples" / "two.gb18030.views"
    assert (
        cli.main(["map", "--mappings", str(folder), "try", str(path), "--mapping", "clinic"])
        == 0
    )
    out = capsys.readouterr().out
    assert out.count("LAB^row") == 2
    assert "rejected V_RES.csv row 5" in out


def test_a_file_that_only_looks_like_a_folder_of_views_is_no_sample(folder: Path) -> None:
    (folder / "clinic" / "samples" / "notes.views").write_text("a,b\n")
    assert [s.path.name for s in samples(Library(folder), "clinic")] == ["two.gb18030.views"]
    assert Sample(folder / "x.views").charset == "utf-8"
