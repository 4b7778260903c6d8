"""The merge of statements: each element holds the value with the greatest stamp.

A resource is a map from element to (stamp, what it says). An element is a top-level element of
the resource; those of DEEP are taken apart one level deeper, and the lists of store.gathered entry by
entry; the forms of a choice element (``valueQuantity``, ``valueString``) are one; ``_birthDate``
belongs to ``birthDate``. An
element that says nothing is one that was erased: its stamp keeps older statements out. Merging
is commutative, associative and idempotent, so the order of processing does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from healthhub.model.resource import Body, Draft, Stamp
from healthhub.store import gathered, wire

Said = dict[str, Any]
Elements = dict[str, tuple[Stamp, Said]]

DEEP = {
    "meta": ("profile", "security", "tag", "extension"),
    "period": ("start", "end"),
    "hospitalization": (
        "preAdmissionIdentifier", "origin", "admitSource", "reAdmission", "dietPreference",
        "specialCourtesy", "specialArrangement", "destination", "dischargeDisposition",
    ),
}  # fmt: skip
"""Elements whose children are stated one by one: an A03 may know a visit's end alone.
``meta.source`` is no statement: it names the message that made the version."""

CHOICES = frozenset(
    "abatement age asNeeded born code collected created deceased doseNumber effective event "
    "fastingStatus identified item legallyBinding manufacturer medication module multipleBirth "
    "occurred occurrence onset performed quantity reported scheduled seriesDoses serviced source "
    "start statusReason subject target timing topic value".split()
)
"""Choice elements (``[x]``) at the top level of R4 resources."""

_FORM = re.compile(
    r"(\w+?)(Age|Annotation|Attachment|Boolean|Canonical|CodeableConcept|Coding|Date|DateTime|"
    r"Decimal|Duration|Identifier|Instant|Integer|Money|Period|PositiveInt|Quantity|Range|"
    r"Ratio|Reference|SampledData|String|Time|Timing|Uri|Url)"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTITY = ("resourceType", "id")


@lru_cache(maxsize=4096)
def element(name: str) -> str:
    """The element that a JSON name belongs to."""
    name = name.removeprefix("_")
    form = _FORM.fullmatch(name)
    return f"{form[1]}[x]" if form and form[1] in CHOICES else name


def of_draft(draft: Draft) -> Elements:
    """What a draft says, with its stamp."""
    found = of_body(draft.body, draft.stamp, {})
    for name in draft.erased:
        head = element(name.partition(".")[0])
        for erased in _parts(head) if "." not in name else (name,):
            found.setdefault(erased, (draft.stamp, {}))
    return found


def of_body(body: Body, stamp: Stamp, others: dict[str, Stamp]) -> Elements:
    """What a stored body says: its row's stamp, but for the elements that have another."""
    found: Elements = {name: (other, {}) for name, other in others.items()}
    kind = body.get("resourceType", "")
    for name, value in body.items():
        if name in _IDENTITY or gathered.follows(kind, name, body):
            continue
        if gathered.takes(kind, name, value):
            for key, entry in gathered.parts(kind, value):
                found[key] = (found[key][0] if key in found else stamp, entry)
        elif name in DEEP and isinstance(value, dict):
            for child, said in value.items():
                if name != "meta" or child in DEEP["meta"]:
                    _say(found, f"{name}.{child.removeprefix('_')}", child, said, stamp)
        else:
            _say(found, element(name), name, value, stamp)
    return found


def _say(found: Elements, key: str, name: str, value: Any, stamp: Stamp) -> None:
    known = found.get(key)
    if known is None:
        found[key] = (stamp, {name: value})
    else:
        known[1][name] = value


def _parts(name: str) -> list[str]:
    return [f"{name}.{child}" for child in DEEP[name]] if name in DEEP else [name]


def take_back(elements: Elements, messages: Collection[int]) -> None:
    """Drop what these messages have said before. A message is processed whole, so what it says
    now is all that it says: processed again after its mapping has changed, it must not be
    outweighed by its own former words. 0 is no message."""
    for key in [key for key, (stamp, _) in elements.items() if stamp.message in messages]:
        if elements[key][0].message:
            del elements[key]


def merge(into: Elements, other: Elements) -> None:
    """Take over what ``other`` says later, or with more authority."""
    for key, statement in other.items():
        known = into.get(key)
        if known is None or _outweighs(statement, known):
            into[key] = statement


def _outweighs(statement: tuple[Stamp, Said], known: tuple[Stamp, Said]) -> bool:
    """Whether a statement takes a known one's place. Equal ranks are told apart by what is
    said, so that even then the order of processing does not matter."""
    ours, theirs = rank(statement[0]), rank(known[0])
    if ours != theirs:
        return ours > theirs
    return _spelt(statement[1]) > _spelt(known[1])


def _spelt(said: Said) -> bytes:
    return wire.canonical(said) if said else b""


def rank(stamp: Stamp) -> tuple[int, datetime, int]:
    """What stamps are compared by. Mentions in passing of one moment weigh the same, whatever
    message holds them, so that one more of them changes nothing."""
    return (stamp.authority, stamp.at, stamp.message if stamp.authority else 0)


def body_of(resource_type: str, fhir_id: str, elements: Elements) -> Body:
    """The resource that the elements make."""
    body: Body = {"resourceType": resource_type, "id": fhir_id}
    entries: dict[str, Said] = {}
    for key, (_, said) in sorted(elements.items(), key=_order):
        if gathered.is_part(resource_type, key):
            entries[key] = said
            continue
        if not said:
            continue
        head, dot, _child = key.partition(".")
        target = body.setdefault(head, {}) if dot else body
        target.update(said)
    return body | gathered.put_together(resource_type, entries) if entries else body


def _order(item: tuple[str, Any]) -> tuple[bool, str]:
    return not item[0].startswith("meta."), item[0]


def pack_stamps(elements: Elements, row: Stamp) -> bytes | None:
    """The stamps that differ from the row's, and those of erased elements."""
    different = {
        key: (stamp.authority, (stamp.at - _EPOCH) // timedelta(microseconds=1), stamp.message)
        for key, (stamp, said) in elements.items()
        if stamp != row or not said
    }
    return orjson.dumps(different) if different else None


def unpack_stamps(packed: bytes | None) -> dict[str, Stamp]:
    """What pack_stamps gave."""
    if packed is None:
        return {}
    return {
        key: Stamp(authority, _EPOCH + timedelta(microseconds=at), message)
        for key, (authority, at, message) in orjson.loads(packed).items()
    }
