"""Bundles of an invented partner that speaks FHIR, and their conversion as a source."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from healthhub.convert.converter import Converter
from healthhub.convert.samples import SampleSource
from healthhub.mapping.library import Library
from healthhub.model.ids import derive
from healthhub.model.resource import Converted
from healthhub.settings import PACKAGE_ROOT

LIBRARY = Library(PACKAGE_ROOT / "mappings")
FEED = SampleSource("national/fhir")
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)
BASE = "https://fhir.partner.example/r4/"
Body = dict[str, Any]


@cache
def converter() -> Converter:
    """Made once."""
    return Converter("sample", FEED, LIBRARY)


def convert(raw: bytes) -> Converted:
    """What a message yields."""
    return converter().convert(1, raw, RECEIVED)


def hub_id(kind: str, own: str, namespace: str = "sample") -> str:
    """The hub's id of a partner's resource."""
    return str(derive(namespace, kind, "fhir", own))


def patient(own: str = "123", **said: Any) -> Body:
    """A patient of the partner."""
    return {
        "resourceType": "Patient",
        "id": own,
        "name": [{"text": "陈望舒"}],
        "gender": "female",
        "birthDate": "1958-03-07",
        **said,
    }


def observation(own: str = "o1", at: str = "", **said: Any) -> Body:
    """A result of the partner's patient 123, changed at a time."""
    return {
        "resourceType": "Observation",
        "id": own,
        **({"meta": {"lastUpdated": at}} if at else {}),
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6"}]},
        "subject": {"reference": "Patient/123"},
        **said,
    }


def bundle(*resources: Body, kind: str = "collection", **said: Any) -> bytes:
    """A Bundle of resources with full URLs."""
    entries = [
        {"fullUrl": f"{BASE}{one['resourceType']}/{one['id']}", "resource": one}
        for one in resources
    ]
    return dump({"resourceType": "Bundle", "type": kind, **said, "entry": entries})


def deleted(*urls: str, at: str) -> bytes:
    """A batch that deletes."""
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    whole = {"resourceType": "Bundle", "type": "batch", "timestamp": at, "entry": entries}
    return dump(whole)


def dump(body: Any) -> bytes:
    """JSON as a partner writes it."""
    return json.dumps(body, ensure_ascii=False).encode()
