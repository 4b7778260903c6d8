"""healthhub demo: a hub and an invented city that sends to it, in one command."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg

from healthhub import city, keep, postgres, settings
from healthhub.access import Purpose, Role, accounts, clients, passwords
from healthhub.city.sender import Tally, send
from healthhub.city.sent import Sent
from healthhub.city.settings import as_toml
from healthhub.errors import HubError
from healthhub.model.message import State
from healthhub.store import database

HELP = "start a hub, invent a city, send its feeds over MLLP, then keep a trickle going"
NAMED = "陆文斌"
PEOPLE = (
    ("doctor", "王医生", (Role.CLINICIAN,)),
    ("admin", "管理员", (Role.ADMIN,)),
    ("auditor", "审计员", (Role.AUDITOR,)),
)
START_SECONDS = 90


def configure(parser: argparse.ArgumentParser) -> None:
    """How large, and where."""
    parser.add_argument("--data", type=Path, help="data folder (HEALTHHUB_DATA_DIR)")
    parser.add_argument("--port", type=int, help="port of the pages (HEALTHHUB_PORT)")
    parser.add_argument("--residents", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--once", action="store_true", help="end after READY")


def run(args: argparse.Namespace) -> int:
    """Start, fill, say READY, go on until Ctrl-C."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = (args.data or Path(os.environ.get("HEALTHHUB_DATA_DIR", ".data/demo"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port = args.port or int(os.environ.get("HEALTHHUB_PORT", "8080"))
    ports = _free(port), _free(2575)
    partner = secrets.token_urlsafe(32)
    path = _settings(folder, ports, partner)
    os.environ["HEALTHHUB_SETTINGS"] = str(path)
    os.environ["HEALTHHUB_PORT"] = str(ports[0])
    os.environ["HEALTHHUB_DATA_DIR"] = str(folder)
    log = (folder / "hub.log").open("w")
    hub = subprocess.Popen([sys.executable, "-m", "healthhub", "serve"], stdout=log, stderr=log)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return _show(args, folder, ports, partner, hub)
    except KeyboardInterrupt:
        print("\nstopping")
        return 0
    finally:
        hub.terminate()
        hub.wait(60)
        log.close()


def _show(
    args: argparse.Namespace,
    folder: Path,
    ports: tuple[int, int],
    partner: str,
    hub: subprocess.Popen[bytes],
) -> int:
    base = f"http://127.0.0.1:{ports[0]}"
    _wait(base, ports[1], hub, folder)
    with postgres.running(settings.load()) as dsn:
        words, token = _credentials(dsn)
        _write_credentials(folder, base, ports[1], words, token, partner)
        print(f"hub:   {base}   FHIR: {base}/fhir   MLLP: 127.0.0.1:{ports[1]}")
        for name, title, _ in PEOPLE:
            print(f"account {name} ({title}): {words[name]}")
        print(f"credentials: {folder / 'credentials.json'}")
        story = city.Story(args.residents, args.seed, args.years)
        asyncio.run(send("127.0.0.1", ports[1], story.messages(), _Progress().tell))
        _settled(dsn)
        print(f"record of {NAMED}: {base}/record/{_named(base, token)}")
    print(f"READY {base}", flush=True)
    if not args.once:
        asyncio.run(_trickle(args, ports[1]))
    return 0


def _free(wanted: int) -> int:
    """The wanted port, or the next free one."""
    for port in range(wanted, wanted + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port != wanted:
                print(f"port {wanted} is taken; {port} it is")
            return port
    raise HubError(f"no free port from {wanted} on; name one with --port")


def _settings(folder: Path, ports: tuple[int, int], partner: str) -> Path:
    tables = city.settings()
    digest = hashlib.sha256(partner.encode()).hexdigest()
    tables["sources"]["partner"]["token_sha256"] = digest
    head = {"data_dir": str(folder), "port": ports[0], "mllp": {"port": ports[1]}}
    path = folder / "healthhub.toml"
    path.touch(mode=0o600)
    path.write_text(as_toml(head | tables), encoding="utf-8")
    return path


def _wait(base: str, mllp: int, hub: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and hub.poll() is None:
        try:
            if httpx.get(f"{base}/health/ready").status_code == 200:
                with socket.create_connection(("127.0.0.1", mllp), timeout=1):
                    return
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.1)
    raise HubError(f"the hub did not start; {folder / 'hub.log'} says why")


def _credentials(dsn: str) -> tuple[dict[str, str], str]:
    """New passwords for the accounts, and a new token of a client with all rights."""
    words = {name: passwords.generated() for name, _, _ in PEOPLE}
    with database.connect(dsn) as conn:
        known = {account.name for account in accounts.listed(conn)}
        for name, title, roles in PEOPLE:
            if name in known:
                accounts.set_password(conn, name, words[name])
            else:
                accounts.add(conn, name, words[name], roles, title)
        token = clients.add(conn, f"demo-{secrets.token_hex(4)}", [Role.SYSTEM], Purpose.TREAT)
    return words, token


def _write_credentials(
    folder: Path, base: str, mllp: int, words: dict[str, str], token: str, partner: str
) -> None:
    content = {
        "pages": base,
        "fhir": f"{base}/fhir",
        "mllp": {"host": "127.0.0.1", "port": mllp},
        "accounts": [
            {"name": name, "password": words[name], "role": roles[0].value}
            for name, _, roles in PEOPLE
        ],
        "fhir_client": {"token": token},
        "sources": {
            "partner": {
                "token": partner,
                "feed_url": f"{base}/feeds/partner/hl7v2",
                "sender": city.settings()["sources"]["partner"]["sender"],
            }
        },
    }
    path = folder / "credentials.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)


class _Progress:
    """A line each second: sent, acknowledged, refused, rate."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def tell(self, tally: Tally) -> None:
        """Hear of an answer."""
        now = time.monotonic()
        if now - self._last >= 1:
            self._last = now
            rate = tally.sent / (now - self._started)
            print(
                f"  sent {tally.sent:,}, acknowledged {tally.accepted:,}, "
                f"refused {tally.refused:,}, {rate:,.0f}/s",
                flush=True,
            )


def _settled(dsn: str) -> None:
    """Wait until the workers have taken in what was sent."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        while True:
            counts = keep.counts(conn).by_state
            waiting = counts[State.PENDING] + counts[State.RETRY]
            done = counts[State.DONE]
            print(f"  stored {done:,}, waiting {waiting:,}", flush=True)
            if not waiting:
                print(f"  parked {counts[State.PARKED]:,}, rejected {counts[State.REJECTED]:,}")
                return
            time.sleep(1)


def _named(base: str, token: str) -> str:
    """The named patient's id, once the record has visits and results of both hospitals."""
    with httpx.Client(base_url=f"{base}/fhir", timeout=60) as client:
        client.headers["authorization"] = f"Bearer {token}"
        found = client.get("/Patient", params={"name": NAMED, "_count": "50"}).json()
        for entry in found.get("entry", []):
            patient = entry["resource"]["id"]
            bundle = client.get(f"/Patient/{patient}/$everything").json()
            kinds = {
                (e["resource"]["resourceType"], source)
                for e in bundle.get("entry", [])
                for source in ("hospital-a", "hospital-b")
                if f":{source}-" in e["resource"].get("meta", {}).get("source", "")
            }
            if all(
                (kind, source) in kinds
                for kind in ("Encounter", "Observation")
                for source in ("hospital-a", "hospital-b")
            ):
                return patient
    raise HubError(f"the record of {NAMED} is not whole; see the parked messages in /console")


async def _trickle(args: argparse.Namespace, mllp: int) -> None:
    """Live events: another city's days, now. Any two seconds one message."""
    print("live events go on; Ctrl-C ends all", flush=True)
    for seed in range(args.seed + 1, args.seed + 10**6):
        story = city.Story(10, seed, 1)
        for message in story.messages():
            await send("127.0.0.1", mllp, _now(message), lambda _: None)
            await asyncio.sleep(2)


def _now(message: Sent) -> Iterator[Sent]:
    """The message with the present time in MSH-7."""
    fields = message.raw.split(b"|", 7)
    if len(fields) == 8 and fields[0] == b"MSH":
        fields[6] = time.strftime("%Y%m%d%H%M%S").encode()
    yield replace(message, raw=b"|".join(fields))
