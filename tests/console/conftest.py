"""A hub with messages of every state, its pages, and an administrator who is signed in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from functools import cache

import httpx
import psycopg
import pytest
from serving import answering

from healthhub import keep
from healthhub.access import Role, accounts
from healthhub.adapter_api import registry
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.keep import Choice, Keeper
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.pipeline import Convert, process
from healthhub.receive.intake import Intake
from healthhub.settings import Settings
from healthhub.worker import converters_of
from tests.receive.test_mllp_listener import message

PASSWORD = "Look-9-at-the-console"
SETTINGS = Settings.model_validate(
    {
        "institutions": {"h": {"title": "江城市第一人民医院"}},
        "sources": {
            "his": {"institution": "h", "mapping": "national/hl7v2", "title": "市一医院 HIS"},
            "lis": {"institution": "h", "mapping": "national/hl7v2", "charset": "gb18030"},
            "pacs": {"institution": "h", "mapping": "national/hl7v2"},
        },
    }
)
GOOD = [message(f"G{n}", name="赵^一").encode() for n in range(3)]
GBK = message("K1", name="钱^二", more="||||||GBK").encode("gb18030")
"""In GBK, as its MSH-18 says; its source's default is UTF-8."""
DATELESS = message("D1", name="孙^三").replace("||孙^三", "||孙^三||19801345|M").encode()
NOT_UTF_8 = message("R1", name="李\0").encode().replace(b"\0", b"\xff")
STRANGE = message("S1", sender="NOBODY").encode()


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def take(dsn: str, source: str, *raws: bytes) -> list[int]:
    """Receive messages as a listener does; gives their numbers."""

    async def work() -> list[int]:
        async with Keeper(dsn) as keeper:
            intake, adapter = Intake(keeper), registry.find("hl7v2")
            found = []
            for raw in raws:
                if source == "?":
                    told = BadMessage("correct MSH-3", condition="204", place="MSH-3")
                    promise = await intake.turn_away("", adapter, raw, "mllp 10.9.9.9", told)
                else:
                    known = SETTINGS.sources[source]
                    promise = await intake.take(source, known, adapter, raw, "mllp 127.0.0.1")
                found.append((await promise.answer()).id or 0)
            return found

    return asyncio.run(work())


@cache
def converters() -> Mapping[str, Convert]:
    """Compiled once for all tests."""
    return converters_of(SETTINGS)


def work_off(conn: psycopg.Connection) -> None:
    """Process all that waits, as workers do."""
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, converters(), 3)


@pytest.fixture
def ids(conn: psycopg.Connection, database: str) -> dict[str, int]:
    """Numbers of messages by what became of them."""
    first, second, third = take(database, "his", *GOOD)
    gbk, dateless, broken = take(database, "his", GBK, DATELESS, NOT_UTF_8)
    (parked,) = take(database, "lis", message("P1", sender="LIS").encode("gb18030"))
    (strange,) = take(database, "?", STRANGE)
    keep.park(conn, {parked: []})
    work_off(conn)
    (waiting,) = take(database, "lis", message("W1", sender="LIS").encode("gb18030"))
    keep.ignore(conn, Choice(ids=(third,)), who="x", reason="x")
    conn.execute("update message_state set state = 'ignored' where id = %s", (third,))
    assert keep.get(conn, first).state is State.DONE
    return {
        "done": first,
        "second": second,
        "ignored": third,
        "gbk": gbk,
        "dateless": dateless,
        "rejected": broken,
        "parked": parked,
        "strange": strange,
        "pending": waiting,
    }


def key_of(page: str) -> str:
    found = re.search(r'name="form_key" value="([^"]+)"', page)
    assert found
    return found[1]


def signed_in(client: httpx.Client, name: str) -> httpx.Client:
    key = key_of(client.get("/signin").text)
    fields = {"name": name, "password": PASSWORD, "form_key": key}
    assert client.post("/signin", data=fields).status_code == 303
    client.headers["accept"] = "text/html"
    return client


@pytest.fixture
def hub(database: str, conn: psycopg.Connection) -> Iterator[httpx.Client]:
    accounts.add(conn, "admin", PASSWORD, [Role.ADMIN], "林管理")
    accounts.add(conn, "doctor", PASSWORD, [Role.CLINICIAN], "周医生")
    with answering(build_app(SETTINGS, database)) as client:
        yield client


@pytest.fixture
def admin(hub: httpx.Client) -> httpx.Client:
    return signed_in(hub, "admin")
