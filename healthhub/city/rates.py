"""How often each kind of error is planted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares: of charts, of visits, of reports, of messages, as each line says."""

    typo: float = 0.012
    """Charts with a character of the name mistaken."""
    default_birth: float = 0.004
    """Charts with birth date 1900-01-01."""
    no_number: float = 0.03
    """Charts without an identity number."""
    parents_number: float = 0.04
    """Children's charts under a parent's number."""
    second_chart: float = 0.008
    """Visits under a second patient number, merged later (A40)."""
    late_merge: float = 0.4
    """Of those, merged only after weeks."""
    unknown_patient: float = 0.04
    """Emergency visits as 无名氏."""
    cancelled_admission: float = 0.04
    """Stays preceded by an admission that is cancelled (A11)."""
    cancelled_discharge: float = 0.04
    """Stays whose first discharge is cancelled (A13)."""
    late_registration: float = 0.015
    """Visits whose ADT messages arrive after their results."""
    unknown_code: float = 0.006
    """Reports with a test code that is in no table."""
    bad_time: float = 0.004
    """Reports with an impossible time of collection."""
    correction: float = 0.01
    """Reports that a later one corrects (OBX-11 C)."""
    correction_first: float = 0.15
    """Of those, the correction arrives first."""
    wrong_patient: float = 0.004
    """Reports sent under another member of the family, then withdrawn (OBX-11 W)."""
    resend_same: float = 0.008
    """Messages sent again byte for byte."""
    resend_renumbered: float = 0.004
    """Messages sent again under a new control id."""
    wrong_charset: float = 0.002
    """Messages with a wrong charset label in MSH-18."""
    garbage: float = 0.001
    """Messages beside which a broken one is sent."""


RATES = Rates()

BY_HAND = Rates(
    unknown_code=0.03,
    bad_time=0.02,
    correction=0.03,
    correction_first=0.0,
    wrong_patient=0.03,
    resend_same=0.02,
    wrong_charset=0.02,
)
"""Where people type more and machines check less."""

PLATFORM = Rates(
    unknown_code=0.02,
    bad_time=0.015,
    correction=0.03,
    wrong_patient=0.02,
    resend_same=0.01,
    wrong_charset=0.006,
    garbage=0.005,
)
"""An integration platform: it repeats, and mixes charsets up."""
