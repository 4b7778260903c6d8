"""Every shipped sample can be explained, whatever branches its rules take."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from healthhub.convert import Converter
from healthhub.convert.samples import RECEIVED, SampleSource, outcome, raws, samples
from healthhub.mapping.library import Library

SHIPPED = Library(Path(__file__).resolve().parents[2] / "mappings")


@pytest.mark.parametrize("name", SHIPPED.names())
def test_every_shipped_sample_can_be_explained(name: str) -> None:
    """Hospital A's reports once could not: a read was looked for that a branch had not made."""
    for sample in samples(SHIPPED, name):
        if "rejected" in orjson.loads(outcome(SHIPPED, name, sample)):
            continue
        subject = Converter("x", SampleSource(name, sample.charset), SHIPPED)
        for raw in raws(SHIPPED, name, sample):
            if isinstance(raw, bytes):
                assert subject.explain(1, raw, RECEIVED)
