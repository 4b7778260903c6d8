"""MLLP framing: however the bytes arrive, frames come out whole and no byte is lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthhub.receive.frames import CR, FS, VT, Frame, Frames, frame

OUTSIDE = "bytes outside of a frame"
CUT = "the frame did not end before the next began"
content = st.binary(min_size=1, max_size=60).filter(lambda b: VT not in b and FS not in b)
ends = st.sampled_from([FS + CR, FS + b"\n", FS, FS + b"\r\n"])


def fed(data: bytes, pieces: int = 10**9) -> list[Frame]:
    frames = Frames()
    found = [f for n in range(0, len(data), pieces) for f in frames.feed(data[n : n + pieces])]
    rest = frames.rest("rest")
    return [*found, rest] if rest else found


@given(st.lists(st.tuples(content, ends), max_size=5), st.integers(1, 9))
def test_frames_are_the_same_however_they_are_cut_and_ended(
    sent: list[tuple[bytes, bytes]], pieces: int
) -> None:
    data = b"".join(VT + message + end for message, end in sent)
    assert fed(data, pieces) == [Frame(message) for message, _ in sent]


@given(st.binary(max_size=300), st.integers(1, 20))
def test_every_byte_but_framing_and_line_ends_comes_out(data: bytes, pieces: int) -> None:
    def plain(raw: bytes) -> bytes:
        return raw.translate(None, VT + FS + b"\r\n")

    found = b"".join(each.raw for each in fed(data, pieces))
    assert plain(found) == plain(data)


@given(st.binary(max_size=300), st.integers(1, 20))
@example(b"\r\nstray" + VT, 1)
def test_how_bytes_are_cut_by_the_network_changes_nothing(data: bytes, pieces: int) -> None:
    assert fed(data, pieces) == fed(data)


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (frame(b"MSH"), [Frame(b"MSH")]),
        (b"\r\n" + frame(b"MSH") + b"\r\n", [Frame(b"MSH")]),
        (b"MSH|x" + frame(b"MSH"), [Frame(b"MSH|x", OUTSIDE), Frame(b"MSH")]),
        (VT + b"MSH|cu" + frame(b"MSH"), [Frame(b"MSH|cu", CUT), Frame(b"MSH")]),
        (VT + VT + b"MSH" + FS, [Frame(b"MSH")]),
        (VT + FS + CR + frame(b"MSH"), [Frame(b"MSH")]),
        (VT + b"MSH|cu", [Frame(b"MSH|cu", "rest")]),
        (b"GET / HTTP/1.1\r\n\r\n", [Frame(b"GET / HTTP/1.1\r\n\r\n", "rest")]),
        (b"", []),
    ],
)
def test_what_stands_outside_of_frames_is_stray(data: bytes, frames: list[Frame]) -> None:
    assert fed(data) == frames


def test_stray_bytes_are_handed_out_before_they_fill_the_memory() -> None:
    frames = Frames()
    found = [each for _ in range(40) for each in frames.feed(b"x" * 10_000)]
    assert len(found) == 5
    assert frames.pending < 2**16 + 10_000


def test_pending_tells_what_is_held_of_an_unfinished_frame() -> None:
    frames = Frames()
    assert list(frames.feed(VT + b"abc")) == []
    assert (frames.pending, frames.inside) == (3, True)
    assert list(frames.feed(FS + CR)) == [Frame(b"abc")]
    assert (frames.pending, frames.inside) == (0, False)
