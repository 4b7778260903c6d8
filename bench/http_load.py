"""A small HTTP/1.1 load generator: C keep-alive connections for T seconds, latencies kept."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """What a run gave: answers per second, latencies in ms at 50, 95 and 99 %, bytes read."""

    per_s: float
    p50: float
    p95: float
    p99: float
    body_bytes: int


def percentile(sorted_values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


async def _connection(
    host: str,
    port: int,
    requests: itertools.cycle[bytes],
    until: float,
    times: list[float],
    sizes: list[int],
) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        if status not in (b"200", b"201"):
            raise RuntimeError(f"the server answered {status.decode()}")
        size = 0
        lower = head.lower()
        if b"content-length:" in lower:
            size = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(size)
        else:
            while chunk := int((await reader.readline()).strip(), 16):
                await reader.readexactly(chunk + 2)
                size += chunk
            await reader.readexactly(2)
        times.append(time.perf_counter() - started)
        sizes.append(size)
    writer.close()


def run(
    base: str, paths: list[str], headers: dict[str, str], connections: int, seconds: float
) -> Load:
    """GET the paths in turn; any answer but 200 ends the run with an error."""
    head = _head(base, headers)
    return _run(
        base, [f"GET {path} {head}\r\n".encode() for path in paths], connections, seconds
    )


def post(
    base: str,
    path: str,
    bodies: list[bytes],
    headers: dict[str, str],
    connections: int,
    seconds: float,
) -> Load:
    """POST the bodies in turn; any answer but 200 and 201 ends the run with an error."""
    head = f"POST {path} {_head(base, headers)}"
    requests = [f"{head}Content-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies]
    return _run(base, requests, connections, seconds)


def _head(base: str, headers: dict[str, str]) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n{lines}"


def _run(base: str, requests: list[bytes], connections: int, seconds: float) -> Load:
    host = urlsplit(base)
    turn = itertools.cycle(requests)
    times: list[float] = []
    sizes: list[int] = []

    async def go() -> float:
        started = time.perf_counter()
        until = started + seconds
        await asyncio.gather(
            *(
                _connection(host.hostname or "", host.port or 80, turn, until, times, sizes)
                for _ in range(connections)
            )
        )
        return time.perf_counter() - started

    elapsed = asyncio.run(go())
    ordered = sorted(value * 1000 for value in times)
    return Load(
        len(times) / elapsed,
        percentile(ordered, 0.5),
        percentile(ordered, 0.95),
        percentile(ordered, 0.99),
        sum(sizes) // len(sizes),
    )
