"""healthhub health: is a part of the hub that runs on this machine well? For probes."""

from __future__ import annotations

import argparse
import socket
import sys

import psycopg

from healthhub import keep, postgres, settings
from healthhub.keep import applications
from healthhub.settings import Settings

HELP = "say whether a part that runs here is well (status 0) or not (status 1)"
SECONDS = 5.0
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to be asked, not bound


def configure(parser: argparse.ArgumentParser) -> None:
    """Which part."""
    parser.add_argument("part", choices=sorted(PARTS))


def run(args: argparse.Namespace) -> int:
    """Ask the part, and say what it answers."""
    fault = PARTS[args.part](settings.load())
    sys.stdout.write(f"{args.part}: {fault or 'well'}\n")
    return 1 if fault else 0


def web(loaded: Settings) -> str:
    """What is wrong with the web processes; empty when they serve."""
    host = _reachable(loaded.web.host)
    host = f"[{host}]" if ":" in host else host
    import httpx  # no other part needs it, and each is asked every few seconds

    try:
        address = f"http://{host}:{loaded.web_port}/health/ready"
        answer = httpx.get(address, timeout=SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    return "" if answer.status_code == 200 else answer.json()["status"]


def mllp(loaded: Settings) -> str:
    """What is wrong with the listener; empty when it takes connections."""
    try:
        with socket.create_connection(
            (_reachable(loaded.mllp.host), loaded.mllp.port), SECONDS
        ):
            return ""
    except OSError as error:
        return f"no answer ({error.strerror or error})"


def worker(loaded: Settings) -> str:
    """What is wrong with the workers of this machine; empty when one of them works."""
    return _asking(loaded, applications.WORKER, "no worker")


def bulk(loaded: Settings) -> str:
    """What is wrong with the bulk process of this machine; empty when it works."""
    return _asking(loaded, applications.BULK, "no bulk process")


def notify(loaded: Settings) -> str:
    """What is wrong with the process of subscriptions; empty when it works or stands by."""
    return _asking(loaded, applications.NOTIFY, "no process of subscriptions")


def watch(loaded: Settings) -> str:
    """What is wrong with the process that watches; empty when it works or stands by."""
    return _asking(loaded, applications.WATCH, "no process that watches")


def poll(loaded: Settings) -> str:
    """What is wrong with the process that polls views and folders; empty when it works."""
    return _asking(loaded, applications.POLL, "no process that polls")


def _asking(loaded: Settings, application: str, who: str) -> str:
    try:
        with (
            postgres.running(loaded) as dsn,
            psycopg.connect(dsn, connect_timeout=int(SECONDS)) as connection,
        ):
            found = keep.workers_here(connection, application)
            return "" if found else f"{who} has asked for work lately"
    except psycopg.Error as error:
        return f"the database does not answer ({type(error).__name__})"


PARTS = {
    "web": web,
    "mllp": mllp,
    "worker": worker,
    "poll": poll,
    "bulk": bulk,
    "notify": notify,
    "watch": watch,
}


def _reachable(host: str) -> str:
    return ANY.get(host, host)
