"""The pages in a browser: they fit, can be reached by keyboard, be read, and be printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from invented_record import GOLDEN

from healthhub.access.http import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 360, "height": 740}
ADDRESSES = (
    "/signin",
    "/",
    f"/record/{GOLDEN}",
    f"/record/{GOLDEN}/visits",
    f"/record/{GOLDEN}/reports",
    f"/record/{GOLDEN}/looks",
    f"/record/{GOLDEN}/trend/2823-3",
)
CONTRASTS = """() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = c => { const p = c.slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4));
    return 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2]; };
  const behind = e => { for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; }
    return [255, 255, 255, 1]; };
  const bad = []; let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, r = e.getBoundingClientRect();
    if (!walk.currentNode.data.trim() || r.width < 2 || r.height < 2) continue;
    const svg = e.closest('svg'), style = getComputedStyle(e);
    const a = light(parse(svg ? style.fill : style.color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    if (ratio < 4.5) bad.push([walk.currentNode.data.trim().slice(0, 30), e.className, ratio.toFixed(2)]);
  }
  return {seen, bad};
}"""
FOCUSED = """() => { const e = document.activeElement, s = getComputedStyle(e);
  return [e.tagName, e.getAttribute('href') || e.id || e.type || '', s.outlineStyle,
          parseFloat(s.outlineWidth)]; }"""


@contextmanager
def opened(
    chromium: Browser, stage: str, path: str, view: Any = DESKTOP, *, scripts: bool = True
) -> Iterator[Page]:
    """A page as the doctor sees it."""
    context = chromium.new_context(viewport=view, java_script_enabled=scripts, base_url=stage)
    context.add_cookies([{"name": COOKIE, "value": "a-doctor's", "url": stage}])
    page = context.new_page()
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200
    yield page
    context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("view", [DESKTOP, PHONE], ids=["1366", "360"])
def test_no_page_scrolls_sideways(
    chromium: Browser, stage: str, language: str, view: Any
) -> None:
    with opened(chromium, stage, f"/?lang={language}", view) as page:
        for path in ADDRESSES:
            page.goto(path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= view["width"], path


@pytest.mark.parametrize("view", [DESKTOP, PHONE], ids=["1366", "360"])
def test_the_record_is_readable_without_scripts(
    chromium: Browser, stage: str, view: Any
) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}", view, scripts=False) as page:
        for words in ("顾长河", "青霉素", "需要注意", "糖尿病肾病", "谁看过这份档案"):
            assert page.get_by_text(words).first.is_visible(), words
        page.locator("details > summary").click()
        assert page.get_by_text("缬沙坦胶囊 80mg").is_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_all_text_stands_out_from_its_ground(
    chromium: Browser, stage: str, language: str
) -> None:
    with opened(chromium, stage, f"/?lang={language}") as page:
        for path in ADDRESSES:
            page.goto(path)
            found = page.evaluate(CONTRASTS)
            assert found["seen"] > 5, path
            assert found["bad"] == [], path


def test_the_record_can_be_walked_by_keyboard(chromium: Browser, stage: str) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}") as page:
        reached = []
        for _ in range(400):
            page.keyboard.press("Tab")
            tag, name, style, width = page.evaluate(FOCUSED)
            if tag == "BODY":
                break
            assert style != "none", (tag, name)
            assert width >= 1, (tag, name)
            reached.append(name)
        links = page.evaluate(
            "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))"
        )
        assert reached[0] == "#main", "the first stop leads past the bar"
        hidden = "earlier medicines stand in a closed list"
        assert len(set(links) - set(reached)) <= 1, hidden


def test_the_skip_link_leads_to_the_record(chromium: Browser, stage: str) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}") as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_the_banner_stays_while_the_record_scrolls(chromium: Browser, stage: str) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}") as page:
        page.mouse.wheel(0, 1500)
        page.wait_for_function("window.scrollY > 500")
        box = page.locator(".banner").bounding_box()
        assert box is not None
        assert -1 <= box["y"] <= 1
        assert box["height"] < 140, "and leaves the screen to the record"


def test_a_jump_does_not_land_beneath_the_banner(chromium: Browser, stage: str) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}") as page:
        page.locator(".jumps a[href='#visits']").click()
        heading, banner = page.locator("#visits").bounding_box(), page.locator(".banner")
        foot = banner.bounding_box()
        assert heading is not None
        assert foot is not None
        assert heading["y"] >= foot["y"] + foot["height"] - 1


def test_marks_and_tags_are_told_by_signs_and_words_not_by_colour_alone(
    chromium: Browser, stage: str
) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}") as page:
        for chosen in (".mark", ".tag", ".allergy"):
            texts = page.locator(chosen).all_inner_texts()
            assert texts, chosen
            assert all(text.strip() for text in texts), chosen
        assert (
            page.locator("[aria-current=true]").first.evaluate(
                "e => getComputedStyle(e).borderBottomStyle"
            )
            == "solid"
        )
    with opened(chromium, stage, f"/record/{GOLDEN}/trend/14771-0") as page:
        shapes = page.locator("svg.key").evaluate_all(
            "keys => keys.map(key => key.firstElementChild.tagName)"
        )
        assert sorted(shapes) == ["circle", "rect"]


def test_the_record_prints_with_its_banner_marks_and_without_the_tools(
    chromium: Browser, stage: str
) -> None:
    with opened(chromium, stage, f"/record/{GOLDEN}") as page:
        printed = page.pdf(format="A4")
        assert printed.startswith(b"%PDF")
        assert 2 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 8
        page.emulate_media(media="print")
        for hidden in (".bar", ".jumps", ".filters"):
            assert not page.locator(hidden).first.is_visible(), hidden
        for shown in (".banner h1", ".allergy", ".mark.critical-high", "#looks"):
            assert page.locator(shown).first.is_visible(), shown
        colours = page.locator(".mark.critical-high").first.evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundImage]"
        )
        assert colours[0] == "rgb(0, 0, 0)", "black on a printer without colour"
        assert page.locator(".banner").evaluate("e => getComputedStyle(e).position") == "static"
