"""Errors of the wire and of machines: messages sent twice, mislabelled, or broken beyond reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from healthhub.city.dice import Dice
from healthhub.city.moments import HOUR, MINUTE
from healthhub.city.rates import RATES, Rates
from healthhub.city.sent import Sent

_LABELS = (b"|CHN|UNICODE UTF-8\r", b"|CHN|UNICODE\r")


def disturbed(messages: Iterable[Sent], dice: Dice, rates: Rates = RATES) -> Iterator[Sent]:
    """The messages with the wire's own errors among them."""
    for sent in messages:
        throw = dice.random()
        edge = rates.resend_same
        if throw < edge:
            yield sent
            again = sent.at + dice.whole(1, 40) * MINUTE
            yield replace(sent, at=again, planted="resend-same")
            continue
        edge += rates.resend_renumbered
        if throw < edge:
            yield sent
            yield _renumbered(sent, sent.at + dice.whole(1, 6) * HOUR)
            continue
        edge += rates.wrong_charset
        if throw < edge and not sent.planted:
            yield _mislabelled(sent)
            continue
        edge += rates.garbage
        if throw < edge:
            yield _garbage(sent, dice)
        yield sent


def _renumbered(sent: Sent, at: int) -> Sent:
    """The same content under a new control id, as after a restart of the sender."""
    control = sent.control + "R"
    old, new = f"|{sent.control}|P|".encode(), f"|{control}|P|".encode()
    return replace(
        sent,
        at=at,
        control=control,
        raw=sent.raw.replace(old, new, 1),
        planted="resend-renumbered",
    )


def _mislabelled(sent: Sent) -> Sent:
    """MSH-18 names a charset that the bytes are not in."""
    head, _, rest = sent.raw.partition(b"\r")
    if b"|CHN|" in head:
        start = head[: head.index(b"|CHN|")]
        head = start + b"|CHN|GBK"
    else:
        missing = 17 - head.count(b"|")
        head += b"|" * missing + b"UNICODE UTF-8"
    return replace(sent, raw=head + b"\r" + rest, planted="wrong-charset", detail="MSH-18")


def _garbage(sent: Sent, dice: Dice) -> Sent:
    """Bytes that no receiver can use."""
    head, _, rest = sent.raw.partition(b"\r")
    broken = dice.pick(
        (
            b"\x00\x01\x02" + head[:20],
            rest[: len(rest) // 2],
            head.replace(sent.kind.encode(), b"", 1) + b"\r" + rest,
            b"<xml>heartbeat</xml>",
        )
    )
    return Sent(
        sent.at + 1, sent.source, broken, "", sent.control, "", "garbage", accepted=False
    )


def mishap(dice: Dice, shares: Mapping[str, float], *, spared: bool) -> str:
    """Which error of these, by the share of each, befalls what is about to be sent; empty: none.
    Spared are the named resident and what happens now: there is no time for its correction."""
    throw = dice.random()
    for planted, share in shares.items():
        if throw < share:
            return "" if spared else planted
        throw -= share
    return ""
