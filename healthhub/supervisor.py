"""The process tree of ``healthhub serve``: database, web processes, MLLP listener, workers.

The supervisor itself holds no connection and reads no message. It starts the embedded database
when none is given, migrates, starts the children, starts again what dies, and ends all on
SIGTERM or SIGINT. When it is killed itself the kernel kills its children (PR_SET_PDEATHSIG):
what they had acknowledged is durable, and their ports are free for the next start.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import psycopg

from healthhub import postgres
from healthhub.child import Child
from healthhub.errors import HubError, SettingError
from healthhub.receive import polling
from healthhub.settings import Settings
from healthhub.store import database

STOP_SECONDS = 20
TURN_SECONDS = 1.0
BACKLOG = 1024

log = logging.getLogger("healthhub.serve")


def run(settings: Settings, parts: Iterable[str]) -> int:
    """Run the parts (of ``web``, ``mllp``, ``worker``, ``poll``, ``bulk``, ``notify``, ``watch``) until a signal ends them; give 0."""
    server = None if settings.dsn is not None else postgres.embedded(settings)
    with _signals() as (wake, stopping), _listening(settings) as web:
        children: list[Child] = []
        try:
            dsn = settings.dsn if server is None else server.start()
            assert dsn is not None  # noqa: S101 - one of the two is there
            database.migrate(dsn)
            log.info("the schema is at revision %s", database.newest())
            _publish(dsn, settings)
            environ = {} if server is None else {"HEALTHHUB_DATABASE_URL": dsn}
            children = _children(settings, tuple(parts), web, environ)
            for child in children:
                child.start()
            _say_where(settings, web, children)
            while not stopping:
                select.select([wake], [], [], TURN_SECONDS)
                os.read(wake, 4096) if select.select([wake], [], [], 0)[0] else None
                _mend(server, children if not stopping else [])
        finally:
            _end(children)
            if server is not None:
                server.leave()
    return 0


def _publish(dsn: str, settings: Settings) -> None:
    """What it needs is imported here, as this process lives long and needs it once."""
    from healthhub.publish import publish

    count = publish(dsn, settings.mappings_dir)
    log.info("%d profiles and code systems of the hub are in the store", count)


def _children(
    settings: Settings, parts: tuple[str, ...], web: socket.socket, environ: Mapping[str, str]
) -> list[Child]:
    children = []
    if "worker" in parts:
        for number in range(1, settings.pipeline.workers + 1):
            children.append(Child(f"worker {number}", ("worker",), environ))
    if "poll" in parts and polling.declared(settings):
        children.append(Child("poll", ("poll",), environ))
    children += [
        Child(part, (part,), environ) for part in ("bulk", "notify", "watch") if part in parts
    ]
    if "mllp" in parts:
        port = {"HEALTHHUB_MLLP__PORT": str(_mllp_port(settings))}
        children.append(Child("mllp", ("mllp",), {**environ, **port}))
    if "web" in parts:
        for number in range(1, settings.web.processes + 1):
            command = ("serve", "--web-child", str(web.fileno()))
            children.append(Child(f"web {number}", command, environ, (web.fileno(),)))
    return children


def _mend(server: postgres.Server | None, children: list[Child]) -> None:
    """Bring back what has died: the database first, then the children, each after its pause."""
    if server is not None and not server.alive():
        log.error("PostgreSQL is gone; starting it again")
        try:
            server.start()
        except (HubError, psycopg.Error) as error:
            log.error("PostgreSQL does not come back yet: %s", error)
    for child in children:
        child.mend()


def _end(children: list[Child]) -> None:
    for child in children:
        child.tell(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        if not child.wait(deadline - time.monotonic()):
            log.error("%s does not stop; it is killed", child.name)
            child.tell(signal.SIGKILL)
            child.wait(5)


def _say_where(settings: Settings, web: socket.socket, children: list[Child]) -> None:
    """One line for each thing that listens; the web socket takes connections from here on."""
    for child in children:
        if child.name == "mllp":
            port = child.environ["HEALTHHUB_MLLP__PORT"]
            print(f"healthhub: MLLP {settings.mllp.host}:{port}", flush=True)  # noqa: T201
        if child.name == "web 1":
            port = web.getsockname()[1]
            print(f"healthhub: web http://{settings.web.host}:{port}", flush=True)  # noqa: T201


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The one listening socket that all web processes share; the kernel spreads connections."""
    with _bound(settings.web.host, settings.web_port, "web.port") as opened:
        opened.listen(BACKLOG)
        yield opened


def _mllp_port(settings: Settings) -> int:
    """The port of MLLP, chosen here when the settings leave it to the system."""
    with _bound(settings.mllp.host, settings.mllp.port, "mllp.port") as probe:
        return probe.getsockname()[1]


def _bound(host: str, port: int, setting: str) -> socket.socket:
    """A socket bound to the address; a SettingError when that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise SettingError(
            f"{setting}: cannot listen on {host}:{port} ({error.strerror}); choose another port "
            "or stop what uses it",
            expression=setting,
        ) from None
    return made


@contextmanager
def _signals() -> Iterator[tuple[int, list[int]]]:
    """A pipe that wakes the loop on any of our signals, and the list of those that end it."""
    stopping: list[int] = []
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    before = {
        number: signal.signal(number, lambda got, _: stopping.append(got))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader, stopping
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
        sys.stdout.flush()
