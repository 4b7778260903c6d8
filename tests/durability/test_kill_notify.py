"""kill -9 of the process of subscriptions under load: every event is told, in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from healthhub import clock
from healthhub.access import Purpose, Role, clients
from healthhub.model.ids import derive
from healthhub.model.resource import Draft, Stamp
from healthhub.pipeline import direct
from healthhub.store import changes, writer
from tests.fhir.receiver import Receiver, numbers, receiving, resources
from tests.fhir.test_subscriptions import by_topic

pytestmark = pytest.mark.slow
BATCHES, RESULTS, DEATHS = 60, 10, 4
PATIENT = derive("test", "Patient", "a")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def result(batch: int, k: int) -> Draft:
    """Result ``k`` of a batch, as a feed states it: every other batch changes an earlier one."""
    key = derive("test", "Observation", str(batch // 2), str(k))
    body = {
        "resourceType": "Observation",
        "id": str(key),
        "status": "final",
        "code": {"text": f"项目{k}"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "valueInteger": batch * RESULTS + k,
    }
    return Draft("Observation", key, PATIENT, Stamp(1, clock.now(), batch), body)


def subscribe(conn: psycopg.Connection, body: dict[str, Any]) -> None:
    clients.add(conn, "his", [Role.SYSTEM], Purpose.TREAT)
    with conn.transaction():
        stored = direct.update(conn, "Subscription", body["id"], body)
        changes.sign(conn, [stored], "client:1", "TREAT")


def state(conn: psycopg.Connection) -> tuple[str, int, int]:
    row = conn.execute("select state, events, delivered from subscription").fetchone()
    return row or ("none", 0, 0)


def test_after_each_death_it_goes_on_and_no_event_is_lost_nor_out_of_order(
    database: str, receiver: Receiver, tmp_path: Path
) -> None:
    environ = os.environ | {
        "HEALTHHUB_DATABASE_URL": database,
        "HEALTHHUB_DATA_DIR": str(tmp_path),
        "HEALTHHUB_SUBSCRIPTIONS__ALLOW": json.dumps([receiver.address]),
        "HEALTHHUB_SUBSCRIPTIONS__LONGEST_PAUSE_SECONDS": "0.2",
    }

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "healthhub", "notify"]
        return subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)  # noqa: S603

    with psycopg.connect(database, autocommit=True) as conn:
        subscribe(conn, by_topic(receiver, "result", f"Observation?patient={PATIENT}"))
        process = start()
        receiver.wait(lambda: state(conn)[0] == "active", 60)
        deaths = 0
        for batch in range(BATCHES):
            with conn.transaction():
                drafts = [result(batch, k) for k in range(RESULTS)]
                writer.write(conn, drafts, lambda _: None)
            if batch % (BATCHES // DEATHS) == 5:
                reached = len(receiver.events())
                receiver.wait(lambda reached=reached: len(receiver.events()) > reached, 60)
                process.send_signal(signal.SIGKILL)
                process.wait(10)
                deaths += 1
                process = start()
            time.sleep(0.01)
        receiver.wait(lambda: state(conn)[2] == BATCHES * RESULTS, 60)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert state(conn) == ("active", BATCHES * RESULTS, BATCHES * RESULTS)
    assert deaths == DEATHS
    assert list(dict.fromkeys(receiver.events())) == list(range(1, BATCHES * RESULTS + 1))
    told = {
        number: body
        for each in receiver.taken
        if numbers(each.json)
        for number, body in zip(numbers(each.json), resources(each.json), strict=True)
    }
    assert sorted(body["valueInteger"] for body in told.values()) == list(
        range(BATCHES * RESULTS)
    )
    versions: dict[str, list[int]] = {}
    for number in sorted(told):
        meta = told[number]["meta"]
        versions.setdefault(told[number]["id"], []).append(int(meta["versionId"]))
    assert all(found == [1, 2] for found in versions.values())
