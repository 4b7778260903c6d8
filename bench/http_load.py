"""A lean HTTP/1.1 load generator: keep-alive connections on one poll loop, latencies kept.

It reads no more of an answer than its status and its end, so that it takes little of the cores
that it shares with the server; ``cpu`` says how much it took.
"""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Load:
    """What a run gave: answers per second, latencies in ms at 50, 95 and 99 %, the mean size of
    a body, and the generator's own share of a core."""

    per_s: float
    p50: float
    p95: float
    p99: float
    body_bytes: int
    answers: int = 0
    seconds: float = 0.0
    cpu: float = 0.0


def percentile(sorted_values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


class _Connection:
    """One connection with at most one request under way."""

    __slots__ = ("_buffer", "_left", "_size", "_socket", "_started", "number")

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self._socket.fileno()
        self._buffer = bytearray()
        self._left = -1
        self._size = self._started = 0

    def ask(self, request: bytes) -> None:
        """Send a request; the last answer has been read to its end."""
        self._started = time.perf_counter()
        self._socket.sendall(request)

    def heard(self) -> tuple[float, int] | None:
        """Take what came; at an answer's end its latency and the size of its body."""
        data = self._socket.recv(CHUNK)
        if not data:
            raise RuntimeError("the server closed a connection")
        if self._left >= 0:
            self._left -= len(data)
        else:
            self._head(data)
        if self._left != 0:
            return None
        self._left = -1
        return time.perf_counter() - self._started, self._size

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _head(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        if not head.startswith(b"http/1.1 2"):
            raise RuntimeError(f"the server answered {bytes(self._buffer[:2000])!r}")
        _, found, rest = head.partition(b"content-length:")
        if not found:
            raise RuntimeError("an answer of unknown length is not measured here")
        self._size = int(rest.partition(b"\r\n")[0])
        self._left = self._size - (len(self._buffer) - end - 4)
        self._buffer.clear()


def gets(base: str, paths: Sequence[str], headers: Mapping[str, str]) -> Iterator[bytes]:
    """GET requests of the paths in turn, without end."""
    return itertools.cycle([_request(base, "GET", path, headers) for path in paths])


def posts(
    base: str, path: str, bodies: Sequence[bytes], headers: Mapping[str, str]
) -> list[bytes]:
    """A POST request of each body."""
    return [
        _request(base, "POST", path, {**headers, "Content-Length": str(len(body))}) + body
        for body in bodies
    ]


def _request(base: str, method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n{lines}\r\n".encode()


def run(
    base: str, requests: Iterator[bytes], connections: int, seconds: float = float("inf")
) -> Load:
    """Ask until the time is over or the requests are; any answer but 2xx ends it with an error."""
    host = urlsplit(base)
    address = (host.hostname or "", host.port or 80)
    poll = select.epoll()
    open_ = {}
    for each in (_Connection(address) for _ in range(connections)):
        open_[each.number] = each
        poll.register(each.number, select.EPOLLIN)
    times: list[float] = []
    size = 0
    cpu, started = time.process_time(), time.perf_counter()
    busy = 0
    for each in open_.values():
        if (request := next(requests, None)) is not None:
            each.ask(request)
            busy += 1
    while busy:
        for number, _ in poll.poll():
            answer = open_[number].heard()
            if answer is None:
                continue
            times.append(answer[0])
            size += answer[1]
            late = time.perf_counter() - started >= seconds
            request = None if late else next(requests, None)
            if request is None:
                busy -= 1
                poll.unregister(number)
            else:
                open_[number].ask(request)
    elapsed = time.perf_counter() - started
    cpu = time.process_time() - cpu
    for each in open_.values():
        each.close()
    poll.close()
    ordered = sorted(value * 1000 for value in times)
    return Load(
        len(times) / elapsed,
        percentile(ordered, 0.5),
        percentile(ordered, 0.95),
        percentile(ordered, 0.99),
        size // len(times),
        len(times),
        elapsed,
        cpu / elapsed,
    )
