"""The city's ways to a hub over real sockets: what is taken, refused, put down to be fetched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from serving import answering

from healthhub import city
from healthhub.city.channels import Place
from healthhub.city.fetched import Fetched
from healthhub.city.sender import Address, Tally, Wires
from healthhub.city.sent import Sent
from healthhub.city.systems import SYSTEMS
from healthhub.keep import Keeper, counts
from healthhub.main import build_app
from healthhub.receive import polling
from healthhub.receive.mllp import Listener
from healthhub.receive.tables import connected
from healthhub.settings import Settings

TOKENS = {system.source: f"of {system.source}" for system in SYSTEMS} | {"partner": "its own"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def some() -> list[Sent]:
    """The first messages of each source, and two that cannot be taken."""
    chosen: list[Sent] = []
    for each in city.Story(120, 2, 1).messages():
        if sum(c.source == each.source for c in chosen) < 9 and each.accepted:
            chosen.append(each)
    soap = next(c for c in chosen if c.source == "hospital-c")
    v2 = next(c for c in chosen if c.source == "hospital-a-his")
    chosen.append(replace(soap, raw=soap.raw[:700], control="half", accepted=False))
    chosen.append(replace(v2, raw=b"PID|1||1", control="no head", accepted=False))
    return chosen


def settings(dsn: str, folder: Path, port: int) -> Settings:
    tables = city.settings(Place(folder, TOKENS))
    for source in tables["sources"].values():
        source.get("folder", {})["settle_seconds"] = 0
    return Settings.model_validate(
        {**tables, "database_url": dsn, "data_dir": folder, "mllp": {"port": port}}
    )


async def sent(loaded: Settings, dsn: str, wires: Wires, messages: Sequence[Sent]) -> Tally:
    async with Keeper(dsn) as keeper, Listener(loaded, keeper):
        return await wires.history(iter(messages), lambda _: None)


def test_each_source_sends_by_its_own_way_and_hears_what_was_refused(
    database: str, tmp_path: Path, some: list[Sent]
) -> None:
    port = free_port()
    loaded = settings(database, tmp_path, port)
    with answering(build_app(loaded, database)) as client, connected(database) as conn:
        address = Address(str(client.base_url), "127.0.0.1", port)
        with closing(Wires(address, Place(tmp_path, TOKENS))) as wires:
            tally = asyncio.run(sent(loaded, database, wires, some))
            assert (tally.sent, tally.refused) == (len(some), 2)
            fetched = Fetched(loaded, wires)
            assert fetched.waiting(conn)
            for name in wires.writers:
                for duty in polling.duties(loaded, name):
                    for _ in range(2):
                        assert polling.once(name, duty.turn, database) == ""
                    duty.close()
            assert fetched.waiting(conn) == ""
        kept = {s.source for s in some}
        assert all(counts(conn, source).total for source in kept)


def test_a_history_that_is_told_again_puts_nothing_down(
    tmp_path: Path, some: list[Sent]
) -> None:
    rows = [s for s in some if s.source.startswith("township")]
    address = Address("http://127.0.0.1:9", "127.0.0.1", 9)
    for turn in range(2):
        with closing(Wires(address, Place(tmp_path, TOKENS))) as wires:
            asyncio.run(wires.history(iter(rows), lambda _: None))
            found = [p for p in (tmp_path / "feeds" / "township-p").iterdir() if p.is_file()]
            assert bool(found) == (turn == 0)
        for path in found:
            done = path.parent / "done"
            done.mkdir(exist_ok=True)
            path.rename(done / path.name)
