"""A mapping with what people have mapped beside it: pure, and without two versions in one message."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from gap_stage import CODE, URATE, converter, report
from hypothesis import given, settings
from hypothesis import strategies as st

from healthhub import clock
from healthhub.convert import Converter
from healthhub.model.code_maps import Overlay, Solved, Target

RAW = report(1)
NOW = clock.now()


def solved(number: int, target: Target = URATE, mapping: str = "hospital-a") -> Solved:
    return Solved(number, mapping, "tests", CODE, target)


def coded(subject: Converter) -> list[str]:
    """The codes of the strange item."""
    converted = subject.convert(1, RAW, NOW)
    (found,) = [
        d.body["code"]["coding"]
        for d in converted.drafts
        if d.type == "Observation" and d.body["code"]["text"] == "尿酸"
    ]
    return [coding["code"] for coding in found]


def test_the_converter_that_is_overlaid_stays_as_it_is() -> None:
    subject = converter().overlaid(Overlay(7, (solved(7),)))
    assert coded(subject) == ["14933-6", CODE]
    assert coded(converter()) == [CODE]
    assert coded(subject.overlaid(Overlay(8))) == [CODE]
    assert (converter().mapping, subject.mapping) == ("hospital-a 1.0", "hospital-a 1.0+7")


def test_a_mapped_code_is_no_finding_and_names_the_version_that_mapped_it() -> None:
    subject = converter().overlaid(Overlay(7, (solved(7),)))
    converted = subject.convert(1, RAW, NOW)
    assert converted.findings == ()
    assert [(s.code, s.version) for s in converted.sightings] == [(CODE, 7)]
    (unknown,) = converter().convert(1, RAW, NOW).sightings
    assert (unknown.version, unknown.display, unknown.unit) == (0, "尿酸", "μmol/L")


def test_the_tables_own_entries_are_never_overridden() -> None:
    entry = Solved(9, "hospital-a", "tests", "0303003", Target("718-7"))
    assert converter().overlaid(Overlay(9, (entry,))).entry("tests", "0303003") == (
        converter().entry("tests", "0303003")
    )


NEAREST: list[tuple[Sequence[Solved], str]] = [
    ([solved(1, Target("718-7"), "national/hl7v2")], "718-7"),
    ([solved(1, Target("718-7"), "national/hl7v2"), solved(2)], "14933-6"),
    ([solved(3, Target("718-7"), "national/hl7v2"), solved(2)], "14933-6"),
]


@pytest.mark.parametrize(("entries", "wanted"), NEAREST)
def test_a_mapping_takes_over_what_its_base_was_given_and_its_own_wins(
    entries: Sequence[Solved], wanted: str
) -> None:
    """The base must have the table: national/hl7v2 has no tests, so gender stands for it."""
    moved = [
        Solved(
            e.number,
            e.mapping,
            "gender",
            "Q9",
            Target("male" if e.target == URATE else "other"),
        )
        for e in entries
    ]
    found = converter().overlaid(Overlay(3, tuple(moved))).entry("gender", "q9")
    assert found is not None
    assert found.code == ("male" if wanted == "14933-6" else "other")


def test_an_explanation_tells_the_mapped_code_by_rule_and_bytes() -> None:
    subject = converter().overlaid(Overlay(7, (solved(7),)))
    (said,) = [
        e
        for e in subject.explain(1, RAW, NOW)
        if isinstance(e.value, dict) and e.value.get("code") == "14933-6"
    ]
    assert said.rule.startswith("hospital-a/results.yaml:")
    (start, end), *_ = said.spans
    assert RAW[start:end] == CODE.encode()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["14933-6", "22664-7", "718-7", None]), max_size=6))
def test_any_chain_of_versions_ends_as_its_last_alone(chain: list[str | None]) -> None:
    subject = converter()
    for number, code in enumerate(chain, 1):
        entries = () if code is None else (solved(number, Target(code)),)
        subject = subject.overlaid(Overlay(number, entries))
    last = chain[-1] if chain else None
    assert coded(subject) == ([CODE] if last is None else [last, CODE])
