"""Batches and transactions, by http://hl7.org/fhir/R4/http.html#transaction."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

SYSTEM = "https://example.org/mrn"
MOTHER = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
OTHER = "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"


def patient(value: str = "", **more: Any) -> dict[str, Any]:
    identified = {"identifier": [{"system": SYSTEM, "value": value}]} if value else {}
    return {"resourceType": "Patient", "name": [{"text": "李试验"}]} | identified | more


def observation(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "血糖"},
        "subject": {"reference": subject},
    } | more


def entry(
    method: str, url: str, resource: Any = None, full_url: str = "", **request: str
) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        made["resource"] = resource
    if full_url:
        made["fullUrl"] = full_url
    return made


def post(
    hub: httpx.Client, *entries: dict[str, Any], kind: str = "transaction", prefer: str = ""
) -> httpx.Response:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return hub.post("/fhir", json=bundle, headers={"prefer": prefer} if prefer else {})


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["response"]["status"][:3] for each in answer.json()["entry"]]


def count(hub: httpx.Client, type_: str) -> int:
    return hub.get(f"/fhir/{type_}?_total=accurate&_count=0").json()["total"]


def test_entries_refer_to_one_another_whatever_their_order(hub: httpx.Client) -> None:
    answer = post(
        hub,
        entry("POST", "Observation", observation(MOTHER)),
        entry("POST", "Patient", patient(), MOTHER),
    )
    assert statuses(answer) == ["201", "201"]
    body = answer.json()
    assert body["type"] == "transaction-response"
    location = body["entry"][1]["response"]["location"]
    name = location.removesuffix("/_history/1")
    assert body["entry"][1]["response"]["etag"] == 'W/"1"'
    found = hub.get(f"/fhir/Observation?subject={name}").json()["entry"]
    assert found[0]["resource"]["subject"]["reference"] == name


def test_links_are_replaced_where_the_specification_says_so(hub: httpx.Client) -> None:
    """References, uri elements and the narrative; strings and versioned references stay."""
    sent = patient(
        "a",
        link=[{"other": {"reference": OTHER}, "type": "seealso"}],
        extension=[{"url": "https://example.org/x", "valueUri": OTHER}],
        text={
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{OTHER}">x</a></div>',
        },
        managingOrganization={"reference": "Organization/o/_history/3"},
    )
    sent["identifier"].append({"system": "urn:ietf:rfc:3986", "value": OTHER})
    answer = post(
        hub,
        entry("POST", "Patient", sent),
        entry("POST", "Patient", patient(), OTHER),
        prefer="return=representation",
    )
    body = answer.json()["entry"][0]["resource"]
    other = f"Patient/{answer.json()['entry'][1]['resource']['id']}"
    assert body["link"][0]["other"]["reference"] == other
    assert body["extension"][0]["valueUri"] == other
    assert f'href="{other}"' in body["text"]["div"]
    assert body["managingOrganization"]["reference"] == "Organization/o/_history/3"
    assert body["identifier"][1]["value"] == OTHER


def test_a_relative_reference_means_the_entry_of_the_same_base(hub: httpx.Client) -> None:
    answer = post(
        hub,
        entry("POST", "Patient", patient(), "http://a.example/fhir/Patient/7"),
        entry(
            "POST",
            "Observation",
            observation("Patient/7"),
            "http://a.example/fhir/Observation/1",
        ),
        entry("POST", "Observation", observation("Patient/7"), OTHER),
        prefer="return=representation",
    )
    first, second, third = (each["resource"] for each in answer.json()["entry"])
    assert second["subject"]["reference"] == f"Patient/{first['id']}"
    assert third["subject"]["reference"] == "Patient/7"


def test_conditional_references_find_what_is_there_and_what_the_transaction_makes(
    hub: httpx.Client,
) -> None:
    known = hub.post("/fhir/Patient", json=patient("known")).json()["id"]
    answer = post(
        hub,
        entry("POST", "Observation", observation(f"Patient?identifier={SYSTEM}|known")),
        entry("POST", "Observation", observation(f"Patient?identifier={SYSTEM}|new")),
        entry("POST", "Patient", patient("new")),
        prefer="return=representation",
    )
    first, second, third = (each["resource"] for each in answer.json()["entry"])
    assert first["subject"]["reference"] == f"Patient/{known}"
    assert second["subject"]["reference"] == f"Patient/{third['id']}"


@pytest.mark.parametrize("there", [0, 2])
def test_a_conditional_reference_finds_exactly_one(hub: httpx.Client, there: int) -> None:
    for _ in range(there):
        hub.post("/fhir/Patient", json=patient("many"))
    reference = f"Patient?identifier={SYSTEM}|many"
    answer = post(
        hub,
        entry("POST", "Patient", patient()),
        entry("POST", "Observation", observation(reference)),
    )
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[1]")
    assert count(hub, "Patient") == there


def test_the_order_is_delete_post_put_get_whatever_the_order_sent(hub: httpx.Client) -> None:
    old = hub.post("/fhir/Patient", json=patient("same")).json()["id"]
    hub.put("/fhir/Patient/put", json=patient(id="put"))
    answer = post(
        hub,
        entry("GET", f"Patient?identifier={SYSTEM}|same"),
        entry("GET", "Patient/put"),
        entry("PUT", "Patient/put", patient(id="put", gender="male")),
        entry("POST", "Patient", patient("same"), ifNoneExist=f"identifier={SYSTEM}|same"),
        entry("DELETE", f"Patient/{old}"),
    )
    assert statuses(answer) == ["200", "200", "200", "201", "204"]
    search, read = (each["resource"] for each in answer.json()["entry"][:2])
    new = answer.json()["entry"][3]["response"]["location"].split("/")[1]
    assert [each["resource"]["id"] for each in search["entry"]] == [new]
    assert read["gender"] == "male"


def test_each_kind_of_entry_answers_with_its_status(hub: httpx.Client) -> None:
    hub.post("/fhir/Patient", json=patient("found"))
    hub.put("/fhir/Patient/p", json=patient("p", id="p"))
    hub.put("/fhir/Patient/q", json=patient("q", id="q"))
    change = {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": "type", "valueCode": "add"},
                    {"name": "path", "valueString": "Patient"},
                    {"name": "name", "valueString": "birthDate"},
                    {"name": "value", "valueDate": "1990-01-01"},
                ],
            }
        ],
    }
    answer = post(
        hub,
        entry(
            "POST",
            "Patient",
            patient("found"),
            MOTHER,
            ifNoneExist=f"identifier={SYSTEM}|found",
        ),
        entry("PUT", f"Patient?identifier={SYSTEM}|p", patient("p", active=True)),
        entry("PATCH", "Patient/q", change, ifMatch='W/"1"'),
        entry("DELETE", "Patient/never-there"),
        entry("DELETE", f"Patient?identifier={SYSTEM}|nobody"),
        entry("PUT", "Patient/fresh", patient(id="fresh"), ifNoneMatch="*"),
        entry("POST", "Observation", observation(MOTHER)),
        entry("HEAD", "Patient/q"),
        entry("GET", "Patient/q/_history/1"),
    )
    assert statuses(answer) == ["200", "200", "200", "204", "204", "201", "201", "200", "200"]
    assert hub.get("/fhir/Patient/q").json()["birthDate"] == "1990-01-01"
    assert "resource" not in answer.json()["entry"][7]
    assert "birthDate" not in answer.json()["entry"][8]["resource"]


PLAIN = entry("POST", "Patient", patient())


@pytest.mark.parametrize(
    ("wrong", "status", "expression"),
    [
        (entry("PUT", "Patient/p", patient(id="p"), ifMatch='W/"9"'), 412, ""),
        (entry("PATCH", "Patient/none", {"resourceType": "Parameters"}), 400, ".resource"),
        (entry("GET", "Patient/none"), 404, ""),
        (entry("GET", "Patient?colour=red"), 400, ".colour"),
        (entry("POST", "Patient", observation("x")), 400, ".resource.resourceType"),
        (entry("POST", "Observation", observation("x", status="y")), 422, ".resource.status"),
        (entry("POST", "Patient"), 400, ".resource.resourceType"),
        (entry("PUT", "Patient/a", patient(id="b")), 400, ".resource.id"),
        (entry("PUT", "Patient", patient(id="b")), 400, ".request.url"),
        (entry("POST", "Hospital", patient()), 404, ".request.url"),
        (entry("POST", "Patient/$match", patient()), 400, ".request.url"),
        (entry("OPTIONS", "Patient"), 400, ".request.method"),
        (entry("POST", ""), 400, ".request.url"),
        (
            entry("POST", "http://elsewhere.example/fhir/Patient", patient()),
            400,
            ".request.url",
        ),
        ({"resource": patient()}, 400, ".request"),
        (entry("POST", "Patient", patient(), ifNoneExist="_sort=x"), 400, "._sort"),
    ],
)
def test_one_wrong_entry_undoes_all_and_is_named(
    shared_hub: httpx.Client, wrong: dict[str, Any], status: int, expression: str
) -> None:
    before = count(shared_hub, "Patient")
    answer = post(shared_hub, PLAIN, wrong)
    assert answer.status_code == status, answer.text
    issue = answer.json()["issue"][0]
    assert issue["expression"][0].startswith(f"Bundle.entry[1]{expression}"), issue
    assert count(shared_hub, "Patient") == before


@pytest.mark.parametrize(
    "twice",
    [
        (entry("PUT", "Patient/p", patient(id="p")), entry("DELETE", "Patient/p")),
        (
            entry("PUT", "Patient/p", patient("i", id="p")),
            entry("PUT", f"Patient?identifier={SYSTEM}|i", patient("i")),
        ),
    ],
)
def test_one_resource_is_changed_once(hub: httpx.Client, twice: Any) -> None:
    hub.put("/fhir/Patient/p", json=patient("i", id="p"))
    answer = post(hub, *twice)
    assert answer.status_code == 400
    assert hub.get("/fhir/Patient/p").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize("first", ["POST", "PUT"])
def test_a_condition_sees_what_another_entry_creates(hub: httpx.Client, first: str) -> None:
    made = entry("POST", "Patient", patient("new"))
    changed = entry("PUT", f"Patient?identifier={SYSTEM}|new", patient("new"))
    both = [made, changed] if first == "POST" else [changed, made]
    answer = post(hub, *both)
    assert answer.status_code == 400, answer.text
    assert "another entry creates" in answer.text
    assert count(hub, "Patient") == 0
    other = entry("PUT", f"Patient?identifier={SYSTEM}|other", patient("other"))
    assert statuses(post(hub, made, other)) == ["201", "201"]
    again = entry("POST", "Patient", patient("third"))
    assert statuses(post(hub, again, changed, other)) == ["201", "200", "200"]
    assert post(hub, entry("POST", "Patient", patient("new")), changed).status_code == 412


def test_a_full_url_names_one_entry(hub: httpx.Client) -> None:
    twice = entry("POST", "Patient", patient(), MOTHER)
    answer = post(hub, twice, twice, entry("POST", "Observation", observation(MOTHER)))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].fullUrl"]


def test_a_thousand_conditions_fit_one_transaction(hub: httpx.Client) -> None:
    def conditional(number: int) -> dict[str, Any]:
        criteria = f"identifier={SYSTEM}|many-{number}"
        return entry("POST", "Patient", patient(f"many-{number}"), ifNoneExist=criteria)

    many = [conditional(number) for number in range(1000)]
    assert set(statuses(post(hub, *many))) == {"201"}
    assert set(statuses(post(hub, *many))) == {"200"}


def test_prefer_says_what_the_answer_holds(hub: httpx.Client) -> None:
    for prefer, held in (
        ("", set[str]()),
        ("return=minimal", set[str]()),
        ("return=representation", {"resource"}),
        ("return=OperationOutcome", {"outcome"}),
    ):
        made = post(hub, PLAIN, prefer=prefer).json()["entry"][0]
        assert ({"resource"} & made.keys()) | ({"outcome"} & made["response"].keys()) == held


def test_an_empty_bundle_is_well(hub: httpx.Client) -> None:
    for kind in ("batch", "transaction"):
        answer = post(hub, kind=kind)
        assert answer.status_code == 200
        assert answer.json() == {"resourceType": "Bundle", "type": f"{kind}-response"}


def test_a_batch_does_what_it_can_and_says_what_it_could_not(hub: httpx.Client) -> None:
    hub.put("/fhir/Patient/p", json=patient("p", id="p"))
    answer = post(
        hub,
        entry("GET", "Patient/p"),
        entry("GET", "Patient/none"),
        entry("POST", "Patient", patient("x"), ifNoneExist=f"identifier={SYSTEM}|p"),
        entry("PUT", "Patient/p", patient("p", id="p", active=True), ifMatch='W/"9"'),
        entry("POST", "Observation", observation("Patient/p", status="y")),
        entry("GET", "Patient/p/$everything"),
        entry("GET", "Patient?identifier=%7Cnobody"),
        entry("DELETE", "Patient/none"),
        entry("POST", "Hospital", {"resourceType": "Hospital"}),
        kind="batch",
        prefer="return=representation",
    )
    wanted = ["200", "404", "200", "412", "422", "200", "200", "204", "404"]
    assert statuses(answer) == wanted
    listed = answer.json()["entry"]
    assert listed[0]["resource"]["id"] == "p"
    assert listed[1]["response"]["outcome"]["issue"][0]["code"] == "not-found"
    assert listed[2]["response"]["location"] == "Patient/p/_history/1"
    assert listed[5]["resource"]["type"] == "searchset"


def test_a_bundle_gathers_so_many_bytes_of_reads_and_no_more(
    hub: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("/fhir/Patient/p", json=patient(id="p"))
    monkeypatch.setattr("healthhub.serve.fhir.batch.MOST_BYTES", 1000)
    monkeypatch.setattr("healthhub.serve.fhir.transaction.MOST_BYTES", 1000)
    reads = [entry("GET", "Patient/p") for _ in range(40)]
    answered = statuses(post(hub, *reads, kind="batch"))
    assert answered.count("200") >= 3
    assert answered[-1] == "403"
    answer = post(hub, *reads)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "too-costly")


def test_a_batch_patches_by_a_binary_that_holds_a_json_patch(hub: httpx.Client) -> None:
    hub.put("/fhir/Patient/p", json=patient(id="p"))
    content = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2dlbmRlciIsInZhbHVlIjoibWFsZSJ9XQ=="
    binary = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": content,
    }
    for kind in ("batch", "transaction"):
        answer = post(hub, entry("PATCH", "Patient/p", binary), kind=kind)
        assert statuses(answer) == ["200"]
    assert hub.get("/fhir/Patient/p").json()["gender"] == "male"


def test_transactions_over_the_same_resources_in_any_order_all_succeed(
    hub: httpx.Client,
) -> None:
    ids = [f"s{number}" for number in range(12)]
    writers, rounds = 8, 6
    failures: list[str] = []
    together = threading.Barrier(writers)

    def write(writer: int) -> None:
        dice = random.Random(writer)
        own = httpx.Client(base_url=hub.base_url, headers=hub.headers, timeout=60)
        together.wait(30)
        for turn in range(rounds):
            mixed = dice.sample(ids, len(ids))
            answer = post(
                own,
                *(
                    entry(
                        "PUT",
                        f"Patient/{each}",
                        patient(id=each, birthDate=f"19{writer + 10}-01-{turn + 10}"),
                    )
                    for each in mixed
                ),
            )
            if answer.status_code != 200:
                failures.append(answer.text)
        own.close()

    with ThreadPoolExecutor(writers) as threads:
        list(threads.map(write, range(writers)))
    assert failures == []
    dates = {hub.get(f"/fhir/Patient/{each}").json()["birthDate"] for each in ids}
    assert len(dates) == 1, "the last transaction wrote them all"
    for each in ids:
        history = hub.get(f"/fhir/Patient/{each}/_history").json()["entry"]
        versions = [entry["resource"]["meta"]["versionId"] for entry in history]
        assert versions == [str(number) for number in range(writers * rounds, 0, -1)]


def test_a_transaction_is_audited_with_all_its_patients(
    hub: httpx.Client, database: str
) -> None:
    import psycopg

    post(hub, entry("POST", "Patient", patient(), MOTHER), entry("GET", "Patient"), PLAIN)
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "select action, outcome, cardinality(patients), cardinality(ids) from audit_event"
            " where query like 'transaction%' order by action"
        ).fetchall()
    assert rows == [("read", "done", 2, 0), ("write", "done", 2, 2)]


def test_entries_cannot_say_what_only_the_hub_says_and_are_told_so(hub: httpx.Client) -> None:
    golden = {"system": "https://healthhub.dev/fhir/record", "code": "golden"}
    meta = {"source": "urn:healthhub:source:his-a#1", "tag": [golden]}
    answer = post(
        hub,
        entry("POST", "Patient", patient("a", meta=meta), MOTHER),
        entry("PUT", "Observation/o", observation(MOTHER, id="o", meta=meta)),
        entry("PUT", "Patient?identifier=x|1", patient("b", meta=meta)),
        entry("POST", "Observation", observation(f"Patient?identifier={SYSTEM}|a", meta=meta)),
        entry("POST", "Patient", patient("c")),
    )
    assert statuses(answer) == ["201"] * 5
    for each in answer.json()["entry"]:
        body = hub.get(f"/fhir/{each['response']['location']}").json()
        assert body["meta"].keys() == {"versionId", "lastUpdated"}
    *forged, honest = [each["response"].get("outcome") for each in answer.json()["entry"]]
    assert honest is None
    for outcome in forged:
        said = [(one["severity"], *one.get("expression", ())) for one in outcome["issue"][1:]]
        kind = said[0][1].partition(".")[0]
        assert said == [("warning", f"{kind}.meta.source"), ("warning", f"{kind}.meta.tag")]
