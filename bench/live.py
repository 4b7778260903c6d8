"""Live feeds side by side, paced: what is acknowledged, how long it takes to be seen, and what the
hub's processes hold and use, in the first minute and in the last."""

from __future__ import annotations

import multiprocessing
import resource
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg

from bench import mllp_load, soap_load
from bench.figure import Figure
from bench.http_load import percentile
from bench.hub import Hub, running, words
from healthhub import city
from healthhub.city.channels import digest

HL7V2_PER_S, SOAP_PER_S = 300, 100
CONNECTIONS, CALLERS = 16, 8
WORKERS = 2
LOOK_SECONDS = 0.1
WEIGH_SECONDS = 2.0
OVERLAP = 500
"""Ids given before one that was seen already, and committed after it: a group of each keeper."""
TOKEN = "bench-of-the-feeds"  # noqa: S105 - of a hub that lives for the measurement


def measure(seconds: float) -> Iterator[Figure]:
    """HL7 v2 and SOAP at once; the figures of the whole time."""
    hl7v2, soap = due(int(HL7V2_PER_S * seconds), int(SOAP_PER_S * seconds))
    tokens = {"hospital-c": {"token_sha256": digest(TOKEN)}}
    with running(workers=WORKERS, sources=lambda _: tokens) as hub:
        watch = Watch(hub)
        watch.start()
        before, client = Processes(hub).cpu(), _client()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        sender = context.Process(target=_send_mllp, args=(hub.mllp_port, hl7v2, theirs))
        sender.start()
        address = f"{hub.base}/feeds/hospital-c/soap"
        posted = soap_load.send(address, TOKEN, soap, CALLERS, SOAP_PER_S)
        acknowledged: list[tuple[float, float]] = ours.recv()
        sender.join()
        ended, client = time.time(), _client() - client
        with psycopg.connect(hub.dsn, autocommit=True) as connection:
            while hub.waiting(connection):
                time.sleep(LOOK_SECONDS)
        caught_up = time.time() - ended
        watch.stop.set()
        watch.join()
        after = Processes(hub).cpu()
        cpu = {name: taken - before.get(name, 0.0) for name, taken in after.items()}
        cpu["load generator"] = client
    said = _conditions(seconds)
    yield _paced("hl7v2", HL7V2_PER_S, acknowledged, said)
    yield _paced("soap", SOAP_PER_S, posted, said)
    yield _delay(watch.looks, seconds, caught_up, said)
    yield _memory(watch.looks, seconds, said)
    yield _spent(cpu, len(posted) + len(acknowledged), said)


def due(hl7v2: int, soap: int) -> tuple[list[bytes], list[bytes]]:
    """So many messages of a city that the hub knows nothing of."""
    residents = max(200, hl7v2 // 20, soap // 4)
    found: tuple[list[bytes], list[bytes]] = ([], [])
    for sent in city.Story(residents, 4711, 3, city.UNTIL).messages():
        if sent.planted or not sent.accepted:
            continue  # errors are for the tests
        if sent.source.startswith(("hospital-a-", "hospital-b-")) and sent.raw[:3] == b"MSH":
            if len(found[0]) < hl7v2:
                found[0].append(sent.raw)
        elif sent.source == "hospital-c" and len(found[1]) < soap:
            found[1].append(sent.raw)
    if len(found[0]) < hl7v2 or len(found[1]) < soap:
        raise RuntimeError("the city has not sent enough; make it larger")
    return found


def _send_mllp(port: int, messages: Sequence[bytes], pipe: Any) -> None:
    sent = mllp_load.send("127.0.0.1", port, messages, CONNECTIONS, HL7V2_PER_S)
    pipe.send([(each.due, each.at) for each in sent])


def _client() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + ended.ru_utime + ended.ru_stime


# -- watching -------------------------------------------------------------------------------


class Processes:
    """The processes of a hub by name, those of its PostgreSQL as one."""

    def __init__(self, hub: Hub) -> None:
        with psycopg.connect(hub.dsn) as connection:
            server = psutil.Process(connection.info.backend_pid).parents()[0]
        self._server = server
        self._found = [("postgresql", each) for each in [server, *server.children()]]
        root = psutil.Process(hub.process)
        self._found.append(("supervisor", root))
        self._found += [(_name(each), each) for each in root.children() if each != server]

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each name so far; of PostgreSQL with its processes that have ended."""
        taken = defaultdict[str, float](float)
        for name, process in self._found:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                taken[name] += times.user + times.system
                if process == self._server:
                    taken[name] += times.children_user + times.children_system
        return taken

    def memory(self) -> Counter[str]:
        """Resident bytes of each name; of PostgreSQL without the buffers that its processes share."""
        held = Counter[str]()
        for name, process in self._found:
            with suppress(psutil.NoSuchProcess):
                found = process.memory_info()
                held[name] += found.rss - (found.shared if name == "postgresql" else 0)
        return held


def _name(process: psutil.Process) -> str:
    said = words(process)
    return "web" if "--web-child" in said else said[-1] if said else "?"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found, so many seconds after the first message: messages that wait, seconds
    from receipt to visibility of those that became visible since the last look, and (every
    other second) the bytes that processes hold."""

    at: float
    waiting: int
    delays: tuple[float, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict[str, int])


class Watch(threading.Thread):
    """Looks ten times a second. A message counts as visible when a look has found it so."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(daemon=True)
        self._hub = hub
        self._received: dict[int, float] = {}
        self._known: set[int] = set()
        self._weighed = 0.0
        self._began = 0.0
        self.stop = threading.Event()
        self.looks: list[Look] = []

    def run(self) -> None:
        """Look until stopped."""
        with psycopg.connect(self._hub.dsn, autocommit=True) as connection:
            while not self.stop.wait(LOOK_SECONDS):
                self._look(connection)
            self._look(connection)

    def _look(self, connection: psycopg.Connection) -> None:
        floor = max(self._known, default=0) - OVERLAP
        for id_, received in connection.execute(
            "select id, extract(epoch from received)::float8 from message where id > %s",
            (floor,),
        ).fetchall():
            if id_ not in self._known:
                self._known.add(id_)
                self._received[id_] = received
        self._known = {id_ for id_ in self._known if id_ > floor}
        waiting = {
            id_
            for (id_,) in connection.execute(
                "select id from message_state where id = any(%s) and state in ('pending', 'retry')",
                (list(self._received),),
            )
        }
        now = time.time()
        seen = [id_ for id_ in self._received if id_ not in waiting]
        delays = tuple(now - self._received.pop(id_) for id_ in seen)
        if not self._began and self._known:
            self._began = now
        memory = Counter[str]()
        if now - self._weighed >= WEIGH_SECONDS:
            memory, self._weighed = Processes(self._hub).memory(), now
        if self._began:
            self.looks.append(Look(now - self._began, len(waiting), delays, memory))


# -- figures --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """What was seen within a part of the time: delays in seconds, messages that waited (mean and
    most), MiB that processes held (median)."""

    p50: float
    p99: float
    waiting: float
    most: int
    memory: Mapping[str, float]


def part(looks: Sequence[Look], begin: float, end: float) -> Part:
    """What looks from ``begin`` until ``end`` have seen."""
    chosen = [look for look in looks if begin <= look.at < end]
    delays = sorted(delay for look in chosen for delay in look.delays)
    depths = [look.waiting for look in chosen]
    held: dict[str, list[int]] = {}
    for look in chosen:
        for name, size in look.memory.items():
            held.setdefault(name, []).append(size)
    return Part(
        percentile(delays, 0.5) if delays else 0.0,
        percentile(delays, 0.99) if delays else 0.0,
        sum(depths) / max(len(depths), 1),
        max(depths, default=0),
        {name: percentile(sorted(sizes), 0.5) / 2**20 for name, sizes in held.items()},
    )


def parts(looks: Sequence[Look], seconds: float) -> tuple[str, Part, Part, Part]:
    """The length of a part in words; the first, the second and the last part of the time: minutes,
    or fifths of less than five."""
    length = min(60.0, seconds / 5)
    named = "minute" if length == 60 else f"{length:.0f} s"
    first, second = part(looks, 0, length), part(looks, length, 2 * length)
    return named, first, second, part(looks, seconds - length, seconds)


def _conditions(seconds: float) -> str:
    return (
        f"{HL7V2_PER_S} HL7 v2 messages/s of hospitals A and B over {CONNECTIONS} MLLP connections "
        f"and {SOAP_PER_S} SOAP messages/s of hospital C over {CALLERS} at once for {seconds:.0f} s, "
        f"{WORKERS} workers"
    )


def _paced(kind: str, asked: int, answered: Sequence[tuple[float, float]], said: str) -> Figure:
    """What was acknowledged a second, from the first that was due to the last answer."""
    took = max(at for _, at in answered) - min(due for due, _ in answered)
    waits = sorted((at - due) * 1000 for due, at in answered)
    conditions = (
        f"{asked}/s asked; {said}; durable acknowledgement, from when it was due, p50 "
        f"{percentile(waits, 0.5):.0f} ms, p99 {percentile(waits, 0.99):.0f} ms"
    )
    return Figure(f"feeds.live.{kind}_per_s", len(answered) / took, "messages/s", conditions)


def _delay(looks: Sequence[Look], seconds: float, caught_up: float, said: str) -> Figure:
    named, first, _, last = parts(looks, seconds)
    conditions = (
        f"from receipt until visible, seen every {LOOK_SECONDS * 1000:.0f} ms, in the last {named}; "
        f"p50 {first.p50 * 1000:.0f} ms in the first {named} and {last.p50 * 1000:.0f} ms in the last, "
        f"p99 {first.p99 * 1000:.0f} and {last.p99 * 1000:.0f} ms; messages that waited "
        f"{first.waiting:.0f} (at most {first.most}) and {last.waiting:.0f} (at most {last.most}); "
        f"all visible {caught_up:.1f} s after the last answer; {said}"
    )
    return Figure("feeds.live.visible_p99_ms", last.p99 * 1000, "ms", conditions)


def _memory(looks: Sequence[Look], seconds: float, said: str) -> Figure:
    """By how much all processes grew once they were warm."""
    named, first, second, last = parts(looks, seconds)
    held = "; ".join(
        f"{name} {first.memory[name]:.0f}, {second.memory.get(name, 0):.0f}, {last.memory[name]:.0f}"
        for name in sorted(last.memory)
        if name in first.memory
    )
    grown = sum(last.memory.values()) - sum(second.memory.values())
    conditions = (
        f"of all processes together, from the second {named} to the last; MiB in the first {named}, "
        f"the second and the last (PostgreSQL without its shared buffers): {held}; {said}"
    )
    return Figure("feeds.live.memory_growth_mb", grown, "MiB", conditions)


def _spent(cpu: Mapping[str, float], messages: int, said: str) -> Figure:
    shares = "; ".join(
        f"{name} {1e3 * seconds / messages:.2f}"
        for name, seconds in sorted(cpu.items(), key=lambda each: -each[1])
        if seconds * 1e4 > messages
    )
    total = 1e3 * sum(cpu.values()) / messages
    conditions = f"CPU of all processes, of which {shares}; {said}"
    return Figure("feeds.live.cpu_ms_per_message", total, "ms", conditions)
