"""See to it that the tests have the official examples of FHIR R4; print where they are.

They are the npm package hl7.fhir.r4.examples, which any npm registry gives; 18 MB, kept beside
the virtual environment and not in the repository.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path

VERSION = "4.0.1"
ARCHIVE = (
    Path(__file__).resolve().parent.parent / ".venv" / f"hl7.fhir.r4.examples-{VERSION}.tgz"
)
REGISTRY = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
ADDRESS = f"{REGISTRY}/hl7.fhir.r4.examples/-/hl7.fhir.r4.examples-{VERSION}.tgz"


def archive() -> Path:
    """The package, fetched if it is not here."""
    if not ARCHIVE.exists():
        with urllib.request.urlopen(ADDRESS, timeout=120) as answer:  # noqa: S310 - https only
            held = answer.read()
        partial = ARCHIVE.with_suffix(".part")
        partial.write_bytes(held)
        partial.rename(ARCHIVE)
    return ARCHIVE


if __name__ == "__main__":
    try:
        print(archive())
    except OSError as error:
        sys.exit(f"the examples could not be fetched from {ADDRESS}: {error}")
