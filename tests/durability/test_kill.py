"""kill -9 of every part in the middle of a load: what was acknowledged is there once."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from healthhub import keep, postgres
from healthhub.keep import Choice
from healthhub.model.message import State
from healthhub.settings import Settings
from healthhub.store import query, reads
from tests.durability.hub import Hub, Poster, Sender

SENDERS, MESSAGES, PATIENTS, RESULTS = 4, 200, 5, 3
TOTAL = SENDERS * MESSAGES
DEATHS = ("worker", "mllp", "web", "postgres", "worker", "hub", "web", "postgres", "mllp")
POSTERS = 1
"""Of the senders, so many send over HTTP."""

pytestmark = pytest.mark.slow


def message(sender: int, n: int) -> bytes:
    """Result ``n`` of a sender: a patient, a visit and a report with RESULTS values, each
    value different from all others."""
    patient = f"{sender}{n % PATIENTS}"
    when = f"202603{1 + n // 24 % 28:02d}{n % 24:02d}0000"
    lines = [
        f"MSH|^~\\&|LIS|A|HUB|HUB|{when}||ORU^R01^ORU_R01|{sender}-{n}|P|2.5.1",
        f"PID|1||P{patient}^^^A^MR||测试^{patient}||19800101|M",
        f"PV1|1|O|||||||||||||||||V{patient}",
        f"OBR|1|O{sender}-{n}|R{sender}-{n}|CBC^血常规^L|||{when}|||||||||||||||{when}|||F",
    ]
    lines += [
        f"OBX|{k + 1}|NM|T{k}^项目{k}^L||{value(sender, n, k)}|g/L|1-2|N|||F|||{when}"
        for k in range(RESULTS)
    ]
    return ("\r".join(lines) + "\r").encode()


def value(sender: int, n: int, k: int) -> int:
    return (sender * MESSAGES + n) * RESULTS + k + 1


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub in a folder that the account of PostgreSQL can enter too, when we are root."""
    with tempfile.TemporaryDirectory(prefix="healthhub-kill-") as folder:
        Path(folder).chmod(0o711)
        made = Hub(Path(folder))
        made.start()
        yield made
        made.stop()


def ended(hub: Hub, conn: psycopg.Connection) -> None:
    """Wait until nothing is pending or waits for a retry."""

    def quiet() -> bool:
        states = keep.counts(conn).by_state
        return not states[State.PENDING] + states[State.RETRY]

    hub.wait_until(quiet, 120)


def snapshot(conn: psycopg.Connection) -> dict[tuple[str, str], tuple[int, bytes]]:
    """Every stored resource: version and bytes."""
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    stored = query.fetch(conn, reads.by_ids(keys))
    return {(each.type, str(each.id)): (each.version, each.json) for each in stored}


def test_what_was_acknowledged_before_any_death_is_there_once_and_sending_again_changes_nothing(
    hub: Hub,
) -> None:
    sent = [[message(s, n) for n in range(MESSAGES)] for s in range(SENDERS)]
    senders = senders_of(hub, sent, 0.06)
    for sender in senders:
        sender.start()
    for part in DEATHS:
        time.sleep(1.5)
        hub.kill(part)
        if part == "hub":
            hub.start()
    for sender in senders:
        sender.join(180)
        assert len(sender.accepted) == MESSAGES
    felt = [sender.resent for sender in senders]
    assert min(felt) > 0, f"a sender felt no death, the test is void for its way in: {felt}"
    with (
        postgres.running(Settings(data_dir=hub.folder / "data")) as dsn,
        psycopg.connect(dsn, autocommit=True) as conn,
    ):
        ended(hub, conn)
        assert_all_there_once(conn)
        before = snapshot(conn)
        assert_stored(before)
        again = senders_of(hub, sent)
        for sender in again:
            sender.start()
        for sender in again:
            sender.join(60)
            assert len(sender.accepted) == MESSAGES
        keep.replay(conn, Choice(source="his"), who="test", reason="nothing may change")
        ended(hub, conn)
        assert_all_there_once(conn)
        assert snapshot(conn) == before


def senders_of(hub: Hub, sent: list[list[bytes]], pause: float = 0.0) -> list[Sender]:
    """Concurrent senders, the last of them over HTTP."""
    mllp: list[Sender] = [Sender(hub.port, messages, pause) for messages in sent[POSTERS:]]
    return mllp + [
        Poster(hub.port, messages, pause, web=hub.web) for messages in sent[:POSTERS]
    ]


def assert_all_there_once(conn: psycopg.Connection) -> None:
    counts = keep.counts(conn)
    assert counts.by_state[State.DONE] == TOTAL, [
        (line.state, line.finding, keep.findings(conn, [line.id]))
        for line in keep.find(conn, Choice(), limit=TOTAL * 2)
        if line.state is not State.DONE
    ][:5]
    kept = [
        keep.get(conn, line.id).raw
        for line in keep.find(conn, Choice(state=State.DONE), limit=TOTAL * 2)
    ]
    sent = [message(s, n) for s in range(SENDERS) for n in range(MESSAGES)]
    assert Counter(kept) == Counter(sent)


def assert_stored(stored: dict[tuple[str, str], tuple[int, bytes]]) -> None:
    kinds = Counter(kind for kind, _ in stored)
    assert kinds["Patient"] == SENDERS * PATIENTS
    assert kinds["DiagnosticReport"] == TOTAL
    bodies = [
        json.loads(body) for (kind, _), (_, body) in stored.items() if kind == "Observation"
    ]
    values = Counter(int(body["valueQuantity"]["value"]) for body in bodies)
    wanted = [
        value(s, n, k) for s in range(SENDERS) for n in range(MESSAGES) for k in range(RESULTS)
    ]
    assert values == Counter(wanted)


def test_the_log_of_a_hub_under_load_and_deaths_names_no_patient(hub: Hub) -> None:
    log = (hub.folder / "hub.log").read_text(errors="replace")
    assert "worker" in log
    assert "测试" not in log
    assert "P00^^^A" not in log


def test_the_data_folder_is_all_that_a_hub_leaves(hub: Hub) -> None:
    assert {path.name for path in Path(hub.folder).iterdir()} == {
        "data",
        "healthhub.toml",
        "hub.log",
    }
