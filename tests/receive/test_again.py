"""Replaying what was rejected: read anew with the settings of today, taken or told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from healthhub import keep
from healthhub.adapter_api import registry
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.errors import InvalidRequest
from healthhub.keep import Choice, Keeper
from healthhub.model.message import Envelope, State
from healthhub.receive import again
from healthhub.receive.intake import Intake
from healthhub.receive.sender import UNKNOWN
from healthhub.settings import Source
from tests.receive.test_mllp_listener import message

WRONG = Source(institution="h", mapping="national/hl7v2", sender="LIS")
RIGHT = WRONG.model_copy(update={"charset": "gb18030"})
CHINESE = message(sender="LIS", name="王^伟").encode("gb18030")
RUBBISH = b"PID|1||x"


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def rejected(dsn: str, *raws: bytes, name: str = "lis") -> list[int]:
    """Take messages under settings that cannot read them."""

    async def work() -> list[int]:
        async with Keeper(dsn) as keeper:
            intake, adapter = Intake(keeper), registry.find("hl7v2")
            answers = []
            for raw in raws:
                promise = await intake.take(name, WRONG, adapter, raw, "mllp 127.0.0.1")
                answers.append(await promise.answer())
            assert {answer.outcome for answer in answers} == {"reject"}
            return [answer.id or 0 for answer in answers]

    return asyncio.run(work())


def test_what_is_readable_after_a_correction_is_taken_and_the_rest_says_why_not(
    conn: psycopg.Connection, database: str
) -> None:
    good, bad = rejected(database, CHINESE, RUBBISH)
    choice = Choice(state=State.REJECTED)
    assert keep.matching(conn, choice, "replay") == 2
    assert again.replay(conn, {"lis": RIGHT}, choice, who="ann", reason="charset") == 1
    taken = keep.get(conn, good)
    assert (taken.state, taken.envelope.kind, taken.raw) == (State.PENDING, "ADT^A01", CHINESE)
    assert keep.get(conn, bad).state is State.REJECTED
    (finding,) = keep.findings(conn, [bad])[bad]
    assert "no MSH" in finding.detail
    assert keep.findings(conn, [good]) == {good: []}
    logged = conn.execute("select who, action, reason, messages from message_log").fetchall()
    assert logged == [("ann", "replay", "charset", 1)]


def test_a_message_of_nobody_is_taken_by_the_source_that_knows_its_sender_now(
    conn: psycopg.Connection, database: str
) -> None:
    async def turned_away() -> int:
        async with Keeper(database) as keeper:
            promise = await Intake(keeper).turn_away(
                "", registry.find("hl7v2"), CHINESE, "mllp 127.0.0.1", BadMessage("nobody")
            )
            return (await promise.answer()).id or 0

    stranger = asyncio.run(turned_away())
    assert keep.get(conn, stranger).source == UNKNOWN
    choice = Choice(ids=(stranger,))
    assert again.replay(conn, {}, choice, who="ann", reason="too early") == 0
    assert keep.get(conn, stranger).state is State.REJECTED
    assert again.replay(conn, {"lis": RIGHT}, choice, who="ann", reason="added") == 1
    old, new = keep.get(conn, stranger), keep.find(conn, Choice(source="lis"))[0]
    assert (old.state, old.raw) == (State.IGNORED, CHINESE)
    assert new.state is State.PENDING
    assert keep.get(conn, new.id).raw == CHINESE
    (finding,) = keep.findings(conn, [stranger])[stranger]
    assert f"message {new.id} " in finding.detail


def test_a_replay_of_parked_messages_leaves_rejected_ones_alone(
    conn: psycopg.Connection, database: str
) -> None:
    (only,) = rejected(database, CHINESE)
    choice = Choice(source="lis", state=State.PARKED)
    assert again.replay(conn, {"lis": RIGHT}, choice, who="ann", reason="x") == 0
    assert keep.get(conn, only).state is State.REJECTED


def test_what_was_rejected_can_be_ignored_with_a_reason(
    conn: psycopg.Connection, database: str
) -> None:
    (only,) = rejected(database, RUBBISH)
    assert keep.ignore(conn, Choice(ids=(only,)), who="ann", reason="test of the vendor") == 1
    assert keep.get(conn, only).state is State.IGNORED


def test_a_replay_without_a_reason_touches_nothing(
    conn: psycopg.Connection, database: str
) -> None:
    (only,) = rejected(database, CHINESE)
    with pytest.raises(InvalidRequest):
        again.replay(conn, {"lis": RIGHT}, Choice(ids=(only,)), who="ann", reason=" ")
    assert keep.get(conn, only).state is State.REJECTED


def test_a_message_at_which_the_hub_fails_ends_no_replay_of_many(
    conn: psycopg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty, good = rejected(database, CHINESE.replace(b"MSG1", b"MSG2") + b"\r", CHINESE)
    real = type(registry.find("hl7v2")).envelope

    def envelope(self: object, raw: bytes, feed: Source) -> Envelope:
        if raw != CHINESE:
            raise KeyError("a fault")
        return real(self, raw, feed)  # type: ignore[arg-type]

    monkeypatch.setattr(type(registry.find("hl7v2")), "envelope", envelope)
    with conn.transaction():
        assert again.step(conn, {"lis": RIGHT}, "replay", [faulty, good]) == 1
    assert keep.get(conn, faulty).state is State.REJECTED
    (finding,) = keep.findings(conn, [faulty])[faulty]
    assert "tell its administrator" in finding.detail
    assert "未保存" not in finding.detail
    assert keep.get(conn, good).state is State.PENDING
