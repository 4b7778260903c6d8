"""The console in a browser: from the overview to a rejected byte, and a parked message replayed."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from healthhub import keep
from healthhub.model.message import State
from tests.console.conftest import PASSWORD

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser


def test_an_administrator_finds_what_is_wrong_and_replays_it_with_a_reason(
    hub: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    import browser

    with playwright.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(20_000)
        page.goto(f"{hub.base_url}/signin?next=/console")
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.click(f"a[href='/console/messages/{ids['rejected']}']")
        page.click("#findings a")
        assert page.inner_text("pre.raw mark") == "\N{REPLACEMENT CHARACTER}"
        page.click("a[href='/console']:has-text('运行控制台')")
        page.click(f"a[href='/console/messages/{ids['parked']}']")
        page.click("button[value=replay]")
        assert keep.get(conn, ids["parked"]).state is State.PARKED, "no reason, no replay"
        page.fill("#reason", "字典已更正")
        page.click("button[value=replay]")
        page.wait_for_selector("text=字典已更正")
        assert keep.get(conn, ids["parked"]).state is State.PENDING
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 1366
        opened.close()
