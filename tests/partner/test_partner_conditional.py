"""A partner's conditional creates and updates: one resource however often it comes, or refused;
conditions that the hub cannot check are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from partner import BASE, bundle, convert, dump, hub_id, observation, patient
from posted import Posted

from healthhub import keep
from healthhub.adapter_api import BadMessage
from healthhub.model.message import State
from healthhub.store import search as searches

CARD = {"system": "https://partner.example/card", "value": "C-7"}
SEARCH = "identifier=https://partner.example/card|C-7"
URL = f"Patient?{SEARCH}"
URN = "urn:uuid:00000000-0000-0000-0000-000000000009"
OLD, NEW = (f"2026-03-0{day}T08:00:00+08:00" for day in (1, 2))
FEED = Posted("partner", "fhir", "national/fhir")


def created(search: str, urn: str = "1", **said: Any) -> bytes:
    """A transaction that makes a patient unless there is one, and a result of it."""
    address = f"urn:uuid:00000000-0000-0000-0000-00000000000{urn}"
    who = {k: v for k, v in patient(identifier=[CARD], **said).items() if k != "id"}
    what = {k: v for k, v in observation().items() if k != "id"}
    what["subject"] = {"reference": address}
    entries = [
        {
            "fullUrl": address,
            "resource": who,
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": search},
        },
        {
            "fullUrl": f"{address}0",
            "resource": what,
            "request": {"method": "POST", "url": "Observation"},
        },
    ]
    return dump({"resourceType": "Bundle", "type": "transaction", "entry": entries})


@pytest.mark.parametrize(
    "search",
    [
        SEARCH,
        f"?{SEARCH}",
        f"Patient?{SEARCH}",
        "identifier=https%3A%2F%2Fpartner.example%2Fcard%7CC-7",
    ],
)
def test_what_is_sought_by_one_identifier_is_one_whatever_address_it_has(search: str) -> None:
    (first, result), (again, _) = (convert(created(search, urn)).drafts for urn in ("1", "2"))
    assert first.id == again.id
    assert first.body["identifier"] == again.body["identifier"]
    assert result.body["subject"] == {"reference": f"Patient/{first.id}"}
    assert result.patient == first.id


def test_what_is_made_only_if_there_is_none_yields_to_what_is_said_otherwise() -> None:
    who, result = convert(created(SEARCH)).drafts
    assert (who.stamp.authority, result.stamp.authority) == (0, 1)


def test_two_entries_that_seek_the_same_make_one() -> None:
    one, two = (created(SEARCH, urn) for urn in ("1", "2"))
    found = convert(joined(one, two))
    assert not [f for f in found.findings if f.severity == "error"]
    assert len({draft.id for draft in found.drafts if draft.type == "Patient"}) == 1


@pytest.mark.parametrize(
    "search", ["name=x", f"{SEARCH}&name=x", "identifier=C-7", "identifier="]
)
def test_another_search_is_refused_and_says_so(search: str) -> None:
    found = convert(created(search))
    told = [(f.severity, f.code, f.where) for f in found.findings if f.severity == "error"]
    assert ("error", "no-key", "Bundle.entry[0].resource") in told
    assert any("ifNoneExist" in f.detail for f in found.findings)


def test_an_id_of_its_own_is_what_it_is_known_by() -> None:
    whole = created("name=x").replace(b'"gender"', b'"id": "123", "gender"')
    found = convert(whole)
    assert found.drafts[0].id == convert(bundle(patient())).drafts[0].id


def nameless(**said: Any) -> dict[str, Any]:
    """A patient with a card and without an id."""
    return {k: v for k, v in patient(identifier=[CARD], **said).items() if k != "id"}


def put(who: dict[str, Any], url: str = URL, *more: Any, urn: str = URN, **asked: Any) -> bytes:
    """A transaction that puts a resource under a search, and further resources."""
    request = {"method": "PUT", "url": url, **asked}
    entries = [{"fullUrl": urn, "resource": who, "request": request}]
    entries += [{"resource": one} for one in more]
    return dump({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def joined(*raws: bytes) -> bytes:
    """The entries of some Bundles in a batch."""
    entries = [entry for raw in raws for entry in json.loads(raw)["entry"]]
    return dump({"resourceType": "Bundle", "type": "batch", "entry": entries})


def faults(raw: bytes) -> list[tuple[str, str, str]]:
    """What is told of a message beside the hub's profile."""
    told = convert(raw).findings
    return [(f.severity, f.code, f.where) for f in told if f.code != "profile"]


def test_what_is_put_by_an_identifier_is_what_is_made_by_it() -> None:
    [updated] = convert(put(nameless())).drafts
    assert updated.id == convert(created(SEARCH)).drafts[0].id
    assert updated.stamp.authority == 1
    assert faults(put(nameless())) == []


@pytest.mark.parametrize("who", [URN, URL, f"{URL.replace('|', '%7C')}"])
def test_what_refers_to_it_in_the_message_is_of_it(who: str) -> None:
    found = convert(put(nameless(), URL, observation(subject={"reference": who})))
    updated, result = found.drafts
    assert result.patient == updated.id
    assert result.body["subject"] == {"reference": f"Patient/{updated.id}"}


def test_with_an_id_of_its_own_it_is_put_there() -> None:
    whole = {**nameless(), "id": "123"}
    [updated] = convert(put(whole, urn=f"{BASE}Patient/123")).drafts
    assert str(updated.id) == hub_id("Patient", "123")


def test_two_entries_that_put_the_same_are_one() -> None:
    one, two = (put(nameless(), urn=f"{URN[:-1]}{n}") for n in "12")
    whole = joined(one, two)
    assert faults(whole) == []
    assert len({draft.id for draft in convert(whole).drafts}) == 1


def test_under_one_id_of_two_servers_they_are_a_conflict() -> None:
    one, two = (
        put({**nameless(), "id": "123"}, urn=f"https://{n}.example/Patient/123") for n in "ab"
    )
    assert [f for f in faults(joined(one, two)) if f[1] == "conflict"]


OTHER = {"system": CARD["system"], "value": "C-8"}
ROOM = "Bundle.entry[0].resource"


@pytest.mark.parametrize(
    ("url", "who", "code", "words"),
    [
        (URL, {"identifier": [OTHER]}, "conflict", "identifier"),
        (URL, {"identifier": [{"value": "C-7"}]}, "conflict", "identifier"),
        (URL, {"identifier": [OTHER], "id": "123"}, "conflict", "identifier"),
        (f"Observation?{SEARCH}", {}, "conflict", "type"),
        ("Patient?name=x", {}, "no-key", "identifier=SYSTEM|VALUE"),
        ("Patient?_id=9", {"id": "123"}, "no-key", "identifier=SYSTEM|VALUE"),
        (f"{URL}&name=x", {}, "no-key", "identifier=SYSTEM|VALUE"),
        (f"{URL},https://partner.example/card|C-8", {}, "conflict", "identifier"),
        ("Patient?", {}, "no-key", "identifier=SYSTEM|VALUE"),
        ("Patient/9", {"id": "123"}, "conflict", "not the same"),
    ],
)
def test_a_put_that_does_not_fit_is_refused_with_its_place_and_no_value(
    url: str, who: dict[str, Any], code: str, words: str
) -> None:
    found = convert(put({**nameless(), **who}, url))
    [told] = [f for f in found.findings if f.severity == "error"]
    assert (told.code, told.where) == (code, ROOM)
    assert words in told.detail
    assert "C-7" not in told.detail
    assert not found.drafts


@pytest.mark.parametrize("asked", [{"ifMatch": 'W/"3"'}, {"ifNoneMatch": 'W/"3"'}])
def test_a_condition_that_cannot_be_checked_is_told_and_the_resource_taken(
    asked: dict[str, str],
) -> None:
    raw = put(nameless(), **asked)
    assert faults(raw) == [("warning", "not-applied", ROOM)]
    assert next(iter(asked)) in convert(raw).findings[0].detail
    assert len(convert(raw).drafts) == 1


def test_a_deletion_with_a_condition_is_told_and_done() -> None:
    request = {"method": "DELETE", "url": "Observation/o1", "ifMatch": 'W/"3"'}
    raw = dump({"resourceType": "Bundle", "type": "batch", "entry": [{"request": request}]})
    assert faults(raw) == [("warning", "not-applied", "Bundle.entry[0]")]
    assert convert(raw).drafts


def test_what_is_put_only_if_there_is_none_yields_to_what_is_said_otherwise() -> None:
    for url, who in ((URL, nameless()), ("Patient/123", patient())):
        raw = put(who, url, ifNoneMatch="*")
        assert faults(raw) == []
        assert convert(raw).drafts[0].stamp.authority == 0


@pytest.mark.parametrize("name", ["ifMatch", "ifNoneMatch", "ifNoneExist"])
def test_a_condition_that_is_no_text_is_refused_by_byte(name: str) -> None:
    asked: dict[str, Any] = {name: 3}
    raw = put(nameless(), **asked)
    with pytest.raises(BadMessage, match=rf"entry\[0\]\.request\.{name}"):
        convert(raw)


@pytest.fixture
def partner(database: str) -> Iterator[httpx.Client]:
    with FEED.answering(database) as client:
        yield client


def versions(database: str, *asked: tuple[str, str]) -> list[tuple[int, str]]:
    """The version and sex of each Patient that a search finds."""
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.PARKED] == 0
        found = [json.loads(m.json) for m in searches.run(conn, "Patient", [*asked]).matches]
    return [(int(body["meta"]["versionId"]), body["gender"]) for body in found]


def test_the_same_again_changes_nothing_and_an_update_is_the_next_version(
    database: str, partner: httpx.Client
) -> None:
    asked = ("identifier", f"{CARD['system']}|{CARD['value']}")
    first = put(nameless(meta={"lastUpdated": OLD}))
    again = put(nameless(meta={"lastUpdated": OLD}), urn=f"{URN[:-1]}8")
    after = put(nameless(meta={"lastUpdated": NEW}) | {"gender": "male"})
    for raw, wanted in ((first, (1, "female")), (again, (1, "female")), (after, (2, "male"))):
        FEED.post(partner, raw).raise_for_status()
        FEED.worked(database)
        assert versions(database, asked) == [wanted]
