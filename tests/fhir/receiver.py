"""A receiver of notifications on a real socket, which can fail, hang and recover."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came, and how the next is answered: a status, or ``hang`` until ``release``."""

    address: str = ""
    status: int = 200
    hang: bool = False
    got: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)
    _go_on: threading.Event = field(default_factory=threading.Event)

    def answer(self, received: Received) -> int:
        """Keep it; ``taken`` are those that were answered 2xx."""
        self.got.append(received)
        if self.hang:
            self._go_on.wait(30)
        if self.status < 300:
            self.taken.append(received)
        return self.status

    def release(self) -> None:
        """Let what hangs go on, and hang no more."""
        self.hang = False
        self._go_on.set()

    def wait(self, true: Callable[[], Any], seconds: float = 20) -> None:
        """Wait until something is true of what came."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, f"not within {seconds} s: {self.kinds()}"
            time.sleep(0.02)

    def kinds(self) -> list[str]:
        """The kinds of the notifications taken, plain requests as METHOD."""
        return [kind(each) for each in self.taken]

    def events(self) -> list[int]:
        """The numbers of the events taken, in the order they came."""
        return [number for each in self.taken for number in numbers(each.json)]


def kind(received: Received) -> str:
    """handshake, heartbeat, event-notification; METHOD of what is no bundle."""
    if not received.body or received.json["resourceType"] != "Bundle":
        return received.method
    return told(received.json, "type")


def told(bundle: dict[str, Any], name: str) -> Any:
    """A value of a bundle's status."""
    for one in bundle["entry"][0]["resource"]["parameter"]:
        if one["name"] == name:
            return next(value for key, value in one.items() if key.startswith("value"))
    return None


def numbers(bundle: dict[str, Any]) -> list[int]:
    """The numbers of a bundle's events."""
    parameters = bundle["entry"][0]["resource"]["parameter"]
    return [
        int(part["valueString"])
        for one in parameters
        if one["name"] == "notification-event"
        for part in one["part"]
        if part["name"] == "event-number"
    ]


def resources(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a bundle after its status."""
    return [entry["resource"] for entry in bundle["entry"][1:] if "resource" in entry]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of the loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            size = int(self.headers.get("content-length", 0))
            body = self.rfile.read(size)
            if len(body) < size:  # the sender died in the middle of it
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.answer(Received(self.command, self.path, headers, body))
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:
                return

        do_POST = do_PUT = _take

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            """A sender that goes away is no fault of the receiver."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    receiver.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        receiver.release()
        server.shutdown()
        thread.join()
        server.server_close()
