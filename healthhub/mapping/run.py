"""One message on its way through a compiled mapping: its tree, ids, drafts and findings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from healthhub.adapter_api.record import Place, Record, Segment
from healthhub.adapter_api.text import NULL, part
from healthhub.clock import now
from healthhub.mapping.expressions import Path
from healthhub.mapping.functions.registry import Need
from healthhub.mapping.functions.times import Moment, parse
from healthhub.mapping.kept import Kept
from healthhub.mapping.tree import INDEX, TOP, Node, dissolve, find
from healthhub.model import ids
from healthhub.model.code_maps import Sighting
from healthhub.model.finding import Finding, Severity
from healthhub.model.resource import Body, Draft, Merge, Stamp
from healthhub.terms import Terms

Ident = tuple[UUID, str, str]
"""A derived id: as UUID, as text, and as reference Type/id."""
SEVERITIES: dict[str, Severity] = {"placeholder": "info", "no-patient": "error"}
MOST_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Context:
    """What a conversion knows of its source."""

    source: str
    namespace: str
    zone: ZoneInfo
    terms: Terms
    endpoint: str = ""
    """Public address of the source's images; empty: they cannot be had."""


class Run:
    """The conversion of one message. Made by Compiled.run; the compiled blocks fill it."""

    def __init__(
        self, context: Context, record: Record, root: Node, message: int, received: datetime
    ) -> None:
        self.source = context.source
        self.namespace = context.namespace
        self.zone = context.zone
        self.terms = context.terms
        self.endpoint = context.endpoint or None
        self.record = record
        self.root = root
        self.kept: Kept
        self.message_id = message
        self.received_at = received
        self.kind = record.kind
        self.event = record.kind.partition("^")[2]
        self.received = received.isoformat()
        self.findings: list[Finding] = []
        self.told = 0
        """How often something was amiss or is to be counted, be it new or not."""
        self.sightings: dict[tuple[str, str], Sighting] = {}
        self.drafts: list[Draft] = []
        self.merges: list[Merge] = []
        self._made: dict[UUID, Draft] = {}
        self.seen: set[tuple[str, str]] = set()
        self.origin = f"urn:healthhub:source:{context.source}#{message}"
        self._idents: dict[tuple[str, ...], Ident] = {}
        self._remarks: set[tuple[str, str, str, str]] = set()
        self._stamps: dict[tuple[int, str | None], Stamp] = {}
        self._nodes: dict[str, list[Node]] = {}
        self._index: dict[str, list[Node]] = root.memo[INDEX]

    @property
    def original(self) -> str | None:
        """The document as it was written, in base64; None where the message is no document."""
        return b64encode(self.record.original).decode("ascii") or None

    def release(self) -> None:
        """Nothing more is asked of this run but what it has made."""
        dissolve(self.root)
        self._index.clear()
        self._nodes.clear()
        if self.record.release is not None:
            self.record.release()

    def ident(self, kind: str, *key: str) -> Ident:
        """The derived id of a business key."""
        found = self._idents.get((kind, *key))
        if found is None:
            uid = ids.derive(self.namespace, kind, *key)
            text = str(uid)
            found = self._idents[(kind, *key)] = (uid, text, f"{kind}/{text}")
        return found

    def stamp(self, authority: Any, text: str | None, node: Node, need: Need) -> Stamp:
        """When and with what weight; the time of receipt if the message's own is no use."""
        weight = authority if isinstance(authority, int) else 1
        found = self._stamps.get((weight, text))
        if found is None:
            found = Stamp(weight, self._moment(text, node, need), self.message_id)
            self._stamps[(weight, text)] = found
        return found

    def _moment(self, text: str | None, node: Node, need: Need) -> datetime:
        if text is None or text == self.received:
            return self.received_at
        moment = parse(text, self.zone)
        if not isinstance(moment, Moment):
            detail = "the time of the event is impossible; the time of receipt counts"
        elif moment.at > now() + MOST_AHEAD:
            detail = "the time of the event lies ahead; the time of receipt counts"
        else:
            return moment.at
        self.remark("bad-time", node, need, detail, text)
        return self.received_at

    def add(
        self,
        kind: str,
        ident: Ident,
        patient: UUID,
        stamp: Stamp,
        body: Body,
        erased: list[str],
    ) -> None:
        """A block has made a resource."""
        meta = body.get("meta")
        body["meta"] = {**meta, "source": self.origin} if meta else {"source": self.origin}
        gone: tuple[str, ...] = ()
        if erased:
            gone = tuple(dict.fromkeys(name for name in erased if not _said(body, name)))
        draft = Draft(kind, ident[0], patient, stamp, body, gone)
        said = self._made.get(ident[0])
        if said is not None and said == draft:  # documents say the same in several places
            draft = said
        self._made[ident[0]] = draft
        self.drafts.append(draft)

    def remark(self, code: str, node: Any, need: Need, detail: str, value: str = "") -> None:
        """Add a finding, once."""
        self.told += 1
        where = self._place(node, need.path)
        if (code, where, detail, value) in self._remarks:
            return
        self._remarks.add((code, where, detail, value))
        severity = SEVERITIES.get(code, "warning")
        self.findings.append(Finding(severity, code, where, detail, need.rule, value))

    def sight(self, table: str, code: str, version: int, display: str) -> None:
        """Note a code that the mapping's own table lacks, once for the message."""
        self.told += 1
        known = self.sightings.get((table, code))
        if known is None or (display and not known.display):
            self.sightings[table, code] = Sighting(table, code, version, display)

    def _place(self, node: Node | None, path: str) -> str:
        """``OBX-5`` as ``OBX[3]-5``: which of the message's segments of that name it was."""
        if self.record.name is not None:
            return self._place_in_tree(node, path)
        name = path[:3]
        found = find(node, name)
        if not found or sum(1 for s in self.record.segments if s.name == name) < 2:
            return path
        number = sum(1 for s in self.record.segments[: found[0].index + 1] if s.name == name)
        return f"{name}[{number}]{path[3:]}"

    def _place_in_tree(self, node: Node | None, path: str) -> str:
        """``entry/value/@code`` as the whole path of the element that it was read of."""
        group, slash, below = path.partition("/")
        found = find(node, group or TOP) if slash else ()
        if not found or self.record.name is None:
            return path
        return f"{self.record.name(Place(found[0].index))}/{below}"

    def nodes(self, each: str) -> list[Node]:
        """The nodes that a block goes through: of a group, of a segment, or the message."""
        found = self._nodes.get(each)
        if found is None:
            found = self._index.get(each, [])
            if found and each.isupper():
                found = [node for owner in found for node in _of(owner, each)]
            self._nodes[each] = found
        return found

    def _all(self, node: Node) -> Iterator[Node]:
        yield node
        for child in node.children:
            yield from self._all(child)

    def under(self, node: Node, each: str) -> Sequence[Node]:
        """The nodes of ``each`` that are below a node (its own segments too)."""
        if each not in self._index:
            return ()
        if each.isupper():
            return [n for owner in self._all(node) for n in _of(owner, each)]
        return list(node.below(each))

    def inner(self, node: Node, segment: Segment) -> Node:
        """A node for one segment of several, around which is ``node``."""
        single = Node(segment.name, None)
        single.parent = node
        single.segments = {segment.name: [segment]}
        return single

    def nth(self, node: Node, name: str, key: Callable[[Run, Node], Any]) -> str | None:
        """Empty for the first of equal siblings, then 2, 3, …"""
        home = node.parent or node
        numbers: dict[int, str] | None = home.memo.get(name)
        if numbers is None or id(node) not in numbers:
            numbers = home.memo[name] = {}
            counts: dict[Any, int] = {}
            peers = node.peers or [c for c in home.children if c.group == node.group] or [node]
            for peer in peers:
                value = key(self, peer)
                counts[value] = counts.get(value, 0) + 1
                numbers[id(peer)] = "" if counts[value] == 1 else str(counts[value])
        return numbers.get(id(node), "")

    def nulls(self, node: Node, rules: Sequence[tuple[Path, str]]) -> list[str]:
        """The elements whose source is the HL7 null."""
        found: list[str] = []
        for path, element in rules:
            for segment in find(node, path.segment):
                field = segment.field(path.field)
                if NULL in field and part(field, 0, path.component, path.subcomponent) == NULL:
                    found.append(element)
        return found


def _of(owner: Node, name: str) -> list[Node]:
    """A node's segments of one name, each as a node; made once, so that they know each other."""
    memo = f"each {name}"
    found: list[Node] | None = owner.memo.get(memo)
    if found is None:
        found = []
        aside = owner.aside.get(name, ()) if owner.aside else ()
        for segment in (*aside, *owner.segments.get(name, ())):
            single = Node(name, None)
            single.parent = owner
            single.segments = {name: [segment]}
            single.peers = found
            found.append(single)
        owner.memo[memo] = found
    return found


def _said(body: Body, name: str) -> bool:
    head, _, child = name.partition(".")
    value = body.get(head)
    if child and isinstance(value, dict):
        return child in value
    return value is not None
