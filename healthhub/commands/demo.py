"""healthhub demo: a hub and an invented city that sends to it, in one command."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
import psycopg

from healthhub import city, clock, keep, postgres, settings
from healthhub.city import demonstration
from healthhub.city.channels import Place
from healthhub.city.demonstration import Credentials
from healthhub.city.fetched import Fetched
from healthhub.city.image_archive import ImageArchive
from healthhub.city.live import Live
from healthhub.city.sender import Address, Tally, Wires
from healthhub.city.sent import Sent
from healthhub.errors import HubError, SettingError
from healthhub.model.message import State

HELP = "start a hub, invent a city, send its feeds by their own ways, then keep a trickle going"
PAGES, MLLP = 8080, 2575
START_SECONDS = 120
MOST_HELD = 500
"""Residents of whom all messages are held, so that what remains to be sent can be told."""
STEADY_SECONDS = 180
"""Without progress for so long, the demonstration gives up."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How large, and where."""
    parser.add_argument(
        "--data", type=Path, help="data folder (HEALTHHUB_DATA_DIR; else .data/demo)"
    )
    parser.add_argument(
        "--port", type=int, help="port of the pages (HEALTHHUB_PORT; else 8080)"
    )
    parser.add_argument("--residents", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--once", action="store_true", help="end after READY")


def run(args: argparse.Namespace) -> int:
    """Start, fill, say READY, go on until Ctrl-C."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    folder = (args.data or Path(os.environ.get("HEALTHHUB_DATA_DIR") or ".data/demo")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _alone(folder):
            return _demonstrate(args, folder)
    except KeyboardInterrupt:
        print("\nthe hub and its database have stopped; the same command goes on from here")
        return 0


def _demonstrate(args: argparse.Namespace, folder: Path) -> int:
    story = _story(args, folder)
    ports = _ports(args.port)
    credentials = Credentials(f"http://127.0.0.1:{ports[0]}", ports[1])
    archive = ImageArchive(folder / "archive")
    with archive.open() as address:
        place = Place(folder, credentials.tokens, address, credentials.pages)
        _settings(place, ports)
        wires = Wires(Address(credentials.pages, "127.0.0.1", ports[1]), place, archive)
        with contextlib.closing(wires), _hub(folder) as hub:
            return _show(story, wires, credentials, hub, folder, once=args.once)


def _show(
    story: city.Story,
    wires: Wires,
    credentials: Credentials,
    hub: subprocess.Popen[bytes],
    folder: Path,
    *,
    once: bool,
) -> int:
    base, mllp = credentials.pages, credentials.mllp_port
    _wait(base, mllp, hub, folder)
    loaded = settings.load()
    with postgres.running(loaded) as dsn:
        credentials.issue(dsn)
        path = credentials.write(folder)
        print(f"pages {base}   FHIR {base}/fhir   MLLP 127.0.0.1:{mllp}")
        for account in credentials.accounts:
            print(f"account {account.name} ({account.role}): {account.password}")
        print(f"credentials: {path}", flush=True)
        history, count = _history(story)
        with _Progress(dsn, count) as progress:
            asyncio.run(wires.history(history, progress.tell))
            progress.settle(Fetched(loaded, wires))
        record = demonstration.record_of(credentials, story.named().name)
        credentials.write(folder)
        print(f"record of {story.named().name}: {record}")
    print(f"READY {base}", flush=True)
    if not once:
        print("live events go on; Ctrl-C ends all", flush=True)
        _trickle(story, wires, hub)
    return 0


def _story(args: argparse.Namespace, folder: Path) -> city.Story:
    """The city of this folder: made on the first run, and the same ever after, day and all."""
    path = folder / "city.json"
    if path.is_file():
        made = json.loads(path.read_text(encoding="utf-8"))
        until = date.fromisoformat(made["until"])
        story = city.Story(made["residents"], made["seed"], made["years"], until)
        if (story.residents, story.seed, story.years) != (
            args.residents,
            args.seed,
            args.years,
        ):
            print(f"{folder} holds a city of {story.residents} residents already; it goes on")
        return story
    until = clock.now().astimezone(clock.ZONE).date() + timedelta(days=1)
    story = city.Story(args.residents, args.seed, args.years, until)
    made = {"residents": story.residents, "seed": story.seed, "years": story.years}
    path.write_text(json.dumps({**made, "until": until.isoformat()}), encoding="utf-8")
    return story


def _ports(given: int | None) -> tuple[int, int]:
    """Free ports of pages and MLLP. That of MLLP moves with that of the pages, so that two
    demonstrations that start in the same moment with ports of their own do not want one."""
    pages = given or int(os.environ.get("HEALTHHUB_PORT") or PAGES)
    mllp = int(os.environ.get("HEALTHHUB_MLLP__PORT") or MLLP + (pages - PAGES) % 20_000)
    return _free(pages, "pages"), _free(mllp, "MLLP")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a folder that another demonstration uses; the kernel frees it when that one ends."""
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingError(
                f"another demonstration runs in {folder}; stop it, or name another folder with "
                "--data",
                expression="data_dir",
            ) from None
        yield


def _free(wanted: int, what: str) -> int:
    """The wanted port, or the next free one."""
    for port in range(wanted, wanted + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port != wanted:
                print(f"port {wanted} is taken; {what} at {port}")
            return port
    raise SettingError(
        f"no free port from {wanted} on; name one with --port", expression="port"
    )


def _settings(place: Place, ports: tuple[int, int]) -> None:
    """Write the settings that this process and the hub both read."""
    folder, tables = place.folder, city.settings(place)
    head = {"data_dir": str(folder), "port": ports[0], "mllp": {"port": ports[1]}}
    path = folder / "healthhub.toml"
    path.touch(mode=0o600)
    path.write_text(city.as_toml(head | tables), encoding="utf-8")
    os.environ["HEALTHHUB_SETTINGS"] = str(path)
    os.environ["HEALTHHUB_PORT"] = str(ports[0])
    os.environ["HEALTHHUB_MLLP__PORT"] = str(ports[1])
    os.environ["HEALTHHUB_DATA_DIR"] = str(folder)


@contextmanager
def _hub(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``healthhub serve`` with its log in the folder; ended when we end."""
    with (folder / "hub.log").open("ab") as log:
        hub = subprocess.Popen(
            [sys.executable, "-m", "healthhub", "serve"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield hub
        finally:
            hub.terminate()
            hub.wait(60)


def _wait(base: str, mllp: int, hub: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and hub.poll() is None:
        try:
            if httpx.get(f"{base}/health/ready", trust_env=False).status_code == 200:
                with socket.create_connection(("127.0.0.1", mllp), timeout=1):
                    return
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.1)
    raise HubError(f"the hub did not start; {folder / 'hub.log'} says why")


def _history(story: city.Story) -> tuple[Iterator[Sent], int]:
    """What is to be sent, and how much that is; 0 of a city too large to be held at once."""
    if story.residents > MOST_HELD:
        return story.messages(), 0
    held = list(story.messages())
    return iter(held), len(held)


class _Progress:
    """A line a second or so: sent, acknowledged, stored, rate, remaining."""

    def __init__(self, dsn: str, count: int) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._all = count
        self._started = self._last = time.monotonic()
        self._tally = Tally()
        self._before = self._stored()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def tell(self, tally: Tally) -> None:
        """Hear of an answer."""
        self._tally = tally
        if time.monotonic() - self._last >= 2:
            self._line(self._stored())

    def settle(self, fetched: Fetched) -> None:
        """Wait until the hub has fetched and taken in all that was sent."""
        moved, seen = time.monotonic(), -1
        while True:
            counts = keep.counts(self._connection).by_state
            waiting = counts[State.PENDING] + counts[State.RETRY]
            done = sum(counts.values()) - waiting
            unread = fetched.waiting(self._connection)
            if not waiting and not unread:
                self._line(done)
                print(f"  parked {counts[State.PARKED]:,}, rejected {counts[State.REJECTED]:,}")
                return
            if done != seen:
                moved, seen = time.monotonic(), done
            elif time.monotonic() - moved > STEADY_SECONDS:
                what = (
                    f"nothing more is read of {unread}" if unread else "the workers stand still"
                )
                raise HubError(f"{what}; hub.log in the data folder says why")
            if time.monotonic() - self._last >= 2:
                self._line(done)
            time.sleep(0.2)

    def _stored(self) -> int:
        counts = keep.counts(self._connection).by_state
        return sum(counts.values()) - counts[State.PENDING] - counts[State.RETRY]

    def _line(self, stored: int) -> None:
        self._last = time.monotonic()
        tally, rate = self._tally, (stored - self._before) / (self._last - self._started)
        remaining = f", remaining {self._all - tally.sent:,} to send" if self._all else ""
        print(
            f"  sent {tally.sent:,}, acknowledged {tally.accepted:,}, refused {tally.refused:,}, "
            f"stored {stored:,}, {rate:,.0f}/s{remaining}",
            flush=True,
        )


def _trickle(story: city.Story, wires: Wires, hub: subprocess.Popen[bytes]) -> None:
    """Visits as they happen: one every ten seconds or so, until Ctrl-C or the hub's end."""
    live = Live(story)
    while hub.poll() is None:
        now = clock.now()
        asyncio.run(wires.live(live.visit(now)))
        time.sleep(10)
    raise HubError("the hub has ended by itself; hub.log in the data folder says why")


def _interrupt() -> None:
    raise KeyboardInterrupt
