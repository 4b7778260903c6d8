"""What a demonstration hands to people and tools: accounts, tokens, and a record to open."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from healthhub.access import Purpose, Role, accounts, clients, passwords
from healthhub.city.channels import Http
from healthhub.city.settings import SOURCES
from healthhub.city.systems import SYSTEMS
from healthhub.errors import HubError
from healthhub.store import database

PEOPLE = (
    ("doctor", "王医生", Role.CLINICIAN),
    ("admin", "管理员", Role.ADMIN),
    ("auditor", "审计员", Role.AUDITOR),
)
CLIENT = "demo-"
HOUSES = ("hospital-a", "hospital-b-views", "hospital-b", "hospital-c", "township-p")
"""Beginnings of sources that the named resident's record must hold visits and results of, the
longer before the shorter."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in."""

    name: str
    password: str
    role: str


@dataclass
class Credentials:
    """Addresses, accounts and tokens; new ones on each run, since none is stored in the clear."""

    pages: str
    mllp_port: int
    accounts: list[Account] = field(default_factory=list)
    fhir_token: str = ""
    tokens: dict[str, str] = field(default_factory=lambda: _tokens())
    patient: dict[str, str] = field(default_factory=dict)

    def issue(self, dsn: str) -> None:
        """Give every account a new password and the FHIR client a new token; end the old."""
        with database.connect(dsn) as connection:
            known = {account.name for account in accounts.listed(connection)}
            for name, title, role in PEOPLE:
                password = passwords.generated()
                if name in known:
                    accounts.set_password(connection, name, password)
                else:
                    accounts.add(connection, name, password, [role], title)
                self.accounts.append(Account(name, password, role.value))
            for client in clients.listed(connection):
                if client.name.startswith(CLIENT) and not client.disabled:
                    clients.disable(connection, client.name)
            self.fhir_token = clients.add(
                connection, f"{CLIENT}{secrets.token_hex(4)}", [Role.SYSTEM], Purpose.TREAT
            )

    def write(self, folder: Path) -> Path:
        """Write credentials.json, readable by its owner alone."""
        path = folder / "credentials.json"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self._content(), file, ensure_ascii=False, indent=1)
        return path

    def _content(self) -> dict[str, Any]:
        return {
            "pages": self.pages,
            "fhir": f"{self.pages}/fhir",
            "mllp": {"host": "127.0.0.1", "port": self.mllp_port},
            "accounts": [
                {"name": each.name, "password": each.password, "role": each.role}
                for each in self.accounts
            ],
            "fhir_client": {"token": self.fhir_token},
            "sources": {
                "partner": {
                    "token": self.tokens["partner"],
                    "feed_url": f"{self.pages}/feeds/partner/hl7v2",
                    "sender": SOURCES["partner"]["sender"],
                },
                **{
                    system.source: {
                        "token": self.tokens[system.source],
                        "feed_url": f"{self.pages}/feeds/{system.source}/{system.channel.way}",
                    }
                    for system in SYSTEMS
                    if isinstance(system.channel, Http)
                },
            },
            "patient": self.patient,
        }


def _tokens() -> dict[str, str]:
    """A new token for each source that sends over HTTP."""
    posting = [s.source for s in SYSTEMS if isinstance(s.channel, Http)]
    return {source: secrets.token_urlsafe(32) for source in ("partner", *posting)}


def record_of(credentials: Credentials, name: str) -> str:
    """The address of the named resident's record, opened as the doctor would.

    HubError when no record of that name has visits and results of every house named here.
    """
    patient = _whole(credentials, name)
    address = f"{credentials.pages}/record/{patient}"
    doctor = credentials.accounts[0]
    with httpx.Client(base_url=credentials.pages, timeout=60, trust_env=False) as browser:
        form = browser.get("/signin").text
        key = re.search(r'name="form_key" value="([^"]+)"', form)
        words = {"name": doctor.name, "password": doctor.password, "next": f"/record/{patient}"}
        words["form_key"] = key[1] if key else ""
        page = browser.post("/signin", data=words, follow_redirects=True)
    if page.status_code != 200 or name not in page.text:
        raise HubError(
            f"the record page answers {page.status_code}; hub.log in the data folder says why"
        )
    credentials.patient.update(id=patient, name=name, record=address)
    return address


def _whole(credentials: Credentials, name: str) -> str:
    """The golden Patient of a name whose record spans the houses that all residents know."""
    wanted = {(kind, house) for kind in ("Encounter", "Observation") for house in HOUSES}
    header = {"authorization": f"Bearer {credentials.fhir_token}"}
    base = f"{credentials.pages}/fhir"
    with httpx.Client(base_url=base, headers=header, timeout=60, trust_env=False) as client:
        found = client.get("/Patient", params={"name": name, "_count": "50"}).json()
        for entry in found.get("entry", []):
            patient = entry["resource"]["id"]
            got: set[tuple[str, str]] = set()
            for each in client.get(f"/Patient/{patient}/$everything").json().get("entry", []):
                origin = each["resource"].get("meta", {}).get("source", "")
                source = origin.removeprefix("urn:healthhub:source:")
                house = next((h for h in HOUSES if source.startswith(h)), "")
                got.add((each["resource"]["resourceType"], house))
            if wanted <= got:
                return patient
    raise HubError(f"the record of {name} is not whole; see the parked messages in /console")
