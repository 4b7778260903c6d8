"""SOAP over a real socket: kept before the acknowledgement, faults, WSDL, tokens, queries."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from psycopg.conninfo import make_conninfo

from healthhub import keep
from healthhub.access import Purpose, Role, clients
from healthhub.keep import Choice
from healthhub.main import build_app
from healthhub.settings import PACKAGE_ROOT
from tests.receive.conftest import settings_with

TOKEN = "a-token-for-tests"
SHA = hashlib.sha256(TOKEN.encode()).hexdigest()
BASE = {"institution": "h", "mapping": "hospital-c", "adapter": "hl7v3", "token_sha256": SHA}
SOURCES: dict[str, dict[str, Any]] = {
    "esb": {**BASE, "client": "esb-queries"},
    "mute": BASE,
    "his": {**BASE, "mapping": "national/hl7v2", "adapter": "hl7v2"},
}
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/soap+xml"}
SAMPLES = PACKAGE_ROOT / "mappings" / "hospital-c" / "samples"
NATIONAL = PACKAGE_ROOT / "mappings" / "national" / "hl7v3" / "samples"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


@contextmanager
def served(database: str, dsn: str) -> Iterator[str]:
    """The address of the whole application, whose feeds are kept in ``dsn``."""
    app = build_app(settings_with({}, SOURCES), database)
    app.state.dsn = dsn
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def hub(database: str) -> Iterator[str]:
    with served(database, database) as address:
        yield address


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.xml").read_bytes()


def enveloped(message: bytes, version: str = SOAP_12, action: str = "X") -> bytes:
    return (
        f'<e:Envelope xmlns:e="{version}"><e:Body><HIPMessageServer xmlns="urn:hl7-org:v3">'
        f"<action>{action}</action><message><![CDATA[".encode()
        + message
        + b"]]></message></HIPMessageServer></e:Body></e:Envelope>"
    )


def told(answer: httpx.Response) -> str:
    """The message in a SOAP answer."""
    assert "payload>" in answer.text, answer.text
    return unescape(answer.text.partition("payload>")[2].partition("</")[0])


def kept(dsn: str, source: str = "esb") -> list[tuple[str, str, bytes]]:
    with psycopg.connect(dsn) as conn:
        lines = keep.find(conn, Choice(source=source))
        return [
            (line.envelope.kind, str(line.state), keep.get(conn, line.id).raw) for line in lines
        ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("person-register", "HV3^PRPA_IN201311UV02"),
        ("document-register", "CDA^C0007"),
        ("own-lab", "XML^LabReport"),
    ],
)
def test_a_message_is_kept_whole_and_acknowledged_in_its_form(
    hub: str, database: str, name: str, kind: str
) -> None:
    raw = sample(name)
    answer = httpx.post(f"{hub}/feeds/esb/soap", content=raw, headers=HEADERS)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/soap+xml")
    assert kept(database) == [(kind, "pending", raw)]
    message = told(answer)
    if kind.startswith("XML"):
        assert message == "<res><success>AA</success><msg></msg></res>"
    else:
        assert message.startswith("<MCCI_IN000002UV01 ")
        assert '<acknowledgement typeCode="AA">' in message
        assert 'extension="HIS-C"/></id></device></receiver>' in message


def test_an_acknowledgement_names_the_message_it_answers(hub: str) -> None:
    answer = httpx.post(
        f"{hub}/feeds/esb/soap", content=sample("person-register"), headers=HEADERS
    )
    assert (
        '<targetMessage><id root="2.16.156.10011.2.5.1.1" extension="M0001"/></targetMessage>'
        in told(answer)
    )


def test_the_same_request_again_is_one_message(hub: str, database: str) -> None:
    for _ in range(2):
        answer = httpx.post(f"{hub}/feeds/esb/soap", content=sample("own-lab"), headers=HEADERS)
        assert "AA" in told(answer)
    assert len(kept(database)) == 1


@pytest.mark.parametrize(
    ("version", "kind", "code"),
    [(SOAP_11, "text/xml", "s:Client"), (SOAP_12, "application/soap+xml", "s:Sender")],
)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<e:Envelope xmlns:e='{}'><e:Body>", "well-formed"),
        ("<e:Envelope xmlns:e='{}'><e:Body/></e:Envelope>", "Body is empty"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><e:Envelope xmlns:e='{}'/>", "DOCTYPE"),
        ("<Envelope>{}</Envelope>", "no SOAP Envelope"),
        (
            "<e:Envelope xmlns:e='{0}'><e:Header><x xmlns='urn:x' e:mustUnderstand='1'/>"
            "</e:Header><e:Body><a/></e:Body></e:Envelope>",
            "must be understood",
        ),
    ],
)
def test_what_is_no_soap_gets_a_fault_and_is_kept_as_rejected(
    hub: str, database: str, version: str, kind: str, code: str, body: str, why: str
) -> None:
    raw = body.format(version).encode()
    answer = httpx.post(f"{hub}/feeds/esb/soap", content=raw, headers=HEADERS)
    assert answer.status_code == 400
    assert why in unescape(answer.text)
    assert f'xmlns:s="{version}"' in answer.text
    assert answer.headers["content-type"].startswith(kind)
    assert code in answer.text
    assert [(state, bytes_) for _, state, bytes_ in kept(database)] == [("rejected", raw)]


def test_a_message_that_cannot_be_read_is_rejected_with_its_place(
    hub: str, database: str
) -> None:
    raw = enveloped(b"<ClinicalDocument><title>x</title></ClinicalDocument>")
    answer = httpx.post(f"{hub}/feeds/esb/soap", content=raw, headers=HEADERS)
    message = told(answer)
    assert answer.status_code == 200
    assert 'typeCode="AR"' in message
    assert "ClinicalDocument/code/@code" in message
    assert [state for _, state, _ in kept(database)] == ["rejected"]


def test_when_the_store_is_away_the_sender_is_told_to_send_again(database: str) -> None:
    nowhere = make_conninfo(database, host="127.0.0.1", port="1")
    with served(database, nowhere) as hub:
        answer = httpx.post(
            f"{hub}/feeds/esb/soap", content=sample("person-register"), headers=HEADERS
        )
        assert 'typeCode="AE"' in told(answer)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic " + base64.b64encode(b"esb:wrong").decode()}, 401),
        (
            {"Authorization": "Basic " + base64.b64encode(f"mute:{TOKEN}".encode()).decode()},
            401,
        ),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Basic " + base64.b64encode(f"esb:{TOKEN}".encode()).decode()}, 200),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
def test_a_source_shows_its_token_as_bearer_or_as_password(
    hub: str, database: str, headers: dict[str, str], status: int
) -> None:
    answer = httpx.post(f"{hub}/feeds/esb/soap", content=sample("own-lab"), headers=headers)
    assert answer.status_code == status
    assert len(kept(database)) == (1 if status == 200 else 0)


def test_a_source_of_another_kind_is_sent_to_its_own_address(hub: str) -> None:
    answer = httpx.post(f"{hub}/feeds/his/soap", content=sample("own-lab"), headers=HEADERS)
    assert (answer.status_code, "/feeds/his/hl7v2" in answer.text) == (404, True)


def test_a_document_alone_may_come_by_http(database: str, hub: str) -> None:
    raw = (PACKAGE_ROOT / "mappings/national/cda/samples/c0002-outpatient.xml").read_bytes()
    answer = httpx.post(f"{hub}/feeds/esb/hl7v3", content=raw, headers=HEADERS)
    assert answer.json()[0]["outcome"] == "accept"
    assert kept(database) == [("CDA^C0002", "pending", raw)]


def _client(database: str) -> str:
    with psycopg.connect(database) as conn:
        return clients.add(conn, "esb-queries", [Role.SYSTEM], Purpose.TREAT)


def test_a_query_of_persons_is_answered_through_the_door_and_not_kept(
    hub: str, database: str
) -> None:
    token = _client(database)
    stored = httpx.put(
        f"{hub}/fhir/Patient/one",
        json={
            "resourceType": "Patient",
            "id": "one",
            "name": [{"text": "沈望舒"}],
            "birthDate": "1980-03-07",
            "gender": "female",
            "identifier": [
                {"system": "urn:oid:2.16.156.10011.1.3", "value": "330102198003076328"}
            ],
        },
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"},
    )
    assert stored.status_code == 201, stored.text
    raw = enveloped((NATIONAL / "person-query.xml").read_bytes().partition(b"?>")[2])
    answer = httpx.post(f"{hub}/feeds/esb/soap", content=raw, headers=HEADERS)
    message = told(answer)
    assert message.startswith("<PRPA_IN201306UV02 ")
    assert '<resultTotalQuantity value="1"/>' in message
    assert "沈望舒" in message
    assert kept(database) == []
    with psycopg.connect(database) as conn:
        [(actor, purpose, address)] = conn.execute(
            "select actor, purpose, address from audit_event where query = '$match'"
        ).fetchall()
    assert actor.startswith("client:")
    assert (purpose, address) == ("TREAT", "127.0.0.1")


def test_a_query_without_a_client_or_with_nothing_to_go_by_is_refused(hub: str) -> None:
    raw = enveloped((NATIONAL / "person-query.xml").read_bytes().partition(b"?>")[2])
    answer = httpx.post(f"{hub}/feeds/mute/soap", content=raw, headers=HEADERS)
    assert 'typeCode="AR"' in told(answer)
    assert "healthhub client add" in told(answer)
    bare = raw.replace(b"livingSubjectId", b"other").replace(b"livingSubjectName", b"other")
    answer = httpx.post(f"{hub}/feeds/esb/soap", content=bare, headers=HEADERS)
    assert 'typeCode="AR"' in told(answer)
    assert "tells persons apart" in told(answer)
