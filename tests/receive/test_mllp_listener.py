"""The MLLP listener over real sockets: what is acknowledged is durable, the rest is told why."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from healthhub import keep
from healthhub.keep import Choice, raw
from healthhub.model.message import Message, State
from healthhub.receive.connection import Budget
from healthhub.receive.frames import CR, FS, VT, Frames, frame
from healthhub.receive.sender import UNKNOWN
from tests.receive.conftest import Client, Listening


def message(
    control: str = "1", sender: str = "HIS|A", name: str = "王^伟", more: str = ""
) -> str:
    """A small valid ADT^A01; ``more`` goes to MSH-13 and later."""
    header = f"MSH|^~\\&|{sender if '|' in sender else sender + '|'}|HUB|HUB|20260301120000||"
    return (
        f"{header}ADT^A01|{control}|P|2.5.1{more}\r"
        f"EVN|A01|20260301120000\rPID|1||P{control}^^^A||{name}\rPV1|1|I\r"
    )


def utf8(control: str = "1", **options: str) -> bytes:
    return message(control, **options).encode()


def all_kept(dsn: str) -> list[Message]:
    with psycopg.connect(dsn) as conn:
        lines = keep.find(conn, Choice(), limit=1000)
        return [keep.get(conn, line.id) for line in reversed(lines)]


def segments(answer: bytes, charset: str = "utf-8") -> dict[str, list[str]]:
    lines = answer.decode(charset).strip("\r").split("\r")
    return {line[:3]: line.split("|") for line in lines}


def test_a_message_is_durable_when_it_is_acknowledged(
    listening: Listening, database: str
) -> None:
    with listening() as port, Client(port) as client:
        for n in range(5):
            answer = segments(client.ask(utf8(str(n))))
            assert answer["MSA"][1:3] == ["AA", str(n)]
            kept = all_kept(database)[-1]
            assert (kept.raw, kept.source, kept.state) == (utf8(str(n)), "his", State.PENDING)
            assert (kept.envelope.kind, kept.envelope.patient) == ("ADT^A01", f"P{n}")


def test_answers_come_in_the_order_of_messages_sent_without_waiting(
    listening: Listening, database: str
) -> None:
    with listening() as port, Client(port) as client:
        client.socket.sendall(b"".join(frame(utf8(str(n))) for n in range(300)))
        answered = [segments(client.answer())["MSA"][2] for _ in range(300)]
    assert answered == [str(n) for n in range(300)]
    assert [m.envelope.control for m in all_kept(database)] == answered


def test_a_message_sent_again_is_acknowledged_again_and_kept_once(
    listening: Listening, database: str
) -> None:
    with listening() as port:
        for _ in range(3):
            with Client(port) as client:
                assert segments(client.ask(utf8()))["MSA"][1] == "AA"
    assert len(all_kept(database)) == 1


@pytest.mark.parametrize("end", [FS + CR, FS + b"\n", FS])
def test_frames_that_end_otherwise_are_taken(listening: Listening, end: bytes) -> None:
    with listening() as port, Client(port) as client:
        for n in range(2):
            client.socket.sendall(VT + utf8(str(n)) + end)
            assert segments(client.answer())["MSA"][2] == str(n)


def test_a_message_that_drips_in_byte_by_byte_is_taken(listening: Listening) -> None:
    with listening() as port, Client(port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(utf8()):
            client.socket.sendall(bytes([byte]))
        assert segments(client.answer())["MSA"][1] == "AA"


@pytest.mark.parametrize(
    "garbage", [b"hello", b"\xff\xfe\x00", b"PID|1||x", b"MSH", b"MSH|^~\\&|"]
)
def test_garbage_is_rejected_with_a_reason_in_two_languages_and_kept(
    listening: Listening, database: str, garbage: bytes
) -> None:
    with (
        listening({"any": {"institution": "h", "mapping": "x"}}) as port,
        Client(port) as client,
    ):
        answer = segments(client.ask(garbage))
        assert answer["MSA"][1] == "AR"
        reason = answer["MSA"][3]
        assert any("\u4e00" <= letter <= "\u9fff" for letter in reason)
        assert " / " in reason
        assert answer["ERR"][3].endswith("HL70357")
        assert segments(client.ask(utf8()))["MSA"][1] == "AA"
    garbage_kept, _ = all_kept(database)
    assert (garbage_kept.raw, garbage_kept.state) == (garbage, State.REJECTED)


@pytest.mark.parametrize(
    ("charset", "declared"),
    [
        ("utf-8", "UNICODE UTF-8"),
        ("gb18030", "GB 18030-2000"),
        ("gbk", "GBK"),
        ("gb2312", ""),
        ("gbk", "UNICODE UTF-8"),
    ],
)
def test_a_chinese_name_survives_in_the_charset_of_its_bytes_whatever_is_declared(
    listening: Listening, database: str, charset: str, declared: str
) -> None:
    """The source's default is GBK; MSH-18 is missing, right or wrong."""
    sent = message(sender="LIS", name="王晓^明", more=f"||||||{declared}").encode(charset)
    with listening() as port, Client(port) as client:
        assert segments(client.ask(sent), charset)["MSA"][1] == "AA"
    (kept,) = all_kept(database)
    assert kept.raw == sent


def test_bytes_of_no_charset_are_kept_as_rejected_and_the_reason_names_the_byte(
    listening: Listening, database: str
) -> None:
    sent = utf8(name="王\0").replace(b"\0", b"\xff")
    with listening() as port, Client(port) as client:
        answer = segments(client.ask(sent))
    assert answer["MSA"][1:3] == ["AR", "1"]
    assert f"byte {sent.index(0xFF) + 1}" in answer["MSA"][3]
    (kept,) = all_kept(database)
    assert (kept.raw, kept.state) == (sent, State.REJECTED)


def test_enhanced_mode_gets_a_commit_acknowledgement(listening: Listening) -> None:
    with listening() as port, Client(port) as client:
        assert segments(client.ask(utf8(more="|||AL|NE")))["MSA"][1] == "CA"


@pytest.mark.parametrize("sender", ["HIS|B", "XYZ|A"])
def test_an_unknown_sender_is_rejected_with_advice_and_kept_apart(
    listening: Listening, database: str, sender: str
) -> None:
    with listening() as port, Client(port) as client:
        answer = segments(client.ask(utf8(sender=sender)))
        assert answer["MSA"][1] == "AR"
        assert "MSH-3" in answer["MSA"][3]
        assert client.answer() == b""
    (kept,) = all_kept(database)
    assert (kept.source, kept.state, kept.raw) == (
        UNKNOWN,
        State.REJECTED,
        utf8(sender=sender),
    )


def test_an_address_of_no_source_is_rejected_with_advice(listening: Listening) -> None:
    with listening(
        {"far": {"institution": "h", "mapping": "x", "addresses": ["10.0.0.0/8"]}}
    ) as port:
        with Client(port) as client:
            answer = segments(client.ask(utf8()))
        assert answer["MSA"][1] == "AR"
        assert "127.0.0.1" in answer["MSA"][3]


def test_a_frame_over_the_limit_is_refused_with_the_limit_named(
    listening: Listening, database: str
) -> None:
    with listening(max_frame_bytes=2000) as port, Client(port) as client:
        client.socket.sendall(VT + utf8() + b"x" * 3000)
        assert "2000 bytes" in segments(client.answer())["MSA"][3]
        assert client.answer() == b""
    (kept,) = all_kept(database)
    assert kept.state is State.REJECTED
    assert kept.raw == utf8() + b"x" * 3000


def test_a_frame_that_does_not_end_in_time_is_kept_as_rejected(
    listening: Listening, database: str
) -> None:
    with listening(frame_seconds=0.3) as port, Client(port) as client:
        client.socket.sendall(VT + b"MSH|^~\\&|HIS|A|")
        for _ in range(20):
            time.sleep(0.05)
            with contextlib.suppress(OSError):
                client.socket.sendall(b"x")
        assert segments(client.answer())["MSA"][1] == "AR"
    assert all_kept(database)[0].state is State.REJECTED


def flood(client: Client, first: bytes, piece: bytes, most: int) -> int:
    """Send until the hub closes the connection; how many pieces it took."""
    client.socket.sendall(first)
    for sent in range(most):
        try:
            client.socket.sendall(piece)
        except OSError:
            return sent
    return most


def test_an_endless_stream_without_a_frame_is_ended_and_fills_no_disk(
    listening: Listening, database: str
) -> None:
    with listening(max_frame_bytes=200_000) as port:
        with Client(port) as client:
            assert flood(client, b"", b"GET / HTTP/1.1 " * 4000, 400) < 400
        with Client(port) as client:
            assert segments(client.ask(utf8()))["MSA"][1] == "AA"
    kept = sum(len(each.raw) for each in all_kept(database) if each.state is State.REJECTED)
    assert kept < 500_000


def test_a_field_of_200_megabytes_leaves_the_hub_answering(listening: Listening) -> None:
    with listening() as port:
        with Client(port) as client:
            begun = VT + utf8() + b"OBX|1|TX|A^B||"
            assert flood(client, begun, b"x" * 2**20, 200) < 40
        with Client(port) as client:
            assert segments(client.ask(utf8()))["MSA"][1] == "AA"


def test_little_is_read_of_an_address_that_is_nobodys_and_it_is_not_waited_for(
    listening: Listening, database: str
) -> None:
    far = {"far": {"institution": "h", "mapping": "x", "addresses": ["10.0.0.0/8"]}}
    with listening(far, frame_seconds=0.5) as port:
        with Client(port) as silent:
            assert silent.answer() == b"", "closed long before idle_seconds"
        with Client(port) as client:
            assert flood(client, VT + utf8(), b"x" * 50_000, 400) < 400
    assert sum(len(each.raw) for each in all_kept(database)) < 400_000


def test_a_silent_connection_is_closed(listening: Listening) -> None:
    with listening(idle_seconds=0.2) as port, Client(port) as client:
        assert client.answer() == b""


def test_connections_over_the_limit_are_told_to_come_back(listening: Listening) -> None:
    with listening(max_connections=1) as port, Client(port) as first:
        assert segments(first.ask(utf8()))["MSA"][1] == "AA"
        with Client(port) as second:
            assert "try again" in segments(second.answer())["MSA"][3]
        assert segments(first.ask(utf8("2")))["MSA"][1] == "AA"


def test_a_sender_that_goes_away_in_the_middle_of_a_frame_loses_nothing_it_was_told_of(
    listening: Listening, database: str
) -> None:
    with listening() as port:
        with Client(port) as client:
            assert segments(client.ask(utf8("1")))["MSA"][1] == "AA"
            client.socket.sendall(VT + utf8("2")[:40])
        deadline = time.monotonic() + 5
        while len(all_kept(database)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert [m.raw for m in all_kept(database)] == [utf8("1"), utf8("2")[:40]]


def test_nothing_is_acknowledged_while_the_store_is_away(
    listening: Listening, database: str
) -> None:
    nowhere = make_conninfo(database, host="127.0.0.1", port="1")
    with listening(dsn=nowhere) as port, Client(port) as client:
        for n in range(3):
            answer = segments(client.ask(utf8(str(n))))
            assert answer["MSA"][1:3] == ["AE", str(n)]
            assert "稍后重发" in answer["MSA"][3]


def test_messages_read_before_the_listener_stops_are_answered(
    listening: Listening, database: str
) -> None:
    with listening() as port, Client(port) as client:
        client.send(utf8())
        assert segments(client.answer())["MSA"][1] == "AA"
        client.socket.sendall(VT + b"unfinished")
    assert len(all_kept(database)) >= 1


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.binary(max_size=80).map(frame),
            st.binary(max_size=40).map(lambda tail: frame(utf8() + tail)),
            st.sampled_from([VT, FS, CR, b"\n", b"MSH|^~\\&|HIS|A|"]),
        ),
        max_size=8,
    )
)
def test_no_bytes_stop_the_listener_and_every_frame_is_kept_as_it_came(
    fuzzed: tuple[int, str], pieces: list[bytes]
) -> None:
    port, dsn = fuzzed
    sent = b"".join(pieces)
    frames = Frames()
    expected = list(frames.feed(sent))
    rest = frames.rest("the connection was closed before the frame ended")
    with Client(port) as client:
        client.socket.sendall(sent)
        client.socket.shutdown(socket.SHUT_WR)
        answers = list(iter(client.answer, b""))
    assert len(answers) == sum(not each.stray for each in expected) + (rest is not None)
    wanted = {raw.digest("any", each.raw) for each in [*expected, rest] if each is not None}
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "select digest from message where digest = any(%s)", (list(wanted),)
        )
        assert {digest for (digest,) in rows} == wanted
    with Client(port) as client:
        assert segments(client.ask(utf8("after")))["MSA"][1:3] == ["AA", "after"]


@pytest.fixture
def fuzzed(listening: Listening, database: str) -> Iterator[tuple[int, str]]:
    with listening({"any": {"institution": "h", "mapping": "x"}}) as port:
        yield port, database


def test_unfinished_frames_of_all_connections_together_are_bounded(
    listening: Listening, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healthhub.receive.mllp.Budget", lambda: Budget(10_000))
    with listening() as port:
        with Client(port) as first, Client(port) as second:
            first.socket.sendall(VT + b"MSH" + b"x" * 6000)
            time.sleep(0.2)
            second.socket.sendall(VT + b"MSH" + b"x" * 6000)
            assert "send again" in segments(second.answer())["MSA"][3]
            assert second.answer() == b""
            first.socket.sendall(FS + CR)
            assert segments(first.answer())["MSA"][1] == "AR"
        with Client(port) as third:
            assert segments(third.ask(utf8()))["MSA"][1] == "AA"
