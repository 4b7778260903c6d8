"""Checks drafts against FHIR R4 fast: a form that has passed once need not be judged again.

The check takes most of a conversion's time, and the resources that a mapping makes are alike:
the same elements, filled with texts of the same forms. The verdict hangs on nothing else. So a
body is checked once for each form: its element names in order, and for each value what its
characters allow it to be (a date that exists, a token, a text, ...). Wherever more than that
counts - codes of a required binding, addresses, whole numbers - the value itself is part of the
form; and so is every short text whose element is not known to be free.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from healthhub.model import validate
from healthhub.model.resource import Body

MOST = 200_000
"""Forms remembered; 8 bytes each and the set's own."""
LONG = 256
"""Characters up to which the form of a text is remembered."""
FREE = frozenset(
    (
        "id",
        "reference",
        "value",
        "code",
        "display",
        "text",
        "unit",
        "family",
        "given",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "valueString",
        "conclusion",
        "description",
        "comment",
        "lotNumber",
        "source",
    )
)
"""Elements whose codes, if they are codes, are of no required binding (but see BOUND)."""
BOUND = frozenset(
    "applicability calibration clinicalStatus compartment focus improvementNotation interaction "
    "issue outcome parameter relatesTo resource response severity type verificationStatus".split()
)
"""Elements within which a code may be of a required binding; a test compares them with the
definitions of R4."""
_BASE64 = "base64"
_LONG = frozenset(
    (_BASE64, "date4", "date7", "date10", *(f"time{length}" for length in range(20, 33)))
)
"""Forms that say enough for any element that has them."""
_MOST_DATA = 2**20
"""Characters of a text as long as R4 lets a string be (SampledData.data is one)."""
_FORM = re.compile(
    r"(?P<date>\d{4}(?:-\d\d(?:-\d\d)?)?)"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))"
    r"|(?P<token>[A-Za-z0-9.-]{1,64})"
    r"|(?P<reference>[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})"
    r"|(?P<urn>urn:[a-z0-9]+:[^\s\x00-\x1f]+)"
    r"|(?P<word>[^\s:\x00-\x1f]{1,2000})"
    r"|(?P<words>[^\s:\x00-\x1f]+(?: [^\s:\x00-\x1f]+)*)"
    r"|(?P<text>(?![^\x00-\x08\x0e-\x1b]*[\x00-\x08\x0e-\x1b])\S(?:[ \r\n\t\S]*\S)?)"
)


class Forms:
    """The forms that have passed, for one converter."""

    def __init__(self) -> None:
        self._passed: set[int] = set()

    def check(self, body: Body, known: dict[int, int] | None = None) -> None:
        """Raise Unprocessable unless ``body`` is a valid R4 resource. ``known`` tells by their
        identity the forms of values that many bodies share; 0 stands for one to be found."""
        tokens: list[Any] = []
        _object(body, tokens, known, free=True)
        form = hash(tuple(tokens))
        if form in self._passed:
            return
        validate.check(body)
        if len(self._passed) >= MOST:
            self._passed.clear()
        self._passed.add(form)


def _object(
    node: dict[str, Any],
    tokens: list[Any],
    known: dict[int, int] | None = None,
    *,
    free: bool,
) -> None:
    tokens.append("{")
    for name, value in node.items():
        tokens.append(name)
        inner = free and name not in BOUND
        kind = type(value)
        if kind is str:
            form = _data_form(value) if name == "data" else text_form(value)
            keep = form in _LONG or (inner and name in FREE)
            tokens.append(form if keep else f"={value}")
        elif kind is not dict and kind is not list:
            tokens.append(Decimal if issubclass(kind, Decimal) else (kind, value))
        elif known is not None and inner:
            tokens.append(known.get(id(value)) or _form(name, value, known))
        elif kind is dict:
            _object(value, tokens, free=inner)
        else:
            _list(value, tokens, free=inner, name=name)
    tokens.append("}")


def _form(name: str, value: Any, known: dict[int, int]) -> int:
    """The form of a free element of the resource itself; noted where it is awaited."""
    tokens: list[Any] = []
    if type(value) is dict:
        _object(value, tokens, free=True)
    else:
        _list(value, tokens, free=True, name=name)
    form = hash(tuple(tokens)) or 1
    if id(value) in known:
        known[id(value)] = form
    return form


def _list(items: list[Any], tokens: list[Any], *, free: bool, name: str) -> None:
    """Items of one form count once, however many there are."""
    seen: set[int] = set()
    tokens.append("[")
    for item in items:
        inner: list[Any] = []
        kind = type(item)
        if kind is dict:
            _object(item, inner, free=free)
        elif kind is str:
            inner.append(text_form(item) if free and name in FREE else f"={item}")
        elif kind is list:
            _list(item, inner, free=free, name=name)
        else:
            inner.append(Decimal if issubclass(kind, Decimal) else (kind, item))
        form = hash(tuple(inner))
        if form not in seen:
            seen.add(form)
            tokens.append(form)
    tokens.append("]")


def _data_form(text: str) -> str:
    """The form of ``data``: of a document's bytes, all that counts is that they are in base64."""
    if LONG < len(text) < _MOST_DATA:
        try:
            a2b_base64(text, strict_mode=True)
        except ValueError:
            return text_form(text)
        return _BASE64
    return text_form(text)


def text_form(text: str) -> str:
    """What the characters of a text allow it to be; the text itself if that is too little."""
    # Samples of a curve or a document in base64 do not come again, and are not to be remembered.
    return _text_form(text) if len(text) <= LONG else text_form_of(text)


@lru_cache(maxsize=65536)
def _text_form(text: str) -> str:
    return text_form_of(text)


def text_form_of(text: str) -> str:
    """As text_form, worked out anew."""
    match = _FORM.fullmatch(text)
    kind = match.lastgroup if match is not None else None
    if kind is None or text.startswith("http"):
        return f"={text}"
    if kind == "date":
        return f"{kind}{len(text)}" if _is_date(text) else f"={text}"
    if kind == "time":
        return f"{kind}{len(text)}" if _is_time(text) else f"={text}"
    if kind == "reference":
        return text[: text.index("/")]
    return kind


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(f"{text}-01-01"[:10] if len(text) < 10 else text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
