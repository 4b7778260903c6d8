"""Runs a mapping's samples: messages beside what they must yield."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from healthhub.adapter_api import BadMessage, find
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert.converter import Converter
from healthhub.convert.families import families
from healthhub.convert.sheets import Cutter, Refused
from healthhub.mapping.library import Library
from healthhub.model.finding import Finding
from healthhub.model.resource import Converted

SUFFIXES = (".hl7", ".xml", ".csv", ".txt", ".xlsx", ".scp", ".dcm", ".ndjson", ".fhir")
LINES = ".ndjson"
"""A file of several messages of JSON; the outcome of a sample ends in .json (so a Bundle in .fhir)."""
VIEWS = ".views"
"""A folder that holds a CSV for each of some views, which are read together as a poll does."""
RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of receipt in samples, so that outcomes do not change from day to day."""


@dataclass(frozen=True, slots=True)
class SampleSource:
    """The invented source that samples come from."""

    mapping: str
    charset: str = "utf-8"
    institution: str = "sample"
    namespace: str = "sample"
    zone: str = "Asia/Shanghai"
    accept_processing: tuple[str, ...] = ("P", "T", "D")
    endpoint: str = "https://hub.example/dicomweb/sample"


@dataclass(frozen=True, slots=True)
class Sample:
    """A message of samples/; ``visit.gb18030.hl7`` is in that charset without saying so."""

    path: Path

    @property
    def expected(self) -> Path:
        """Where its outcome stands."""
        return self.path.with_suffix(".json")

    @property
    def rejected(self) -> bool:
        """Whether it is expected to be no message at all."""
        return self.expected.is_file() and "rejected" in orjson.loads(
            self.expected.read_bytes()
        )

    @property
    def charset(self) -> str:
        """The source's charset, from the file's name."""
        named = self.path.suffixes[-2:-1]
        try:
            return codecs.lookup(named[0][1:]).name if named else "utf-8"
        except LookupError:
            return "utf-8"  # corrected.v2.hl7


def samples(library: Library, mapping: str) -> list[Sample]:
    """The samples of a mapping."""
    folder = library.folder / mapping / "samples"
    return [
        Sample(path)
        for path in sorted(folder.glob("*"))
        if path.suffix in SUFFIXES or (path.suffix == VIEWS and path.is_dir())
    ]


def raws(library: Library, mapping: str, sample: Sample) -> list[bytes | Refused]:
    """The messages of a sample: the file itself, or those that its tables are cut into."""
    adapter = find(library.definition(mapping).adapter)
    if not isinstance(adapter, SheetReader):
        whole = sample.path.read_bytes()
        return list(adapter.split(whole)) if sample.path.suffix == LINES else [whole]
    source = SampleSource(mapping, sample.charset)
    cutter = Cutter(library.definition(mapping).tables, source.zone)
    joined = sample.path.suffix == VIEWS
    files = sorted(sample.path.glob("*.csv")) if joined else [sample.path]
    cuts = [
        cut for file in files for cut in cutter.sheets(adapter.sheets(file, source), file.name)
    ]
    return [
        cut if isinstance(cut, Refused) else cutter.revised(cut, 1, None, back=False)
        for cut in (families(cutter.columns, cuts) if joined else cuts)
    ]


def outcome(library: Library, mapping: str, sample: Sample) -> bytes:
    """What a sample yields, as JSON with sorted keys."""
    converter = Converter("sample", SampleSource(mapping, sample.charset), library)
    try:
        found = raws(library, mapping, sample)
        each = [converter.convert(1, raw, RECEIVED) for raw in found if isinstance(raw, bytes)]
    except BadMessage as error:
        return dumps({"rejected": error.message, "place": error.place})
    converted = Converted(
        tuple(draft for one in each for draft in one.drafts),
        tuple(merge for one in each for merge in one.merges),
        tuple(finding for one in each for finding in one.findings)
        + tuple(
            Finding("error", "rejected", raw.place, raw.reason)
            for raw in found
            if isinstance(raw, Refused)
        ),
    )
    return dumps(
        {
            "resources": [
                {
                    **draft.body,
                    "_draft": {
                        "authority": draft.stamp.authority,
                        "at": draft.stamp.at.isoformat(),
                        "patient": str(draft.patient),
                        **({"erased": list(draft.erased)} if draft.erased else {}),
                    },
                }
                for draft in converted.drafts
            ],
            "merges": [
                {"kept": str(m.kept), "replaced": str(m.replaced), "undone": m.undone}
                for m in converted.merges
            ],
            "findings": [
                {"severity": f.severity, "code": f.code, "where": f.where, "value": f.value}
                for f in converted.findings
            ],
        }
    )


def summary(actual: bytes) -> str:
    """An outcome in a line: how much came of the message, and what was remarked upon."""
    told = orjson.loads(actual)
    if "rejected" in told:
        return f"rejected: {told['rejected']}"
    findings = Counter(f["code"] for f in told["findings"])
    listed = ", ".join(f"{code} {count}" for code, count in sorted(findings.items()))
    return f"{len(told['resources'])} resources, findings: {listed or 'none'}"


def differences(expected: bytes, actual: bytes) -> Iterator[str]:
    """Where two outcomes differ, one line for each place."""
    yield from _differ("", orjson.loads(expected), orjson.loads(actual))


def _differ(path: str, expected: Any, actual: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in dict.fromkeys((*expected, *actual)):
            yield from _differ(f"{path}.{key}", expected.get(key), actual.get(key))
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            first = expected[index] if index < len(expected) else None
            second = actual[index] if index < len(actual) else None
            yield from _differ(f"{path}[{index}]", first, second)
    elif expected != actual:
        yield f"{path.lstrip('.')}: expected {_short(expected)}, got {_short(actual)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else orjson.dumps(value).decode()
    return text if len(text) <= 160 else f"{text[:157]}..."


def dumps(value: Any) -> bytes:
    """JSON for people: indented, keys sorted, decimals with their digits."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(value, default=_digits, option=options)


def _digits(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(type(value).__name__)
