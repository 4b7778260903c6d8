"""What the conversion's tests share: a small mapping on disk and a converter for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from healthhub.convert import Converter
from healthhub.mapping.library import Library

RECEIVED = datetime(2026, 1, 2, tzinfo=UTC)
MAPPING = """
mapping: small
version: "1"
groups:
  patient: {anchors: [PID], members: [NTE]}
  observation: {anchors: [OBX], members: [NTE], in: [patient]}
names:
  number: PID-3.1
types:
  XPN:
    makes: HumanName
    rules:
      - text <- .1 | person_name
      - use <- "official"
codes:
  sex: {system: http://hl7.org/fhir/administrative-gender, map: {M: male}}
resources:
  patient:
    type: Patient
    each: patient
    key: [number]
    rules:
      - identifier[mine].value <- number
      - identifier[mine].system <- "urn:mine"
      - name[] <- PID-5 | XPN
      - gender <- PID-8 | code(sex)
      - birthDate <- PID-7 | date
  observation:
    type: Observation
    each: observation
    key: [number, OBX-3.1]
    rules:
      - status <- OBX-11 | lower
      - code <- OBX-3 | concept
      - subject <- ref(patient)
      - valueQuantity <- OBX-5 | quantity(OBX-6)
      - valueString <- OBX-5 if OBX-2 != "XX"
"""
ORU = (
    "MSH|^~\\&|LIS|A|HUB|B|20240101080000||ORU^R01|1|P|2.5.1\r"
    "PID|1||P1^^^X~P2||张 三~李四||19900307|M\r"
    "OBX|1|NM|K^血钾||4.10|mmol/L|||||final\r"
    "OBX|2|ST|NA^血钠||阴性（-）||||||final\r"
)


@dataclass(frozen=True)
class Source:
    """A source as settings give it."""

    mapping: str = "small"
    charset: str = "utf-8"
    institution: str = "jcyy"
    namespace: str = ""
    zone: str = "Asia/Shanghai"
    accept_processing: tuple[str, ...] = ("P",)
    endpoint: str = "https://hub.example/dicomweb/sample"


def library(folder: Path, text: str = MAPPING) -> Library:
    """A folder of mappings with this one in it."""
    home = folder / "small"
    home.mkdir(parents=True, exist_ok=True)
    (home / "mapping.yaml").write_text(text.lstrip(), encoding="utf-8")
    return Library(folder)


def converter(folder: Path, charset: str = "utf-8", text: str = MAPPING) -> Converter:
    """A converter of the small mapping."""
    return Converter("lis", Source(charset=charset), library(folder, text))
