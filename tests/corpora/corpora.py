"""The messages that nobody here wrote: where they lie, how they are converted, what is expected."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from healthhub.convert.converter import Converter
from healthhub.mapping.library import Library
from healthhub.model.resource import Converted
from healthhub.settings import PACKAGE_ROOT, Source

FOLDER = PACKAGE_ROOT.parent / "shared" / "corpora"
EXPECTATIONS = Path(__file__).parent / "expectations"
RECEIVED = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)


@cache
def converter(charset: str = "utf-8") -> Converter:
    """A source that speaks the base mapping."""
    source = Source(
        institution="corpus",
        mapping="national/hl7v2",
        charset=charset,
        accept_processing=("P", "T"),  # eight of the messages are marked as training
    )
    return Converter("corpus", source, Library(PACKAGE_ROOT / "mappings"))


def convert(path: Path) -> Converted:
    """One message; the GB18030 ones come from a source that is set so."""
    charset = "gb18030" if ".gb18030." in path.name else "utf-8"
    return converter(charset).convert(1, path.read_bytes(), RECEIVED)


@cache
def expected() -> dict[str, Any]:
    """What each message must yield, by file name without its ending."""
    found: dict[str, Any] = {}
    for file in sorted(EXPECTATIONS.glob("*.yaml")):
        for name, told in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise AssertionError(f"{name} is expected twice")
            found[name] = told
    return found
