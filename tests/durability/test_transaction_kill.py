"""kill -9 in the middle of transactions: each is there whole or not at all, no version is lost."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from healthhub import postgres
from healthhub.access import Purpose, Role, clients
from healthhub.settings import Settings
from tests.durability.hub import Hub

pytestmark = pytest.mark.slow

CLIENTS, SIZE = 4, 40
DEATHS = ("web", "postgres", "web", "hub", "postgres")
CODE = "https://example.org/transaction"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub in a folder that the account of PostgreSQL can enter too, when we are root."""
    with tempfile.TemporaryDirectory(prefix="healthhub-kill-") as folder:
        Path(folder).chmod(0o711)
        made = Hub(Path(folder))
        made.start()
        yield made
        made.stop()


def bundle(name: str, client: int) -> dict[str, Any]:
    """SIZE new results of one name, and one resource that all transactions of all clients
    change."""
    result = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": CODE, "code": name}]},
        "subject": {"reference": f"Patient/p{client}"},
    }
    shared = {
        "resourceType": "Basic",
        "id": "shared",
        "code": {"text": name},
        "identifier": [{"system": CODE, "value": name}],
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            *(
                {"resource": result, "request": {"method": "POST", "url": "Observation"}}
                for _ in range(SIZE)
            ),
            {"resource": shared, "request": {"method": "PUT", "url": "Basic/shared"}},
        ],
    }


class Client(threading.Thread):
    """Sends one transaction after the other, each once, and notes what was answered."""

    def __init__(self, hub: Hub, token: str, number: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._address = f"http://127.0.0.1:{hub.web}/fhir"
        self._headers = {"authorization": f"Bearer {token}"}
        self._number = number
        self._ended = ended
        self.sent: list[str] = []
        self.acknowledged: list[str] = []

    def run(self) -> None:
        """Send until told to end."""
        while not self._ended.is_set():
            name = f"{self._number}-{len(self.sent)}"
            self.sent.append(name)
            try:
                answer = httpx.post(
                    self._address,
                    json=bundle(name, self._number),
                    headers=self._headers,
                    timeout=20,
                )
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                self.acknowledged.append(name)
            else:
                assert answer.status_code == 503, answer.text
                time.sleep(0.05)


def test_a_transaction_is_all_or_nothing_whoever_dies(hub: Hub) -> None:
    settings = Settings(data_dir=hub.folder / "data")
    with postgres.running(settings) as dsn, psycopg.connect(dsn) as connection:
        token = clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)
    ended = threading.Event()
    sending = [Client(hub, token, number, ended) for number in range(CLIENTS)]
    for client in sending:
        client.start()
    for part in DEATHS:
        time.sleep(2)
        hub.kill(part)
        if part == "hub":
            hub.start()
    time.sleep(3)
    ended.set()
    for client in sending:
        client.join(60)
        assert not client.is_alive()
    sent = {name for client in sending for name in client.sent}
    acknowledged = {name for client in sending for name in client.acknowledged}
    assert acknowledged
    assert sent - acknowledged, "no death was felt; the test is void"
    headers = {"authorization": f"Bearer {token}"}
    base = f"http://127.0.0.1:{hub.web}/fhir"
    with httpx.Client(headers=headers, timeout=60) as asking:
        stored = {}
        for name in sorted(sent):
            query = f"{base}/Observation?code={CODE}|{name}&_total=accurate&_count=0"
            stored[name] = asking.get(query).json()["total"]
        history: list[Any] = []
        url = f"{base}/Basic/shared/_history?_count=1000"
        while url:
            page = asking.get(url).json()
            history += page["entry"]
            url = next((x["url"] for x in page["link"] if x["relation"] == "next"), "")
    assert set(stored.values()) <= {0, SIZE}
    whole = {name for name, count in stored.items() if count}
    assert acknowledged <= whole
    versions = [int(each["resource"]["meta"]["versionId"]) for each in history]
    assert versions == list(range(len(whole), 0, -1))
    assert {each["resource"]["code"]["text"] for each in history} == whole
