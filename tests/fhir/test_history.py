"""Histories of a resource, of a type and of all (http://hl7.org/fhir/R4/http.html#history)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

BEGAN = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def told(shared_hub: httpx.Client, shared_database: str) -> httpx.Client:
    """Nine versions, an hour apart: a (three, the last a deletion), b (two), c (four)."""
    sent = [
        ("Patient/a", "male"), ("Group/b", "1"), ("Patient/a", "female"), ("Patient/c", "male"),
        ("Patient/c", "female"), ("Group/b", "2"), ("Patient/a", ""), ("Patient/c", "other"),
        ("Patient/c", "unknown"),
    ]  # fmt: skip
    with psycopg.connect(shared_database, autocommit=True) as connection:
        for number, (name, value) in enumerate(sent):
            type_, fhir_id = name.split("/")
            body = {"resourceType": type_, "id": fhir_id}
            if type_ == "Group":
                body |= {"type": "person", "actual": True, "name": value}
            else:
                body |= {"gender": value}
            answer = (
                shared_hub.put(f"/fhir/{name}", json=body)
                if value
                else shared_hub.delete(f"/fhir/{name}")
            )
            assert answer.status_code < 300, answer.text
            connection.execute(
                "update resource set updated = %s where updated > '2026-06-01'",
                (BEGAN + timedelta(hours=number),),
            )
    return shared_hub


def listed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    found = []
    for entry in answer.json().get("entry", []):
        name = entry["fullUrl"].split("/fhir/")[1].split("/")[1]
        found.append(f"{name}{entry['response']['etag'][3:-1]}")
    return found


ALL = ["c4", "c3", "a3", "b2", "c2", "c1", "a2", "b1", "a1"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/_history", ALL),
        ("/Patient/_history", ["c4", "c3", "a3", "c2", "c1", "a2", "a1"]),
        ("/Group/_history", ["b2", "b1"]),
        ("/Condition/_history", []),
        ("/Patient/a/_history", ["a3", "a2", "a1"]),
        ("/_history?_since=2026-03-01T14:00:00Z", ["c4", "c3", "a3"]),
        ("/_history?_since=2026-03-01T22:00:00%2B08:00", ["c4", "c3", "a3"]),
        ("/Patient/c/_history?_since=2026-03-01T15:00:00Z", ["c4", "c3"]),
        ("/Patient/c/_history?_since=2027", []),
        ("/_history?_at=2026-03-01T12:00:00Z", ["c2", "a2", "b1"]),
        ("/_history?_at=2026-03-01T13:30:00Z", ["b2", "c2", "a2"]),
        ("/Patient/_history?_at=2026-03-01T14:30:00Z", ["a3", "c2"]),
        ("/Patient/a/_history?_at=2026-03-01T09:30:00Z", ["a1"]),
        ("/Patient/a/_history?_at=2026-03", ["a3", "a2", "a1"]),
        ("/Patient/a/_history?_at=2025", []),
    ],
)
def test_a_history_holds_the_versions_asked_for_newest_first(
    told: httpx.Client, path: str, wanted: list[str]
) -> None:
    assert listed(told.get(f"/fhir{path}")) == wanted


@pytest.mark.parametrize("path", ["/_history", "/Patient/_history", "/Patient/c/_history"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_pages_of_a_history_give_each_version_once(
    told: httpx.Client, path: str, count: int
) -> None:
    whole = listed(told.get(f"/fhir{path}"))
    pages: list[str] = []
    url = f"/fhir{path}?_count={count}"
    while url:
        answer = told.get(url)
        assert len(listed(answer)) <= count
        pages += listed(answer)
        links = {link["relation"]: link["url"] for link in answer.json()["link"]}
        url = links.get("next", "").removeprefix("http://hub.test")
    assert pages == whole


def test_versions_of_one_moment_are_paged_too(told: httpx.Client, hub: httpx.Client) -> None:
    entries = [
        {
            "request": {"method": "POST", "url": "Patient"},
            "resource": {"resourceType": "Patient"},
        }
    ] * 5
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert hub.post("/fhir", json=bundle).status_code == 200
    first = hub.get("/fhir/_history?_count=2").json()
    links = {link["relation"]: link["url"] for link in first["link"]}
    rest = hub.get(
        links["next"].removeprefix("http://hub.test").replace("_count=2", "_count=9")
    )
    ids = [each["resource"]["id"] for each in (*first["entry"], *rest.json()["entry"])]
    assert len(set(ids)) == 5


def test_entries_say_how_each_version_came_to_be(told: httpx.Client) -> None:
    entries = told.get("/fhir/Patient/a/_history").json()["entry"]
    assert [each["request"]["method"] for each in entries] == ["DELETE", "PUT", "PUT"]
    assert [each["response"]["status"] for each in entries] == ["204", "200", "201"]
    assert [("resource" in each) for each in entries] == [False, True, True]


@pytest.mark.parametrize(
    "query", ["_since=soon", "_at=soon", "_count=0", "_count=x", "_cursor=x", "colour=red"]
)
def test_what_a_history_cannot_answer_is_refused(told: httpx.Client, query: str) -> None:
    for path in ("/_history", "/Patient/_history", "/Patient/a/_history"):
        assert told.get(f"/fhir{path}?{query}").status_code == 400


def test_the_history_of_nothing_is_not_found(told: httpx.Client) -> None:
    assert told.get("/fhir/Patient/none/_history").status_code == 404
