"""The functions of the language, case by case, and their documentation."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_mapping import GROUPS, HEAD, PATIENT, REAL, patient, rules, run, write

from healthhub.mapping.functions import FUNCTIONS, numbers, people, table, text, times
from healthhub.mapping.functions.times import PLACEHOLDER, Moment, parse
from healthhub.terms import load as load_terms
from healthhub.terms.forms import looks_like, resident_id

DOC = REAL.parent / "docs" / "mapping-language.md"


class FakeRun:
    """What functions ask of a run, with the findings kept."""

    def __init__(self) -> None:
        from zoneinfo import ZoneInfo

        self.namespace = "jcyy"
        self.zone = ZoneInfo("Asia/Shanghai")
        self.terms = load_terms(REAL)
        self.found: list[str] = []

    def remark(self, code: str, node: Any, need: Any, detail: str, value: str = "") -> None:
        """Keep the code."""
        self.found.append(code)


UCUM = "http://unitsofmeasure.org"


def _quantity(value: str, unit: str | None = None) -> dict[str, Any] | None:
    return numbers.quantity(FakeRun(), None, None, value, unit)  # type: ignore[arg-type]


QUANTITIES: list[tuple[str, str | None, Any]] = [
    ("131.0", "g/L", {"value": Decimal("131.0"), "unit": "g/L", "system": UCUM, "code": "g/L"}),
    ("<0.5", None, {"value": Decimal("0.5"), "comparator": "<"}),
    ("≥１００", None, {"value": Decimal("100"), "comparator": ">="}),
    ("1.2×10^9", "/L", {"value": Decimal("1.2E+9"), "unit": "/L", "system": UCUM, "code": "/L"}),
    ("1.2×10⁹", None, {"value": Decimal("1.2E+9")}),
    ("5.1 mmol/L", None, {"value": Decimal("5.1"), "unit": "mmol/L", "system": UCUM, "code": "mmol/L"}),
    ("7.2↑", "10^9/L", {"value": Decimal("7.2"), "unit": "10^9/L", "system": UCUM, "code": "10*9/L"}),
    ("290.00", "^umol/L", {"value": Decimal("290.00"), "unit": "umol/L", "system": UCUM, "code": "umol/L"}),
    ("3", "μmol/L", {"value": Decimal("3"), "unit": "μmol/L", "system": UCUM, "code": "umol/L"}),
    ("3", "奇怪单位", {"value": Decimal("3"), "unit": "奇怪单位"}),
    ("1,234.5", None, {"value": Decimal("1234.5")}),
    (".5", None, {"value": Decimal("0.5")}),
    ("131.", None, {"value": Decimal("131")}),
    ("-2", None, {"value": Decimal("-2")}),
    ("阴性", None, None),
    ("1:80", None, None),
    ("1+", None, None),
    ("3-5", None, None),
    ("+", None, None),
    ("未见异常", None, None),
    ("3个月", None, {"value": Decimal("3"), "unit": "个月", "system": UCUM, "code": "mo"}),
    ("7.2", "10\\S\\9/L", {"value": Decimal("7.2"), "unit": "10^9/L", "system": UCUM, "code": "10*9/L"}),
    ("2024-01-01", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "unit", "expected"), QUANTITIES)
def test_a_quantity_keeps_digits_comparator_and_unit_or_gives_way_to_text(
    value: str, unit: str | None, expected: Any
) -> None:
    found = _quantity(value, unit)
    assert found == expected
    if found and not {"×", ","} & set(value):
        assert (
            str(found["value"]) in value.replace("１００", "100").replace(".5", "0.5") + "0.5"
        )


@given(st.text(max_size=30))
def test_no_text_breaks_the_parsers_of_numbers_and_times(value: str) -> None:
    run = FakeRun()
    for name in ("quantity", "range_", "reference_range"):
        found = getattr(numbers, name)(run, None, None, value, None) if value.strip() else None
        assert found is None or isinstance(found, dict)
    assert numbers.ratio(value) is None or ":" in value or "：" in value
    moment = parse(value, run.zone)
    assert moment in (None, PLACEHOLDER) or isinstance(moment, Moment)


RANGES: list[tuple[str, Any]] = [
    ("3.5-5.5", ("3.5", "5.5")),
    ("205.00--285.00", ("205.00", "285.00")),
    ("3.5～5.5", ("3.5", "5.5")),
    ("-5.0-5.0", ("-5.0", "5.0")),
    ("-5--1", ("-5", "-1")),
    ("3.5 - 5.5 mmol/L", ("3.5", "5.5")),
    ("0至5", ("0", "5")),
    ("<5.0", (None, "5.0")),
    ("≤5", (None, "5")),
    (">=10", ("10", None)),
    ("阴性", (None, None)),
    ("男 3.5-5.5 女 3.0-5.0", (None, None)),
]


@pytest.mark.parametrize(("value", "limits"), RANGES)
def test_a_reference_range_has_its_limits_and_always_its_text(value: str, limits: Any) -> None:
    found = numbers.reference_range(FakeRun(), None, None, value, "g/L")  # type: ignore[arg-type]
    assert found is not None
    shown = tuple(
        str(found[side]["value"]) if side in found else None for side in ("low", "high")
    )
    assert (shown, found["text"]) == (limits, value)


@pytest.mark.parametrize("value", ["null-null", "--", "无"])
def test_a_reference_range_of_fillers_gives_nothing(value: str) -> None:
    assert numbers.reference_range(FakeRun(), None, None, value) is None  # type: ignore[arg-type]


TIMES: list[tuple[str, str | None, str | None]] = [
    ("2024", "2024", "2024"),
    ("202401", "2024-01", "2024-01"),
    ("20240105", "2024-01-05", "2024-01-05"),
    ("202401050830", "2024-01-05", "2024-01-05T08:30:00+08:00"),
    ("20240105083015", "2024-01-05", "2024-01-05T08:30:15+08:00"),
    ("20240105083015.5", "2024-01-05", "2024-01-05T08:30:15.5+08:00"),
    ("20240105083015883", "2024-01-05", "2024-01-05T08:30:15.883+08:00"),
    ("20240105083015-0500", "2024-01-05", "2024-01-05T08:30:15-05:00"),
    ("2024010508:30:15", "2024-01-05", "2024-01-05T08:30:15+08:00"),
    ("2024-01-05 08:30:15", "2024-01-05", "2024-01-05T08:30:15+08:00"),
    ("2024-01-05T08:30:15Z", "2024-01-05", "2024-01-05T08:30:15+00:00"),
    ("2024/1/5", "2024-01-05", "2024-01-05"),
    ("2024年1月5日", "2024-01-05", "2024-01-05"),
    ("２０２４０１０５", "2024-01-05", "2024-01-05"),
    ("20240100", "2024-01", "2024-01"),
    ("19880601120000", "1988-06-01", "1988-06-01T12:00:00+09:00"),
    ("18900101000000", "1890-01-01", "1890-01-01T00:00:00+08:05"),
    ("20240231", None, None),
    ("20241301", None, None),
    ("abc", None, None),
]


@pytest.mark.parametrize(("value", "date", "date_time"), TIMES)
def test_a_time_keeps_its_precision_and_zone(
    value: str, date: str | None, date_time: str | None
) -> None:
    run = FakeRun()
    assert times.date(run, None, None, value) == date  # type: ignore[arg-type]
    assert times.date_time(run, None, None, value) == date_time  # type: ignore[arg-type]
    assert run.found == ([] if date else ["bad-date", "bad-date"])


@pytest.mark.parametrize(
    "value", ["19000101", "18000101", "00000000", "0", "1900-01-01", "99991231"]
)
def test_a_default_date_is_left_out_and_told(value: str) -> None:
    run = FakeRun()
    assert times.date(run, None, None, value) is None  # type: ignore[arg-type]
    assert run.found == ["placeholder"]


def test_a_birth_date_in_the_future_is_left_out_and_an_appointment_is_not() -> None:
    run = FakeRun()
    assert times.date(run, None, None, "29990101") is None  # type: ignore[arg-type]
    assert times.any_date(run, None, None, "29990101") == "2999-01-01"  # type: ignore[arg-type]
    assert run.found == ["bad-date"]


@given(st.datetimes(min_value=times.datetime(1902, 1, 1), max_value=times.datetime(2999, 1, 1)))
def test_a_full_timestamp_comes_back_as_the_same_instant(value: times.datetime) -> None:
    run = FakeRun()
    found = parse(value.strftime("%Y%m%d%H%M%S"), run.zone)
    if f"{value:%Y%m%d}" in times._DEFAULTS:
        assert found == PLACEHOLDER
    else:
        assert isinstance(found, Moment)
        assert times.datetime.fromisoformat(found.date_time) == found.at
        assert found.at.replace(tzinfo=None) == value.replace(microsecond=0)


def test_later_minutes_and_age_count_time() -> None:
    run = FakeRun()
    assert times.later(run, None, None, "20240101080000", "90") == "2024-01-01T09:30:00+08:00"  # type: ignore[arg-type]
    assert times.later(run, None, None, "20240101080000", "x") is None  # type: ignore[arg-type]
    assert (times.minutes("1.5", "h"), times.minutes("30"), times.minutes("a")) == (
        90,
        30,
        None,
    )
    assert times.age_at(run, None, None, "19900307", "20240306") == 33  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("110101199003070871", None),
        ("11010119900307087X", None),
        ("110101900307087", "11010119900307087"),
        ("11010119901307087X", None),
    ],
)
def test_a_resident_id_must_have_a_date_and_the_right_check_character(
    value: str, expected: str | None
) -> None:
    completed = resident_id("110101900307087")
    assert completed is not None
    assert completed.startswith("11010119900307087")
    assert len(completed) == 18
    found = resident_id(value)
    if expected:
        assert found == completed
    elif value[:17] == completed[:17]:
        assert found == (completed if value == completed else None)
    assert resident_id(completed.lower()) == completed
    wrong = completed[:-1] + ("0" if completed[-1] != "0" else "1")
    assert resident_id(wrong) is None


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (people.person_name, "张 三", "张三"),
        (people.person_name, "John Smith", "John Smith"),
        (people.family_name, "欧阳修", "欧阳"),
        (people.family_name, "张三丰", "张"),
        (people.family_name, "Smith", None),
        (people.given_name, "欧阳修", "修"),
        (people.phone, " １３９ 0000 0001", "13900000001"),
        (people.phone, "无", None),
        (people.phone, "00000000", None),
        (text.boolean, "是", True),
        (text.boolean, "N", False),
        (text.boolean, "maybe", None),
        (text.without, "-", None),
        (text.without, "a", "a"),
        (text.uri, "1.2.840", "urn:oid:1.2.840"),
        (text.uri, "IHE", None),
        (text.digits, "a１2", "12"),
        (text.compact, "a b\u3000c", "abc"),
        (numbers.ratio, "1:80", {"numerator": {"value": Decimal(1)}, "denominator": {"value": Decimal(80)}}),
        (numbers.integer, "3.0", 3),
        (numbers.integer, "3.5", None),
        (numbers.positive, "0", None),
        (times.time, "0830", "08:30:00"),
        (times.time, "2530", None),
    ],
)  # fmt: skip
def test_small_functions(function: Any, value: str, expected: Any) -> None:
    assert function(value) == expected


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("number", ["<0.5", "1.2×10^9", "5", "≥3.1"], ["阴性", "1:80", "", "1+"]),
        ("numeric", ["5", "-3.2"], ["<5"]),
        ("date", ["20240101", "2024-01-01", "2024"], ["1:80", "20241301x", "99"]),
        ("time", ["202401010830", "2024-01-01 08:30"], ["20240101"]),
        ("chinese", ["张三"], ["Zhang"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [looks_like(pattern, value) for value in (*yes, *no)] == [True] * len(yes) + [
        False
    ] * len(no)


def test_all_repetitions_can_be_joined_into_lines(tmp_path: Path) -> None:
    lines = (
        "a <- PID-5 | lines",
        'b <- join("-", PID-2, PID-4, PID-8)',
        'c <- PID-5.1 | join_all("/")',
    )
    body = patient(tmp_path, "PID|1|V|P1||one^x~two|||M", *lines)
    assert body == {"a": "one^x\ntwo", "b": "V-M", "c": "one/two"}


def test_the_value_of_a_finding_names_its_field_and_rule(tmp_path: Path) -> None:
    library = write(tmp_path, "base", GROUPS + PATIENT + rules("birthDate <- PID-7 | date"))
    result = run(library, f"{HEAD}\nPID|1||P1||||19901399")
    finding = result.findings[0]
    assert (finding.code, finding.where, finding.value) == ("bad-date", "PID-7", "19901399")
    assert finding.rule.startswith("base/mapping.yaml:")


def test_the_documentation_of_functions_is_that_of_the_functions() -> None:
    page = DOC.read_text(encoding="utf-8")
    stated = page.split("<!-- functions:begin -->\n")[1].split("\n<!-- functions:end -->")[0]
    assert stated == table()
    assert all(entry.doc for entry in FUNCTIONS.values())
