"""Merges of pairs of patients in one message, and remarks on what a mapping does not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_mapping import GROUPS, HEAD, run, write

LINKS = (
    GROUPS
    + """
resources:
  patient: {type: Patient, each: patient, key: [number], rules: [active <- true]}
merges:
  - {on: [ADT^A24], each: patient, pairs: true, kept: [number], replaced: [number]}
  - {on: [ADT^A37], each: patient, pairs: true, kept: [number], replaced: [number], undone: true}
remarks:
  - {on: [ADT^A45], each: patient, when: MRG-1 and MRG-1 != PID-3.1, at: MRG-1, say: nothing moved}
"""
)


@pytest.mark.parametrize(
    ("segments", "pairs"),
    [
        ("PID|1||P1\nPID|2||P2", {("P1", "P2")}),
        ("PID|1||P2\nPID|2||P1", {("P1", "P2")}),
        ("PID|1||P1\nPID|2||P2\nPID|3||P3", {("P1", "P2"), ("P1", "P3")}),
        ("PID|1||P1", set()),
        ("PID|1||P1\nPID|2||P1", set()),
        ("PID|1||P1\nPID|2||", set()),
    ],
    ids=["two", "the other way round", "three", "one alone", "twice the same", "no number"],
)
@pytest.mark.parametrize("event", ["A24", "A37"])
def test_patients_of_one_message_are_linked_whichever_comes_first(
    event: str, segments: str, pairs: set[tuple[str, str]], tmp_path: Path
) -> None:
    library = write(tmp_path, "base", LINKS)
    result = run(library, f"{HEAD.replace('A01', event)}\n{segments}")
    idents = [
        tuple(sorted(result.ident("Patient", number)[0] for number in pair)) for pair in pairs
    ]
    assert sorted((m.kept, m.replaced) for m in result.merges) == sorted(idents)
    assert all(m.undone is (event == "A37") for m in result.merges)
    told = [f.where for f in result.findings if f.code == "not-applied"]
    assert told == ([] if pairs else ["PID-3"])


@pytest.mark.parametrize(
    ("event", "prior", "told"),
    [("A45", "P0", 1), ("A45", "P1", 0), ("A45", "", 0), ("A01", "P0", 0)],
)
def test_what_is_not_done_is_told(event: str, prior: str, told: int, tmp_path: Path) -> None:
    library = write(tmp_path, "base", LINKS)
    result = run(library, f"{HEAD.replace('A01', event)}\nPID|1||P1\nMRG|{prior}")
    findings = [f for f in result.findings if f.code == "not-applied"]
    assert len(findings) == told
    for finding in findings:
        assert (finding.severity, finding.where) == ("warning", "MRG-1")
        assert finding.detail == "nothing moved"
