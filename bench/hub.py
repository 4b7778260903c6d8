"""A hub of its own for a measurement: real processes, a fresh database, nothing shared."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from healthhub import city, postgres
from healthhub.access import Purpose, Role, accounts, clients
from healthhub.city.settings import as_toml
from healthhub.settings import load
from healthhub.store import database


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds."""

    web: float
    postgres: float

    def since(self, before: Cpu) -> Cpu:
        """What was taken after ``before``."""
        return Cpu(self.web - before.web, self.postgres - before.postgres)


@dataclass
class Hub:
    """A running hub: its addresses, credentials, and the memory of its processes."""

    folder: Path
    base: str
    mllp_port: int
    dsn: str = ""
    token: str = ""
    password: str = ""
    process: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    peak_rss: int = 0

    def cpu(self) -> Cpu:
        """CPU seconds taken so far by the web processes and by PostgreSQL."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            server = backend.parents()[0].children(recursive=True)
        web = [
            child
            for child in psutil.Process(self.process).children()
            if "--web-child" in words(child)
        ]
        return Cpu(_seconds(web), _seconds(server))

    def waiting(self, connection: psycopg.Connection) -> int:
        """Messages that are not settled yet."""
        row = connection.execute(
            "select count(*) from message_state where state in ('pending', 'retry')"
        ).fetchone()
        return row[0] if row else 0

    def session(self) -> str:
        """The cookie of a doctor who has signed in."""
        with httpx.Client(base_url=self.base) as client:
            page = client.get("/signin").text
            key = page.split('name="form_key" value="', 1)[1].split('"', 1)[0]
            form = {"form_key": key, "name": "doctor", "password": self.password, "next": "/"}
            client.post("/signin", data=form)
            return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


@contextmanager
def running(
    workers: int = 1,
    processes: int = 1,
    sources: Callable[[Path], Mapping[str, Mapping[str, Any]]] | None = None,
) -> Iterator[Hub]:
    """Start a hub that knows the demo city's sources, with so many workers and web processes;
    it is gone afterwards. ``sources`` gives, for its folder, more of them, or more of some."""
    folder = Path(tempfile.mkdtemp(prefix="healthhub-bench-"))
    ports = [_free_port(), _free_port()]
    known = city.settings()
    for name, table in (sources(folder) if sources else {}).items():
        known["sources"][name] = known["sources"].get(name, {}) | dict(table)
    tables = known | {
        "data_dir": str(folder / "data"),
        "port": ports[0],
        "mllp": {"port": ports[1]},
        "pipeline": {"workers": workers},
        "web": {"processes": processes},
    }
    simple = {name: value for name, value in tables.items() if not isinstance(value, dict)}
    rest = {name: value for name, value in tables.items() if isinstance(value, dict)}
    path = folder / "healthhub.toml"
    path.write_text(as_toml(simple | rest), encoding="utf-8")
    hub = Hub(folder, f"http://127.0.0.1:{ports[0]}", ports[1])
    hub.environment = os.environ | {"HEALTHHUB_SETTINGS": str(path)}
    log = (folder / "hub.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "healthhub", "serve"],
        env=hub.environment,
        stdout=log,
        stderr=log,
    )
    hub.process = process.pid
    stop = threading.Event()
    threading.Thread(target=_sample, args=(hub, process.pid, stop), daemon=True).start()
    try:
        _wait_ready(hub, process)
        with postgres.running(load(path)) as dsn:
            hub.dsn = dsn
            with database.connect(dsn) as connection:
                hub.password = f"Bench-{secrets.token_urlsafe(12)}-9"
                accounts.add(connection, "doctor", hub.password, [Role.CLINICIAN])
                hub.token = clients.add(connection, "bench", [Role.SYSTEM], Purpose.TREAT)
            yield hub
    finally:
        stop.set()
        process.terminate()
        process.wait(60)
        log.close()
        note = folder / "data" / "postgres.txt"
        if note.exists():  # run as root, the hub keeps its cluster elsewhere
            home = note.read_text(encoding="utf-8").strip().rpartition(" is in ")[2]
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def words(process: psutil.Process) -> list[str]:
    """What a process was started with; nothing when it has ended."""
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def _seconds(processes: list[psutil.Process]) -> float:
    taken = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        taken += times.user + times.system
    return taken


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def _wait_ready(hub: Hub, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{hub.base}/health/ready").status_code == 200:
                with socket.create_connection(("127.0.0.1", hub.mllp_port), timeout=1):
                    return
        except (httpx.HTTPError, OSError):
            time.sleep(0.1)
    raise RuntimeError((hub.folder / "hub.log").read_text(encoding="utf-8"))


def _sample(hub: Hub, pid: int, stop: threading.Event) -> None:
    """Keep the largest resident set of any of the hub's own processes. Which there are is asked
    once a second, as it costs more than looking at them."""
    root = psutil.Process(pid)
    family: list[psutil.Process] = []
    for turn in itertools.count():
        if stop.wait(0.1):
            return
        try:
            family = family if turn % 10 else [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for member in family:
            try:
                if "postgres" not in member.name():
                    hub.peak_rss = max(hub.peak_rss, member.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
