"""A SearchParameter that an administrator adds is searched by after a reindex, and not before."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from healthhub.errors import UnknownParameter
from healthhub.store import direct, own_parameters, reindex, search
from healthhub.store.database import connect

BLOOD = {
    "resourceType": "SearchParameter",
    "id": "blood",
    "url": "http://hub.test/SearchParameter/blood",
    "name": "blood",
    "status": "active",
    "description": "The blood group",
    "code": "blood",
    "base": ["Patient"],
    "type": "token",
    "expression": "Patient.extension('urn:blood').value.ofType(CodeableConcept)",
}


def patient(number: int, group: str) -> dict:
    value = {"coding": [{"system": "urn:groups", "code": group}]}
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "extension": [{"url": "urn:blood", "valueCodeableConcept": value}],
    }


@pytest.fixture
def hub(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """A store with two patients of before the parameter; changes are seen at once."""
    monkeypatch.setattr(own_parameters, "SECONDS", 0.0)
    monkeypatch.setattr(own_parameters, "SETTLED_SECONDS", 0.0)
    # A parameter counts as indexed by a run that began ten seconds after it was defined.
    ready = own_parameters._READ.replace("secs => 10", "secs => 0")
    monkeypatch.setattr(own_parameters, "_READ", ready)
    with connect(database) as writer:
        for number, group in enumerate(("A", "B")):
            direct.update(writer, "Patient", f"p{number}", patient(number, group))
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
    own_parameters._installed[:] = ["", ""]
    own_parameters._take([], [])


def found(connection: psycopg.Connection, name: str, value: str) -> set[str]:
    page = search.run(connection, "Patient", [(name, value)])
    return {match.json.split(b'"id":"')[1][:2].decode() for match in page.matches}


def define(connection: psycopg.Connection, **changed: object) -> None:
    with connection.transaction():
        direct.update(connection, "SearchParameter", "blood", BLOOD | changed)


def test_it_is_searched_by_once_all_rows_are_indexed(hub: psycopg.Connection) -> None:
    with pytest.raises(UnknownParameter, match="no search parameter"):
        found(hub, "blood", "A")
    define(hub)
    with pytest.raises(UnknownParameter, match="reindex"):
        found(hub, "blood", "A")
    with hub.transaction():
        direct.update(hub, "Patient", "p2", patient(2, "A"))
        direct.update(hub, "Patient", "p3", {"resourceType": "Patient", "id": "p3"})
    assert reindex.reindex(hub, lambda _: None).righted == 2
    assert found(hub, "blood", "A") == {"p0", "p2"}
    assert found(hub, "blood", "urn:groups|B") == {"p1"}
    assert found(hub, "blood:missing", "true") == {"p3"}
    assert found(hub, "blood:missing", "false") == {"p0", "p1", "p2"}
    assert list(reindex.verify(hub, lambda _: None)) == []


def test_one_that_is_retired_is_known_no_more(hub: psycopg.Connection) -> None:
    define(hub)
    reindex.reindex(hub, lambda _: None)
    assert found(hub, "blood", "B") == {"p1"}
    define(hub, status="retired")
    with pytest.raises(UnknownParameter, match="no search parameter"):
        found(hub, "blood", "B")


@pytest.mark.parametrize(
    "changed",
    [
        {"expression": "Patient.name.first()"},
        {"expression": "Patient.nose"},
        {"expression": ""},
        {"type": "composite"},
        {"type": "special"},
        {"base": ["Resource"]},
    ],
)
def test_what_is_not_understood_is_never_searched_by(
    hub: psycopg.Connection, changed: dict[str, object]
) -> None:
    define(hub, **changed)
    reindex.reindex(hub, lambda _: None)
    with pytest.raises(UnknownParameter):
        found(hub, "blood", "A")


def test_r4s_own_parameters_are_never_replaced(hub: psycopg.Connection) -> None:
    define(hub, code="gender", expression="Patient.language", type="token")
    reindex.reindex(hub, lambda _: None)
    with hub.transaction():
        body = {"resourceType": "Patient", "id": "p9", "gender": "male", "language": "zh"}
        direct.update(hub, "Patient", "p9", body)
    assert found(hub, "gender", "male") == {"p9"}
    assert found(hub, "gender", "zh") == set()
