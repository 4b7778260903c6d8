"""Which source sends: address, MSH-3 and MSH-4, certificate."""

from __future__ import annotations

import pytest

from healthhub.receive.sender import Peer, Stranger, admits, recognise
from healthhub.settings import Source


def source(**options: object) -> Source:
    return Source.model_validate({"institution": "h", "mapping": "x", **options})


def msh(application: str, facility: str = "") -> bytes:
    return f"MSH|^~\\&|{application}|{facility}|HUB".encode()


@pytest.mark.parametrize(
    ("networks", "address", "admitted"),
    [
        ([], "127.0.0.1", True),
        ([], "::1", True),
        ([], "::ffff:127.0.0.1", True),
        ([], "10.1.2.3", False),
        (["10.1.0.0/16"], "10.1.2.3", True),
        (["10.1.0.0/16"], "::ffff:10.1.2.3", True),
        (["10.1.0.0/16"], "10.2.2.3", False),
        (["10.1.0.0/16"], "127.0.0.1", False),
        (["fd00::/8"], "fd00::7%eth0", True),
        (["fd00::/8"], "10.1.2.3", False),
        (["0.0.0.0/0"], "", False),
    ],
)
def test_a_source_sends_from_its_networks_or_else_from_this_machine_alone(
    networks: list[str], address: str, admitted: bool
) -> None:
    assert admits(source(addresses=networks), address) is admitted


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (msh("HIS", "A"), "both"),
        (msh("HIS", "B"), "application"),
        (msh("HIS^1.2.3^ISO", "A^9^X"), "both"),
        (msh("LIS", "A"), "address"),
        (b"MSH#^~\\&#HIS#A#HUB", "both"),
        (b"\xef\xbb\xbf" + msh("HIS", "A"), "both"),
        (b"\r\n " + msh("HIS", "A"), "both"),
        (b"FHS|^~\\&|X\rBHS|^~\\&|X\r" + msh("HIS", "A"), "both"),
        (b"MSH|^~\\&", "address"),
        (b"nonsense", "address"),
    ],
)
def test_the_source_that_says_most_of_its_sender_is_chosen(raw: bytes, name: str) -> None:
    sources = {
        "address": source(),
        "application": source(sender="HIS"),
        "both": source(sender="HIS|A"),
    }
    found = recognise(sources, Peer("127.0.0.1"), raw)
    assert not isinstance(found, Stranger)
    assert found[0] == name


def test_a_sender_in_chinese_is_compared_in_the_charset_of_the_source() -> None:
    sources = {"his": source(sender="医院HIS", charset="gbk")}
    found = recognise(sources, Peer("127.0.0.1"), msh("医院HIS").decode().encode("gbk"))
    assert not isinstance(found, Stranger)


@pytest.mark.parametrize(
    ("sources", "peer", "advice"),
    [
        ({}, Peer("127.0.0.1"), "address 127.0.0.1"),
        ({"a": source()}, Peer("10.0.0.1"), "address 10.0.0.1"),
        ({"a": source(sender="LIS")}, Peer("127.0.0.1"), "MSH-3"),
        ({"a": source(), "b": source()}, Peer("127.0.0.1"), "a, b cannot be told apart"),
        ({"a": source(client_certificate="x")}, Peer("127.0.0.1", "y"), "certificate"),
        ({"a": source(client_certificate="x")}, Peer("127.0.0.1"), "certificate"),
    ],
)
def test_a_stranger_is_told_what_to_correct(
    sources: dict[str, Source], peer: Peer, advice: str
) -> None:
    found = recognise(sources, peer, msh("HIS", "A"))
    assert isinstance(found, Stranger)
    assert advice in found.advice
