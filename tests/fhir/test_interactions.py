"""Each interaction answers as FHIR R4's RESTful API says."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest
from asking import issues
from serving import answering

from healthhub.main import build_app
from healthhub.settings import Settings, Web
from healthhub.store import direct as store

PATIENT = {"resourceType": "Patient", "name": [{"text": "陈试验"}], "birthDate": "1980-02-29"}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "血糖"},
}


def made(hub: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Create a resource and give it back as stored."""
    answer = hub.post(f"/fhir/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def issue(answer: Any) -> dict[str, Any]:
    """The one issue of an OperationOutcome."""
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert answer.headers["content-type"].startswith("application/fhir+json")
    assert len(body["issue"]) == 1
    return body["issue"][0]


def test_create_answers_201_with_location_etag_and_the_resource(hub: httpx.Client) -> None:
    answer = hub.post("/fhir/Patient", json=PATIENT | {"id": "ignored"})
    body = answer.json()
    assert answer.status_code == 201
    assert body["id"] != "ignored"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["location"] == f"http://hub.test/fhir/Patient/{body['id']}/_history/1"
    assert answer.headers["content-type"].startswith("application/fhir+json")
    assert body["meta"]["versionId"] == "1"
    assert body["name"] == PATIENT["name"]


def test_read_gives_the_version_in_etag_and_last_modified(hub: httpx.Client) -> None:
    fhir_id = made(hub, PATIENT)["id"]
    answer = hub.get(f"/fhir/Patient/{fhir_id}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"].endswith("GMT")
    assert answer.json()["id"] == fhir_id


def test_head_is_read_without_a_body(hub: httpx.Client) -> None:
    fhir_id = made(hub, PATIENT)["id"]
    answer = hub.head(f"/fhir/Patient/{fhir_id}")
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')


def test_read_of_a_version_the_client_has_answers_304(hub: httpx.Client) -> None:
    fhir_id = made(hub, PATIENT)["id"]
    same = hub.get(f"/fhir/Patient/{fhir_id}", headers={"if-none-match": 'W/"1"'})
    other = hub.get(f"/fhir/Patient/{fhir_id}", headers={"if-none-match": 'W/"2"'})
    modified = hub.get(
        f"/fhir/Patient/{fhir_id}",
        headers={"if-modified-since": other.headers["last-modified"]},
    )
    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200
    assert modified.status_code == 304


def test_update_makes_a_new_version_and_an_equal_body_none(hub: httpx.Client) -> None:
    body = made(hub, PATIENT)
    path = f"/fhir/Patient/{body['id']}"
    changed = hub.put(path, json=body | {"gender": "female"})
    again = hub.put(path, json=changed.json())
    assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"2"')
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"')


def test_update_under_a_new_id_creates(hub: httpx.Client) -> None:
    body = PATIENT | {"id": "chosen.by-client"}
    answer = hub.put("/fhir/Patient/chosen.by-client", json=body)
    again = hub.put("/fhir/Patient/chosen.by-client", json=body)
    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"1"')
    assert again.status_code == 200
    assert hub.get("/fhir/Patient/chosen.by-client").json()["id"] == "chosen.by-client"
    found = hub.get("/fhir/Patient?birthdate=1980-02-29").json()["entry"][0]
    assert found["fullUrl"] == "http://hub.test/fhir/Patient/chosen.by-client"


def test_update_with_a_stale_if_match_answers_412(hub: httpx.Client) -> None:
    body = made(hub, PATIENT)
    path = f"/fhir/Patient/{body['id']}"
    first = hub.put(path, json=body | {"gender": "male"}, headers={"if-match": 'W/"1"'})
    second = hub.put(path, json=body | {"gender": "other"}, headers={"if-match": 'W/"1"'})
    assert first.status_code == 200
    assert second.status_code == 412
    assert issue(second)["code"] == "conflict"


def test_delete_answers_204_then_read_answers_410(hub: httpx.Client) -> None:
    path = f"/fhir/Patient/{made(hub, PATIENT)['id']}"
    assert hub.delete(path).status_code == 204
    gone = hub.get(path)
    assert gone.status_code == 410
    assert issue(gone)["code"] == "deleted"
    assert hub.delete(path).status_code == 204


def test_vread_and_history_keep_every_version_and_the_deletion(hub: httpx.Client) -> None:
    body = made(hub, PATIENT)
    path = f"/fhir/Patient/{body['id']}"
    hub.put(path, json=body | {"gender": "female"})
    hub.delete(path)
    assert "gender" not in hub.get(f"{path}/_history/1").json()
    assert hub.get(f"{path}/_history/2").json()["gender"] == "female"
    assert hub.get(f"{path}/_history/3").status_code == 410
    assert hub.get(f"{path}/_history/9").status_code == 404
    history = hub.get(f"{path}/_history").json()
    assert (history["type"], history["total"]) == ("history", 3)
    methods = [entry["request"]["method"] for entry in history["entry"]]
    assert methods == ["DELETE", "PUT", "POST"]
    assert [("resource" in entry) for entry in history["entry"]] == [False, True, True]
    assert len(hub.get(f"{path}/_history?_count=1").json()["entry"]) == 1


def test_prefer_chooses_what_a_write_returns(hub: httpx.Client) -> None:
    minimal = hub.post("/fhir/Patient", json=PATIENT, headers={"prefer": "return=minimal"})
    outcome = hub.post(
        "/fhir/Patient", json=PATIENT, headers={"prefer": "return=OperationOutcome"}
    )
    wrong = hub.post("/fhir/Patient", json=PATIENT, headers={"prefer": "return=all"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert "location" in minimal.headers
    assert issue(outcome)["severity"] == "information"
    assert wrong.status_code == 400


def test_decimals_offsets_and_unknown_precision_come_back_as_sent(hub: httpx.Client) -> None:
    sent = (
        '{"resourceType":"Observation","status":"final","code":{"text":"x"},'
        '"effectiveDateTime":"2026-01-02T03:04:05+00:00",'
        '"valueQuantity":{"value":5.60},"referenceRange":[{"high":{"value":1.0e2}}]}'
    )
    answer = hub.post(
        "/fhir/Observation", content=sent, headers={"content-type": "application/fhir+json"}
    )
    assert answer.status_code == 201, answer.text
    text = hub.get(f"/fhir/Observation/{answer.json()['id']}").text
    pretty = hub.get(f"/fhir/Observation/{answer.json()['id']}?_pretty=true").text
    assert '"value":5.60}' in text
    assert '"value":1.0e2}' in text
    assert "2026-01-02T03:04:05+00:00" in text
    assert '\n    "value": 5.60\n' in pretty


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "status", "code"),
    [
        ("GET", "/fhir/Hospital/1", {}, 404, "not-found"),
        ("GET", "/fhir/Patient/none", {}, 404, "not-found"),
        ("GET", "/fhir/Patient/not_an_id", {}, 400, "invalid"),
        ("GET", "/fhir/Patient/none?colour=red", {}, 400, "not-supported"),
        ("GET", "/fhir/Patient?colour=red", {}, 400, "not-supported"),
        ("GET", "/fhir/Patient?birthdate=soon", {}, 400, "invalid"),
        ("GET", "/fhir/Patient?_format=xml", {}, 406, "not-supported"),
        (
            "GET",
            "/fhir/Patient",
            {"headers": {"accept": "application/fhir+xml"}},
            406,
            "not-supported",
        ),
        ("PUT", "/fhir/Patient", {"json": PATIENT}, 405, "not-supported"),
        ("PATCH", "/fhir/Patient", {"json": {}}, 405, "not-supported"),
        ("DELETE", "/fhir/Patient", {}, 405, "not-supported"),
        ("PATCH", "/fhir/Patient/1", {"content": b"x"}, 415, "not-supported"),
        ("POST", "/fhir", {"json": {"resourceType": "Bundle"}}, 400, "invalid"),
        ("POST", "/fhir", {"json": PATIENT}, 400, "invalid"),
        ("GET", "/fhir/Patient/1/$nothing", {}, 404, "not-found"),
        ("GET", "/fhir/Patient/none/$everything", {}, 404, "not-found"),
        ("GET", "/fhir/Patient/none/$everything?start=x", {}, 400, "invalid"),
        (
            "POST",
            "/fhir/Patient",
            {"content": b"<Patient/>", "headers": {"content-type": "application/fhir+xml"}},
            415,
            "not-supported",
        ),
        (
            "POST",
            "/fhir/Patient",
            {"json": PATIENT | {"resourceType": "Group"}},
            400,
            "invalid",
        ),
        (
            "POST",
            "/fhir/Patient",
            {"json": PATIENT, "headers": {"if-none-exist": "_sort=x"}},
            400,
            "invalid",
        ),
        ("PUT", "/fhir/Patient/a", {"json": PATIENT | {"id": "b"}}, 400, "invalid"),
        (
            "PUT",
            "/fhir/Patient/a",
            {"json": PATIENT | {"id": "a"}, "headers": {"if-match": "x"}},
            400,
            "invalid",
        ),
    ],
)
def test_each_wrong_request_gets_its_status_and_an_outcome(
    shared_hub: httpx.Client,
    method: str,
    path: str,
    kwargs: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = shared_hub.request(method, path, **kwargs)
    assert answer.status_code == status, answer.text
    assert issue(answer)["code"] == code


def test_bad_json_is_reported_with_its_position(hub: httpx.Client) -> None:
    answer = hub.post(
        "/fhir/Patient",
        content=b'{"resourceType":"Patient",\n "active":tru}',
        headers={"content-type": "application/fhir+json"},
    )
    assert answer.status_code == 400
    assert "line 2, column 11" in issue(answer)["details"]["text"]


def test_an_invalid_resource_gets_422_with_the_expression(hub: httpx.Client) -> None:
    answer = hub.post("/fhir/Observation", json=OBSERVATION | {"status": "done"})
    assert answer.status_code == 422
    assert issue(answer)["expression"] == ["Observation.status"]


def test_a_body_over_the_limit_gets_413(database: str, token: str) -> None:
    app = build_app(Settings(web=Web(max_body_bytes=2000)), database)
    with answering(app) as small:
        answer = small.post(
            "/fhir/Patient",
            json=PATIENT | {"name": [{"text": "长" * 2000}]},
            headers={"authorization": f"Bearer {token}"},
        )
    assert answer.status_code == 413
    assert issue(answer)["code"] == "too-long"


GOLDEN = {"system": "https://healthhub.dev/fhir/record", "code": "golden"}
OWN = {"system": "https://example.org/tags", "code": "own"}
FROM_A = "urn:healthhub:source:his-a#1"
FORGED = {"source": FROM_A, "tag": [GOLDEN, OWN]}


def marks(body: dict[str, Any]) -> tuple[str | None, list[str] | None]:
    """A stored resource's source, and the codes of its tags."""
    tags = body["meta"].get("tag")
    return body["meta"].get("source"), tags and [tag["code"] for tag in tags]


def held(connection: psycopg.Connection, **meta: Any) -> str:
    """A Patient p as the hub itself stores one, with such a meta; its address."""
    store.update(connection, "Patient", "p", PATIENT | {"id": "p", "meta": meta})
    connection.commit()
    return "/fhir/Patient/p"


@pytest.mark.parametrize(
    ("meta", "kept"),
    [
        (FORGED, (None, ["own"])),
        ({"source": "urn:healthhub:person", "tag": [GOLDEN]}, (None, None)),
        ({"source": "urn:healthhub:"}, (None, None)),
        ({"source": FROM_A, "_source": {"extension": [{"url": "x", "valueCode": "y"}]}}, (None, None)),
        ({"tag": [{"code": "https://healthhub.dev/fhir/record|golden"}, OWN]}, (None, ["own"])),
        ({"source": "https://example.org/his", "tag": [OWN]}, ("https://example.org/his", ["own"])),
    ],
)  # fmt: skip
def test_what_only_the_hub_says_of_a_resource_is_left_out_of_a_client_s_write(
    hub: httpx.Client, meta: dict[str, Any], kept: Any
) -> None:
    assert marks(made(hub, PATIENT | {"meta": meta})) == kept
    body = PATIENT | {"id": "p", "meta": meta}
    assert marks(hub.put("/fhir/Patient/p", json=body).json()) == kept
    assert marks(hub.put("/fhir/Patient/p", json=body | {"gender": "male"}).json()) == kept
    assert marks(hub.get("/fhir/Patient/p").json()) == kept
    criteria = {"identifier": "urn:x|1"}
    assert (
        marks(hub.put("/fhir/Patient", params=criteria, json=PATIENT | {"meta": meta}).json())
        == kept
    )
    found = hub.get("/fhir/Patient?_tag=https://healthhub.dev/fhir/record|golden")
    assert "entry" not in found.json()


def test_a_client_that_sends_back_what_it_read_leaves_the_hub_s_marks_where_they_were(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    path = held(connection, source=FROM_A, tag=[GOLDEN])
    read = hub.get(path).json()
    assert marks(hub.put(path, json=read | {"gender": "male"}).json()) == (FROM_A, ["golden"])
    other = read | {"meta": read["meta"] | {"source": "urn:healthhub:source:his-b#1"}}
    assert marks(hub.put(path, json=other).json()) == (None, ["golden"])
    assert marks(hub.put(path, json=read).json()) == (None, ["golden"])


def test_marks_of_a_version_that_was_deleted_do_not_come_back(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    path = held(connection, source=FROM_A, tag=[GOLDEN])
    read = hub.get(path).json()
    hub.delete(path)
    assert marks(hub.put(path, json=read).json()) == (None, None)


def test_an_outcome_warns_of_what_was_left_out(hub: httpx.Client) -> None:
    headers = {"prefer": "return=OperationOutcome"}
    body = PATIENT | {"id": "p", "meta": FORGED}
    assert issues(hub.put("/fhir/Patient/p", json=body, headers=headers)) == [
        ("information", "informational", ""),
        ("warning", "business-rule", "Patient.meta.source"),
        ("warning", "business-rule", "Patient.meta.tag"),
    ]
    again = hub.put("/fhir/Patient/p", json=body, headers=headers)
    assert again.headers["etag"] == 'W/"1"'
    assert len(issues(again)) == 3
