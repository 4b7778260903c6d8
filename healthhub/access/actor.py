"""Who asks, and why: an actor with roles, and a purpose of use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from uuid import UUID

from healthhub.access.scopes import Scopes

Kind = Literal["account", "client", "doctor"]


class Role(StrEnum):
    """What an account or a client may be; ``policy`` says what each may do."""

    ADMIN = "admin"
    CLINICIAN = "clinician"
    AUDITOR = "auditor"
    SYSTEM = "system"
    LAUNCHED = "launched"
    """A doctor whom a hospital's system has brought to one record; no account has it."""


class Purpose(StrEnum):
    """Why data is read or written: codes of HL7 v3 PurposeOfUse.

    https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html
    """

    TREAT = "TREAT"
    HOPERAT = "HOPERAT"
    PUBHLTH = "PUBHLTH"
    PATRQT = "PATRQT"
    HSYSADMIN = "HSYSADMIN"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated account (a person), client (a program) or launched doctor (a person of a
    hospital's system).

    ``id`` is ``account:NUMBER``, ``client:NUMBER`` or ``doctor:NUMBER`` and is what the audit
    keeps; ``name`` the
    name it signs in with, ``title`` the name shown to people; ``purpose`` the purpose that a
    client was registered for (a person's purpose is chosen by the page that asks); ``address``
    the network address that the request came from; ``scopes`` what the registration or the
    token of a client limits it to, None where nothing does; ``source`` the source whose system
    the client is, or that the doctor works with; ``patient`` the only one, with all sources of
    the same person, whose data the actor may see.
    """

    id: str
    kind: Kind
    name: str
    roles: frozenset[Role]
    title: str = ""
    purpose: Purpose | None = None
    address: str = ""
    scopes: Scopes | None = None
    source: str | None = None
    patient: UUID | None = None
