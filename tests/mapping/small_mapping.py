"""Writes small mappings for tests and runs messages through them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.hl7v2 import ADAPTER
from healthhub.mapping.library import Library
from healthhub.mapping.run import Context, Run
from healthhub.terms import load as load_terms

REAL = Path(__file__).resolve().parents[2] / "mappings"
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEAD = "MSH|^~\\&|HIS|A|HUB|B|20240101080000||ADT^A01^ADT_A01|1|P|2.5.1"
GROUPS = """
groups:
  patient: {anchors: [PID], members: [PV1, NK1, AL1, MRG, NTE]}
  order: {anchors: [ORC], once: [OBR, RXE], members: [SPM, NTE, RXR], in: [patient]}
  observation: {anchors: [OBX], members: [NTE], in: [order, patient]}
names:
  number: PID-3.1
"""
PATIENT = """
resources:
  patient:
    type: Patient
    each: patient
    key: [number]
    rules:
"""


@dataclass(frozen=True)
class Feed:
    """A source as the adapter sees it."""

    charset: str = "utf-8"
    zone: str = "Asia/Shanghai"


def write(folder: Path, name: str, text: str) -> Library:
    """Write mapping ``name`` into a folder of mappings."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "mapping.yaml").write_text(
        f'mapping: {name}\nversion: "1"\n' + textwrap.dedent(text), encoding="utf-8"
    )
    return Library(folder)


def rules(*lines: str, indent: int = 6) -> str:
    """Rules as list items."""
    return "".join(f"{' ' * indent}- {line}\n" for line in lines)


def run(library: Library, message: str, name: str = "base", number: int = 7) -> Run:
    """Convert a message; segments may stand on lines of their own."""
    raw = "\r".join(line.strip() for line in message.strip().splitlines()).encode()
    context = Context("his", "jcyy", ZoneInfo("Asia/Shanghai"), load_terms(REAL))
    record = ADAPTER.read(raw, Feed())
    return library.mapping(name).run(context, record, number, RECEIVED)


def patient(
    folder: Path, pid: str, *lines: str, more: str = "", rest: str = ""
) -> dict[str, Any]:
    """The Patient that rules make of a PID (and further segments), without id and meta."""
    library = write(folder, "base", GROUPS + PATIENT + rules(*lines) + more)
    result = run(library, f"{HEAD}\n{pid}\n{rest}")
    body = dict(next(d.body for d in result.drafts if d.type == "Patient"))
    for key in ("resourceType", "id", "meta"):
        body.pop(key, None)
    return body
