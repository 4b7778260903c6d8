"""The queue: order within a patient, one state each, lanes that are shared and freed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub import keep
from healthhub.clock import ZONE
from healthhub.errors import InvalidRequest, NotFound
from healthhub.keep import Choice, Keeper, Lanes, lanes, queue, raw, rows
from healthhub.model.finding import Finding
from healthhub.model.message import Envelope, Incoming, State

AT = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)
ALL = range(lanes.LANES)
FINDING = Finding("error", "bad-date", "PID-7", "no date", "pid.yaml:3", "20261340")


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def fill(conn: psycopg.Connection, *patients: str, source: str = "his") -> list[int]:
    """A message for each patient number, in order; gives their ids."""

    async def work() -> list[int]:
        async with Keeper(conn.info.dsn) as keeper:
            futures = []
            for patient in patients:
                n = next(_numbers)
                envelope = Envelope("ORU^R01", f"C{n}", patient, AT, (f"V{n}",))
                message = Incoming(source, b"m%d" % n, AT, "test", envelope)
                futures.append(await keeper.submit(message))
            return [kept.id for kept in await asyncio.gather(*futures)]

    return asyncio.run(work())


_numbers = iter(range(10**9))


def ids(messages: list) -> list[int]:
    return [message.id for message in messages]


def state(conn: psycopg.Connection, message: int) -> State:
    return keep.get(conn, message).state


def test_messages_are_claimed_in_the_order_they_came(conn: psycopg.Connection) -> None:
    kept = fill(conn, "p1", "p2", "p1", "")
    assert ids(keep.claim(conn, ALL, 10)) == kept
    assert ids(keep.claim(conn, ALL, 2)) == kept[:2]
    assert ids(keep.claim(conn, ALL, 10, after=kept[1])) == kept[2:]


def test_only_messages_of_the_lanes_held_are_claimed(conn: psycopg.Connection) -> None:
    kept = fill(conn, *(f"p{n}" for n in range(60)))
    some, others = range(128), range(128, 256)
    mine, theirs = keep.claim(conn, some, 100), keep.claim(conn, others, 100)
    assert sorted(ids(mine) + ids(theirs)) == kept
    assert len(mine) > 10
    assert len(theirs) > 10


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_all_messages_of_a_patient_of_a_source_are_in_one_lane(
    source: str, patient: str
) -> None:
    one = lanes.order_key(source, patient, b"1" * 16)
    two = lanes.order_key(source, patient, b"2" * 16)
    assert one == two
    assert 0 <= lanes.lane_of(one) < lanes.LANES
    assert -(2**63) <= one < 2**63


def test_later_messages_of_a_patient_wait_behind_one_that_waits_for_its_retry(
    conn: psycopg.Connection,
) -> None:
    first, second, other = fill(conn, "p1", "p1", "p2")
    keep.retry_later(conn, first, 60, FINDING)
    assert ids(keep.claim(conn, ALL, 10)) == [other]
    conn.execute("update message_state set next_try = now() where id = %s", (first,))
    assert ids(keep.claim(conn, ALL, 10)) == [first, other]
    keep.finish(conn, {first: []})
    assert ids(keep.claim(conn, ALL, 10)) == [second, other]


def test_messages_without_a_patient_wait_for_nobody(conn: psycopg.Connection) -> None:
    first, second = fill(conn, "", "")
    keep.retry_later(conn, first, 60, FINDING)
    assert ids(keep.claim(conn, ALL, 10)) == [second]


def test_a_parked_message_blocks_nobody(conn: psycopg.Connection) -> None:
    first, second = fill(conn, "p1", "p1")
    keep.park(conn, {first: [FINDING]})
    assert ids(keep.claim(conn, ALL, 10)) == [second]
    assert keep.findings(conn, [first])[first] == [FINDING]


def test_findings_are_those_of_the_last_attempt(conn: psycopg.Connection) -> None:
    (only,) = fill(conn, "p1")
    keep.retry_later(conn, only, 0, FINDING)
    warning = Finding("warning", "unknown-code", "OBX[1]-3", "no map", value="\0X")
    keep.finish(conn, {only: [warning]})
    (found,) = keep.findings(conn, [only])[only]
    assert (found.code, found.value) == ("unknown-code", "\N{REPLACEMENT CHARACTER}X")


def test_a_message_is_settled_once(conn: psycopg.Connection) -> None:
    first, second = fill(conn, "p1", "p2")
    keep.ignore(conn, Choice(ids=(first,)), who="ann", reason="test feed")
    assert keep.finish(conn, {first: [], second: []}) == {second}
    assert state(conn, first) is State.IGNORED


def test_counts_by_state_add_up_to_what_was_kept(conn: psycopg.Connection) -> None:
    kept = fill(conn, *(f"p{n}" for n in range(7)))
    keep.finish(conn, {kept[0]: [], kept[1]: []})
    keep.park(conn, {kept[2]: []})
    keep.retry_later(conn, kept[3], 60, FINDING)
    keep.ignore(conn, Choice(ids=(kept[4],)), who="ann", reason="why not")
    counts = keep.counts(conn)
    assert counts.total == 7
    assert counts.by_state == {
        State.PENDING: 2,
        State.RETRY: 1,
        State.DONE: 2,
        State.PARKED: 1,
        State.REJECTED: 0,
        State.IGNORED: 1,
    }
    assert counts.oldest_waiting == AT
    assert keep.counts(conn, "his") == counts
    assert keep.counts(conn, "lis").total == 0


def test_a_claim_is_bounded_in_bytes_but_takes_one_message_of_any_size(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = fill(conn, "p1", "p2", "p3")
    monkeypatch.setattr(queue, "BATCH_BYTES", 1)
    assert ids(keep.claim(conn, ALL, 10)) == kept[:1]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (Choice(source="lis"), [2]),
        (Choice(kind="ORU*"), [0, 1, 2]),
        (Choice(kind="ADT*"), []),
        (Choice(kind="O_U^R01"), []),
        (Choice(number="p1"), [0]),
        (Choice(state=State.PARKED), [1]),
        (Choice(finding="bad-date"), [1]),
        (Choice(finding="bad-date", source="lis"), []),
        (Choice(since=AT), [0, 1, 2]),
        (Choice(until=AT), []),
    ],
)
def test_a_choice_finds_messages_by_what_is_known_of_them(
    conn: psycopg.Connection, choice: Choice, chosen: list[int]
) -> None:
    kept = [*fill(conn, "p1", "p2"), *fill(conn, "p3", source="lis")]
    keep.park(conn, {kept[1]: [FINDING]})
    assert sorted(line.id for line in keep.find(conn, choice)) == [kept[n] for n in chosen]


def test_a_message_is_found_by_its_control_id_and_business_numbers(
    conn: psycopg.Connection,
) -> None:
    (only,) = fill(conn, "p1")
    envelope = keep.get(conn, only).envelope
    for number in (envelope.control, *envelope.numbers):
        assert [line.id for line in keep.find(conn, Choice(number=number))] == [only]


def test_lists_are_paged_newest_first(conn: psycopg.Connection) -> None:
    kept = fill(conn, *(f"p{n}" for n in range(5)))
    first = [line.id for line in keep.find(conn, Choice(), limit=3)]
    rest = [line.id for line in keep.find(conn, Choice(), limit=3, before=first[-1])]
    assert first + rest == kept[::-1]


def test_a_replay_makes_settled_messages_pending_and_is_logged(
    conn: psycopg.Connection,
) -> None:
    done, parked, waiting = fill(conn, "p1", "p2", "p3")
    keep.finish(conn, {done: []})
    keep.park(conn, {parked: [FINDING]})
    choice = Choice(source="his")
    assert keep.matching(conn, choice, "replay") == 2
    assert keep.replay(conn, choice, who="ann", reason="new mapping") == 2
    assert ids(keep.claim(conn, ALL, 10)) == [done, parked, waiting]
    row = conn.execute(
        "select who, action, reason, filter, messages from message_log"
    ).fetchone()
    assert row == ("ann", "replay", "new mapping", {"source": "his"}, 2)


def test_the_log_of_replays_holds_no_patient_number(conn: psycopg.Connection) -> None:
    fill(conn, "p1")
    keep.replay(conn, Choice(number="p1"), who="ann", reason="ask")
    row = conn.execute("select filter::text from message_log").fetchone()
    assert row is not None
    assert "p1" not in row[0]


@pytest.mark.parametrize(("choice", "reason"), [(Choice(), "why"), (Choice(source="a"), " ")])
def test_a_replay_needs_a_condition_and_a_reason(
    conn: psycopg.Connection, choice: Choice, reason: str
) -> None:
    with pytest.raises(InvalidRequest):
        keep.replay(conn, choice, who="ann", reason=reason)


def test_what_was_rejected_is_not_pending_before_it_is_read_anew(
    conn: psycopg.Connection,
) -> None:
    async def work() -> int:
        async with Keeper(conn.info.dsn) as keeper:
            return (await keeper.keep(Incoming("his", b"?", AT, "test", None, "no MSH"))).id

    garbage = asyncio.run(work())
    assert keep.replay(conn, Choice(ids=(garbage,)), who="ann", reason="hope") == 0


def test_no_message_is_a_message_that_nobody_kept(conn: psycopg.Connection) -> None:
    with pytest.raises(NotFound, match="no message 99"):
        keep.get(conn, 99)


def test_days_are_pruned_by_policy_but_not_while_a_message_of_theirs_waits(
    conn: psycopg.Connection,
) -> None:
    first, second = fill(conn, "p1", "p2")
    keep.finish(conn, {first: []})
    empty = [day.day for day in raw.prune(conn, date(2026, 3, 5))]
    assert empty == [date(2026, 3, n) for n in range(2, 5)]
    keep.finish(conn, {second: []})
    assert [day.day for day in raw.prune(conn, date(2026, 3, 5))] == [date(2026, 3, 1)]
    assert keep.get(conn, first).raw == b""
    assert date(2026, 3, 1) not in {day.day for day in raw.days(conn)}


def test_a_message_that_comes_again_after_its_bytes_were_pruned_is_known(
    conn: psycopg.Connection,
) -> None:
    (first,) = fill(conn, "p1")
    message = keep.get(conn, first)
    keep.finish(conn, {first: []})
    raw.prune(conn, date(2026, 3, 2))

    async def again() -> tuple[int, bool]:
        later = AT + timedelta(days=30)
        async with Keeper(conn.info.dsn) as keeper:
            kept = await keeper.keep(
                Incoming("his", message.raw, later, "test", message.envelope)
            )
            return kept.id, kept.repeated

    assert asyncio.run(again()) == (first, True)


def test_workers_share_the_lanes_fairly_and_none_is_held_twice(database: str) -> None:
    with (
        psycopg.connect(database, autocommit=True) as one,
        psycopg.connect(database, autocommit=True) as two,
    ):
        first = Lanes(one)
        first.rebalance()
        assert len(first.held) == 256
        second = Lanes(two)
        second.rebalance()
        first.rebalance()
        second.rebalance()
        assert (len(first.held), len(second.held)) == (128, 128)
        assert not first.held & second.held


def test_the_lanes_of_a_worker_that_died_go_to_the_others(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as one:
        first = Lanes(one)
        with psycopg.connect(database, autocommit=True) as two:
            Lanes(two).rebalance()
        for _ in range(100):
            first.rebalance()
            if len(first.held) == 256:
                break
        assert len(first.held) == 256


def test_a_worker_that_stops_gives_its_lanes_back_at_once(database: str) -> None:
    with (
        psycopg.connect(database, autocommit=True) as one,
        psycopg.connect(database, autocommit=True) as two,
    ):
        first, second = Lanes(one), Lanes(two)
        first.rebalance()
        first.release()
        second.rebalance()
        assert len(second.held) == 256


@pytest.mark.parametrize(
    "at",
    [
        datetime(1, 1, 1, tzinfo=ZONE),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=10))),
    ],
)
def test_a_time_at_the_edge_of_the_calendar_holds_up_no_queue(
    conn: psycopg.Connection, at: datetime
) -> None:
    said = Incoming("his", b"m", AT, "test", Envelope("ORU^R01", "C", "p", at))
    rows.put(conn, [said])
    (claimed,) = keep.claim(conn, ALL, 10)
    assert claimed.envelope.at is None
    (line,) = keep.find(conn, Choice(source="his"))
    assert line.id == claimed.id
