"""A listener on a real socket, in a thread of its own, and a blocking client for it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from healthhub.keep import Keeper
from healthhub.receive.frames import frame
from healthhub.receive.mllp import Listener
from healthhub.settings import Settings

SOURCES: dict[str, dict[str, Any]] = {
    "his": {"institution": "h", "mapping": "national/hl7v2", "sender": "HIS|A"},
    "lis": {
        "institution": "h",
        "mapping": "national/hl7v2",
        "sender": "LIS",
        "charset": "gbk",
    },
    "far": {"institution": "h", "mapping": "national/hl7v2", "addresses": ["10.0.0.0/8"]},
}


def settings_with(mllp: dict[str, Any], sources: dict[str, dict[str, Any]]) -> Settings:
    return Settings.model_validate(
        {
            "institutions": {"h": {"title": "江城市第一人民医院"}},
            "sources": sources,
            "mllp": {"port": 0, **mllp},
        }
    )


class Client:
    """A sender that speaks MLLP over a blocking socket."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket = context.wrap_socket(plain, server_hostname="hub") if context else plain
        self._held = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, message: bytes) -> None:
        self.socket.sendall(frame(message))

    def ask(self, message: bytes) -> bytes:
        self.send(message)
        return self.answer()

    def answer(self) -> bytes:
        """The next answer, unframed; empty when the hub has closed the connection."""
        while b"\x1c\r" not in self._held:
            try:
                got = self.socket.recv(65536)
            except ConnectionError:
                got = b""
            if not got:
                return b""
            self._held += got
        answer, _, self._held = self._held.partition(b"\x1c\r")
        return answer.removeprefix(b"\x0b")


Listening = Callable[..., Any]


@pytest.fixture
def listening(database: str) -> Listening:
    """``with listening(idle_seconds=1) as port``: a listener with these settings of [mllp]."""

    @contextmanager
    def listen(
        sources: dict[str, dict[str, Any]] | None = None, dsn: str = database, **mllp: Any
    ) -> Iterator[int]:
        settings = settings_with(mllp, SOURCES if sources is None else sources)
        ports: list[int] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            async with Keeper(dsn) as keeper, Listener(settings, keeper) as listener:
                ports.append(listener.port)
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        assert ready.wait(10)
        try:
            yield ports[0]
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)
            assert not thread.is_alive()
            loop.close()

    return listen
