"""Converts XML by a shipped mapping, as a source named sample."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from healthhub.convert.converter import Converter
from healthhub.convert.samples import SampleSource
from healthhub.mapping.library import Library
from healthhub.model.resource import Converted
from healthhub.settings import PACKAGE_ROOT

MAPPINGS = PACKAGE_ROOT / "mappings"
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)


@cache
def converter(mapping: str) -> Converter:
    """A converter, made once."""
    return Converter("sample", SampleSource(mapping), Library(MAPPINGS))


def convert(raw: bytes, mapping: str = "national/cda") -> Converted:
    """What a message yields."""
    return converter(mapping).convert(1, raw, RECEIVED)


def of(converted: Converted, kind: str) -> Sequence[dict[str, Any]]:
    """The bodies of a resource type."""
    return [draft.body for draft in converted.drafts if draft.type == kind]
