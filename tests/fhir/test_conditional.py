"""Conditional interactions, by the tables of http://hl7.org/fhir/R4/http.html."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

BASE = "http://hub.test"
SYSTEM = "https://example.org/mrn"


def patient(value: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": value}],
        "name": [{"text": "王试验"}],
    } | more


def at(value: str) -> str:
    return f"/fhir/Patient?identifier={SYSTEM}|{value}"


def only(hub: httpx.Client, value: str) -> dict[str, Any]:
    entries = hub.get(at(value)).json().get("entry", [])
    assert len(entries) == 1
    return entries[0]["resource"]


def stored(hub: httpx.Client, value: str, times: int = 1) -> list[str]:
    """The ids of as many Patients with this identifier."""
    found = [hub.post("/fhir/Patient", json=patient(value)) for _ in range(times)]
    assert {answer.status_code for answer in found} == {201}
    return [answer.json()["id"] for answer in found]


@pytest.mark.parametrize(("there", "status"), [(0, 201), (1, 200), (2, 412)])
def test_conditional_create(shared_hub: httpx.Client, there: int, status: int) -> None:
    value = f"create-{there}"
    ids = stored(shared_hub, value, there) if there else []
    headers = {"if-none-exist": f"identifier={SYSTEM}|{value}"}
    answer = shared_hub.post("/fhir/Patient", json=patient(value), headers=headers)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["id"] == ids[0]
        assert answer.headers["location"] == f"{BASE}/fhir/Patient/{ids[0]}/_history/1"
    if status == 412:
        assert answer.json()["issue"][0]["code"] == "conflict"


@pytest.mark.parametrize(
    ("there", "own_id", "status"),
    [
        (0, None, 201),
        (0, "new-id", 201),
        (0, "taken", 409),
        (1, None, 200),
        (1, "same", 200),
        (1, "another", 400),
        (2, None, 412),
    ],
)
def test_conditional_update(
    shared_hub: httpx.Client, there: int, own_id: str | None, status: int
) -> None:
    value = f"update-{there}-{own_id}"
    ids = stored(shared_hub, value, there) if there else []
    body = patient(value, gender="female")
    if own_id is not None:
        body["id"] = {"same": ids[0] if ids else "", "taken": "taken-id"}.get(own_id, own_id)
    if own_id == "taken":
        shared_hub.put("/fhir/Patient/taken-id", json=patient("x", id="taken-id"))
    answer = shared_hub.put(at(value), json=body)
    assert answer.status_code == status, answer.text
    if status < 300:
        assert only(shared_hub, value)["gender"] == "female"
        assert answer.json()["id"] == (ids[0] if ids else body.get("id", answer.json()["id"]))


@pytest.mark.parametrize(("there", "status"), [(0, 404), (1, 200), (2, 412)])
def test_conditional_patch(shared_hub: httpx.Client, there: int, status: int) -> None:
    value = f"patch-{there}"
    if there:
        stored(shared_hub, value, there)
    answer = shared_hub.patch(
        at(value),
        json=[{"op": "add", "path": "/gender", "value": "male"}],
        headers={"content-type": "application/json-patch+json"},
    )
    assert answer.status_code == status, answer.text
    if status == 200:
        assert only(shared_hub, value)["gender"] == "male"


@pytest.mark.parametrize(("there", "status", "left"), [(0, 204, 0), (1, 204, 0), (2, 412, 2)])
def test_conditional_delete(
    shared_hub: httpx.Client, there: int, status: int, left: int
) -> None:
    value = f"delete-{there}"
    if there:
        stored(shared_hub, value, there)
    assert shared_hub.delete(at(value)).status_code == status
    assert len(shared_hub.get(at(value)).json().get("entry", [])) == left


def test_if_match_holds_for_what_the_condition_finds(hub: httpx.Client) -> None:
    stored(hub, "m")
    stale, good = {"if-match": 'W/"7"'}, {"if-match": 'W/"1"'}
    assert hub.put(at("m"), json=patient("m", active=True), headers=stale).status_code == 412
    assert hub.put(at("m"), json=patient("m", active=True), headers=good).status_code == 200
    assert hub.delete(at("m"), headers=good).status_code == 412
    assert hub.delete(at("m"), headers={"if-match": 'W/"2"'}).status_code == 204


def test_if_none_match_any_creates_and_never_replaces(hub: httpx.Client) -> None:
    headers = {"if-none-match": "*"}
    body = patient("n", id="n")
    assert hub.put("/fhir/Patient/n", json=body, headers=headers).status_code == 201
    assert hub.put("/fhir/Patient/n", json=body, headers=headers).status_code == 412


@pytest.mark.parametrize(
    "condition", ["", "?", "_count=1", "colour=red", "identifier=", "birthdate=soon"]
)
def test_a_condition_that_says_nothing_is_refused(
    shared_hub: httpx.Client, condition: str
) -> None:
    headers = {"if-none-exist": condition}
    answer = shared_hub.post("/fhir/Patient", json=patient("z"), headers=headers)
    assert answer.status_code == 400, answer.text


def test_a_golden_patient_is_no_second_match(hub: httpx.Client) -> None:
    """Two sources know a person, so that the hub has made a golden Patient of them."""
    number = {"system": "urn:oid:2.16.156.10011.1.3", "value": "11010519491231002X"}
    same = {"birthDate": "1949-12-31", "gender": "female"}
    for value in ("g1", "g2"):
        body = patient(value, **same)
        body["identifier"].append(number)
        assert hub.post("/fhir/Patient", json=body).status_code == 201
    assert len(hub.get(at("g1")).json()["entry"]) == 2
    headers = {"if-none-exist": f"identifier={SYSTEM}|g1"}
    assert hub.post("/fhir/Patient", json=patient("g1"), headers=headers).status_code == 200


def at_once(
    hub: httpx.Client, count: int, work: Callable[[httpx.Client, int], httpx.Response]
) -> Counter[int]:
    """The status of each of as many requests that begin together, each of its own client."""
    together = threading.Barrier(count)

    def one(number: int) -> int:
        with httpx.Client(base_url=hub.base_url, headers=hub.headers, timeout=60) as own:
            together.wait(30)
            return work(own, number).status_code

    with ThreadPoolExecutor(count) as threads:
        return Counter(threads.map(one, range(count)))


WRITERS = 50


def test_fifty_conditional_creators_make_one(hub: httpx.Client) -> None:
    """Their criteria differ in form, and mean the same."""
    forms = (f"identifier={SYSTEM}|one", f"active=true&identifier={SYSTEM}%7Cone")

    def create(own: httpx.Client, number: int) -> httpx.Response:
        return own.post(
            "/fhir/Patient",
            json=patient("one", active=True),
            headers={"if-none-exist": forms[number % 2]},
        )

    assert at_once(hub, WRITERS, create) == {201: 1, 200: WRITERS - 1}
    assert only(hub, "one")["meta"]["versionId"] == "1"


def test_fifty_conditional_updaters_of_something_new_make_one(hub: httpx.Client) -> None:
    def update(own: httpx.Client, number: int) -> httpx.Response:
        return own.put(at("two"), json=patient("two", birthDate=f"19{number + 10}-01-01"))

    assert at_once(hub, WRITERS, update) == {201: 1, 200: WRITERS - 1}
    assert only(hub, "two")["meta"]["versionId"] == str(WRITERS)


def test_fifty_updaters_with_if_match_lose_no_update(hub: httpx.Client) -> None:
    """All begin with the same version: one gets through, the others read again and repeat."""
    path = f"/fhir/Patient/{stored(hub, 'three')[0]}"
    first: list[int] = []
    in_turn = threading.Lock()

    def change(own: httpx.Client, number: int, etag: str) -> httpx.Response:
        body = own.get(path).json()
        body.setdefault("telecom", []).append({"value": str(number)})
        return own.put(path, json=body, headers={"if-match": etag})

    def update(own: httpx.Client, number: int) -> httpx.Response:
        answer = change(own, number, 'W/"1"')
        first.append(answer.status_code)
        if answer.status_code == 412:
            with in_turn:
                answer = change(own, number, own.head(path).headers["etag"])
        return answer

    assert at_once(hub, WRITERS, update) == {200: WRITERS}
    assert Counter(first) == {200: 1, 412: WRITERS - 1}
    body = hub.get(path).json()
    assert sorted(int(each["value"]) for each in body["telecom"]) == list(range(WRITERS))
    history = hub.get(f"{path}/_history").json()
    versions = [each["resource"]["meta"]["versionId"] for each in history["entry"]]
    assert versions == [str(number) for number in range(WRITERS + 1, 0, -1)]
