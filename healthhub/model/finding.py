"""A finding: something that a person should know about a message, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark about a source record.

    ``code`` is stable and counted (``unknown-code``, ``bad-date``, ``unread-segment``, ...);
    ``where`` is a source path such as ``OBX[3]-5``; ``rule`` the mapping rule, if one was at
    work; ``detail`` a sentence for the administrator. ``value`` is the offending source value;
    it may be patient data, so it is stored beside the raw message and never logged.
    An ``error`` parks the message; a ``warning`` or ``info`` does not.
    """

    severity: Severity
    code: str
    where: str
    detail: str
    rule: str = ""
    value: str = ""
