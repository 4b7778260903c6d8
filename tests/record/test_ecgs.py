"""Electrocardiograms on the page: true to the sample and to the millimetre, without script."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_ecg import CODES, component, lead, observation
from invented_record import GOLDEN, NOW, Chart, cc, day, resident
from markup import read
from page_stage import app
from serving import answering

from healthhub.access.http import COOKIE
from healthhub.serve.record import page
from healthhub.serve.record.curves import (
    FINE,
    MARGIN,
    MILLIVOLT,
    SECOND,
    Curve,
    Samples,
    paper,
)
from healthhub.serve.record.ecgs import Ecg, ecgs
from healthhub.serve.record.origin import Sources

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TWELVE = ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7))]


def points(curve: Curve) -> list[tuple[int, int]]:
    """The corners of a curve's line."""
    found: list[tuple[int, int]] = []
    for piece in re.findall(r"M(-?\d+) (-?\d+)l([-\d ]+)", curve.line):
        x, y = int(piece[0]), int(piece[1])
        found.append((x, y))
        numbers = list(map(int, piece[2].split()))
        for across, down in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + across, y + down
            found.append((x, y))
    return found


def only(body: dict[str, Any], named: Sources) -> Ecg:
    [found] = ecgs([{"id": "e", "resourceType": "Observation", **body}], [], named)
    return found


def test_twelve_leads_stand_in_four_columns_with_the_rhythm_below(named: Sources) -> None:
    drawn = only(observation(), named).paper
    assert drawn is not None
    assert sorted(c.name for c in drawn.curves) == sorted([*TWELVE, "II"])
    left = {c.name: (c.x - MARGIN * FINE) / SECOND for c in drawn.curves[:12]}
    assert [round(left[n], 1) for n in ("I", "aVR", "V1", "V4")] == [0.0, 2.5, 5.0, 7.5]
    assert len({c.y for c in drawn.curves}) == 4
    assert drawn.derived == ()
    rhythm = points(drawn.curves[-1])
    assert rhythm[-1][0] - rhythm[0][0] == pytest.approx(10 * SECOND, abs=SECOND / 100)


def test_a_millivolt_is_ten_millimetres_and_a_second_twenty_five() -> None:
    steps = [0.0] * 250 + [1.0] * 250
    drawn = paper({"II": Samples("II", steps, 0.002)})
    assert drawn is not None
    corners = points(drawn.curves[0])
    heights = {y for _, y in corners}
    assert max(heights) - min(heights) == 10 * FINE == MILLIVOLT
    rise = next(x for (x, y) in corners if y == min(heights))
    assert (rise - MARGIN * FINE) / FINE == pytest.approx(12.5, abs=0.1)
    assert drawn.view == f"0 0 {drawn.width * FINE} {drawn.height * FINE}"
    pulse = re.search(r"h(\d+)v-(\d+)h(\d+)v", drawn.pulses)
    assert pulse is not None
    assert (int(pulse[2]) / FINE, int(pulse[3]) / FINE) == (10, 5)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(-1.3, 1.3), min_size=2, max_size=200),
    st.sampled_from([0.001, 0.002, 0.004]),
)
def test_no_sample_lies_further_from_the_line_than_a_tenth_of_a_millimetre(
    values: list[float], step: float
) -> None:
    drawn = paper({"II": Samples("II", values, step)})
    assert drawn is not None
    corners = points(drawn.curves[0])
    zero = next(iter(re.findall(r"M\d+ (\d+)h", drawn.pulses)))
    for number, value in enumerate(values):
        x = MARGIN * FINE + number * step * SECOND
        wanted = int(zero) - value * MILLIVOLT
        assert min(abs(y - wanted) for y in _at(corners, x, wanted)) <= 0.1 * FINE + _steepest(
            corners, x
        )


def test_a_tall_deflection_is_drawn_whole_wherever_it_stands() -> None:
    """Of hypertrophy: R waves of 4 mV in the first row, S waves of 4.5 mV in the last."""
    tall = Samples("I", [0.0] * 100 + [4.0] * 10 + [0.0] * 100, 0.002)
    deep = Samples("V1", [0.0] * 100 + [-4.5] * 10 + [0.0] * 100, 0.002)
    drawn = paper({"I": tall, "V1": deep})
    assert drawn is not None
    _, top, _, height = map(int, drawn.view.split())
    for curve, reach in zip(drawn.curves, (4.0, 4.5), strict=True):
        heights = [y for _, y in points(curve)]
        assert max(heights) - min(heights) == reach * MILLIVOLT
        assert top <= min(heights) <= max(heights) <= top + height
    assert height == drawn.height * FINE
    assert f"M0 {top}h" in drawn.coarse


def test_an_artefact_of_any_size_leaves_the_paper_readable() -> None:
    drawn = paper({"I": Samples("I", [0.0, 3000.0, -3000.0, 0.0], 0.1)})
    assert drawn is not None
    assert drawn.height < 150


def _at(corners: list[tuple[int, int]], x: float, wanted: float) -> list[float]:
    """The line's heights at a place, and within the half unit that rounding may move it; of an
    upright stretch the height nearest to the one that is wanted."""
    found = [float(y) for at, y in corners if abs(at - x) <= 0.5]
    for (x1, y1), (x2, y2) in itertools.pairwise(corners):
        if x1 == x2 and abs(x1 - x) <= 0.5:
            found.append(min(max(wanted, min(y1, y2)), max(y1, y2)))
        if x1 - 0.5 <= x <= x2 + 0.5 and x2 > x1:
            found.append(y1 + (y2 - y1) * (min(max(x, x1), x2) - x1) / (x2 - x1))
    return found


def _steepest(corners: list[tuple[int, int]], x: float) -> float:
    """How much height half a unit to the side may be."""
    near = [
        abs(y2 - y1) / (x2 - x1)
        for (x1, y1), (x2, y2) in itertools.pairwise(corners)
        if x1 - 1 <= x <= x2 + 1 and x2 > x1
    ]
    return max(near, default=0.0) * 0.5 + 0.5


def test_leads_that_were_not_sent_are_worked_out_and_marked(named: Sources) -> None:
    sent = ["I", "II", *(f"V{n}" for n in range(1, 7))]
    drawn = only(observation(sent), named).paper
    assert drawn is not None
    assert set(drawn.derived) == {"III", "aVR", "aVL", "aVF"}
    whole = only(observation(), named).paper
    assert whole is not None
    for worked_out, sent_whole in zip(drawn.curves, whole.curves, strict=True):
        heights, wanted = ({y for _, y in points(c)} for c in (worked_out, sent_whole))
        assert max(heights) == pytest.approx(max(wanted), abs=2)
        assert min(heights) == pytest.approx(min(wanted), abs=2)


def test_where_nothing_was_recorded_the_line_breaks(named: Sources) -> None:
    body = {"component": [component("II", [*[0] * 100, *["E"] * 50, *[0] * 100])]}
    drawn = only(body, named).paper
    assert drawn is not None
    assert drawn.curves[0].line.count("M") == 2


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (component("999", [1, 2, 3]), "an unknown code"),
        (component("I", [1, 2, 3], unit="mm[Hg]"), "no voltage"),
    ],
)
def test_a_lead_that_cannot_be_drawn_is_named(
    part: dict[str, Any], why: str, named: Sources
) -> None:
    body = {"component": [component("II", [1, 2, 3]), part]}
    found = only(body, named)
    assert len(found.unnamed) == 1, why
    assert found.paper is not None
    assert [c.name for c in found.paper.curves] == ["II"]


@pytest.mark.parametrize("data", ["", "E E E", "5", "nonsense"])
def test_samples_that_draw_nothing_do_no_harm(data: str, named: Sources) -> None:
    part = component("II", [])
    part["valueSampledData"]["data"] = data
    drawn = only({"component": [part]}, named).paper
    assert drawn is not None
    assert drawn.curves[0].line == ""


def test_a_strip_of_one_lead_goes_on_in_the_rows_below() -> None:
    drawn = paper({"II": Samples("II", [0.1] * 250 * 27, 0.004)})
    assert drawn is not None
    assert len(drawn.curves) == 3


@pytest.fixture(scope="module")
def charted() -> tuple[Chart, str]:
    """The resident with two electrocardiograms, and the later one's id."""
    chart = resident()
    made = chart.add("Observation", "a-his", day("2026-11-20"), observation())
    chart.add(
        "DiagnosticReport",
        "a-his",
        day("2026-11-20"),
        {
            "status": "final",
            "code": cc("心电图报告"),
            "category": [cc("", ("http://terminology.hl7.org/CodeSystem/v2-0074", "EC"))],
            "effectiveDateTime": "2026-11-20T08:15:30+08:00",
            "result": [{"reference": f"Observation/{made['id']}"}],
            "conclusion": "窦性心律；<b>正常</b>心电图",
        },
    )
    earlier = observation(["II"], seconds=3)
    earlier["effectiveDateTime"] = "2026-01-20T08:00:00+08:00"
    chart.add("Observation", "b-his", day("2026-01-20"), earlier)
    return chart, made["id"]


@pytest.fixture(scope="module")
def shown(charted: tuple[Chart, str]) -> Iterator[httpx.Client]:
    with answering(app({GOLDEN: charted[0]})) as client:
        client.cookies.set(COOKIE, "a-doctor's")
        client.headers["accept"] = "text/html"
        yield client


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("place", ["", "/ecg/{id}"])
def test_the_curves_are_on_both_pages_without_script(
    shown: httpx.Client, charted: tuple[Chart, str], place: str, language: str
) -> None:
    address = f"/record/{GOLDEN}{place.format(id=charted[1])}"
    answer = shown.get(address, params={"lang": language})
    assert answer.status_code == 200
    seen = read(answer.text)
    assert seen.faults == []
    assert "script" not in [tag for tag, _ in seen.tags]
    assert (
        sum(1 for tag, said in seen.tags if tag == "path" and said.get("class") == "pen") == 14
    )
    text = " ".join(seen.text)
    assert {"zh": "PR 间期", "en": "PR"}[language] in text
    assert "<b>正常</b>" in text
    assert len(answer.content) < 140_000


def test_the_own_page_says_its_size_in_millimetres(
    shown: httpx.Client, charted: tuple[Chart, str]
) -> None:
    text = shown.get(f"/record/{GOLDEN}/ecg/{charted[1]}").text
    [svg] = [dict(said) for tag, said in read(text).tags if tag == "svg" and "width" in said]
    wide, high = map(int, svg["viewbox"].split()[2:])
    assert (svg["width"], svg["height"]) == (f"{wide // FINE}mm", f"{high // FINE}mm")
    assert wide // FINE <= 297 - 2 * 8


def test_another_records_curves_are_not_shown(shown: httpx.Client) -> None:
    assert shown.get(f"/record/{GOLDEN}/ecg/{GOLDEN}").status_code == 404


def test_an_ecg_is_no_laboratory_result_and_its_report_leads_to_it(
    shown: httpx.Client, charted: tuple[Chart, str], named: Sources
) -> None:
    built = page.record(charted[0].bodies, GOLDEN, named, NOW)
    assert len(built.ecgs) == 2
    assert charted[1] not in {item.id for item in built.readings}
    [report] = [item for item in built.reports if item.title.text == "心电图报告"]
    text = shown.get(f"/record/{GOLDEN}/report/DiagnosticReport/{report.id}").text
    assert f"/ecg/{charted[1]}" in text


@pytest.mark.browser
def test_a_browser_shows_and_prints_true_millimetres(
    shown: httpx.Client, charted: tuple[Chart, str], chromium: Browser
) -> None:
    base = str(shown.base_url).rstrip("/")
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": COOKIE, "value": "a", "url": base}])
    tab = context.new_page()
    tab.goto(f"{base}/record/{GOLDEN}/ecg/{charted[1]}")
    box = tab.locator("svg.ecg").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx((MARGIN + 250 + 3) * 96 / 25.4, abs=1)
    printed = tab.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert [float(w) > float(h) for w, h in boxes] == [True]
    context.close()


def test_every_lead_of_the_invention_is_one_the_page_knows() -> None:
    assert set(CODES) == set(TWELVE)
    assert len(lead("aVF", 500, 1)) == 500
