"""The gap queue in a browser, by keys alone and with scripts switched off."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from gap_stage import (
    CODE,
    SETTINGS,
    codes,
    converters,
    gap,
    report,
    settled,
    take,
    until,
    working,
)
from serving import answering
from test_gap_pages import PASSWORD

from healthhub import keep
from healthhub.access import Role, accounts
from healthhub.main import build_app
from healthhub.pipeline import process

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def hub(database: str, conn: psycopg.Connection) -> Iterator[httpx.Client]:
    accounts.add(conn, "admin", PASSWORD, [Role.ADMIN], "林管理")
    take(database, *(report(n) for n in range(6)), *(report(n, code="XX01") for n in (7, 8)))
    take(database, report(9), source="a-old-lis")
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, converters(), 3)
    with answering(build_app(SETTINGS, database)) as client:
        yield client


@pytest.mark.parametrize("scripts", [True, False], ids=["by keys", "without scripts"])
def test_a_code_is_solved_and_taken_back(
    hub: httpx.Client,
    conn: psycopg.Connection,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    scripts: bool,
    tmp_path: Path,
) -> None:
    browser = importlib.import_module("browser")
    with working(database, monkeypatch), playwright.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
        page: Any = opened.new_page(
            viewport={"width": 1366, "height": 768}, java_script_enabled=scripts
        )
        page.set_default_timeout(20_000)
        page.goto(f"{hub.base_url}/signin?next=/console")
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.click("nav.tabs a[href='/console/gaps']")
        page.screenshot(path=str(tmp_path / "queue.png"), full_page=True)
        if scripts:
            page.keyboard.press("j")
            page.keyboard.press("Enter")
        else:
            page.click(f"#gaps a:has-text('{CODE}')")
        page.wait_for_selector("#proposals")
        assert page.inner_text("#gap h1") == f"尿酸 {CODE}"
        page.screenshot(path=str(tmp_path / "gap.png"), full_page=True)
        if scripts:
            page.keyboard.press("1")
        else:
            page.click("[data-proposals] button")
        page.wait_for_selector("#preview")
        assert "将改变 7 个已入库资源，涉及 7 名患者的页面" in page.inner_text("#preview")
        page.screenshot(path=str(tmp_path / "preview.png"), full_page=True)
        page.fill("#reason", "与检验科核对")
        page.press("#reason", "Enter")
        page.wait_for_selector("text=现映射为")
        until(lambda: settled(conn))
        assert codes(conn)[0] == [("尿酸", "14933-6"), ("尿酸", CODE)]
        page.goto(f"{hub.base_url}/console/gaps/{gap(conn).id}")
        page.screenshot(path=str(tmp_path / "solved.png"), full_page=True)
        page.click("button:has-text('预览撤销')")
        page.fill("#reason", "看错了")
        page.press("#reason", "Enter")
        page.wait_for_selector("#proposals")
        until(lambda: settled(conn))
        assert codes(conn)[0] == [("尿酸", CODE)]
        page.goto(f"{hub.base_url}/console/gaps")
        page.screenshot(path=str(tmp_path / "after.png"), full_page=True)
        widths = []
        for width in (1366, 360):
            page.set_viewport_size({"width": width, "height": 768})
            page.goto(f"{hub.base_url}/console/gaps/{gap(conn).id}?lang=en")
            page.screenshot(path=str(tmp_path / f"gap-en-{width}.png"), full_page=True)
            box = page.locator("body").bounding_box()
            widths.append(box["width"] <= width)
        assert widths == [True, True]
        opened.close()
