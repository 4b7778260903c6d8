"""Laboratory rows, trends and drawings: what may be joined, what is marked, where a dot stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_record import NOW, Chart, cc

from healthhub.serve.record.drawing import CHART, Point, chart, sparkline
from healthhub.serve.record.observations import Reading, State, analyte, reading
from healthhub.serve.record.origin import Sources
from healthhub.serve.record.page import Record
from healthhub.serve.record.reading import concept
from healthhub.serve.record.results import order, panels, rows
from healthhub.serve.record.trend import SYMBOLS, trend
from healthhub.web.language import LANGUAGES, translator

POTASSIUM = ("钾", "2823-3", "mmol/L", "3.5", "5.3")
GLUCOSE = ("空腹血糖", "14771-0", "mmol/L", "3.9", "6.1")
START = datetime(2026, 1, 1, tzinfo=UTC)


def readings(named: Sources, *results: tuple[Any, ...]) -> list[Reading]:
    """Results of (source, days ago, test, value, more)."""
    made = Chart()
    for source, ago, test, value, more in results:
        made.result(source, NOW - timedelta(days=ago), test, value, **more)
    return [reading(body, named) for body in made.bodies]


def test_a_row_is_an_analyte_in_one_unit_across_laboratories(named: Sources) -> None:
    found = rows(
        readings(
            named,
            ("a-lis", 9, GLUCOSE, "5.1", {}),
            ("b-lis", 5, GLUCOSE, "5.9", {}),
            ("b-lis", 1, ("空腹血糖", "14771-0", "mg/dL", "70", "110"), "101", {}),
        )
    )
    assert {(row.latest.value.text, row.count) for row in found.values()} == {
        ("5.9", 2),
        ("101", 1),
    }


def test_local_codes_of_two_institutions_are_never_one_analyte() -> None:
    local = concept({"coding": [{"system": "urn:x", "code": "K"}], "text": "钾"})
    assert analyte(local, "hospital-a") != analyte(local, "hospital-b")
    assert analyte(local, "hospital-a") == analyte(local, "hospital-a")


@pytest.mark.parametrize("code", ["../x", "a/b", "2823-3/..", "", "<b>", "?x"])
def test_what_is_no_loinc_code_never_stands_in_an_address(code: str) -> None:
    forged = concept({"coding": [{"system": "http://loinc.org", "code": code}], "text": "钾"})
    assert analyte(forged, "hospital-a").isalnum()


def test_a_withdrawn_result_is_not_the_latest_value_and_is_still_seen(named: Sources) -> None:
    (row,) = rows(
        readings(
            named,
            ("a-lis", 9, POTASSIUM, "4.4", {}),
            ("a-lis", 1, POTASSIUM, "9.9", {"status": "entered-in-error", "flag": "HH"}),
        )
    ).values()
    assert (row.latest.value.text, row.count) == ("4.4", 1)
    (withdrawn,) = row.withdrawn
    assert (withdrawn.value.text, withdrawn.state) == ("9.9", State.WITHDRAWN)
    assert not withdrawn.marked.mark, "a withdrawn value carries no mark"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("final", State.VALID),
        ("preliminary", State.PRELIMINARY),
        ("registered", State.PRELIMINARY),
        ("corrected", State.CORRECTED),
        ("amended", State.CORRECTED),
        ("cancelled", State.WITHDRAWN),
        ("entered-in-error", State.WITHDRAWN),
        ("unknown", State.PRELIMINARY),
    ],
)
def test_a_result_says_how_far_it_can_be_relied_on(
    named: Sources, status: str, state: State
) -> None:
    (found,) = readings(named, ("a-lis", 1, POTASSIUM, "4.4", {"status": status}))
    assert found.state is state


@pytest.mark.parametrize(
    ("element", "value", "text"),
    [
        ("valueString", "2+", "2+"),
        ("valueCodeableConcept", cc("阳性"), "阳性"),
        ("valueInteger", 3, "3"),
        ("valueBoolean", True, "+"),
        ("valueRange", {"low": {"value": 1}, "high": {"value": 3}}, "1–3"),
        ("valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 80}}, "1:80"),
        ("dataAbsentReason", cc("标本溶血"), "标本溶血"),
    ],
)
def test_a_value_of_any_type_is_shown_as_people_read_it(
    named: Sources, element: str, value: Any, text: str
) -> None:
    more = {"valueQuantity": None, element: value}
    (found,) = readings(named, ("a-lis", 1, POTASSIUM, "0", more))
    assert found.value.text == text


def test_panels_stand_in_a_fixed_order_and_the_rest_under_their_reports(named: Sources) -> None:
    found = readings(
        named,
        ("a-lis", 1, ("尿素", "22664-7", "mmol/L", "3.1", "8.0"), "5", {}),
        ("a-lis", 1, GLUCOSE, "5.1", {}),
        ("a-lis", 1, ("胱抑素C", "X", "mg/L", None, None), "1.5", {}),
        ("a-lis", 1, ("甲胎蛋白", "Y", "ng/mL", None, None), "3", {}),
    )
    reports = {found[2].id: concept(cc("肾功能")), found[3].id: concept(cc("肿瘤标志物"))}
    made = panels(found, reports)
    shown = [(p.key or p.name.text, [row.latest.name.text for row in p.rows]) for p in made]
    assert shown == [
        ("glucose", ["空腹血糖"]),
        ("renal", ["尿素", "胱抑素C"]),
        ("肿瘤标志物", ["甲胎蛋白"]),
    ]


def test_a_trend_draws_each_unit_apart_and_gives_each_laboratory_its_symbol(
    named: Sources,
) -> None:
    found = trend(
        readings(
            named,
            ("a-lis", 30, GLUCOSE, "5.1", {}),
            ("a-lis", 20, GLUCOSE, "5.3", {}),
            ("b-lis", 10, GLUCOSE, "5.9", {}),
            ("b-lis", 5, ("空腹血糖", "14771-0", "mg/dL", "70", "110"), "101", {}),
        )
    )
    assert found is not None
    assert [unit.unit for unit in found.units] == ["mg/dL", "mmol/L"]
    assert [lab.symbol for lab in found.laboratories] == ["circle", "square"]
    drawing = found.units[1].drawing
    assert drawing is not None
    assert len(drawing.dots) == 3
    assert len(drawing.lines) == 1, "only the two of one laboratory are joined"
    assert drawing.band is not None


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        ({}, {}, True),
        ({"method": cc("酶法")}, {"method": cc("酶法")}, True),
        ({"method": cc("酶法")}, {"method": cc("干化学法")}, False),
        ({"method": cc("酶法")}, {}, False),
    ],
)
def test_no_line_joins_results_of_different_methods(
    named: Sources, one: Any, other: Any, joined: bool
) -> None:
    found = trend(
        readings(named, ("a-lis", 9, GLUCOSE, "5", one), ("a-lis", 1, GLUCOSE, "6", other))
    )
    assert found is not None
    drawing = found.units[0].drawing
    assert drawing is not None
    assert len(drawing.dots) == 2
    assert bool(drawing.lines) is joined


def test_neither_a_withdrawn_nor_a_censored_value_is_drawn(named: Sources) -> None:
    censored = {"valueQuantity": {"value": 3, "comparator": "<", "unit": "mmol/L"}}
    found = trend(
        readings(
            named,
            ("a-lis", 9, GLUCOSE, "5", {}),
            ("a-lis", 5, GLUCOSE, "50", {"status": "cancelled"}),
            ("a-lis", 1, GLUCOSE, "3", censored),
        )
    )
    assert found is not None
    assert [len(unit.drawing.dots) for unit in found.units if unit.drawing] == [1]
    assert len(found.units[0].readings) == 3, "the table holds all of them"


def test_a_fifth_laboratory_shares_the_last_symbol_and_nobody_is_without() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS) == 4
    assert trend([]) is None


values = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
steps = st.lists(st.tuples(st.integers(0, 10**8), values), min_size=1, max_size=40)


@given(steps, values | st.none(), values | st.none())
def test_every_dot_stands_inside_its_drawing(
    pairs: list[tuple[int, float]], low: float | None, high: float | None
) -> None:
    points = [Point(START + timedelta(seconds=at), value, "s") for at, value in pairs]
    for drawing in (chart(points, low, high), sparkline(points, low, high)):
        if drawing is None:
            assert len(points) < 2
            continue
        for dot in drawing.dots:
            assert 0 <= dot.x <= drawing.width
            assert 0 <= dot.y <= drawing.height
        if drawing.band:
            assert drawing.band.y >= 0
            assert 0 < drawing.band.height <= drawing.height


@given(steps)
def test_a_chart_has_a_handful_of_ticks_and_all_values_between_them(
    pairs: list[tuple[int, float]],
) -> None:
    drawing = chart([Point(START + timedelta(seconds=at), value, "s") for at, value in pairs])
    assert drawing is not None
    assert 3 <= len(drawing.up) <= 9
    labels = [float(tick.text) for tick in drawing.up]
    assert labels[0] <= min(value for _, value in pairs) * (1 + 1e-9) + 1e-6
    assert all(CHART.left - 0.1 <= tick.at <= CHART.width for tick in drawing.across)


def test_higher_is_up_and_later_is_right() -> None:
    points = [Point(START, 1.0, "s"), Point(START + timedelta(days=9), 2.0, "s")]
    drawing = chart(points)
    assert drawing is not None
    first, last = drawing.dots
    assert first.x < last.x
    assert first.y > last.y


def test_one_value_makes_no_sparkline() -> None:
    assert sparkline([Point(START, 1.0, "s")]) is None


def test_the_blood_pressure_is_one_row_with_two_lines(record: Record) -> None:
    pressure = record.vital_signs[0]
    assert pressure.latest.analyte == "85354-9"
    assert "/" in pressure.latest.value.text
    assert pressure.spark is not None
    assert len(pressure.spark.lines) >= 2


def test_passages_of_a_report_are_no_laboratory_values(record: Record) -> None:
    names = [row.latest.name.text for panel in record.panels for row in panel.rows]
    assert "检查所见" not in names
    (imaging,) = [item for item in record.reports if item.kind == "imaging"]
    assert imaging.conclusion == "双肾实质回声稍增强，请结合临床。"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", [*order().vital, "14743-9"])
def test_what_a_device_names_by_its_code_alone_has_a_name_in_the_readers_language(
    language: str, code: str
) -> None:
    display = "Blood pressure panel with all children optional"
    coding = {"system": "http://loinc.org", "code": code, "display": display}
    name = translator(language).coded("analyte", concept({"coding": [coding]}))
    assert name != display
    assert name.isascii() == (language == "en")
