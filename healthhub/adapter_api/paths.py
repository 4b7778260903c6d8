"""Paths into a tree of elements (XML): read once, known by a number ever after.

``section/code[@codeSystem=X]/@code`` is a group's element, a slash and a path below it. Mappings
and adapters share these numbers as they share the numbers of HL7 fields: a field from FIRST on is
such a path. Numbers hold within a process and are never stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from threading import Lock

from healthhub.errors import MappingError

FIRST = 1000
_STEP = re.compile(r'(\*\*|\*|\.\.|\.|@?[\w:.-]+)((?:\[(?:[^\]"]|"[^"]*")*\])*)(?:/|$)')
_TEST = re.compile(r'\[\s*([@\w./:-]+?)\s*(?:(!?=)\s*("[^"]*"|[^\]"]*))?\s*\]')


@dataclass(frozen=True, slots=True)
class Test:
    """``[@root=A|B]``: does the path below the element give one of the words? Without words:
    does it give anything? ``position`` (from 1) is that of ``[2]``."""

    steps: tuple[Step, ...] = ()
    equal: bool = True
    words: tuple[str, ...] | None = None
    position: int = 0
    child: str = ""
    attribute: str = ""
    """Of the usual tests ``[@a=X]`` and ``[child/@a=X]``: where the attribute is looked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``child``, ``*`` (any child), ``**`` (any depth), ``..``, ``.``, ``@name`` (then
    ``attribute`` is the name alone)."""

    name: str
    tests: tuple[Test, ...] = ()
    attribute: str = ""


_lock = Lock()
_numbers: dict[str, int] = {}
_texts: list[str] = []
_paths: list[tuple[Step, ...]] = []


def number(text: str) -> int:
    """The number of a path below an element; MappingError says how one is written."""
    found = _numbers.get(text)
    if found is None:
        parsed = _steps(text)
        with _lock:
            found = _numbers.get(text)
            if found is None:
                _paths.append(parsed)
                _texts.append(text)
                found = _numbers[text] = FIRST + len(_paths) - 1
    return found


def steps(field: int) -> tuple[Step, ...]:
    """The steps of the path with a number."""
    return _paths[field - FIRST]


def text(field: int) -> str:
    """The path with a number, as it was written."""
    return _texts[field - FIRST]


def _steps(text: str) -> tuple[Step, ...]:
    found: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (found and found[-1].attribute) or "**/@" in text:
            raise MappingError(
                f"the path {text!r} cannot be read from {text[position:]!r} on; write elements "
                "with slashes between them, such as code/@code or id[@root=1.2.3]/@extension"
            )
        attribute = match[1][1:] if match[1].startswith("@") else ""
        found.append(Step(match[1], _tests(match[2], text), attribute))
        position = match.end()
    if not found or text.endswith("/") or found[-1].name == "**":
        raise MappingError(f"the path {text!r} ends in nothing; name an element or @attribute")
    return tuple(found)


def _usual(test: Test) -> Test:
    *before, last = test.steps
    plain = [step for step in before if step.name.isidentifier() and not step.tests]
    if not last.attribute or len(before) > 1 or plain != before:
        return test
    child = before[0].name if before else ""
    return replace(test, child=child, attribute=last.attribute)


def _tests(text: str, path: str) -> tuple[Test, ...]:
    found: list[Test] = []
    position = 0
    while position < len(text):
        match = _TEST.match(text, position)
        if match is None:
            raise MappingError(
                f"the test {text} in {path!r} is wrong; write [2], [@root=X|Y] or [code/@code!=X]"
            )
        position = match.end()
        if match[1].isdigit() and match[2] is None:
            found.append(Test(position=int(match[1])))
            continue
        words = None
        if match[2]:
            words = tuple(word.strip().strip('"').strip() for word in match[3].split("|"))
        found.append(_usual(Test(_steps(match[1]), match[2] != "!=", words)))
    return tuple(found)
