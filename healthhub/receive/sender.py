"""Who sends: a source is known by its address, MSH-3 and MSH-4, and its TLS certificate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from healthhub.settings import Source

_HEADER = re.compile(rb"(?:^|[\r\n\x0b]|\xef\xbb\xbf)[ \t\x00]*(MSH[^A-Za-z0-9\s\x80-\xff])")
LOOK_AHEAD = 1024

UNKNOWN = "?"
"""Source under which bytes of nobody are kept; no setting can take this name."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection. ``certificate`` is its verified subject CN, if any."""

    address: str
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """No source, or not one alone, fits a peer; ``advice`` says what to correct."""

    advice: str


def recognise(
    sources: Mapping[str, Source], peer: Peer, raw: bytes
) -> tuple[str, Source] | Stranger:
    """The source of a message. The one that names MSH-3 and MSH-4 goes before the one that
    names MSH-3 alone, and that before one known by its address alone."""
    at_home = {n: s for n, s in sources.items() if admits(s, peer.address)}
    if not at_home:
        return Stranger(
            f"address {peer.address} is not among the addresses of any source; "
            "have the hub's administrator add it to the source's addresses"
        )
    proven = {
        n: s for n, s in at_home.items() if s.client_certificate in ("", peer.certificate)
    }
    if not proven:
        return Stranger(
            "the TLS client certificate is not that of a source at this address; "
            "send with the certificate that the hub's administrator has noted"
        )
    given = sender_of(raw)
    best = max((_fit(source, given) for source in proven.values()), default=0)
    fitting = [(n, s) for n, s in proven.items() if _fit(s, given) == best]
    if best == 0:
        return Stranger(
            "MSH-3 (and MSH-4) are not those of a source at this address; "
            "correct them, or have the administrator correct the source's sender"
        )
    if len(fitting) > 1:
        names = ", ".join(name for name, _ in fitting)
        return Stranger(
            f"the sources {names} cannot be told apart; "
            "have the administrator give each a sender (MSH-3|MSH-4)"
        )
    return fitting[0]


def admits(source: Source, address: str) -> bool:
    """Whether a source may send from an address; without networks only from this machine."""
    try:
        peer = _plain(address)
    except ValueError:
        return False
    if not source.addresses:
        return peer.is_loopback
    return any(peer.version == net.version and peer in net for net in source.addresses)


def _plain(address: str) -> IPv4Address | IPv6Address:
    peer = ip_address(address.partition("%")[0])
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return mapped or peer


def sender_of(raw: bytes) -> tuple[bytes, bytes]:
    """MSH-3 and MSH-4 as bytes; empty where there is no MSH. Blanks, a byte order mark or a
    batch header may stand before it, as the adapter takes them."""
    found = _HEADER.search(raw, 0, LOOK_AHEAD)
    if found is None:
        return b"", b""
    head = re.split(rb"[\r\n]", raw[found.start(1) : found.start(1) + 2000], maxsplit=1)[0]
    fields = head.split(head[3:4], 4)
    return (fields[2], fields[3]) if len(fields) > 3 else (b"", b"")


def _fit(source: Source, given: tuple[bytes, bytes]) -> int:
    """3 MSH-3 and MSH-4, 2 MSH-3, 1 address alone, 0 not this source."""
    if not source.sender:
        return 1
    application, bar, facility = source.sender.partition("|")
    if not _same(application, given[0], source.charset):
        return 0
    if not bar:
        return 2
    return 3 if _same(facility, given[1], source.charset) else 0


def _same(named: str, given: bytes, charset: str) -> bool:
    """Equal to the whole field or to its first component (HD: namespace^id^type)."""
    wanted = {named.encode(charset, "replace"), named.encode()}
    return given in wanted or given.partition(b"^")[0] in wanted
