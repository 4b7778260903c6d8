"""Resources of a partner taken as they came: in the hub's ids, with owner, stamp and withdrawal.

What a resource states it states whole: an element that a newer version no longer has is emptied.
A DELETE withdraws: what R4 demands is there as a mention in passing, so that it stands even where
the deletion comes first, and the status says that it was entered in error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from healthhub.adapter_api.record import Given, Record
from healthhub.clock import now
from healthhub.convert.addresses import Addresses, Known, leaves, references, sought
from healthhub.convert.conditions import refused, unchecked, yields
from healthhub.convert.explained import Explained
from healthhub.convert.own_codes import OwnCodes, unmapped
from healthhub.errors import Unprocessable
from healthhub.mapping.definition import Taken
from healthhub.mapping.run import MOST_AHEAD, Context
from healthhub.mapping.taking import ITSELF, REFERRER
from healthhub.model import marks, profiles
from healthhub.model.code_maps import Sighting
from healthhub.model.finding import Finding, Severity
from healthhub.model.ids import SHARED
from healthhub.model.r4 import shape
from healthhub.model.resource import Body, Draft, Merge, Stamp

_ENVELOPES = frozenset(("MessageHeader", "OperationOutcome"))
"""What belongs to the way of a message and states nothing of a patient."""
_HUB = "https://healthhub.dev/fhir/StructureDefinition/"
FIRST_YEAR = 2
"""0001-01-01 stands for none, and in China is a year before the first of UTC."""
_KEPT = ("", "PUT", "POST")


@dataclass
class Taking:
    """The resources of one message on their way to drafts; shaped as mapping.run.Run."""

    context: Context
    record: Record
    message: int
    received: datetime
    take: dict[str, Taken]
    known: profiles.Known
    own_codes: OwnCodes
    drafts: list[Draft] = field(default_factory=list[Draft])
    merges: list[Merge] = field(default_factory=list[Merge])
    findings: list[Finding] = field(default_factory=list[Finding])
    sightings: dict[tuple[str, str], Sighting] = field(
        default_factory=dict[tuple[str, str], Sighting]
    )
    origins: dict[int, Given] = field(default_factory=dict[int, Given])
    """Where each draft (by its ``id()``) stands in the message."""
    referrers: dict[str, set[UUID]] = field(default_factory=dict[str, set[UUID]])
    """The patients of the resources that refer to a Binary."""

    def run(self) -> Taking:
        """Take all of them."""
        addresses = Addresses(self.context.namespace, self.record.given)
        for given in sorted(self.record.given, key=self._awaits):
            if given.place in addresses.doubled:
                self._find(
                    "error",
                    "conflict",
                    given,
                    "two addresses in the message have one type and id; send the resources of "
                    "each server as a source of its own",
                )
            elif given.method == "DELETE":
                self._withdraw(given, addresses)
            elif given.method not in _KEPT or not given.resource:
                self._find("warning", "not-applied", given, _not_done(given.method))
            else:
                self._take(given, addresses)
        if not self.drafts and not self.findings:
            whole = Given({}, "Bundle", (0, 0))
            self._find("warning", "nothing", whole, "the message holds no resource to store")
        return self

    def _awaits(self, given: Given) -> bool:
        """Whether its owner is that of another, which is then taken first."""
        taken = self.take.get(str(given.resource.get("resourceType")))
        return taken is not None and REFERRER in taken.owner

    def _take(self, given: Given, addresses: Addresses) -> None:
        kind = str(given.resource.get("resourceType"))
        if kind in _ENVELOPES:
            return
        try:
            shape.check(given.resource)
        except Unprocessable as error:
            detail = f"{error.expression}: {error.message}; let its sender correct it"
            self._find("error", "invalid", given, detail)
            return
        taken = self.take.get(kind)
        if taken is None:
            detail = f"{kind} is not among the types that the mapping takes (take); left out"
            self._find("warning", "not-applied", given, detail)
            return
        if refusal := refused(given, addresses):
            self._find("error", refusal[0], given, refusal[1])
            return
        known = addresses.of_given(given)
        patient = known and self._owner(taken, given, known, addresses)
        if known is None or patient is None:
            return
        body = self._body(addresses.rewritten(given.resource), known, given)
        for path, value in leaves(body):
            if str(value).startswith("Binary/") and path.endswith(("url", "reference")):
                self.referrers.setdefault(value, set()).add(patient)
        self._map(body, taken, given)
        stamp = Stamp(0 if yields(given) else 1, self._at(given), self.message)
        self._add(Draft(known[0], known[1], patient, stamp, body, tuple(_left(body))), given)
        self._tell_unchecked(given)
        if known[0] == "Patient":
            self._join(given.resource, known, stamp, addresses)

    def _map(self, body: Body, taken: Taken, given: Given) -> None:
        for place, sighting in self.own_codes.mapped(body, taken.codes):
            self.sightings.setdefault((sighting.table, sighting.code), sighting)
            if not sighting.version:
                self.findings.append(unmapped(sighting, f"{given.place}.{place}"))

    def _join(self, told: Body, known: Known, stamp: Stamp, addresses: Addresses) -> None:
        """Two Patients of the partner are one: what another replaces, it must no longer use."""
        for link in told.get("link", ()):
            other = addresses.meant(link.get("other", {}).get("reference", ""))
            if other is None or other[0] != "Patient" or other == known:
                continue
            if link.get("type") == "replaced-by":
                self.merges.append(Merge(other[1], known[1], stamp))
            elif link.get("type") == "replaces":
                self.merges.append(Merge(known[1], other[1], stamp))

    def _owner(
        self, taken: Taken, given: Given, known: Known, addresses: Addresses
    ) -> UUID | None:
        """The patient that a resource is of; told where it must have one and names none."""
        if not taken.owner:
            return SHARED
        if ITSELF in taken.owner:
            return known[1]
        for path in taken.owner:
            for reference in references(given.resource, path.split(".")):
                meant = addresses.meant(reference)
                if meant is not None and meant[0] == "Patient":
                    return meant[1]
        referrers = self.referrers.get(f"{known[0]}/{known[1]}", set[UUID]()) - {SHARED}
        if REFERRER in taken.owner and len(referrers) == 1:
            return referrers.pop()
        if taken.optional:
            return SHARED
        names = ", ".join(taken.owner)
        detail = f"no reference to a Patient of the sender in {names}, so it belongs to nobody"
        self._find("error", "no-patient", given, detail)
        return None

    def _body(self, told: Body, known: Known, given: Given) -> Body:
        """The resource under the hub's id, with the partner's own as identifier."""
        meta = {n: v for n, v in told.get("meta", {}).items() if n not in _VERSION}
        if "tag" in meta:  # the hub's own marks (a golden Patient) are nobody else's to set
            meta["tag"] = [tag for tag in meta["tag"] if not marks.is_tag(tag)]
            if not meta["tag"]:
                del meta["tag"]
        body = {**told, "id": str(known[1]), "meta": {**meta, "source": self._source}}
        own = given.resource.get("id") or sought(given) or given.address
        own_id = {
            "system": f"urn:healthhub:id:{self.context.namespace}:fhir-{known[0]}",
            "value": own,
        }
        element = shape.element(known[0], "identifier")
        if element is not None and element[1]:
            body["identifier"] = [*body.get("identifier", ()), own_id]
        elif element is not None:
            body.setdefault("identifier", own_id)
        return body

    @property
    def _source(self) -> str:
        return f"urn:healthhub:source:{self.context.source}#{self.message}"

    def _withdraw(self, given: Given, addresses: Addresses) -> None:
        known = addresses.requested(given.url)
        taken = self.take.get(known[0]) if known else None
        if known is None or taken is None or not taken.withdrawn:
            self._find("warning", "not-applied", given, _not_done("DELETE"))
            return
        head = {"resourceType": known[0], "id": str(known[1]), "meta": {"source": self._source}}
        said = {name: value for name, value in taken.withdrawn.items() if value is not None}
        gone = tuple(name for name, value in taken.withdrawn.items() if value is None)
        own = given.url.partition("/_history")[0].rpartition("/")[2]
        stub = {**self._body({**head, **taken.unknown}, known, given._replace(address=own))}
        at = self._at(given)
        patient = known[1] if ITSELF in taken.owner else SHARED
        self._add(Draft(*known, patient, Stamp(0, at, self.message), stub), given)
        stamp = Stamp(1, at, self.message)
        self._add(Draft(*known, patient, stamp, {**head, **said}, gone), given)
        self._tell_unchecked(given)

    def _at(self, given: Given) -> datetime:
        """When the partner last changed it; the time of receipt if that is not said, or no use."""
        meta = given.resource.get("meta")
        text = cast(Body, meta).get("lastUpdated") if isinstance(meta, dict) else None
        text = text or given.at
        if not text:
            return self.received
        try:
            at = datetime.fromisoformat(str(text))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or at.year < FIRST_YEAR:
            detail = "meta.lastUpdated is no time; the time of receipt counts"
        elif at > now() + MOST_AHEAD:
            detail = "meta.lastUpdated lies ahead; the time of receipt counts"
        else:
            return at
        self._find("warning", "bad-time", given, detail)
        return self.received

    def judge(self, draft: Draft) -> None:
        """What the hub's own profile would have of a valid draft; told, and never in the way."""
        given, body = self.origins[id(draft)], draft.body
        if given.method == "DELETE":
            return
        for category, name in self.take[draft.type].profile.items():
            if category and category not in _categories(body):
                continue
            definition = self.known.profile(_HUB + name)
            if definition is None:
                continue
            for issue in profiles.check(body, definition, self.known):
                if issue.severity == "error":
                    below = issue.place.partition(".")[2]
                    place = f"{given.place}.{below}" if below else given.place
                    detail = f"{name} ({issue.code}): {issue.text}"
                    self.findings.append(Finding("warning", "profile", place, detail))

    def _add(self, draft: Draft, given: Given) -> None:
        self.drafts.append(draft)
        self.origins[id(draft)] = given

    def _find(self, severity: Severity, code: str, given: Given, detail: str) -> None:
        self.findings.append(Finding(severity, code, given.place, detail))

    def _tell_unchecked(self, given: Given) -> None:
        if detail := unchecked(given):
            self._find("warning", "not-applied", given, detail)

    def place(self, draft: Draft) -> str:
        """Where a draft stands in the message."""
        return self.origins[id(draft)].place

    def explained(self) -> Iterator[Explained]:
        """Each element of each draft, with the bytes of its resource."""
        for draft in self.drafts:
            given = self.origins[id(draft)]
            rule = str(self.take[draft.type].where)
            for path, value in leaves(draft.body):
                if path not in ("resourceType", "id", "meta.source"):
                    yield Explained(
                        f"{draft.type}/{draft.id}",
                        path,
                        value,
                        rule,
                        (given.place,),
                        (given.span,),
                    )


_VERSION = ("versionId", "lastUpdated", "source")
_PERIOD = ("start", "end")


def _left(body: Body) -> Iterator[str]:
    """The elements that a resource could have and has not."""
    for name in shape.elements(body["resourceType"]):
        if name not in body and name not in ("id", "meta", "resourceType"):
            yield name
    yield from (f"meta.{n}" for n in ("profile", "security", "tag") if n not in body["meta"])
    if isinstance(body.get("period"), dict):
        yield from (f"period.{n}" for n in _PERIOD if n not in body["period"])


def _not_done(method: str) -> str:
    if method == "DELETE":
        return "only what has a type and an id, and can be marked as withdrawn, can be deleted"
    return f"{method or 'an entry without a resource'} states no resource; send it whole by PUT"


def _categories(body: Body) -> set[str]:
    """The codes of a resource's categories."""
    concepts = body.get("category") or ()
    return {c["code"] for one in concepts for c in one.get("coding", ()) if "code" in c}
