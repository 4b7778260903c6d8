"""Elements that only look like a choice, and functions that take all values of a pipe."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from healthhub.convert.converter import Converter
from healthhub.mapping.library import Library
from healthhub.settings import Source

MAPPING = """\
mapping: small
version: "1"
groups:
  order: {anchors: [OBR], members: [DG1, NTE]}
types:
  remark:
    value: NTE-3 if NTE-2 != "X"
resources:
  patient:
    type: Patient
    each: message
    key: [PID-3.1]
    rules:
      - gender <- "unknown"
  diagnosis:
    type: Condition
    each: DG1
    key: [PID-3.1, DG1-3.1]
    rules:
      - subject <- ref(patient)
  order:
    type: ServiceRequest
    each: order
    key: [PID-3.1, OBR-2.1]
    rules:
      - status <- "active"
      - intent <- "order"
      - subject <- ref(patient)
      - reasonCode[] <- OBR-31 | concept
      - reasonReference[] <- refs(diagnosis)
      - note[all].text <- NTE | remark | join_all(", ")
"""
MESSAGE = (
    "MSH|^~\\&|A|B|C|D|20240101||OML^O21|1|P|2.5\r"
    "PID|1||P1\r"
    "OBR|1|O1||X" + "|" * 27 + "^cough\r"
    "DG1|1||I10\r"
    "NTE|1||first\r"
    "NTE|2|X|left out\r"
    "NTE|3||second\r"
)


def order(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    converter = Converter("s", Source(institution="i", mapping="small"), Library(tmp_path))
    outcome = converter.convert(1, MESSAGE.encode(), datetime(2024, 1, 2, tzinfo=UTC))
    return next(draft.body for draft in outcome.drafts if draft.type == "ServiceRequest")


def test_a_reason_as_code_does_not_drive_out_the_reason_as_reference(tmp_path: Path) -> None:
    body = order(tmp_path)
    assert body["reasonCode"] == [{"text": "cough"}]
    assert len(body["reasonReference"]) == 1


def test_a_function_of_all_values_gets_what_the_pipe_before_it_gave(tmp_path: Path) -> None:
    assert order(tmp_path)["note"] == [{"text": "first, second"}]
