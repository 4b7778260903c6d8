"""The scoreboard: every figure of a source leads to exactly the messages that it counts."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from healthhub import keep
from healthhub.keep import figures
from healthhub.keep.figures import Figures
from healthhub.keep.scores import Score, scores, worst
from healthhub.model.finding import Finding
from healthhub.serve.console import bars
from healthhub.serve.console.sources import percent
from healthhub.settings import PACKAGE_ROOT
from tests.console.conftest import take
from tests.console.test_console_pages import numbers, row
from tests.console.test_finding_words import codes
from tests.receive.test_mllp_listener import message


@pytest.fixture
def flawed(database: str, conn: psycopg.Connection) -> dict[str, set[int]]:
    """Messages of a hospital by what is wrong with each."""
    good = take(database, "his", *(message(f"G{n}").encode() for n in range(3)))
    late = take(database, "his", message("L1").encode())
    keep.finish(conn, {key: [] for key in [*good, *late]})
    strange = take(database, "his", message("C1").encode(), message("C2").encode())
    lacking = take(database, "his", message("K1").encode())
    finding = Finding("warning", "unknown-code", "PID-8", "x")
    keep.finish(conn, {id_: [finding, finding] for id_ in strange})
    keep.finish(conn, {id_: [Finding("warning", "no-key", "", "x")] for id_ in lacking})
    (again,) = take(database, "his", message("G0").encode())
    assert again == good[0]
    conn.execute(
        "update message set at = received - (id = any(%s))::int * interval '8 days'", (late,)
    )
    return {
        "timeliness": set(late),
        "completeness": set(lacking),
        "conformity": set(strange),
        "duplication": {again},
        "all": {*good, *late, *strange, *lacking},
    }


def figure(page: str, source: str, column: int) -> tuple[str, str]:
    """A cell of the scoreboard as its text and address."""
    for found in re.findall(r"<tr>.*?</tr>", page, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)
        if f"/console/sources/{source}" in cells[0]:
            address = re.search(r'href="([^"]+)"', cells[column])
            text = re.sub(r"<[^>]+>", "", cells[column]).strip()
            return text, html.unescape(address[1]) if address else ""
    raise AssertionError(source)


def test_each_figure_leads_to_the_messages_that_it_counts(
    admin: httpx.Client, flawed: dict[str, set[int]]
) -> None:
    page = admin.get("/console/quality?window=24h").text
    columns = ("timeliness", "completeness", "conformity", "consistency", "duplication")
    for number, dimension in enumerate(columns, start=2):
        text, address = figure(page, "his", number)
        wanted = flawed.get(dimension, set())
        assert bool(address) == bool(wanted), (dimension, text)
        if wanted:
            assert f"{len(wanted)} 条不符" in text
            assert set(numbers(admin.get(address).text)) == wanted, dimension
    assert figure(page, "his", 1)[0].endswith("7")
    assert figure(page, "pacs", 2)[0].endswith("–")


def test_the_overview_and_the_source_tell_the_same(
    admin: httpx.Client, flawed: dict[str, set[int]], conn: psycopg.Connection
) -> None:
    cells = row(admin.get("/console").text, "his")
    assert cells[3].endswith(str(len(flawed["all"])))
    page = admin.get("/console/sources/his?window=24h").text
    for address in map(html.unescape, re.findall(r'href="(/console/messages[^"]+)"', page)):
        assert admin.get(address).status_code == 200
    (late,) = re.findall(r'href="([^"]+delay=7d)">1<', page)
    assert set(numbers(admin.get(html.unescape(late)).text)) == flawed["timeliness"]
    figures.fold(conn)
    assert admin.get("/console/sources/his?window=24h").text.count("7 天内") == page.count(
        "7 天内"
    )


def test_an_unknown_source_is_not_found_and_one_that_left_the_settings_is(
    admin: httpx.Client, conn: psycopg.Connection, database: str
) -> None:
    assert admin.get("/console/sources/none").status_code == 404
    (id_,) = take(database, "his", message("A1").encode())
    conn.execute("update message set source = 'old-his' where id = %s", (id_,))
    assert "已不在配置中" in admin.get("/console/sources/old-his").text


@pytest.mark.parametrize("address", ["/console/quality", "/console/sources/his"])
def test_only_who_operates_the_hub_sees_them(hub: httpx.Client, address: str) -> None:
    from tests.console.conftest import signed_in

    doctor = signed_in(hub, "doctor")
    assert doctor.get(address).status_code == 403


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_are_whole_in_both_languages(
    admin: httpx.Client, flawed: dict[str, set[int]], language: str
) -> None:
    for address in ("/console/quality", "/console/sources/his", "/console/sources/%3F"):
        found = admin.get(f"{address}?lang={language}&window=30d")
        assert found.status_code == (404 if "%3F" in address else 200)


def test_the_manual_says_of_each_finding_what_it_counts_against(
    conn: psycopg.Connection,
) -> None:
    page = (PACKAGE_ROOT / "docs" / "operations.md").read_text("utf-8")
    flaws = dict(
        conn.execute(
            "select code, finding_flaw(code, 'warning') from unnest(%s::text[]) as code",
            (sorted(codes()),),
        ).fetchall()
    )
    for flaw in ("completeness", "consistency"):
        (line,) = re.findall(rf"^\| {flaw} \| findings (.*) \|$", page, re.MULTILINE)
        assert set(re.findall(r"`([a-z-]+)`", line)) == {c for c in flaws if flaws[c] == flaw}


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    assert percent(Score("x", 1, 1_000_000)) == "99.9%"
    assert percent(Score("x", 0, 7)) == "100%"
    assert percent(Score("x", 7, 7)) == "0.0%"
    assert percent(Score("x", 0, 0)) == ""


def test_the_lowest_of_the_judged_scores_is_the_worst() -> None:
    found = Figures(received=10, repeated=30, delay={"none": 10}, flaw={"conformity": 2})
    judged = scores(found, "1h")
    assert judged[0].share is None
    low = worst(judged)
    assert low is not None
    assert (low.dimension, low.wrong, low.all) == ("duplication", 30, 40)
    assert worst(scores(Figures(), "1h")) is None


def test_a_chart_has_a_bar_for_each_hour_and_a_sum_for_each_day() -> None:
    since = datetime(2026, 3, 1, 22, tzinfo=UTC)
    drawn = bars.chart(
        {since: 4, since + timedelta(hours=3): 8}, since, since + timedelta(days=1)
    )
    assert len(drawn.bars) == 25
    assert [bar.count for bar in drawn.bars[:4]] == [4, 0, 0, 8]
    assert sum(n for _, n in drawn.sums) == 12
    assert drawn.bars[3].height == bars.HEIGHT
