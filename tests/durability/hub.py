"""A whole hub in processes of its own, with a disk that is waited for, to be killed by tests."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from bench.hub import words
from healthhub.receive.frames import frame

SETTINGS = """
data_dir = "{folder}/data"
port = {web}
[mllp]
port = {port}
[pipeline]
workers = 2
batch = 32
[institutions.h]
title = "江城市第一人民医院"
[sources.his]
institution = "h"
mapping = "national/hl7v2"
token_sha256 = "{token}"
"""
TOKEN = "a-token-of-the-durability-tests"
TOKEN_SHA = hashlib.sha256(TOKEN.encode()).hexdigest()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Hub:
    """``healthhub serve`` on a folder; its parts can be found and killed by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.web = _free_port(), _free_port()
        self.settings = folder / "healthhub.toml"
        self.settings.write_text(
            SETTINGS.format(folder=folder, port=self.port, web=self.web, token=TOKEN_SHA),
            encoding="utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process tree, and wait until it takes messages."""
        log = (self.folder / "hub.log").open("ab")
        environ = {k: v for k, v in os.environ.items() if not k.startswith("HEALTHHUB_")}
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "healthhub", "--settings", str(self.settings), "serve"],
            env=environ,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.wait_until(self._listens, 60)

    def stop(self) -> None:
        """End it as an administrator would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(40)

    def kill(self, part: str) -> None:
        """kill -9 of ``hub`` (the whole tree but PostgreSQL), ``mllp``, ``web``,
        ``worker`` or ``postgres`` (its postmaster)."""
        assert self._process is not None
        if part == "hub":
            self._process.kill()
            self._process.wait(10)
        elif part == "postgres":
            self._postmaster().kill()
        else:
            with suppress(psutil.NoSuchProcess):  # it fell with another, and is dead already
                self._child("--web-child" if part == "web" else part).kill()

    def _postmaster(self) -> psutil.Process:
        found: list[psutil.Process] = []

        def running() -> bool:
            for file in (self.folder / "data").rglob("postmaster.pid"):
                lines = file.read_text().split()
                if lines and psutil.pid_exists(int(lines[0])):
                    found[:] = [psutil.Process(int(lines[0]))]
            return bool(found)

        self.wait_until(running, 40)
        return found[0]

    def _child(self, part: str) -> psutil.Process:
        assert self._process is not None
        found: list[psutil.Process] = []

        def running() -> bool:
            children = psutil.Process(self._process.pid).children() if self._process else []
            found[:] = [child for child in children if part in words(child)]
            return bool(found)

        self.wait_until(running, 40)
        return found[0]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_until(self, true: Callable[[], bool], seconds: float) -> None:
        """Wait for something; what the hub said is shown if it does not come."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                said = (self.folder / "hub.log").read_text(errors="replace")[-4000:]
                raise AssertionError(f"not within {seconds} s; the hub said:\n{said}")
            time.sleep(0.05)


@dataclass
class Sender(threading.Thread):
    """An interface engine: sends each message until it is accepted, then the next."""

    port: int
    messages: Sequence[bytes]
    pause: float = 0.0
    accepted: list[bytes] = field(default_factory=list)
    resent: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._socket: socket.socket | None = None

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Send all; never gives up."""
        for message in self.messages:
            while not self._accepted(message):
                self.resent += 1
                time.sleep(0.1)
            self.accepted.append(message)
            time.sleep(self.pause)
        self._close()

    def _accepted(self, message: bytes) -> bool:
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self.port), 5)
                self._socket.settimeout(10)
            self._socket.sendall(frame(message))
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                got = self._socket.recv(4096)
                if not got:
                    raise ConnectionResetError
                answer += got
        except OSError:
            self._close()
            return False
        return b"|AA|" in answer

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass
class Poster(Sender):
    """A platform that posts its messages over HTTP, some at a time, until all are accepted."""

    web: int = 0
    at_once: int = 5

    __hash__ = Sender.__hash__

    def run(self) -> None:
        """Send all; never gives up."""
        for start in range(0, len(self.messages), self.at_once):
            group = self.messages[start : start + self.at_once]
            while not self._all_accepted(group):
                self.resent += 1
                time.sleep(0.1)
            self.accepted += group
            time.sleep(self.pause * len(group))

    def _all_accepted(self, group: Sequence[bytes]) -> bool:
        try:
            answer = httpx.post(
                f"http://127.0.0.1:{self.web}/feeds/his/hl7v2",
                content=b"".join(group),
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=15,
            )
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and len(answer.json()) == len(group)
