"""Says in the words of the language what is wrong with a file: as YAML, and by the schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

QUOTES = "a rule that holds ': ' or ' #' must stand in quotes"
_PATTERNS = {
    r"^[A-Z][A-Z0-9]{2}(\^[\w.-]+)?$": "is no kind of message; write ADT or ADT^A01",
    "^[A-Z][A-Z0-9]{2}$": "is no segment; write its three capitals, such as PV1",
    r"\.yaml$": "must be a file name that ends in .yaml",
    r"\.csv$": "must be a file name that ends in .csv",
    "^[A-Z][A-Za-z]+$": "is no resource type; write it as FHIR does, such as Patient",
}
"""What the schema's patterns mean."""


def of_yaml(error: Any, text: str) -> tuple[int, str]:
    """The line and the sentence for text that is no YAML."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = 1 if mark is None else int(mark.line) + 1
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    problem = str(getattr(error, "problem", None) or "is no YAML")
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        return line, "the line is indented by a tab; YAML wants blanks, two for each level"
    if "expected <block end>" in problem:
        return line, (
            "the indentation does not fit the lines above; entries of one level begin in the "
            "same column"
        )
    if "alias" in problem or "anchor" in problem:
        return line, f"{problem}; a text that begins with * or & must stand in quotes"
    return line, f"{problem}; {QUOTES}"


def of_schema(error: Any) -> tuple[str | None, str]:
    """The key at fault below the place of the error, if there is one, and the sentence."""
    instance, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", ()))
            extra = next(key for key in instance if key not in known)
            return extra, f"there is no key {extra!r} here{nearest(extra, known)}"
        case "required":
            missing = next(key for key in wanted if key not in instance)
            return None, f"{missing!r} is missing; add it"
        case "enum":
            return None, f"{instance!r} must be one of {', '.join(wanted)}"
        case "pattern":
            return None, _pattern(instance, wanted)
        case "type":
            return None, _type(instance, wanted)
        case _:
            return None, str(error.message)


def close(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` if something known is close."""
    found = get_close_matches(name, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """What is close, else all that is known."""
    listed = list(known)
    return close(name, listed) or f"; known are: {', '.join(sorted(listed))}"


def _pattern(instance: Any, pattern: str) -> str:
    if pattern == "<-":
        return f"the rule {str(instance)[:80]!r} has no arrow; write target <- value"
    says = _PATTERNS.get(pattern, "is written wrongly; use small letters, digits and -")
    return f"{instance!r} {says}"


def _type(instance: Any, wanted: Any) -> str:
    kinds: list[str] = [wanted] if isinstance(wanted, str) else list(wanted)
    if instance is None:
        return "nothing stands here; indent its entries below it, or remove the line"
    if "object" in kinds:
        return "write entries of the form  key: value  here"
    if "array" in kinds:
        if isinstance(instance, dict):
            return "write a list here, one  - target <- value  in each line"
        return f"write a list here: [{instance}]"
    if isinstance(instance, dict):
        return f"this is no text; {QUOTES}"
    if "boolean" in kinds and len(kinds) == 1:
        return f"{instance!r} must be true or false"
    if isinstance(instance, list):
        return "write one value here, no list"
    return f"{instance!r} must be a text; put it into quotes"


def of_sign(text: str) -> str:
    """The advice for the first sign of a rule that the language does not have."""
    sign = text[:1]
    if sign == "'":
        return "; put a text into double quotes"
    if sign == '"':
        return (
            "; its closing \" is missing (after ' #' YAML reads a remark: quote the whole rule)"
        )
    if sign == "&":
        return "; write and"
    if "\uff01" <= sign <= "\uff5e" or sign in "“”‘’　":
        return "; that sign is full-width: type it half-width"
    return ""


def of_word(word: str) -> str:
    """The advice for a word that looks like a path; empty if it does not."""
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9]{2})[-_](\d+)", word)
    return f"; did you mean the path {match[1].upper()}-{match[2]}?" if match else ""
