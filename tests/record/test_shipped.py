"""What is shipped to the record page: old kernels can read it, eyes can read it, both languages."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from invented_record import GOLDEN
from markup import read

from healthhub.web import language

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "healthhub"
CSS_TOO_NEW = {
    ":has()": r":has\(",
    ":is(), :where()": r":(?:is|where)\(",
    ":focus-visible": r":focus-visible",
    ":not() of several": r":not\([^)]*,",
    "color-mix(), oklch()": r"\b(?:color-mix|oklch|oklab|lab|lch|color)\(",
    "min(), max(), clamp()": r"[\s(:,](?:min|max|clamp)\(",
    "aspect-ratio": r"(?<!-)\baspect-ratio\s*:",
    "container queries": r"@container|\bcontainer(?:-type|-name)?\s*:",
    "layers, scopes": r"@(?:layer|scope|property)\b",
    "inset": r"(?<![-\w])inset(?:-block|-inline)?\s*:",
    "media ranges": r"@media[^{]*[<>]",
    "media features": r"prefers-(?:color-scheme|contrast|reduced-data)|forced-colors",
    "dvh": r"\d[sdl]v[hw]\b",
    "overflow: clip": r"overflow(?:-[xy])?\s*:\s*clip",
    "nesting": r"(?:^|[{;])\s*&",
    "accent-color, text-wrap": r"\b(?:accent-color|text-wrap|content-visibility)\s*:",
}
"""Rules that came after Chromium 69 (caniuse.com), by what they are called."""
JS_TOO_NEW = {
    "optional chaining": r"\?\.(?!\d)",
    "nullish coalescing": r"\?\?",
    "logical assignment": r"(?:\|\||&&)=",
    "private fields": r"(?:this\.|^\s*)#\w",
    "static blocks, fields": r"\bstatic\s*(?:\{|\w+\s*=)",
    "numeric separators": r"\b\d+_\d",
    "flat(), fromEntries(), at(), replaceAll(), matchAll(), allSettled()": (
        r"\.(?:flat|flatMap|fromEntries|at|replaceAll|matchAll|allSettled|any|hasOwn)\("
    ),
    "globalThis": r"\bglobalThis\b",
    "dynamic import, bigint": r"\bimport\(|\b\d+n\b",
}


def css_faults(css: str) -> list[str]:
    """What of a stylesheet Chromium 69 does not know."""
    plain = re.sub(r"/\*.*?\*/", " ", css, flags=re.DOTALL)
    faults = [
        name for name, rule in CSS_TOO_NEW.items() if re.search(rule, plain, re.MULTILINE)
    ]
    for block in re.findall(r"\{([^{}]*)\}", plain):
        if re.search(r"(?<![-\w])(?:row-|column-)?gap\s*:", block) and "grid" not in block:
            faults.append("gap outside a grid")
    return faults


def js_faults(script: str) -> list[str]:
    """What of a script Chromium 69 does not know."""
    plain = re.sub(r"/\*.*?\*/|//[^\n]*", " ", script, flags=re.DOTALL)
    plain = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", '""', plain)
    return [name for name, rule in JS_TOO_NEW.items() if re.search(rule, plain, re.MULTILINE)]


@pytest.mark.parametrize(
    ("css", "fault"),
    [
        ("a:has(b) { color: red }", ":has()"),
        ("a { display: flex; gap: 4px }", "gap outside a grid"),
        ("a { width: min(10px, 5%) }", "min(), max(), clamp()"),
        ("a { aspect-ratio: 1 }", "aspect-ratio"),
        ("a { color: color-mix(in srgb, red, blue) }", "color-mix(), oklch()"),
        ("@container (width > 3px) { a { b: c } }", "container queries"),
        ("a { inset: 0 }", "inset"),
        ("a:focus-visible { outline: 0 }", ":focus-visible"),
    ],
)
def test_the_linter_sees_rules_that_are_too_new(css: str, fault: str) -> None:
    assert fault in css_faults(css)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("a = b?.c", "optional chaining"),
        ("a = b ?? c", "nullish coalescing"),
        ("class A { #x = 1 }\nthis.#x", "private fields"),
        ("a ||= 1", "logical assignment"),
    ],
)
def test_the_linter_sees_scripts_that_are_too_new(script: str, fault: str) -> None:
    assert fault in js_faults(script)


@pytest.mark.parametrize(
    "script", ["a = b ? .5 : 1", "// a?.b", "x = 'a?.b ?? c'", "class A { constructor() {} }"]
)
def test_the_linter_lets_old_scripts_pass(script: str) -> None:
    assert js_faults(script) == []


def shipped(pages: httpx.Client) -> dict[str, str]:
    """Every stylesheet and script that a page of the record asks for."""
    found = {}
    for path in ("/", "/signin", f"/record/{GOLDEN}", f"/record/{GOLDEN}/trend/2823-3"):
        for address in read(pages.get(path).text).addresses:
            if address.startswith("/static/") and address.endswith((".css", ".js")):
                found[address] = pages.get(address).text
    return found


def test_what_is_shipped_keeps_to_chromium_69(pages: httpx.Client) -> None:
    files = shipped(pages)
    assert files, "there is at least the stylesheet"
    for address, text in files.items():
        lint = css_faults if address.endswith(".css") else js_faults
        assert lint(text) == [], address


PALETTE = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6})")
ON = {
    "paper": ("ink", "soft", "blue", "red", "amber", "green"),
    "ground": ("ink", "soft", "blue"),
    "red-pale": ("red", "ink"),
    "amber-pale": ("amber", "ink"),
    "band": ("ink",),
}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.1)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    ("ground", "text"), [(ground, text) for ground, texts in ON.items() for text in texts]
)
def test_the_palette_can_be_read(ground: str, text: str) -> None:
    css = (CODE / "web" / "static" / "hub.css").read_text(encoding="utf-8")
    palette = dict(PALETTE.findall(css))
    assert contrast(palette[ground], palette[text]) >= 4.5


LITERAL = re.compile(r"""\bt\(\s*(["'])([a-z_.0-9-]+)\1""")
BUILT = re.compile(r"""\bt\(\s*f?["']([a-z_.0-9-]+[._])(?:["']\s*~|\{)""")
BY_CODE = re.compile(r"""\bt\.(?:known|coded)\(\s*["']([a-z_]+)["']""")


def asked_for() -> tuple[set[str], set[str]]:
    """Keys that templates and code name whole, and the beginnings of those that they build."""
    whole: set[str] = set()
    begun: set[str] = set()
    for path in (*CODE.rglob("*.html"), *CODE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        whole |= {match[1] for match in LITERAL.findall(text)}
        begun |= set(BUILT.findall(text)) | {f"{name}." for name in BY_CODE.findall(text)}
    return whole, begun


def test_every_key_that_is_asked_for_is_there() -> None:
    known = language.translations()
    whole, begun = asked_for()
    assert {key for key in whole if key not in begun} - set(known) == set()
    assert {
        start for start in begun if not any(key.startswith(start) for key in known)
    } == set()


def test_no_key_is_unused() -> None:
    whole, begun = asked_for()
    unused = {
        key
        for key in language.translations()
        if key not in whole and not any(key.startswith(start) for start in begun)
    }
    assert unused == set()


def test_both_languages_fill_in_the_same_names() -> None:
    for key, texts in language.translations().items():
        names = [set(re.findall(r"\{(\w+)\}", texts[code])) for code in language.LANGUAGES]
        assert names[0] == names[1], key
        assert all(texts[code].strip() for code in language.LANGUAGES), key


def test_english_is_english_and_chinese_is_chinese() -> None:
    for key, texts in language.translations().items():
        if key not in ("layout.in_zh", "layout.in_en"):
            assert not re.search(r"[一-鿿]", texts["en"]), key
