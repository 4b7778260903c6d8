"""The pipeline: a message is wholly in or not at all, and one bad message harms no other."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from healthhub import keep
from healthhub.errors import Unprocessable
from healthhub.keep import Choice, Keeper
from healthhub.model import ids
from healthhub.model.finding import Finding
from healthhub.model.message import Envelope, Incoming, State
from healthhub.model.resource import Converted, Draft, Stamp
from healthhub.pipeline import Tally, process
from healthhub.pipeline.attempts import LONGEST_WAIT, wait
from healthhub.store import query, reads, writer

AT = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)
ALL = range(256)


class Plain:
    """A converter whose messages are JSON: {"patient": "1", "name": "王伟", "fault": ...}."""

    def convert(self, message_id: int, raw: bytes, received: datetime) -> Converted:
        said = json.loads(raw)
        if said.get("fault") == "bad":
            raise Unprocessable("PID-3 is missing; send it", expression="PID-3")
        if said.get("fault") == "bug":
            raise ZeroDivisionError(f"secret {said['name']}")
        key = ids.derive("h", "Patient", said["patient"])
        body = {
            "resourceType": "Patient",
            "id": str(key),
            "meta": {"source": f"urn:healthhub:source:his#{message_id}"},
            "name": [{"text": said["name"]}],
        }
        draft = Draft("Patient", key, key, Stamp(1, AT, message_id), body)
        found = [Finding(*each) for each in said.get("findings", [])]
        return Converted((draft,), findings=tuple(found))


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def fill(conn: psycopg.Connection, *contents: dict[str, Any] | bytes) -> list[int]:
    async def work() -> list[int]:
        async with Keeper(conn.info.dsn) as keeper:
            futures = []
            for n, content in enumerate(contents):
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                patient = "" if isinstance(content, bytes) else content["patient"]
                envelope = Envelope("ADT^A01", f"C{n}", patient, AT)
                futures.append(await keeper.submit(Incoming("his", raw, AT, "t", envelope)))
            return [kept.id for kept in await asyncio.gather(*futures)]

    return asyncio.run(work())


def step(conn: psycopg.Connection, attempts: int = 3) -> Tally:
    return process(conn, keep.claim(conn, ALL, 100), {"his": Plain()}, attempts)


def states(conn: psycopg.Connection) -> list[str]:
    rows = conn.execute("select state from message_state order by id").fetchall()
    return [state for (state,) in rows]


def names(conn: psycopg.Connection) -> set[str]:
    """Names of the Patients that are stored, through the store's own reads."""
    rows = conn.execute("select id from resource").fetchall()
    stored = [query.fetch(conn, reads.by_id("Patient", id_)) for (id_,) in rows]
    return {json.loads(each.json)["name"][0]["text"] for each in stored if each is not None}


def test_a_batch_is_stored_and_done(conn: psycopg.Connection) -> None:
    fill(conn, {"patient": "1", "name": "王伟"}, {"patient": "2", "name": "李娜"})
    tally = step(conn)
    assert (tally.done, tally.resources) == (2, 2)
    assert states(conn) == ["done", "done"]
    assert names(conn) == {"王伟", "李娜"}


def test_a_replay_changes_nothing(conn: psycopg.Connection) -> None:
    fill(conn, {"patient": "1", "name": "王伟"})
    step(conn)
    before = conn.execute("select * from resource").fetchall()
    keep.replay(conn, Choice(source="his"), who="ann", reason="again")
    assert step(conn).resources == 0
    assert conn.execute("select * from resource").fetchall() == before
    assert states(conn) == ["done"]


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        ({"patient": "2", "name": "x", "fault": "bad"}, "unprocessable", "PID-3"),
        ({"patient": "2", "name": "secret", "fault": "bug"}, "internal", ""),
        (
            {"patient": "2", "name": "x", "findings": [["error", "e1", "PID-5", "d"]]},
            "e1",
            "PID-5",
        ),
        (b"\xff\x00 no json", "internal", ""),
    ],
)
def test_a_message_that_cannot_pass_is_parked_with_its_finding_and_harms_no_other(
    conn: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
    content: dict[str, Any] | bytes,
    code: str,
    place: str,
) -> None:
    _, bad, _ = fill(
        conn, {"patient": "1", "name": "甲"}, content, {"patient": "3", "name": "乙"}
    )
    with caplog.at_level(logging.DEBUG):
        tally = step(conn)
    assert (tally.done, tally.parked) == (2, 1)
    assert states(conn) == ["done", "parked", "done"]
    assert names(conn) == {"甲", "乙"}
    (finding,) = keep.findings(conn, [bad])[bad]
    assert (finding.severity, finding.code, finding.where) == ("error", code, place)
    assert "secret" not in caplog.text + finding.detail


def test_warnings_are_kept_and_the_message_is_done(conn: psycopg.Connection) -> None:
    warning = ["warning", "unknown-code", "OBX-3", "no map", "r:1", "GLU2"]
    (only,) = fill(conn, {"patient": "1", "name": "甲", "findings": [warning]})
    assert step(conn).done == 1
    assert keep.findings(conn, [only])[only] == [Finding(*warning)]


def test_a_message_of_a_source_that_was_removed_is_parked(conn: psycopg.Connection) -> None:
    (only,) = fill(conn, {"patient": "1", "name": "甲"})
    process(conn, keep.claim(conn, ALL, 10), {}, 3)
    assert states(conn) == ["parked"]
    assert keep.findings(conn, [only])[only][0].code == "unknown-source"


Refuse = Callable[[Sequence[Draft]], None]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Refuse], None]:
    """``refusing(f)``: f sees what is about to be written, and may raise."""
    real = writer.write

    def install(refuse: Refuse) -> None:
        def write(conn: Any, drafts: Sequence[Draft], check: Any) -> Any:
            written = real(conn, drafts, check)
            refuse(drafts)
            return written

        monkeypatch.setattr(writer, "write", write)

    return install


def name_of(draft: Draft) -> str:
    return draft.body["name"][0]["text"]


def test_a_message_that_the_store_refuses_leaves_nothing_behind_and_harms_no_other(
    conn: psycopg.Connection, refusing: Callable[[Refuse], None]
) -> None:
    def refuse(drafts: Sequence[Draft]) -> None:
        if any(name_of(draft) == "坏" for draft in drafts):
            raise Unprocessable("a merged resource is not R4", expression="Patient.name")

    refusing(refuse)
    fill(conn, *({"patient": str(n), "name": "坏" if n == 2 else f"n{n}"} for n in range(5)))
    tally = step(conn)
    assert (tally.done, tally.parked) == (4, 1)
    assert states(conn) == ["done", "done", "parked", "done", "done"]
    assert names(conn) == {"n0", "n1", "n3", "n4"}


def test_a_transient_failure_is_tried_again_and_later_messages_of_the_patient_wait(
    conn: psycopg.Connection, refusing: Callable[[Refuse], None]
) -> None:
    failing = True

    def refuse(drafts: Sequence[Draft]) -> None:
        if failing and any(name_of(draft) == "一" for draft in drafts):
            raise errors.DeadlockDetected

    refusing(refuse)
    fill(conn, {"patient": "1", "name": "一"}, {"patient": "2", "name": "他"})
    assert step(conn).retried == 1
    assert states(conn) == ["retry", "done"]
    fill(conn, {"patient": "1", "name": "二"})
    assert step(conn) == Tally()
    failing = False
    conn.execute("update message_state set next_try = now() where state = 'retry'")
    assert step(conn).done == 1
    assert step(conn).done == 1
    assert states(conn) == ["done", "done", "done"]
    assert names(conn) == {"二", "他"}


def test_a_later_message_of_the_patient_in_the_same_batch_waits_too(
    conn: psycopg.Connection, refusing: Callable[[Refuse], None]
) -> None:
    def refuse(drafts: Sequence[Draft]) -> None:
        if any(name_of(draft) == "一" for draft in drafts):
            raise errors.DeadlockDetected

    refusing(refuse)
    fill(
        conn,
        {"patient": "1", "name": "一"},
        {"patient": "2", "name": "他"},
        {"patient": "1", "name": "二"},
    )
    tally = step(conn)
    assert (tally.retried, tally.done) == (1, 1)
    assert states(conn) == ["retry", "done", "pending"]


@pytest.mark.parametrize("fault", [errors.DiskFull, errors.IoError])
def test_a_full_disk_costs_no_message_its_attempts(
    conn: psycopg.Connection,
    refusing: Callable[[Refuse], None],
    fault: type[psycopg.OperationalError],
) -> None:
    """However long it lasts, nothing is parked for it; the worker waits and goes on."""
    full = True

    def refuse(drafts: Sequence[Draft]) -> None:
        if full and drafts:
            raise fault

    refusing(refuse)
    (only,) = fill(conn, {"patient": "1", "name": "甲"})
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError):
            step(conn, attempts=3)
    assert (states(conn), keep.get(conn, only).attempts) == (["pending"], 0)
    full = False
    assert step(conn).done == 1


def test_a_failure_that_stays_is_parked_after_the_last_attempt(
    conn: psycopg.Connection, refusing: Callable[[Refuse], None]
) -> None:
    def refuse(drafts: Sequence[Draft]) -> None:
        if drafts:
            raise errors.SerializationFailure

    refusing(refuse)
    (only,) = fill(conn, {"patient": "1", "name": "甲"})
    for _ in range(3):
        step(conn, attempts=3)
        conn.execute("update message_state set next_try = now() where state = 'retry'")
    assert states(conn) == ["parked"]
    assert keep.get(conn, only).attempts == 3
    assert keep.findings(conn, [only])[only][-1].code == "transient"
    assert names(conn) == set()


def test_waits_between_attempts_grow_and_are_bounded() -> None:
    waits = [wait(n) for n in range(40)]
    assert 0.7 <= waits[0] <= 1.3
    assert waits[4] > 5 * waits[0]
    assert max(waits) <= LONGEST_WAIT * 1.25


def test_a_message_that_was_ignored_meanwhile_writes_nothing(conn: psycopg.Connection) -> None:
    (only,) = fill(conn, {"patient": "1", "name": "甲"})
    batch = keep.claim(conn, ALL, 10)
    keep.ignore(conn, Choice(ids=(only,)), who="ann", reason="a test message")
    assert process(conn, batch, {"his": Plain()}, 3).done == 0
    assert states(conn) == [State.IGNORED]
    assert names(conn) == set()


def test_two_workers_with_the_same_message_store_it_once(
    conn: psycopg.Connection, database: str
) -> None:
    """A worker thought dead goes on with messages that another has claimed since."""
    fill(conn, {"patient": "1", "name": "甲"})
    batch = keep.claim(conn, ALL, 10)
    with psycopg.connect(database, autocommit=True) as other:
        assert process(other, batch, {"his": Plain()}, 3).done == 1
    assert process(conn, batch, {"his": Plain()}, 3) == Tally()


def test_a_worker_whose_connection_is_cut_says_so_and_loses_nothing(
    conn: psycopg.Connection, database: str
) -> None:
    fill(conn, {"patient": "1", "name": "甲"})
    with psycopg.connect(database, autocommit=True) as other:
        batch = keep.claim(other, ALL, 10)
        conn.execute("select pg_terminate_backend(%s)", (other.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            process(other, batch, {"his": Plain()}, 3)
    assert step(conn).done == 1


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                lambda patient, name, fault: {"patient": patient, "name": name, "fault": fault},
                st.sampled_from(["1", "2", "3", "\0", "\ud800"]),
                st.text(min_size=1, max_size=10),
                st.sampled_from(["", "", "bad", "bug"]),
            ),
        ),
        max_size=6,
    )
)
def test_whatever_a_worker_is_fed_every_message_ends_in_one_state_with_its_bytes_kept(
    conn: psycopg.Connection, contents: list[dict[str, Any] | bytes]
) -> None:
    kept = fill(conn, *contents)
    for _ in range(5):
        step(conn, attempts=1)
    for id_, content in zip(kept, contents, strict=True):
        message = keep.get(conn, id_)
        assert message.state in (State.DONE, State.PARKED)
        assert message.raw == (
            content if isinstance(content, bytes) else json.dumps(content).encode()
        )
        if message.state is State.PARKED:
            assert keep.findings(conn, [id_])[id_]
