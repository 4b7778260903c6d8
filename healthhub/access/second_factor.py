"""The second factor: codes of six digits that an app on a phone makes of the time, good once.

TOTP, RFC 6238, as all such apps have it: SHA-1, steps of 30 seconds.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from pyotp import random_base32
from pyotp.totp import TOTP

STEP_SECONDS = 30
AROUND = (0, -1, 1)
"""Steps beside the present one that are taken too: a phone's clock differs, and typing takes
time."""
ISSUER = "HealthHub"


def secret() -> str:
    """A fresh secret of 160 bits, as a person can type it."""
    return random_base32()


def address(name: str, secret_: str) -> str:
    """The secret as an otpauth address, which apps read from a QR code."""
    return TOTP(secret_).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret_: str, code: str, at: datetime, after: int) -> int | None:
    """The step that the code belongs to; None for a wrong code, and for one of a step that is
    not after the last one used (RFC 6238, 5.2)."""
    typed = "".join(code.split()).encode()
    now = int(at.timestamp()) // STEP_SECONDS
    made = TOTP(secret_)
    for step in (now + offset for offset in AROUND):
        fits = secrets.compare_digest(made.generate_otp(step).encode(), typed)
        if fits and step > after:
            return step
    return None
