"""What a strange code could stand for: ranked, with the reasons for and against."""

from __future__ import annotations

import pytest
from gap_stage import library
from hypothesis import given
from hypothesis import strategies as st

from healthhub.convert.met import Met
from healthhub.gaps import candidates, names, proposals
from healthhub.gaps.proposals import Proposal, Sought
from healthhub.model.code_maps import Overlay, Solved, Target


def propose(
    code: str,
    display: str,
    met: Met | None = None,
    *,
    table: str = "tests",
    mapping: str = "hospital-a",
    overlay: Overlay = Overlay(),  # noqa: B008 - frozen
) -> list[Proposal]:
    index = candidates.index(
        library(), overlay, library().definition("hospital-a").codes[table]
    )
    sought = Sought(mapping, code, display, (met,) if met else ())
    return proposals.propose(sought, index, library().terms)


def kinds(found: Proposal) -> set[str]:
    return {reason.kind for reason in found.reasons}


URATE = Met("Observation", "", "267", "umol/L", "155", "357")
BEST = [
    ("0399003", "尿酸", URATE, "14933-6", {"name", "unit", "range", "values", "used"}),
    ("Z", "血清尿酸测定", URATE, "14933-6", {"name", "unit"}),
    ("Z", "尿酸(UA)", URATE, "14933-6", {"name"}),
    ("UA", "", URATE, "14933-6", {"short"}),
    ("bxbjs", "", None, "6690-2", {"initials"}),
    ("Z", "谷丙转氨酶", None, "1742-6", {"name"}),
    ("XCG01", "白细胞数目", None, "6690-2", {"similar", "code"}),
    ("Z", "葡萄糖", Met("", "", "5.2", "mmol/L", "3.9", "6.1"), "14771-0", {"name", "unit"}),
]


@pytest.mark.parametrize(("code", "display", "met", "best", "reasons"), BEST)
def test_the_best_proposal_and_why(
    code: str, display: str, met: Met | None, best: str, reasons: set[str]
) -> None:
    found = propose(code, display, met)
    assert found[0].target.code == best
    assert reasons <= kinds(found[0])
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_another_unit_and_values_that_do_not_fit_speak_against() -> None:
    fits, off = (
        propose("Z", "尿酸", met)[0]
        for met in (URATE, Met("Observation", "", "4.5", "mg/dL", "2.6", "6.0"))
    )
    assert "other-unit" in kinds(off)
    assert off.score < fits.score - 0.4
    mad = propose("Z", "尿酸", Met("Observation", "", "900000", "umol/L"))[0]
    assert "other-values" in kinds(mad)


def test_what_a_person_chose_for_the_code_elsewhere_is_a_reason() -> None:
    entry = Solved(1, "hospital-b", "tests", "Q77", Target("2823-3", "钾"))
    (found, *_) = propose("Q77", "", overlay=Overlay(1, (entry,)))
    assert (found.target.code, kinds(found)) == ("2823-3", {"person"})


def test_nothing_is_proposed_where_nothing_speaks_for_it() -> None:
    assert propose("Z9", "神经元特异性烯醇化酶") == []


@pytest.mark.parametrize(("code", "best"), [("汉", "01"), ("WWEZ", "05"), ("蒙古", "02")])
def test_other_tables_have_proposals_too(code: str, best: str) -> None:
    assert propose(code, "", table="ethnic-group")[0].target.code == best


@given(st.text(max_size=12), st.text(max_size=12))
def test_likeness_is_symmetric_and_between_nothing_and_one(one: str, other: str) -> None:
    alike = names.likeness(one, other)
    assert alike == names.likeness(other, one)
    assert 0 <= alike <= 1
    assert names.likeness(one, one) in (0.0, 1.0)
