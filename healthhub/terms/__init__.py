"""Terminology as data: unit spellings and code systems, read once from mappings/national/terms."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path

from healthhub.terms.units import UCUM, Unit, spelling
from healthhub.terms.units import load as load_units

__all__ = ["UCUM", "Terms", "Unit"]

LOINC = "http://loinc.org"
_HL7_TABLE = re.compile(r"HL7(\d{4})")
_LOINC_CODE = re.compile(r"\d{1,7}-\d|LP\d+-\d|LA\d+-\d")
_SHARED = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
_URI = re.compile(r"(?:https?://|urn:)\S+")
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")


class Terms:
    """Units and code systems of one mappings folder."""

    def __init__(self, units: dict[str, Unit], systems: dict[str, str]) -> None:
        self._units = units
        self._systems = systems
        self._uris = frozenset(systems.values())

    @lru_cache(maxsize=4096)  # noqa: B019 - one Terms lives as long as the process
    def unit(self, text: str) -> Unit | None:
        """The UCUM unit of a spelling; None if it is not in the table."""
        word = spelling(text)
        return self._units.get(word) or self._units.get(word.lower())

    def system(self, name: str, code: str = "") -> str | None:
        """The URI of a code system that a message names (LN, SCT, I10, HL70001, an OID).

        A code that cannot be one of that system is not believed: some systems mark local
        codes as LN.
        """
        uri = self._systems.get(name) or self._systems.get(name.upper())
        if uri is None:
            table = _HL7_TABLE.fullmatch(name.upper())
            if table:
                uri = f"http://terminology.hl7.org/CodeSystem/v2-{table[1]}"
            elif _URI.fullmatch(name):
                uri = name
            elif _OID.fullmatch(name):
                uri = f"urn:oid:{name}"
        if uri == LOINC and code and not _LOINC_CODE.fullmatch(code):
            return None
        return uri

    def is_shared(self, uri: str, code: str, wanted: str = "") -> bool:
        """Whether a code is of the ``wanted`` system, or of another that more than its sender
        knows. What cannot be a code of its system is not believed, as in ``system``."""
        if uri == LOINC:
            return bool(_LOINC_CODE.fullmatch(code))
        return bool(uri) and (uri == wanted or uri in self._uris or uri.startswith(_SHARED))


@lru_cache(maxsize=4)
def load(mappings: Path) -> Terms:
    """The terms in mappings/national/terms; empty tables where there are no files."""
    folder = mappings / "national" / "terms"
    units, systems = folder / "units.csv", folder / "systems.csv"
    names: dict[str, str] = {}
    if systems.is_file():
        with systems.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                for name in row["names"].split():
                    names[name.upper()] = row["uri"]
    return Terms(load_units(units) if units.is_file() else {}, names)
