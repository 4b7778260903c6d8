"""Whatever is sent, the answer is a success or says what is wrong with it: never a failure."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
            "resource": {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:x", "value": "1"}],
                "name": [{"text": "李试验"}],
            },
            "request": {
                "method": "POST",
                "url": "Patient",
                "ifNoneExist": "identifier=urn:x|1",
            },
        },
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "urn:y", "code": "c"}]},
                "subject": {"reference": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"},
                "performer": [{"reference": "Patient?identifier=urn:x|1"}],
                "valueQuantity": {"value": 1.5},
            },
            "request": {"method": "POST", "url": "Observation"},
        },
        {
            "resource": {"resourceType": "Patient", "id": "f", "active": True},
            "request": {"method": "PUT", "url": "Patient/f", "ifMatch": 'W/"1"'},
        },
        {
            "resource": {
                "resourceType": "Parameters",
                "parameter": [
                    {
                        "name": "operation",
                        "part": [
                            {"name": "type", "valueCode": "replace"},
                            {"name": "path", "valueString": "Patient.active"},
                            {"name": "value", "valueBoolean": False},
                        ],
                    }
                ],
            },
            "request": {"method": "PATCH", "url": "Patient/g"},
        },
        {"request": {"method": "DELETE", "url": "Patient/h"}},
        {"request": {"method": "GET", "url": "Patient?identifier=urn:x|1"}},
    ],
}


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    found = [path] if path else []
    for key, value in pairs:
        inner = (*path, key)
        found += places(value, inner) if isinstance(value, dict | list) else [inner]
    return found


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [
            "", "Patient", "Patient/", "/", "//", "Patient?", "Patient?identifier=", "?x=1", "..",
            "Patient/f/_history/99999999999", "Patient/f/_history/x", "Patient/$x", "\x00", "\u2028",
            "batch", "history", "urn:uuid:", "http://", "GET", "HEAD", "PUT", 'W/"x"', "W/", "*",
            "Patient.name.where(", "Patient.name[99999]", "Patient.value", "%", "\ud83d\ude00",
            "2026-02-30", "Patient?_count=1", "Patient?_sort=-x", "Patient?_has:x=1", "a" * 5000,
        ]
    ),
    st.lists(st.none() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=3), max_size=3),
)  # fmt: skip


def well_answered(answer: httpx.Response) -> None:
    assert answer.status_code < 500, f"{answer.status_code}: {answer.text[:500]}"
    if answer.status_code >= 400:
        body = answer.json()
        assert body["resourceType"] == "OperationOutcome"
        issue = body["issue"][0]
        assert issue["code"]
        assert len(issue["details"]["text"]) > 10


@LIMITED
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(places(BUNDLE)), ANYTHING, st.booleans()),
        min_size=1,
        max_size=3,
    )
)
def test_any_bundle_gets_an_answer(shared_hub: httpx.Client, changes: Any) -> None:
    bundle: Any = copy.deepcopy(BUNDLE)
    for path, value, remove in changes:
        holder: Any = bundle
        try:
            for step in path[:-1]:
                holder = holder[step]
            if remove:
                del holder[path[-1]]
            else:
                holder[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    headers = {"content-type": "application/fhir+json"}
    well_answered(shared_hub.post("/fhir", content=json.dumps(bundle), headers=headers))
    if isinstance(bundle, dict):
        bundle["type"] = "batch"
        answer = shared_hub.post("/fhir", content=json.dumps(bundle), headers=headers)
        well_answered(answer)
        for entry in answer.json().get("entry", []) if answer.status_code == 200 else []:
            assert entry["response"]["status"] < "5", entry


@LIMITED
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_get_an_answer(shared_hub: httpx.Client, content: bytes) -> None:
    for path, media in (
        ("/fhir", "application/fhir+json"),
        ("/fhir/Patient", "application/fhir+json"),
    ):
        well_answered(shared_hub.post(path, content=content, headers={"content-type": media}))
    patch = {"content-type": "application/json-patch+json"}
    well_answered(shared_hub.patch("/fhir/Patient/f", content=content, headers=patch))


@LIMITED
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
    steps=st.lists(
        st.sampled_from(["Patient", "f", "_history", "1", "x", "$everything", "_search", ""])
        | st.text(max_size=5),
        max_size=4,
    ),
    query=st.dictionaries(
        st.sampled_from(["_count", "_since", "_at", "_summary", "_elements", "_format", "_cursor",
                         "identifier", "_id", "birthdate", "name", "_include"]) | st.text(max_size=5),
        st.text(max_size=12) | st.sampled_from(["1", "true", "2026", "eq2026-01", "urn:x|1", "a,b"]),
        max_size=3,
    ),
    header=st.sampled_from(
        [("if-match", "x"), ("if-match", 'W/"1"'), ("if-none-match", "*"), ("prefer", "return=x"),
         ("if-none-exist", "x=y"), ("accept", "text/turtle"), ("accept", "*/*"), ("x", "y")]
    ),
)  # fmt: skip
def test_any_address_gets_an_answer(
    shared_hub: httpx.Client,
    method: str,
    steps: list[str],
    query: dict[str, str],
    header: tuple[str, str],
) -> None:
    path = "/".join(quote(step.encode("utf-8", "surrogatepass"), safe="$") for step in steps)
    text = "&".join(
        f"{quote(name.encode('utf-8', 'surrogatepass'))}={quote(value.encode('utf-8', 'surrogatepass'))}"
        for name, value in query.items()
    )
    answer = shared_hub.request(method, f"/fhir/{path}?{text}", headers=dict([header]))
    assert answer.status_code < 500, f"{method} {answer.request.url}: {answer.text[:300]}"
