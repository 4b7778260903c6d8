"""Subscriptions: every match is told, once entered, in order, to who may know, until it is taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from serving import answering, copied

from healthhub.access import Role, clients
from healthhub.main import build_app
from healthhub.pipeline import direct
from healthhub.pipeline.intent import Intent, Outcome
from healthhub.settings import Settings
from healthhub.store import changes
from healthhub.subscriptions import process
from tests.fhir.bulk import observation, patient, put, token
from tests.fhir.receiver import Receiver, numbers, receiving, resources, told

TOPICS = "https://healthhub.dev/fhir/SubscriptionTopic/"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
BASE = "http://hub.test"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "IDLE_SECONDS", 0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def settings_of(tmp_path: Path, *receivers: Receiver, **more: Any) -> Settings:
    usual = {
        "allow": [each.address for each in receivers],
        "longest_pause_seconds": 0.2,
        "timeout_seconds": 1,
        "attempts": 3,
    }
    return Settings.model_validate(
        {"data_dir": tmp_path, "web": {"base_url": BASE}, "subscriptions": usual | more}
    )


@contextmanager
def notifying(settings: Settings, database: str) -> Iterator[None]:
    """The process of subscriptions, in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(settings, database, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def settings(tmp_path: Path, receiver: Receiver) -> Settings:
    return settings_of(tmp_path, receiver)


@pytest.fixture
def idle(database: str, settings: Settings) -> Iterator[httpx.Client]:
    """A client of a hub whose process of subscriptions does not run."""
    with answering(build_app(settings, database)) as client:
        client.headers["authorization"] = f"Bearer {token(database)}"
        yield client


@pytest.fixture
def hub(database: str, settings: Settings, idle: httpx.Client) -> Iterator[httpx.Client]:
    """A client of a hub whose process of subscriptions runs."""
    with notifying(settings, database):
        yield idle


def plain(
    receiver: Receiver, criteria: str, payload: str | None = None, **channel: Any
) -> dict[str, Any]:
    """A Subscription of R4's own form."""
    made = {"type": "rest-hook", "endpoint": f"{receiver.address}/hook"} | channel
    if payload:
        made["payload"] = payload
    return {
        "resourceType": "Subscription",
        "id": "sub",
        "status": "requested",
        "reason": "test",
        "criteria": criteria,
        "channel": made,
    }


def by_topic(
    receiver: Receiver,
    topic: str,
    *filters: str,
    content: str = "full-resource",
    **numbers: int,
) -> dict[str, Any]:
    """A Subscription to a topic."""
    body = plain(receiver, TOPICS + topic, "application/fhir+json")
    channel = body["channel"]
    channel["_payload"] = {
        "extension": [{"url": f"{BACKPORT}payload-content", "valueCode": content}]
    }
    channel["extension"] = [
        {"url": BACKPORT + name.replace("_", "-"), "valueUnsignedInt": value}
        for name, value in numbers.items()
    ]
    if not channel["extension"]:
        del channel["extension"]
    if filters:
        body["_criteria"] = {
            "extension": [
                {"url": f"{BACKPORT}filter-criteria", "valueString": text} for text in filters
            ]
        }
    return body


def status(hub: httpx.Client, fhir_id: str = "sub") -> str:
    return hub.get(f"/fhir/Subscription/{fhir_id}").json()["status"]


def active(hub: httpx.Client, receiver: Receiver, body: dict[str, Any]) -> dict[str, Any]:
    """Store a Subscription and wait until it is active."""
    made = put(hub, body)
    receiver.wait(lambda: status(hub, body["id"]) == "active")
    return made


def test_a_match_without_payload_is_an_empty_post(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, plain(receiver, "Observation?status=final", header=["X-Key: 7"]))
    put(hub, observation("o1", "a"))
    put(hub, observation("o2", "a", status="amended"))
    put(hub, observation("o3", "a"))
    receiver.wait(lambda: len(receiver.taken) == 2)
    assert [(each.method, each.path, each.body) for each in receiver.taken] == [
        ("POST", "/hook", b"")
    ] * 2
    assert receiver.taken[0].headers["x-key"] == "7"


def test_a_match_with_payload_puts_each_version_below_the_endpoint_in_order(
    hub: httpx.Client, receiver: Receiver
) -> None:
    body = plain(receiver, "Observation?patient=a", "application/fhir+json")
    active(hub, receiver, body)
    for number in range(30):
        put(hub, observation("o", "a", str(number)))
        put(hub, observation("other", "b", str(number)))
    receiver.wait(lambda: len(receiver.taken) == 30)
    assert {(each.method, each.path) for each in receiver.taken} == {
        ("PUT", "/hook/Observation/o")
    }
    assert [each.json["valueString"] for each in receiver.taken] == [str(n) for n in range(30)]
    assert receiver.taken[-1].body == hub.get("/fhir/Observation/o").content


def test_a_version_is_judged_as_it_was_stored_not_as_it_is_now(
    idle: httpx.Client, database: str, settings: Settings, receiver: Receiver
) -> None:
    with notifying(settings, database):
        active(idle, receiver, plain(receiver, "Observation?status=final"))
    put(idle, observation("o", "a", status="final"))
    put(idle, observation("o", "a", status="amended"))
    put(idle, observation("o", "a", status="final"))
    put(idle, observation("o", "a", status="cancelled"))
    with notifying(settings, database):
        receiver.wait(lambda: len(receiver.taken) == 2)
        put(idle, observation("o2", "a", status="final"))
        receiver.wait(lambda: len(receiver.taken) == 3)


def test_a_topic_begins_with_a_handshake_and_numbers_its_events_from_one(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "result", "Observation?patient=a"))
    first = receiver.taken[0].json
    assert (told(first, "type"), told(first, "status")) == ("handshake", "requested")
    assert told(first, "events-since-subscription-start") == "0"
    assert first["type"] == "history"
    put(hub, observation("o1", "a"))
    put(hub, observation("x", "b"))
    put(hub, observation("o2", "a"))
    receiver.wait(lambda: receiver.events() == [1, 2])
    last = receiver.taken[-1].json
    assert told(last, "type") == "event-notification"
    assert told(last, "subscription") == {"reference": f"{BASE}/fhir/Subscription/sub"}
    assert told(last, "topic") == TOPICS + "result"
    assert told(last, "events-since-subscription-start") == "2"
    stored = hub.get("/fhir/Observation/o2").json()
    assert resources(last)[-1] == stored
    assert last["entry"][-1]["request"] == {"method": "POST", "url": "Observation"}
    assert all("response" in entry and "request" in entry for entry in last["entry"])


@pytest.mark.parametrize(
    ("content", "focus", "entries"), [("empty", False, 0), ("id-only", True, 1)]
)
def test_the_payload_holds_no_more_than_was_asked_for(
    hub: httpx.Client, receiver: Receiver, content: str, focus: bool, entries: int
) -> None:
    active(hub, receiver, by_topic(receiver, "result", content=content))
    put(hub, observation("o1", "a"))
    receiver.wait(lambda: receiver.events() == [1])
    sent = receiver.taken[-1]
    assert (b"Observation/o1" in sent.body) is focus
    assert len(sent.json["entry"]) == 1 + entries
    assert resources(sent.json) == []


def test_encounters_tell_of_their_start_and_their_end_once(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "encounter-start") | {"id": "start"})
    active(hub, receiver, by_topic(receiver, "encounter-end") | {"id": "end"})
    visit = {
        "resourceType": "Encounter",
        "id": "v",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/a"},
    }
    for state in ("planned", "in-progress", "in-progress", "finished"):
        put(hub, visit | {"status": state, "period": {"start": "2026-03-01"}})
    put(hub, visit | {"id": "w", "status": "finished"})

    def seen(fhir_id: str) -> list[str]:
        return [
            f"{body['id']} {body['status']} {body['meta']['versionId']}"
            for each in receiver.taken
            if told(each.json, "subscription")["reference"].endswith(f"/{fhir_id}")
            for body in resources(each.json)
        ]

    receiver.wait(lambda: len(seen("start") + seen("end")) == 3)
    assert seen("start") == ["v in-progress 2"]
    assert sorted(seen("end")) == ["v finished 3", "w finished 1"]


def test_criteria_of_a_golden_patient_cover_its_sources_and_a_later_merge_loses_nothing(
    hub: httpx.Client, receiver: Receiver
) -> None:
    number = {"system": "urn:oid:2.16.156.10011.1.3", "value": "110101198001010010"}
    one = {"identifier": [number], "birthDate": "1980-01-01", "name": [{"text": "陈试验"}]}
    put(hub, patient("s1", **one))
    put(hub, patient("s2", **one))
    golden = hub.get("/fhir/Patient", params={"_tag": "golden"}).json()["entry"][0]["resource"]
    body = by_topic(receiver, "result", f"Observation?patient={golden['id']}")
    active(hub, receiver, body)
    active(hub, receiver, by_topic(receiver, "person") | {"id": "persons"})
    put(hub, observation("o1", "s1"))
    put(hub, observation("o2", "s2"))
    put(hub, observation("early", "s3"))
    put(hub, patient("s3", **one))
    put(hub, observation("o3", "s3"))
    put(hub, observation("stranger", "s4"))

    def of(fhir_id: str) -> list[dict[str, Any]]:
        return [
            body
            for each in receiver.taken
            if told(each.json, "subscription")["reference"].endswith(f"/{fhir_id}")
            for body in resources(each.json)
        ]

    receiver.wait(lambda: {"o1", "o2", "o3"} <= {one["id"] for one in of("sub")})
    assert "stranger" not in {one["id"] for one in of("sub")}
    receiver.wait(lambda: len(of("persons")) == 1)
    assert of("persons")[0]["id"] == golden["id"]
    assert len(of("persons")[0]["link"]) == 3


def test_a_receiver_that_fails_is_seen_and_gets_everything_when_it_recovers(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "result", max_count=2))
    receiver.status = 500
    for number in range(5):
        put(hub, observation(f"o{number}", "a"))
    receiver.wait(lambda: status(hub) == "error")
    shown = hub.get("/fhir/Subscription/sub").json()
    assert shown["error"] == "the receiver answered HTTP 500"
    asked = hub.get("/fhir/Subscription/sub/$status").json()
    assert asked["type"] == "searchset"
    assert told(asked, "status") == "error"
    assert told(asked, "events-since-subscription-start") == "5"
    assert told(asked, "error") == {"text": "the receiver answered HTTP 500"}
    put(hub, observation("o5", "a"))
    receiver.status = 200
    receiver.wait(lambda: receiver.events() == [1, 2, 3, 4, 5, 6])
    receiver.wait(lambda: status(hub) == "active")
    assert "error" not in hub.get("/fhir/Subscription/sub").json()
    assert max(len(numbers(each.json)) for each in receiver.taken) == 2


def test_one_slow_receiver_holds_up_no_other(
    database: str, tmp_path: Path, receiver: Receiver
) -> None:
    with receiving() as slow:
        settings = settings_of(tmp_path, receiver, slow, timeout_seconds=20)
        with (
            answering(build_app(settings, database)) as client,
            notifying(settings, database),
        ):
            client.headers["authorization"] = f"Bearer {token(database)}"
            active(client, slow, by_topic(slow, "result") | {"id": "slow"})
            active(client, receiver, by_topic(receiver, "result"))
            slow.hang = True
            for number in range(5):
                put(client, observation(f"o{number}", "a"))
            receiver.wait(lambda: receiver.events() == [1, 2, 3, 4, 5])
            assert slow.events() == []
            slow.release()
            slow.wait(lambda: slow.events() == [1, 2, 3, 4, 5])


def test_a_receiver_that_hangs_is_given_up_for_the_moment_and_asked_again(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "result"))
    receiver.hang = True
    put(hub, observation("o", "a"))
    receiver.wait(lambda: len(receiver.got) >= 3)
    assert receiver.events() == []
    receiver.release()
    receiver.wait(lambda: 1 in receiver.events())


def test_a_heartbeat_comes_when_nothing_else_does(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "result", heartbeat_period=1))
    receiver.wait(lambda: receiver.kinds() == ["handshake", "heartbeat"])
    assert told(receiver.taken[-1].json, "events-since-subscription-start") == "0"


def test_events_can_be_asked_for_again_by_their_numbers(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "result", content="id-only"))
    for number in range(5):
        put(hub, observation("o", "a", str(number)))
    receiver.wait(lambda: receiver.events() == [1, 2, 3, 4, 5])
    some = hub.get(
        "/fhir/Subscription/sub/$events",
        params={"eventsSinceNumber": 2, "eventsUntilNumber": 4, "content": "full-resource"},
    ).json()
    assert some["type"] == "history"
    assert told(some, "type") == "query-event"
    assert told(some, "events-since-subscription-start") == "5"
    assert numbers(some) == [2, 3, 4]
    assert [one["valueString"] for one in resources(some)] == ["1", "2", "3"]
    all_of_them = hub.post("/fhir/Subscription/sub/$events").json()
    assert numbers(all_of_them) == [1, 2, 3, 4, 5]
    assert resources(all_of_them) == []


def test_off_ends_it_and_requested_revives_it_with_its_numbers(
    hub: httpx.Client, receiver: Receiver
) -> None:
    body = by_topic(receiver, "result")
    active(hub, receiver, body)
    put(hub, observation("o1", "a"))
    receiver.wait(lambda: receiver.events() == [1])
    put(hub, body | {"status": "off"})
    receiver.wait(
        lambda: told(hub.get("/fhir/Subscription/sub/$status").json(), "status") == "off"
    )
    put(hub, observation("o2", "a"))
    active(hub, receiver, body)
    put(hub, observation("o3", "a"))
    receiver.wait(lambda: receiver.events() == [1, 2])
    assert resources(receiver.taken[-1].json)[0]["id"] == "o3"


def test_a_deleted_subscription_is_told_nothing_more(
    hub: httpx.Client, receiver: Receiver
) -> None:
    active(hub, receiver, by_topic(receiver, "result"))
    active(hub, receiver, by_topic(receiver, "result") | {"id": "rest"})
    assert hub.delete("/fhir/Subscription/sub").status_code == 204
    receiver.wait(lambda: hub.get("/fhir/Subscription/sub/$status").status_code == 404)
    put(hub, observation("o", "a"))
    receiver.wait(lambda: receiver.kinds().count("event-notification") == 1)
    sent = told(receiver.taken[-1].json, "subscription")["reference"]
    assert sent.endswith("/rest")


def test_a_type_that_nobody_watches_costs_no_row(
    hub: httpx.Client, receiver: Receiver, database: str
) -> None:
    active(hub, receiver, plain(receiver, "Observation?status=final"))
    with psycopg.connect(database) as conn:
        assert changes.watched(conn) == {6, changes.SUBSCRIPTION}
    hub.delete("/fhir/Subscription/sub")

    def only_itself() -> bool:
        with psycopg.connect(database) as conn:
            return changes.watched(conn) == {changes.SUBSCRIPTION}

    receiver.wait(only_itself)
    put(hub, observation("o", "a"))
    with psycopg.connect(database) as conn:
        row = conn.execute("select count(*) from change where type = 6").fetchone()
    assert row == (0,)


def test_whoever_lost_the_right_is_told_nothing_more_and_that_is_shown(
    hub: httpx.Client, receiver: Receiver, database: str
) -> None:
    other = token(database, "other")
    body = by_topic(receiver, "result")
    made = hub.put(
        "/fhir/Subscription/sub", json=body, headers={"authorization": f"Bearer {other}"}
    )
    assert made.status_code == 201
    receiver.wait(lambda: status(hub) == "active")
    assert hub.get("/fhir/Subscription/sub/$events").status_code == 404
    with psycopg.connect(database) as conn:
        clients.disable(conn, "other")
    put(hub, observation("o", "a"))
    receiver.wait(lambda: status(hub) == "error")
    assert "no right" in hub.get("/fhir/Subscription/sub").json()["error"]
    assert receiver.events() == []


def test_each_delivery_is_audited_with_whose_data_it_held(
    hub: httpx.Client, receiver: Receiver, database: str
) -> None:
    active(hub, receiver, by_topic(receiver, "result"))
    put(hub, observation("o", "a"))
    receiver.wait(lambda: receiver.events() == [1])
    with psycopg.connect(database) as conn:
        row = conn.execute(
            """select e.actor, e.purpose, e.ids, e.patients = array[r.patient_key]
                 from audit_event e, resource r
                where e.action = 'subscribe' and e.query like 'delivery%' and r.type = 6"""
        ).fetchone()
    assert row == ("client:1", "PUBHLTH", ["sub"], True)


def transaction(*bodies: dict[str, Any]) -> dict[str, Any]:
    """A transaction that updates these."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": body,
                "request": {"method": "PUT", "url": f"{body['resourceType']}/{body['id']}"},
            }
            for body in bodies
        ],
    }


def test_a_subscription_of_a_transaction_is_its_writers_too(
    hub: httpx.Client, receiver: Receiver
) -> None:
    body = by_topic(receiver, "result")
    answer = hub.post("/fhir", json=transaction(body, observation("before", "a")))
    assert answer.status_code == 200, answer.text
    receiver.wait(lambda: status(hub) == "active")
    hub.post("/fhir", json=transaction(*(observation(f"o{n}", "a") for n in range(3))))
    receiver.wait(lambda: receiver.events() == [1, 2, 3])


def test_what_a_transaction_or_patch_asks_for_in_vain_is_refused_at_once(
    idle: httpx.Client, receiver: Receiver
) -> None:
    wrong = plain(receiver, "Observation?patient.name=x")
    answer = idle.post("/fhir", json=transaction(wrong))
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[0].resource.criteria"]
    assert idle.get("/fhir/Subscription/sub").status_code == 404
    put(idle, plain(receiver, "Observation?status=final"))
    answer = idle.patch(
        "/fhir/Subscription/sub",
        json=[{"op": "replace", "path": "/criteria", "value": wrong["criteria"]}],
        headers={"content-type": "application/json-patch+json"},
    )
    assert answer.status_code == 422, answer.text


def test_what_an_import_asks_for_in_vain_shows_the_error(
    hub: httpx.Client, receiver: Receiver, database: str
) -> None:
    wrong = plain(receiver, "Observation?patient.name=x")

    def seal(conn: psycopg.Connection[Any], outcomes: Sequence[Outcome]) -> None:
        stored = [each.stored for each in outcomes if each.stored is not None]
        changes.sign(conn, stored, "client/his", "TREAT")

    with psycopg.connect(database) as conn:
        direct.perform(conn, [Intent("update", "Subscription", "sub", body=wrong)], "", seal)
    receiver.wait(lambda: status(hub) == "error")
    assert "no place in criteria" in hub.get("/fhir/Subscription/sub").json()["error"]
    active(hub, receiver, plain(receiver, "Observation?status=final"))


def test_a_subscription_that_the_hub_did_not_see_signed_is_not_delivered(
    hub: httpx.Client, receiver: Receiver, database: str
) -> None:
    with psycopg.connect(database) as conn:
        direct.update(conn, "Subscription", "sub", by_topic(receiver, "result"))
    receiver.wait(lambda: status(hub) == "error")
    assert receiver.got == []


def test_writers_that_hold_the_table_delay_an_activation_and_nothing_else(
    hub: httpx.Client, receiver: Receiver, database: str
) -> None:
    with psycopg.connect(database) as writer:
        writer.execute("update resource set updated = updated where false")
        put(hub, by_topic(receiver, "result"))
        put(hub, observation("o", "a"))
        assert status(hub) == "requested"
        writer.commit()
    receiver.wait(lambda: status(hub) == "active")


@pytest.fixture(scope="module")
def refusing(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client that tests share which store nothing; its hub may deliver to port 9."""
    receiver = Receiver("http://127.0.0.1:9")
    settings = settings_of(tmp_path_factory.mktemp("hub"), receiver)
    with (
        copied(server_dsn, template) as database,
        answering(build_app(settings, database)) as client,
    ):
        client.headers["authorization"] = f"Bearer {token(database)}"
        yield client


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"criteria": "Observation?colour=red"}, "criteria"),
        ({"criteria": "Observation?patient.name=x"}, "criteria"),
        ({"criteria": "Observation?_count=1"}, "criteria"),
        ({"criteria": "Thing?x=y"}, "criteria"),
        ({"criteria": "https://example.org/topic"}, "criteria"),
        ({"channel": {"type": "email"}}, "channel.type"),
        ({"channel": {"endpoint": "http://127.0.0.1:8/hook"}}, "channel.endpoint"),
        ({"channel": {"endpoint": "ftp://example.org"}}, "channel.endpoint"),
        ({"channel": {"payload": "text/plain"}}, "channel.payload"),
        ({"channel": {"header": ["Host: elsewhere"]}}, "channel.header"),
        ({"channel": {"header": ["X-A: b\r\nX-C: d"]}}, "channel.header"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    refusing: httpx.Client, change: dict[str, Any], place: str
) -> None:
    body = plain(Receiver("http://127.0.0.1:9"), "Observation?status=final")
    body |= {
        key: body[key] | value if key == "channel" else value for key, value in change.items()
    }
    answer = refusing.put("/fhir/Subscription/sub", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"] == [f"Subscription.{place}"]


@pytest.mark.parametrize(
    "path",
    [
        "Subscription/sub",
        "Subscription/sub/_history/1",
        "Subscription/sub/_history",
        "Subscription/_history",
        "_history",
        "Subscription",
        "?_type=Subscription",
        "List?_include=List:item",
    ],
)
def test_a_header_of_the_channel_is_read_by_who_may_subscribe_alone(
    idle: httpx.Client, receiver: Receiver, database: str, path: str
) -> None:
    body = plain(receiver, "Observation?status=final", header=["Authorization: Bearer s3cret"])
    put(idle, body)
    listed = {"resourceType": "List", "id": "l", "status": "current", "mode": "working"}
    put(idle, listed | {"entry": [{"item": {"reference": "Subscription/sub"}}]})
    assert "s3cret" in idle.get(f"/fhir/{path}").text
    clinician = {
        "authorization": f"Bearer {token(database, 'ward', Role.CLINICIAN)}",
        "purpose-of-use": "TREAT",
    }
    answer = idle.get(f"/fhir/{path}", headers=clinician)
    assert answer.status_code == 200, answer.text
    assert "s3cret" not in answer.text
    assert '"Authorization: ***"' in answer.text
