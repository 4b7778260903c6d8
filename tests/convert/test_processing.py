"""A message that says it is a test or training does not enter a record unless its source may."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversions import ORU, RECEIVED, Source, library

from healthhub.convert import Converter


@pytest.mark.parametrize(
    ("stated", "accepted", "enters"),
    [
        ("P", ("P",), True),
        ("", ("P",), True),
        ("p", ("P",), True),
        ("P^T", ("P",), True),
        ("T", ("P",), False),
        ("t", ("P",), False),
        ("D", ("P",), False),
        ("D^A", ("P", "T"), False),
        ("T", ("P", "T"), True),
        ("D", ("P", "T", "D"), True),
        ("P", ("T",), False),
        ("PROD", ("P",), False),
    ],
)
def test_the_processing_id_decides_whether_a_message_enters_records(
    stated: str, accepted: tuple[str, ...], enters: bool, tmp_path: Path
) -> None:
    header, _, rest = ORU.partition("\r")
    fields: list[str] = header.split("|")
    assert fields[10] == "P"
    fields[10] = stated
    raw = ("|".join(fields) + "\r" + rest).encode()
    source = Source(accept_processing=accepted)
    converted = Converter("lis", source, library(tmp_path)).convert(1, raw, RECEIVED)
    assert bool(converted.drafts) is enters
    if not enters:
        (finding,) = converted.findings
        assert (finding.severity, finding.code, finding.where) == (
            "error",
            "not-production",
            "MSH-11",
        )
        assert "sources.lis.accept_processing" in finding.detail
