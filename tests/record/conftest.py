"""Fixtures of the record's tests: invented records on the stage, and a browser."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import httpx
import pytest
from invented_record import GOLDEN, NOW, SETTINGS, Chart, resident
from page_stage import app
from serving import answering

from healthhub.access.http import COOKIE
from healthhub.serve.record import page
from healthhub.serve.record.origin import Sources, sources
from healthhub.serve.record.page import Record

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def chart() -> Chart:
    """The resources of the resident with a long history."""
    return resident()


@pytest.fixture(scope="session")
def named() -> Sources:
    """The sources of the invented hospitals."""
    return sources(SETTINGS)


@pytest.fixture(scope="session")
def record(chart: Chart, named: Sources) -> Record:
    """The resident's record as the page builds it."""
    return page.record(chart.bodies, GOLDEN, named, NOW, chart.older)


@pytest.fixture(scope="session")
def stage(chart: Chart) -> Iterator[str]:
    """The address of the record's pages, over a real socket."""
    with answering(app({GOLDEN: chart})) as client:
        yield str(client.base_url)


@pytest.fixture
def pages(stage: str) -> Iterator[httpx.Client]:
    """A doctor who has signed in."""
    with httpx.Client(base_url=stage, cookies={COOKIE: "a-doctor's"}) as client:
        client.headers["accept"] = "text/html"
        yield client


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("browser", ROOT / "tools" / "browser.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; make sees to it that there is one (tools/browser.py)."""
    from playwright.sync_api import sync_playwright

    found = _tool().find()
    assert found, "run tools/browser.py first"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()
