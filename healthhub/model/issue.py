"""An issue: one remark of a validation, as an OperationOutcome tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """``code`` is a FHIR IssueType, ``place`` a FHIRPath, ``text`` says what to do. ``rule`` is
    the key of an invariant or the canonical of a profile. No value of a patient is in it.

    http://hl7.org/fhir/R4/operationoutcome.html
    """

    severity: Severity
    code: str
    place: str
    text: str
    rule: str = ""
