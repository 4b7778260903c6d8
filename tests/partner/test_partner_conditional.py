"""A partner's conditional create (ifNoneExist): one resource however often it comes, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from partner import bundle, convert, dump, observation, patient

CARD = {"system": "https://partner.example/card", "value": "C-7"}
SEARCH = "identifier=https://partner.example/card|C-7"


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
    entries = b",".join(
        raw.partition(b'"entry": [')[2].rpartition(b"]")[0] for raw in (one, two)
    )
    found = convert(b'{"resourceType": "Bundle", "type": "batch", "entry": [' + entries + b"]}")
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
