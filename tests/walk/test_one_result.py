"""One laboratory result from a socket to the doctor's screen, stage by stage.

The first thing to read here: docs/how-a-result-travels.md tells the same walk in words.
"""

from __future__ import annotations

import asyncio
import html
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from serving import answering

from healthhub import clock, worker
from healthhub.access import Purpose, Role, accounts, clients
from healthhub.adapter_api import find
from healthhub.convert import Converter
from healthhub.keep import Keeper
from healthhub.main import build_app
from healthhub.mapping.library import Library
from healthhub.receive.mllp import Listener
from healthhub.settings import Settings
from healthhub.store import database as store_database

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "mappings" / "national" / "hl7v2" / "samples"
RESULT = (
    (SAMPLES / "oru-r01-numeric.hl7").read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
)
CRITICAL = (
    (SAMPLES / "oru-r01-critical.hl7")
    .read_bytes()
    .replace(b"\r\n", b"\r")
    .replace(b"\n", b"\r")
)
HEMOGLOBIN = "718-7"
PASSWORD = "Walk-9-along-the-river"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """A hub with one source, a laboratory that speaks the plain national mapping."""
    return Settings.model_validate(
        {
            "database_url": database,
            "data_dir": tmp_path,
            "mllp": {"port": free_port()},
            "institutions": {"jcyy": {"title": "江城市第一人民医院"}},
            "sources": {"jcyy-lis": {"institution": "jcyy", "mapping": "national/hl7v2"}},
        }
    )


def test_stage_one_the_envelope_is_read_without_conversion(settings: Settings) -> None:
    envelope = find("hl7v2").envelope(RESULT, settings.sources["jcyy-lis"])
    assert (envelope.kind, envelope.control) == ("ORU^R01", "S0010")
    assert "R24031100345" in envelope.numbers


def test_stage_two_the_mapping_says_which_field_became_which_element(
    settings: Settings,
) -> None:
    converter = Converter(
        "jcyy-lis", settings.sources["jcyy-lis"], Library(settings.mappings_dir)
    )
    converted = converter.convert(7, RESULT, clock.now())
    results = [d.body for d in converted.drafts if d.type == "Observation"]
    hemoglobin = next(b for b in results if b["code"]["coding"][0]["code"] == HEMOGLOBIN)
    assert str(hemoglobin["valueQuantity"]["value"]) == "128.0"
    assert hemoglobin["meta"]["source"] == "urn:healthhub:source:jcyy-lis#7"
    explained = converter.explain(7, RESULT, clock.now())
    value = next(
        e
        for e in explained
        if e.resource == f"Observation/{hemoglobin['id']}" and e.element == "valueQuantity"
    )
    start, end = value.spans[0]
    assert RESULT[start:end] == b"128.0"


async def listen(settings: Settings, dsn: str, stop: threading.Event) -> None:
    """The MLLP listener with its group commits, until told to stop."""
    async with Keeper(dsn) as keeper, Listener(settings, keeper):
        while not stop.is_set():
            await asyncio.sleep(0.05)


@pytest.fixture
def hub(settings: Settings, database: str) -> Iterator[httpx.Client]:
    """Listener, worker and web application, each as it runs in production, in threads."""
    stop = threading.Event()
    parts = [
        threading.Thread(target=worker.run, args=(settings, database, stop)),
        threading.Thread(target=asyncio.run, args=(listen(settings, database, stop),)),
    ]
    for part in parts:
        part.start()
    with answering(build_app(settings, database)) as client:
        yield client
    stop.set()
    for part in parts:
        part.join(20)


def send(settings: Settings, message: bytes) -> str:
    """Send one framed message over a real socket and give its MSA segment."""
    deadline = time.monotonic() + 20
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", settings.mllp.port), timeout=10)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with connection:
        connection.sendall(b"\x0b" + message + b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += connection.recv(65536)
    return next(line for line in answer.decode().split("\r") if line.startswith("MSA"))


def soon(ask: Any) -> Any:
    """What ``ask`` gives once it gives something; a result is visible within two seconds as a
    rule, and this waits longer only for a busy machine."""
    deadline = time.monotonic() + 20
    while not (found := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def observations(hub: httpx.Client, token: str) -> list[dict[str, Any]]:
    answer = hub.get(
        f"/fhir/Observation?code={HEMOGLOBIN}", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200
    return [entry["resource"] for entry in orjson.loads(answer.content).get("entry", [])]


def test_stage_three_bytes_to_screen(
    hub: httpx.Client, settings: Settings, database: str
) -> None:
    with store_database.connect(database) as connection:
        token = clients.add(connection, "tool", [Role.SYSTEM], Purpose.TREAT)
        accounts.add(connection, "doctor", PASSWORD, [Role.CLINICIAN], "王医生")

    assert send(settings, RESULT).startswith("MSA|CA|S0010")
    assert send(settings, RESULT).startswith("MSA|CA|S0010"), "the same message is acknowledged"
    assert send(settings, CRITICAL).startswith("MSA|CA|S0012")

    (result,) = soon(lambda: observations(hub, token))
    assert result["meta"]["versionId"] == "1", "and changes nothing"
    assert (
        b'"value":128.0'
        in hub.get(
            f"/fhir/Observation/{result['id']}", headers={"authorization": f"Bearer {token}"}
        ).content
    )
    patient = result["subject"]["reference"].removeprefix("Patient/")

    hub.headers["accept"] = "text/html"
    assert hub.get(f"/record/{patient}").status_code == 303, "nobody reads without signing in"
    page = hub.get("/signin").text
    key = re.search(r'name="form_key" value="([^"]+)"', page)
    assert key
    form = {"form_key": key[1], "name": "doctor", "password": PASSWORD, "next": "/"}
    assert hub.post("/signin", data=form).headers["location"] == "/"

    def shown() -> str:
        text = hub.get(f"/record/{patient}").text
        return text if "6.8" in text else ""

    text = soon(shown)
    assert "沈怀远" in text
    assert re.search(r'<span class="value">128\.0</span>', text)
    assert "↑↑危" in text, "the critical potassium is marked"
    tag = re.search(rf'href="(/record/[^"]+/trace/Observation/{result["id"]})"', text)
    assert tag, "the source tag beside the value"
    behind = hub.get(tag[1]).text
    assert HEMOGLOBIN in behind, "it opens the local and the mapped code"
    source = re.search(
        r'href="(/console/messages/\d+\?of=Observation/[^"]+;element=valueQuantity#bytes)"',
        behind,
    )
    assert source
    raw = hub.get(html.unescape(source[1])).text
    assert "<mark>128.0</mark>" in raw, "the very bytes are highlighted"
