"""Converts electrocardiograms by the national mapping, as a source named sample."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from adapters.ecg import ADAPTER
from healthhub.adapter_api import BadMessage
from healthhub.convert.converter import Converter
from healthhub.convert.samples import SampleSource
from healthhub.mapping.library import Library
from healthhub.model.resource import Converted
from healthhub.settings import PACKAGE_ROOT

LIBRARY = Library(PACKAGE_ROOT / "mappings")
FEED = SampleSource("national/ecg")
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)


@cache
def converter() -> Converter:
    """Made once."""
    return Converter("sample", FEED, LIBRARY)


def converter_of(charset: str) -> Converter:
    """A converter of a source whose texts are in a charset when they do not say."""
    return Converter("sample", SampleSource("national/ecg", charset=charset), LIBRARY)


def convert(raw: bytes) -> Converted:
    """What a recording yields."""
    return converter().convert(1, raw, RECEIVED)


def only(found: Converted, kind: str) -> dict[str, Any]:
    """The one body of a type."""
    [body] = [draft.body for draft in found.drafts if draft.type == kind]
    return body


def leads(raw: bytes) -> dict[str, dict[str, Any]]:
    """Each lead's SampledData by its name."""
    parts = only(convert(raw), "Observation")["component"]
    return {
        part["code"]["coding"][0].get("display") or part["code"]["text"]: part[
            "valueSampledData"
        ]
        for part in parts
        if "valueSampledData" in part
    }


def measured(raw: bytes) -> dict[str, tuple[str, str]]:
    """Each measurement's value and unit by its LOINC code."""
    parts = only(convert(raw), "Observation")["component"]
    return {
        part["code"]["coding"][0]["code"]: (
            str(part["valueQuantity"]["value"]),
            part["valueQuantity"]["unit"],
        )
        for part in parts
        if "valueQuantity" in part
    }


def refused_at(raw: bytes) -> str:
    """Where a recording is refused; empty if it is read. A refusal always names its place."""
    try:
        ADAPTER.envelope(raw, FEED)
    except BadMessage as error:
        if not error.place:
            raise AssertionError(error.message) from None
        return error.place
    return ""
