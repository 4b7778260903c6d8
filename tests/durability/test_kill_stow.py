"""kill -9 of every part while a PACS sends by STOW-RS: what was acknowledged is in its study once."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from healthhub import keep, postgres
from healthhub.keep import Choice
from healthhub.model.message import State
from healthhub.settings import Settings
from healthhub.store import query, reads
from tests.dicom import invented_objects as made
from tests.durability.hub import TOKEN, TOKEN_SHA, Hub, Poster, Sender

STUDIES, IMAGES = 3, 60
DEATHS = ("worker", "web", "postgres", "worker", "hub", "web", "worker")
SOURCE = f"""
[sources.pacs]
institution = "h"
adapter = "dicom"
mapping = "national/dicom"
token_sha256 = "{TOKEN_SHA}"
"""

pytestmark = pytest.mark.slow


@dataclass
class Pacs(Poster):
    """A PACS that stores some objects at a time, again until the answer is 200."""

    __hash__ = Sender.__hash__

    def _all_accepted(self, group: Sequence[bytes]) -> bool:
        parts = b"".join(
            b"--b\r\nContent-Type: application/dicom\r\n\r\n" + raw + b"\r\n" for raw in group
        )
        try:
            answer = httpx.post(
                f"http://127.0.0.1:{self.web}/feeds/pacs/studies",
                content=parts + b"--b--\r\n",
                headers={
                    "Authorization": f"Bearer {TOKEN}",
                    "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
                },
                timeout=15,
            )
        except httpx.TransportError:
            return False
        stored = answer.json().get("00081199", {}) if answer.status_code == 200 else {}
        return len(stored.get("Value", [])) == len(group)


def objects(study: int) -> list[bytes]:
    return [made.written(made.image(n, 1 + n % 3, study)) for n in range(1, IMAGES + 1)]


def test_studies_are_whole_whatever_dies_and_sending_again_changes_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="healthhub-kill-") as folder:
        Path(folder).chmod(0o711)
        hub = Hub(Path(folder))
        with hub.settings.open("a", encoding="utf-8") as file:
            file.write(SOURCE)
        hub.start()
        senders = [
            Pacs(hub.port, objects(n + 1), 0.15, web=hub.web, at_once=4) for n in range(STUDIES)
        ]
        for sender in senders:
            sender.start()
        for part in DEATHS:
            time.sleep(1.2)
            hub.kill(part)
            if part == "hub":
                hub.start()
        for sender in senders:
            sender.join(180)
            assert len(sender.accepted) == IMAGES
        assert sum(sender.resent for sender in senders) > 0, (
            "no death was felt: the test is void"
        )
        with (
            postgres.running(Settings(data_dir=hub.folder / "data")) as dsn,
            psycopg.connect(dsn, autocommit=True) as conn,
        ):
            before = ended(hub, conn)
            again = [Pacs(hub.port, objects(n + 1), web=hub.web) for n in range(STUDIES)]
            for sender in again:
                sender.start()
            for sender in again:
                sender.join(60)
            keep.replay(conn, Choice(source="pacs"), who="test", reason="nothing may change")
            assert ended(hub, conn) == before
        hub.stop()


def ended(hub: Hub, conn: psycopg.Connection) -> dict[str, bytes]:
    """The studies when nothing waits any more: each with all its objects, kept once."""

    def quiet() -> bool:
        states = keep.counts(conn).by_state
        return not states[State.PENDING] + states[State.RETRY]

    hub.wait_until(quiet, 120)
    assert keep.counts(conn).by_state[State.DONE] == STUDIES * IMAGES
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    found = [s for s in query.fetch(conn, reads.by_ids(keys)) if s.type == "ImagingStudy"]
    for stored in found:
        study = json.loads(stored.json)
        assert (study["numberOfSeries"], study["numberOfInstances"]) == (3, IMAGES)
    assert len(found) == STUDIES
    return {str(stored.id): stored.json for stored in found}
