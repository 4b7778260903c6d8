"""Patches: JSON Patch by RFC 6902, FHIRPath Patch by http://hl7.org/fhir/R4/fhirpatch.html."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest

from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.model import validate
from healthhub.serve.fhir import fhirpath_patch, json_patch
from healthhub.store import direct as store
from healthhub.store import wire

BODY = (
    '{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},'
    '"valueQuantity":{"value":1.50,"unit":"g"},'
    '"note":[{"text":"a"},{"text":"b"},{"text":"c"}],'
    '"component":[{"code":{"text":"k"},"valueString":"s"},{"code":{"text":"l"}}]}'
)


def patched(made: Any) -> str:
    return wire.dumps(made(wire.loads(BODY))).decode()


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        ({"op": "add", "path": "/issued", "value": 1}, '"l"}}]}', '"l"}}],"issued":1}'),
        ({"op": "add", "path": "/note/0", "value": 1}, '"note":[', '"note":[1,'),
        ({"op": "add", "path": "/note/-", "value": 1}, '"c"}]', '"c"},1]'),
        ({"op": "replace", "path": "/status", "value": "x"}, '"final"', '"x"'),
        ({"op": "replace", "path": "/note/1/text", "value": "x"}, '"b"', '"x"'),
        ({"op": "remove", "path": "/note/2"}, ',{"text":"c"}]', "]"),
        ({"op": "copy", "from": "/note/2", "path": "/note/0"}, '"note":[', '"note":[{"text":"c"},'),
        ({"op": "move", "from": "/note/0", "path": "/note/2"}, '[{"text":"a"},{"text":"b"},{"text":"c"}]', '[{"text":"b"},{"text":"c"},{"text":"a"}]'),
        ({"op": "test", "path": "/valueQuantity/value", "value": Decimal("1.5")}, "", ""),
        ({"op": "test", "path": "/note/0", "value": {"text": "a"}}, "", ""),
    ],
)  # fmt: skip
def test_each_json_patch_operation_changes_its_place_alone(
    operation: dict[str, Any], old: str, new: str
) -> None:
    assert patched(json_patch.compiled([operation])) == BODY.replace(old, new, 1)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/note/3", "value": 1},
        {"op": "add", "path": "/note/4", "value": 1},
        {"op": "add", "path": "/note/01", "value": 1},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "add", "path": "/status/x", "value": 1},
        {"op": "test", "path": "/status", "value": "x"},
        {"op": "test", "path": "/component/0", "value": True},
        {"op": "move", "from": "/note", "path": "/note/0"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_fit_changes_nothing(operation: dict[str, Any]) -> None:
    body = wire.loads(BODY)
    made = json_patch.compiled([{"op": "remove", "path": "/status"}, operation])
    with pytest.raises(Unprocessable):
        made(body)
    assert wire.dumps(body).decode() == BODY


@pytest.mark.parametrize(
    "sent",
    [[], {}, [1], [{}], [{"op": "x"}], [{"op": "add", "path": "/a"}], [{"op": "add", "path": "a", "value": 1}],
     [{"op": "copy", "path": "/a"}], [{"op": "remove", "path": 1}]],
)  # fmt: skip
def test_what_is_no_json_patch_is_refused(sent: Any) -> None:
    with pytest.raises(InvalidRequest):
        json_patch.compiled(sent)


def parameters(**parts: Any) -> dict[str, Any]:
    """One operation; ``value`` is given as the parts that it has."""
    listed: list[dict[str, Any]] = []
    for name, value in parts.items():
        if name == "value":
            listed.append({"name": "value"} | value)
        elif isinstance(value, int):
            listed.append({"name": name, "valueInteger": value})
        else:
            listed.append(
                {"name": name, "valueCode" if name == "type" else "valueString": value}
            )
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": listed}],
    }


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        (parameters(type="add", path="Observation", name="issued", value={"valueInstant": "2026-01-01T00:00:00Z"}),
         '"l"}}]}', '"l"}}],"issued":"2026-01-01T00:00:00Z"}'),
        (parameters(type="add", path="Observation", name="note", value={"part": [{"name": "text", "valueMarkdown": "d"}]}),
         '"c"}]', '"c"},{"text":"d"}]'),
        (parameters(type="add", path="Observation.component[1]", name="value", value={"valueString": "v"}),
         '"l"}}]', '"l"},"valueString":"v"}]'),
        (parameters(type="insert", path="Observation.note", index=1, value={"valueAnnotation": {"text": "d"}}),
         '{"text":"b"}', '{"text":"d"},{"text":"b"}'),
        (parameters(type="delete", path="Observation.note.where(text = 'b')"), '{"text":"b"},', ""),
        (parameters(type="delete", path="Observation.note.where(text = 'z')"), "", ""),
        (parameters(type="delete", path="Observation.value"), '"valueQuantity":{"value":1.50,"unit":"g"},', ""),
        (parameters(type="delete", path="Observation.value.unit"), ',"unit":"g"', ""),
        (parameters(type="replace", path="Observation.status", value={"valueCode": "amended"}), "final", "amended"),
        (parameters(type="replace", path="Observation.value", value={"valueString": "s"}),
         '"valueQuantity":{"value":1.50,"unit":"g"}', '"valueString":"s"'),
        (parameters(type="replace", path="Observation.value.ofType(Quantity).unit", value={"valueString": "mg"}), '"g"', '"mg"'),
        (parameters(type="replace", path="Observation.note.last().text", value={"valueMarkdown": "z"}), '"c"', '"z"'),
        (parameters(type="replace", path="Observation.component.where(code.text='k' and value.exists()).value", value={"valueBoolean": True}),
         '"valueString":"s"', '"valueBoolean":true'),
        (parameters(type="replace", path="component.where(code.text != 'l' or (value.exists() and code.text='l')).code.text", value={"valueString": "m"}),
         '"k"', '"m"'),
        (parameters(type="move", path="Observation.note", source=0, destination=2),
         '[{"text":"a"},{"text":"b"},{"text":"c"}]', '[{"text":"b"},{"text":"c"},{"text":"a"}]'),
    ],
)  # fmt: skip
def test_each_fhirpath_patch_operation_changes_its_place_alone(
    operation: dict[str, Any], old: str, new: str
) -> None:
    made = patched(fhirpath_patch.compiled(operation))
    assert made == BODY.replace(old, new, 1)
    validate.check(wire.loads(made))


def test_deleting_the_last_of_a_list_leaves_no_empty_list() -> None:
    listed = [
        parameters(type="delete", path="Observation.component[0]")["parameter"][0],
        parameters(type="delete", path="Observation.component[0]")["parameter"][0],
    ]
    made = fhirpath_patch.compiled({"resourceType": "Parameters", "parameter": listed})
    assert "component" not in made(wire.loads(BODY))


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (parameters(type="add", path="Observation", name="status", value={"valueCode": "x"}), Unprocessable),
        (parameters(type="add", path="Observation", name="value", value={"valueString": "x"}), Unprocessable),
        (parameters(type="add", path="Observation", name="colour", value={"valueCode": "x"}), InvalidRequest),
        (parameters(type="add", path="Observation.note", name="text", value={"valueCode": "x"}), Unprocessable),
        (parameters(type="insert", path="Observation.note", index=9, value={"valueString": "x"}), Unprocessable),
        (parameters(type="insert", path="Observation.status", index=0, value={"valueString": "x"}), Unprocessable),
        (parameters(type="delete", path="Observation.note"), Unprocessable),
        (parameters(type="delete", path="Observation"), Unprocessable),
        (parameters(type="delete", path="Observation.colour"), InvalidRequest),
        (parameters(type="delete", path="Observation.note.text.upper()"), InvalidRequest),
        (parameters(type="delete", path="1 + 1"), InvalidRequest),
        (parameters(type="delete", path="Observation.note.where(text = )"), InvalidRequest),
        (parameters(type="delete", path="("), InvalidRequest),
        (parameters(type="replace", path="Observation.issued", value={"valueCode": "x"}), Unprocessable),
        (parameters(type="move", path="Observation.note", source=0, destination=3), Unprocessable),
        (parameters(type="burn", path="Observation.note"), InvalidRequest),
        (parameters(type="delete"), InvalidRequest),
        (parameters(path="Observation.note"), InvalidRequest),
        ({"resourceType": "Parameters"}, InvalidRequest),
        ({"resourceType": "Patient"}, InvalidRequest),
    ],
)  # fmt: skip
def test_a_fhirpath_patch_that_does_not_fit_is_refused(
    operation: dict[str, Any], error: type[Exception]
) -> None:
    body = wire.loads(BODY)
    with pytest.raises(error):
        fhirpath_patch.compiled(operation)(body)
    assert wire.dumps(body).decode() == BODY


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({}, '[{"op":"replace","path":"/status","value":"amended"}]', 200),
        ({"if-match": 'W/"1"'}, '[{"op":"replace","path":"/status","value":"amended"}]', 200),
        ({"if-match": 'W/"9"'}, '[{"op":"replace","path":"/status","value":"amended"}]', 412),
        ({}, '[{"op":"replace","path":"/status","value":"wrong"}]', 422),
        ({}, '[{"op":"replace","path":"/id","value":"other"}]', 400),
        ({}, '[{"op":"test","path":"/status","value":"other"}]', 422),
        ({}, '[{"op":"remove","path":"/code"}]', 422),
        ({}, "{", 400),
        ({"content-type": "application/merge-patch+json"}, "{}", 415),
        ({"content-type": "application/fhir+json"}, "[]", 400),
    ],
)
def test_patch_over_http(
    hub: httpx.Client, headers: dict[str, str], content: str, status: int
) -> None:
    hub.put(
        "/fhir/Observation/o",
        content=BODY,
        headers={"content-type": "application/fhir+json"},
    )
    sent = {"content-type": "application/json-patch+json"} | headers
    answer = hub.patch("/fhir/Observation/o", content=content, headers=sent)
    assert answer.status_code == status, answer.text
    after = hub.get("/fhir/Observation/o")
    assert after.headers["etag"] == ('W/"2"' if status == 200 else 'W/"1"')
    assert '"value":1.50' in after.text


def test_a_patch_of_what_is_not_there_and_of_what_was_deleted(hub: httpx.Client) -> None:
    headers = {"content-type": "application/json-patch+json"}
    content = '[{"op":"add","path":"/active","value":true}]'
    assert hub.patch("/fhir/Patient/p", content=content, headers=headers).status_code == 404
    hub.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
    hub.delete("/fhir/Patient/p")
    assert hub.patch("/fhir/Patient/p", content=content, headers=headers).status_code == 410


GOLDEN = {"system": "https://healthhub.dev/fhir/record", "code": "golden"}
META = {"source": "urn:healthhub:source:his-a#1", "tag": [GOLDEN]}


def test_a_patch_cannot_add_what_only_the_hub_says(hub: httpx.Client) -> None:
    hub.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
    json = [{"op": "add", "path": "/meta", "value": META}]
    fhirpath = parameters(
        type="add", path="Patient.meta", name="tag", value={"valueCoding": GOLDEN}
    )
    for kind, patch in (("json-patch", json), ("fhir", fhirpath)):
        headers = {"content-type": f"application/{kind}+json"}
        answer = hub.patch("/fhir/Patient/p", content=wire.dumps(patch), headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["meta"].keys() == {"versionId", "lastUpdated"}
    more = {
        "resourceType": "Parameters",
        "parameter": [{"name": "meta", "valueMeta": {"tag": [GOLDEN]}}],
    }
    assert "golden" not in hub.post("/fhir/Patient/p/$meta-add", json=more).text
    assert "golden" not in hub.get("/fhir/Patient/p/_history").text


def test_a_patch_leaves_what_the_hub_says_of_a_resource(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    store.update(
        connection, "Patient", "p", {"resourceType": "Patient", "id": "p", "meta": META}
    )
    connection.commit()
    headers = {"content-type": "application/json-patch+json"}
    content = '[{"op":"add","path":"/active","value":true}]'
    body = hub.patch("/fhir/Patient/p", content=content, headers=headers).json()
    assert body["active"] is True
    assert {name: body["meta"][name] for name in META} == META
