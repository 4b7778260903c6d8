"""Functions on numbers, quantities and ranges; the digits of the source are kept."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from healthhub.adapter_api.text import clean
from healthhub.mapping.functions.registry import Run, function
from healthhub.terms import UCUM
from healthhub.terms.forms import half

_QUANTITY = re.compile(
    r"(?P<sign><=|>=|=<|=>|<|>)?\s*"
    r"(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+))"
    r"(?:\s*[×xX*]\s*10\s*\^\s*(?P<power>[+-]?\d{1,3})(?![\d/]))?"
    r"\s*(?P<rest>[^\d\s:.,/+±-].*|%|/.+)?"
)
_POWER_UNIT = re.compile(r"[x×X*]?10\^\d{1,2}/[^\^&]+")
_ARROWS = re.compile(r"[↑↓]+|\s+[HL]$")
_SIGNS = {"<": "<", ">": ">", "<=": "<=", "=<": "<=", ">=": ">=", "=>": ">="}
_SPAN = re.compile(
    r"(?P<low>[+-]?\d+(?:\.\d+)?)\s*(?P<unit>[^\d\s~～—–至.-][^\d~～—–至-]*)?"
    r"\s*(?:-{1,3}?|~+|～+|—+|–+|至|to|\.\.)\s*(?P<high>[+-]?\d+(?:\.\d+)?)\s*(?P<rest>\D.*)?"
)
_LIMIT = re.compile(
    r"(?P<sign><=|>=|=<|=>|<|>)\s*=?\s*(?P<number>[+-]?\d+(?:\.\d+)?)\s*(?P<rest>\D.*)?"
)
_EMPTY_RANGES = frozenset(("null-null", "-", "--", "NULL", "null", "~", "无", "/"))


@lru_cache(maxsize=8192)
def number(text: str) -> Decimal | None:
    """A decimal with its digits; ``131.`` and ``.5`` are made what JSON allows."""
    text = half(text).strip().replace(",", "").lstrip("+")
    if text.endswith("."):
        text = text[:-1]
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


@function("| decimal")
def decimal(value: str) -> Decimal | None:
    """A number with the digits of the source (131.0 stays 131.0); else nothing."""
    return number(value)


@function("| integer")
def integer(value: str) -> int | None:
    """A whole number; else nothing."""
    value = half(value).strip()
    return (
        int(value)
        if re.fullmatch(r"[+-]?\d{1,9}(?:\.0+)?", value) and "." not in value
        else (int(value.split(".")[0]) if re.fullmatch(r"[+-]?\d{1,9}\.0+", value) else None)
    )


@function("| positive")
def positive(value: str) -> int | None:
    """A whole number above zero; else nothing."""
    found = integer(value)
    return found if found is not None and found > 0 else None


@function("| unsigned")
def unsigned(value: str) -> int | None:
    """A whole number, zero or above; else nothing."""
    found = integer(value)
    return found if found is not None and found >= 0 else None


def unit_text(value: str | None) -> tuple[str | None, str | None]:
    """Code and text of a unit given as CWE: the code is in component 1, or in 2 alone."""
    if not value:
        return None, None
    power = _POWER_UNIT.match(value)
    if power:  # 10^9/L with its ^ not escaped, as most laboratories here send it
        return power[0], power[0]
    parts = re.split(r"[\^&]", value)
    first = clean(parts[0])
    second = clean(parts[1]) if len(parts) > 1 else None
    return first or second, second or first


def unit(run: Run, value: str | None, rest: str | None = None) -> dict[str, Any]:
    """``unit``, ``system`` and ``code`` of a quantity from the unit's field, else from what
    follows the number."""
    return _unit(run.terms, value, rest)


@lru_cache(maxsize=8192)
def _unit(terms: Any, value: str | None, rest: str | None) -> dict[str, Any]:
    code, shown = unit_text(value)
    if code is None:
        code = shown = rest.strip() if rest and rest.strip() else None
    if code is None or shown is None:
        return {}
    found = terms.unit(code) or terms.unit(shown)
    if found is None and re.fullmatch(r"[^\^&]+[\^&][^\^&]*[\^&]UCUM(?:[\^&].*)?", value or ""):
        return {"unit": shown, "system": UCUM, "code": code}
    if found is None:
        return {"unit": shown}
    return {"unit": shown, "system": UCUM, "code": found.code}


@function("| quantity(unit)", asks=True, raw=True)
def quantity(
    run: Run, node: Any, need: Any, value: str, unit_field: str | None = None
) -> dict[str, Any] | None:
    """A Quantity from "5.1", "<0.5", ">=100", "1.2×10^9", "１２０ mmHg", "7.2↑": value with its
    digits, comparator, and the unit with its UCUM code. Anything else ("阴性", "1:80", "1+")
    gives nothing, so that a text rule can follow."""
    text = half(value).strip()
    if not text.isascii() or text[-1:] in "HL":
        text = _ARROWS.sub("", text).strip()
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    rest = match["rest"]
    if rest and run.terms.unit(rest) is None and not _same_unit(rest, unit_field):
        return None
    found = number(match["number"])
    if found is None:
        return None
    if match["power"]:
        found = found.scaleb(int(match["power"]))
    result: dict[str, Any] = {"value": found}
    if match["sign"]:
        result["comparator"] = _SIGNS[match["sign"]]
    result.update(_unit(run.terms, unit_field, rest))
    return result


def _same_unit(rest: str, unit_field: str | None) -> bool:
    return rest in unit_text(unit_field)


@function("| ucum", asks=True)
def ucum(run: Run, node: Any, need: Any, value: str) -> str | None:
    """The UCUM code of a unit's local spelling; nothing if it is not in the table."""
    found = run.terms.unit(value)
    return found.code if found else None


@function("| days")
def days(value: str) -> dict[str, Any] | None:
    """A Duration in days."""
    found = number(value)
    return None if found is None else {"value": found, "unit": "d", "system": UCUM, "code": "d"}


@function("| range(unit)", asks=True, raw=True)
def range_(
    run: Run, node: Any, need: Any, value: str, unit_field: str | None = None
) -> dict[str, Any] | None:
    """A Range from "3.5-5.5", "205.00--285.00", "3.5～5.5", "<5.0", ">=10"; else nothing."""
    found = _range(run.terms, value, unit_field)
    return None if found is None else {end: {**limit} for end, limit in found.items()}


@lru_cache(maxsize=8192)
def _range(terms: Any, value: str, unit_field: str | None) -> dict[str, dict[str, Any]] | None:
    text = half(value).strip()
    match = _SPAN.fullmatch(text)
    if match is not None:
        low, high = number(match["low"]), number(match["high"])
        if low is None or high is None:
            return None
        if high < low and match["high"].startswith("-"):
            high = -high
        measure = _unit(terms, unit_field, match["rest"] or match["unit"])
        return {"low": {"value": low, **measure}, "high": {"value": high, **measure}}
    match = _LIMIT.fullmatch(text)
    if match is None:
        return None
    limit = {"value": number(match["number"]), **_unit(terms, unit_field, match["rest"])}
    return {"high" if "<" in match["sign"] else "low": limit}


@function("| reference_range(unit)", asks=True, raw=True)
def reference_range(
    run: Run, node: Any, need: Any, value: str, unit_field: str | None = None
) -> dict[str, Any] | None:
    """An Observation.referenceRange: low and high where the text says them, and always the
    text ("阴性", "男 3.5-5.5 女 3.0-5.0" stay text). "null-null", "--" and "无" give nothing."""
    if value in _EMPTY_RANGES:
        return None
    result = range_(run, node, need, value, unit_field) or {}
    return {**result, "text": value}


@function("| ratio")
def ratio(value: str) -> dict[str, Any] | None:
    """A Ratio from a titre such as "1:80"; else nothing."""
    match = re.fullmatch(
        r"(<|>|<=|>=)?\s*(\d+(?:\.\d+)?)\s*[:：]\s*(\d+(?:\.\d+)?)", half(value).strip()
    )
    if match is None:
        return None
    numerator: dict[str, Any] = {"value": number(match[2])}
    if match[1]:
        numerator["comparator"] = match[1]
    return {"numerator": numerator, "denominator": {"value": number(match[3])}}
