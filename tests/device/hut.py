"""Readings of invented people, and their conversion as a source named sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from adapters.device import ADAPTER
from healthhub.city.numbers import check_character
from healthhub.convert.converter import Converter
from healthhub.convert.samples import SampleSource
from healthhub.mapping.library import Library
from healthhub.model.resource import Converted
from healthhub.settings import PACKAGE_ROOT

LIBRARY = Library(PACKAGE_ROOT / "mappings")
FEED = SampleSource("national/device", charset="gb18030")
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)
CARD = "42900419580307002" + check_character("42900419580307002")
PERSON = {"idCard": CARD, "name": "陈望舒", "sex": "女", "birthDate": "1958-03-07"}
DEVICE = {"id": "XJ-HM-0007", "manufacturer": "星迦", "model": "HM-3"}
TIME = "2026-03-02T08:15:30+08:00"


@cache
def converter(mapping: str = "national/device") -> Converter:
    """Made once."""
    return Converter("sample", SampleSource(mapping, charset="gb18030"), LIBRARY)


def raw(**said: Any) -> bytes:
    """A reading of the invented person by the invented device."""
    whole = {"device": DEVICE, "person": PERSON, "time": TIME, **said}
    return json.dumps(whole, ensure_ascii=False).encode()


def convert(message: bytes, mapping: str = "national/device") -> Converted:
    """What a message yields."""
    return converter(mapping).convert(1, message, RECEIVED)


def observed(message: bytes) -> dict[str, dict[str, Any]]:
    """The Observations of a message by their first code."""
    return {
        draft.body["code"]["coding"][0]["code"]: draft.body
        for draft in convert(message).drafts
        if draft.type == "Observation"
    }


def findings(message: bytes) -> list[tuple[str, str, str]]:
    """Code, place and value of what was remarked upon."""
    return [(f.code, f.where, f.value) for f in convert(message).findings]


def split(body: bytes) -> Iterator[bytes]:
    """The messages of a body."""
    return ADAPTER.split(body)
