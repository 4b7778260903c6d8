"""The wire: bytes come back as sent, parts of resources, packed bodies, other origins, Binary."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import httpx
import pytest
from serving import answering

from healthhub.main import build_app
from healthhub.model.r4 import summary
from healthhub.settings import Settings, Web

SENT = (
    '{"resourceType":"Observation","id":"o","meta":{"tag":[{"code":"t"}]},'
    '"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">甲</div>"},'
    '"status":"final","code":{"text":"x"},"effectiveDateTime":"2026-01-02T03:04:05.100+00:00",'
    '"valueQuantity":{"value":1.50,"unit":"g"},"note":[{"text":"n"}],'
    '"_issued":{"extension":[{"url":"https://example.org/x","valueCode":"unknown"}]},'
    '"referenceRange":[{"low":{"value":0.0},"high":{"value":1E+2}}],'
    '"component":[{"code":{"text":"k"},"valueSampledData":{"origin":{"value":-0.00},"period":10,'
    '"dimensions":1,"data":"1 2"}}]}'
)
JSON = {"content-type": "application/fhir+json"}


@pytest.fixture(scope="module")
def stored(shared_hub: httpx.Client) -> httpx.Client:
    answer = shared_hub.put("/fhir/Observation/o", content=SENT, headers=JSON)
    assert answer.status_code == 201, answer.text
    return shared_hub


def test_what_was_sent_comes_back_to_the_byte_but_for_meta(stored: httpx.Client) -> None:
    got = stored.get("/fhir/Observation/o").text
    meta = got[got.index('"meta":') : got.index(',"text":')]
    assert got.replace(meta, '"meta":{"tag":[{"code":"t"}]}') == SENT


def test_a_head_of_each_read_is_its_get_without_a_body(stored: httpx.Client) -> None:
    for path in (
        "/Observation/o", "/Observation/o/_history/1", "/Observation/o/_history",
        "/Observation?code=x", "/_history", "/metadata",
    ):  # fmt: skip
        head, get = stored.head(f"/fhir{path}"), stored.get(f"/fhir{path}")
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("_summary=true", "meta status code effectiveDateTime _issued valueQuantity component"),
        ("_summary=text", "meta text status code"),
        ("_summary=data", "meta status code effectiveDateTime valueQuantity note _issued "
         "referenceRange component"),
        ("_summary=false", ""),
        ("_elements=note", "meta status code note"),
        ("_elements=note,value", "meta status code valueQuantity note"),
        ("_elements=Observation.note,Patient.name,colour", "meta status code note"),
    ],
)  # fmt: skip
def test_a_part_of_a_resource_is_marked_as_such(
    stored: httpx.Client, query: str, names: str
) -> None:
    answer = stored.get(f"/fhir/Observation/o?{query}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    tags = [tag["code"] for tag in body["meta"]["tag"]]
    if not names:
        assert tags == ["t"]
        assert "note" in body
        return
    assert tags == ["t", "SUBSETTED"]
    assert set(body) == {"resourceType", "id", *names.split()}
    assert '"value":1.50' in answer.text or "value" not in names


def test_a_summary_cuts_at_every_level() -> None:
    body = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"title": "t", "data": "QQ=="}, "format": {"code": "f"}}],
        "context": {"encounter": [{"reference": "Encounter/1"}]},
        "contained": [{"resourceType": "Patient"}],
    }
    cut = summary.summary(body)
    assert cut["content"] == [{"attachment": {"title": "t"}, "format": {"code": "f"}}]
    assert "contained" not in cut


def test_a_search_gives_parts_too(stored: httpx.Client) -> None:
    path = "/fhir/Observation?_id=o"
    whole = stored.get(f"{path}&_summary=false").json()["entry"][0]["resource"]
    part = stored.get(f"{path}&_elements=note").json()["entry"][0]["resource"]
    text = stored.post(
        "/fhir/Observation/_search", data={"_id": "o", "_summary": "text"}
    ).json()["entry"][0]["resource"]
    count = stored.get(f"{path}&_summary=count").json()
    assert "referenceRange" in whole
    assert set(part) == {"resourceType", "id", "meta", "status", "code", "note"}
    assert set(text) == {"resourceType", "id", "meta", "status", "code", "text"}
    assert (count["total"], "entry" in count) == (1, False)
    assert stored.get(f"{path}&_summary=all").status_code == 400


@pytest.mark.parametrize(
    "query", ["_summary=all", "_summary=count", "_elements=", "_summary=true&_elements=note"]
)
def test_a_part_that_is_none_is_refused(stored: httpx.Client, query: str) -> None:
    assert stored.get(f"/fhir/Observation/o?{query}").status_code == 400


def post(hub: httpx.Client, content: bytes, **headers: str) -> httpx.Response:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return hub.post("/fhir/Patient", content=content, headers=sent)


PATIENT = json.dumps({"resourceType": "Patient", "name": [{"text": "长" * 3000}]}).encode()


def test_bodies_travel_packed_in_both_directions(shared_hub: httpx.Client) -> None:
    answer = post(shared_hub, gzip.compress(PATIENT), content_encoding="gzip")
    assert answer.status_code == 201
    path = f"/fhir/Patient/{answer.json()['id']}"
    packed = shared_hub.get(path, headers={"accept-encoding": "gzip"})
    plain = shared_hub.get(path, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers.get("content-length", "0")) < len(plain.content) / 10
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert plain.headers.get("vary", "") in ("", "Accept-Encoding")


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (PATIENT, "gzip", 400),
        (gzip.compress(PATIENT)[:-9], "gzip", 400),
        (PATIENT, "br", 415),
        (PATIENT, "identity", 201),
    ],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(
    shared_hub: httpx.Client, content: bytes, encoding: str, status: int
) -> None:
    answer = post(shared_hub, content, content_encoding=encoding)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == ("Patient" if status == 201 else "OperationOutcome")


def test_a_bomb_is_refused_before_it_unfolds(database: str, token: str) -> None:
    """100 MB of blanks in 100 kB: unpacked only up to the limit."""
    bomb = gzip.compress(b" " * 100_000_000)
    app = build_app(Settings(web=Web(max_body_bytes=200_000)), database)
    with answering(app) as small:
        answer = post(small, bomb, content_encoding="gzip", authorization=f"Bearer {token}")
    assert answer.status_code == 413


def test_a_bundle_of_too_many_entries_is_refused(database: str, token: str) -> None:
    entry: dict[str, Any] = {"request": {"method": "GET", "url": "Patient/x"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry] * 4}
    app = build_app(Settings(web=Web(max_bundle_entries=3)), database)
    with answering(app) as small:
        headers = {"authorization": f"Bearer {token}"}
        assert small.post("/fhir", json=bundle, headers=headers).status_code == 413


def test_deep_nesting_is_refused(shared_hub: httpx.Client) -> None:
    for deep in (50, 200, 100_000):
        content = (
            b'{"resourceType":"Patient","extension":'
            + b'[{"url":"u","extension":' * deep
            + b"[]"
            + b"}]" * deep
            + b"}"
        )
        answer = post(shared_hub, content)
        assert answer.status_code in (400, 422), answer.text


ORIGIN = "https://app.example"


def test_other_origins_may_call_only_if_the_settings_name_them(
    database: str, token: str
) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization,if-match",
    }
    for origins, allowed in (((ORIGIN,), True), ((), False), (("https://b.example",), False)):
        app = build_app(Settings(web=Web(cors_origins=origins)), database)
        with answering(app) as client:
            before = client.options("/fhir/Patient/a", headers=asked)
            headers = {"authorization": f"Bearer {token}", "origin": ORIGIN}
            answer = client.get("/fhir/metadata", headers=headers)
            page = client.get("/signin", headers={"origin": ORIGIN})
        assert (before.headers.get("access-control-allow-origin") == ORIGIN) is allowed
        assert (answer.headers.get("access-control-allow-origin") == ORIGIN) is allowed
        assert "access-control-allow-credentials" not in answer.headers
        assert "access-control-allow-origin" not in page.headers


def test_a_binary_is_written_and_read_as_it_is_and_as_fhir(hub: httpx.Client) -> None:
    content = bytes(range(256)) * 5
    made = hub.post(
        "/fhir/Binary",
        content=content,
        headers={"content-type": "image/png", "x-security-context": "Patient/p"},
    )
    assert made.status_code == 201
    path = f"/fhir/Binary/{made.json()['id']}"
    raw = hub.get(path, headers={"accept": "image/*"})
    assert (raw.content, raw.headers["content-type"]) == (content, "image/png")
    assert raw.headers["content-disposition"] == "attachment"
    assert raw.headers["x-security-context"] == "Patient/p"
    assert raw.headers["etag"] == 'W/"1"'
    assert hub.get(f"{path}/_history/1", headers={"accept": "image/png"}).content == content
    for wanted in ({"accept": "application/fhir+json"}, {"accept": "application/json"}):
        body = hub.get(path, headers=wanted).json()
        assert base64.b64decode(body["data"]) == content
        assert body["securityContext"] == {"reference": "Patient/p"}
    assert hub.get(f"{path}?_format=json").json()["resourceType"] == "Binary"
    changed = hub.put(path, content=b"{}", headers={"content-type": "application/json"})
    assert changed.status_code == 200
    assert hub.get(path, headers={"accept": "*/*"}).content == b"{}"
    body = {"resourceType": "Binary", "contentType": "text/plain", "data": "5L2g"}
    assert hub.post("/fhir/Binary", json=body, headers=JSON).json()["data"] == "5L2g"
    assert hub.post("/fhir/Binary", content=b"").status_code == 400


def test_if_modified_since_counts_only_without_if_none_match(hub: httpx.Client) -> None:
    hub.put("/fhir/Patient/a", json={"resourceType": "Patient", "id": "a"})
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    for headers, status in (
        ({"if-modified-since": later}, 304),
        ({"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 200),
        ({"if-modified-since": "soon"}, 200),
        ({"if-none-match": 'W/"2"', "if-modified-since": later}, 200),
        ({"if-none-match": 'W/"3", W/"1"'}, 304),
        ({"if-none-match": "*"}, 304),
    ):
        assert hub.get("/fhir/Patient/a", headers=headers).status_code == status, headers
