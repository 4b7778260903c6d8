"""The pages on a stage: the real routes over a fake door, so that no database is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from invented_record import NOW, SETTINGS, Body, Chart

from healthhub import edge
from healthhub.access import Actor, Purpose, Role
from healthhub.access.looks import Look
from healthhub.clock import ZONE
from healthhub.errors import NotFound
from healthhub.model.ids import row_id
from healthhub.model.resource import Stored
from healthhub.serve import record, signin
from healthhub.web import assets

HOSTILE = "\"><script>alert(1)</script><b title='"
"""A name that would break a page that trusts it."""
LOOKED = NOW.astimezone(ZONE)
DOCTOR = Actor("account:1", "account", "zhou", frozenset({Role.CLINICIAN}), "周砚 医生")
CLERK = Actor("account:2", "account", "lin", frozenset({Role.ADMIN}), "林管理")


class Page:
    """What the door's everything gives, as far as the record reads it."""

    def __init__(self, matches: list[Stored]) -> None:
        self.matches = matches
        self.included: list[Stored] = []
        self.next = None


class Stage:
    """A door to invented records; ``asked`` says who asked why for what."""

    def __init__(self, charts: dict[str, Chart]) -> None:
        self._stored = {
            name: [stored(body) for body in chart.bodies] for name, chart in charts.items()
        }
        self._older = {key: older for c in charts.values() for key, older in c.older.items()}
        self._bodies = {b["id"]: b for chart in charts.values() for b in chart.bodies}
        self.asked: list[tuple[str, Purpose]] = []

    async def permit(self, *_: Any) -> None:
        return None

    async def person(self, who: Actor, purpose: Purpose, patient: str) -> UUID:
        self.asked.append((who.id, purpose))
        if patient not in self._stored:
            raise NotFound("there is no such patient")
        return row_id("Patient", patient)

    async def everything(
        self, who: Actor, purpose: Purpose, patient: str, *, types: Sequence[str]
    ) -> Page:
        self.asked.append((who.id, purpose))
        return Page([item for item in self._stored[self._named(patient)] if item.type in types])

    async def readers(
        self, who: Actor, purpose: Purpose, _patient: str, _since: datetime, count: int
    ) -> list[Look]:
        self.asked.append((who.id, purpose))
        looks = [
            Look(LOOKED, "account:1", "TREAT", "周砚 医生", ["clinician"]),
            Look(LOOKED - timedelta(days=2), "client:7", "PUBHLTH", HOSTILE, ["system"]),
        ]
        return looks[:count]

    async def histories(
        self, who: Actor, purpose: Purpose, type_: str, ids: Sequence[str], count: int
    ) -> dict[str, list[Stored]]:
        return {
            key: (await self.history(who, purpose, type_, key, count))[:count] for key in ids
        }

    def _named(self, key: str) -> str:
        return next(name for name in self._stored if str(row_id("Patient", name)) == key)

    async def history(
        self, _who: Actor, _why: Purpose, _type: str, key: str, _count: int | None = None
    ) -> list[Stored]:
        if key not in self._bodies:
            raise NotFound("there is no such resource")
        return [stored(body) for body in (self._bodies[key], *self._older.get(key, ()))]

    async def patients(self, _who: Actor, _why: Purpose, text: str) -> list[Stored]:
        return [
            bodies[0]
            for bodies in self._stored.values()
            if text and text in bodies[0].json.decode()
        ]


class SignedIn:
    """Identities that take every cookie for one actor's session."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    async def of_session(self, _token: str) -> Actor:
        return self._actor


def stored(body: Body) -> Stored:
    """A body as the store gives it back."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=number)
    key = row_id(body["resourceType"], body["id"])
    return Stored(body["resourceType"], key, key, 1, NOW, False, _plain(text).encode())


def number(value: object) -> str:
    """A decimal with its digits, to be freed of its quotes."""
    assert isinstance(value, Decimal)
    return f"\x00{value}\x00"


def _plain(text: str) -> str:
    return text.replace('"\\u0000', "").replace('\\u0000"', "")


def app(charts: dict[str, Chart], actor: Actor = DOCTOR) -> FastAPI:
    """The application with the record's and the sign-in's pages."""
    made = FastAPI()
    made.state.settings = SETTINGS
    made.state.door = Stage(charts)
    made.state.identities = SignedIn(actor)
    edge.install(made)
    routers: Sequence[Any] = (assets.router, record.router, signin.router)
    for router in routers:
        made.include_router(router)
    made.add_middleware(edge.Edge, max_body_bytes=2**20)
    return made
