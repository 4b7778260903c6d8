"""The adapter for readings of health huts and home monitors: JSON, one, many, or line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.device import scan
from adapters.tree import Grown, Item, Tree
from healthhub.adapter_api import BadMessage, Feed, Outcome, answer
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.clock import parse_hl7
from healthhub.model.message import Envelope

_PERSON = (
    "idcard", "idno", "idnumber", "identitycard", "certno", "sfzh", "身份证号", "身份证号码", "证件号码",
    "healthcard", "healthcardno", "cardno", "健康卡号", "patientid", "personid", "居民编号", "qr", "qrcode", "二维码",
)  # fmt: skip
"""Names, in small letters without signs, under which the person's number is looked for, the
surest first: order is kept within it, and people search by it. What it means is the mapping's."""
_TIME = (
    "time",
    "measuredat",
    "measuretime",
    "measurementtime",
    "timestamp",
    "测量时间",
    "检测时间",
)
_ID = ("id", "messageid", "recordid", "uuid", "流水号")
_KIND = "DEV^reading"
MOST = 16


class Device:
    """healthhub.adapter_api.Adapter for readings."""

    name = "device"
    most_bytes = 64 * 2**20

    def split(self, body: bytes) -> Iterator[bytes]:
        """Each reading or session of the body; the charset is told by the bytes themselves."""
        yield from scan.messages(body, "gb18030")

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """The reading's number, person and time, under whatever usual name."""
        tree = _tree(raw, feed.charset)
        said = _said(tree)
        people = [said[name] for name in _PERSON if name in said]
        time = next((said[name] for name in _TIME if name in said), "")
        return Envelope(
            kind=_KIND,
            control=next((said[name] for name in _ID if name in said), "")[:200],
            patient=people[0][:200] if people else "",
            at=_moment(time, ZoneInfo(feed.zone)),
            numbers=tuple(dict.fromkeys(n for n in people if len(n) <= 64))[:MOST],
        )

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The reading as a tree, see adapters.device.scan."""
        tree = _tree(raw, feed.charset)
        return Record(_KIND, (Grown(tree.items[0]),), name=tree.written, valued=tree.valued)

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """The bytes of a value, without its quotes."""
        return _tree(raw, feed.charset).span(place)

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """JSON, as the reading is."""
        return answer.in_json(outcome, text, error)


@lru_cache(maxsize=1)
def _tree(raw: bytes, charset: str) -> Tree:
    return scan.read(raw, charset)


def _said(tree: Tree) -> dict[str, str]:
    """The first value of each name, in small letters without signs; the outermost first, so that
    the reading's own number goes before its device's."""
    found: dict[str, str] = {}
    for item in sorted(tree.items, key=_depth):
        if item.pieces and item.pieces[0].text:
            name = item.name.lower().replace("_", "").replace("-", "")
            found.setdefault(name, item.pieces[0].text)
    return found


def _depth(item: Item) -> int:
    depth, above = 0, item.parent
    while above is not None:
        depth, above = depth + 1, above.parent
    return depth


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    """A time as ISO, as HL7, or as seconds or milliseconds since 1970."""
    if text.isdecimal() and len(text) in (10, 13):
        return datetime.fromtimestamp(int(text) / (1000 if len(text) == 13 else 1), UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return parse_hl7(text, zone) if text else None
    return found if found.tzinfo else found.replace(tzinfo=zone)


ADAPTER = Device()
