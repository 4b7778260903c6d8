"""A code that the city plants: found, proposed rightly, solved by a click, seen by the doctor, undone."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import orjson
import psycopg
import pytest
from gap_stage import settled, take, until, working
from serving import answering
from test_gap_pages import PASSWORD, act, signed_in, text

from healthhub import city, keep
from healthhub.access import Role, accounts
from healthhub.city.catalogue import ITEMS
from healthhub.city.sent import Sent
from healthhub.keep.gaps import Gap
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.settings import Settings
from healthhub.store import dictionary

SOURCE = "a-lis"
CITY = Settings.model_validate(
    {
        "institutions": {"hospital-a": {"title": "江城市第一人民医院"}},
        "sources": {
            name: {"institution": "hospital-a", "mapping": "hospital-a"}
            for name in (SOURCE, "a-old-lis")
        },
    }
)


@pytest.fixture(scope="module")
def planted() -> tuple[Sent, str, str]:
    """A report with an unknown code, its name, and the LOINC code that it truly stands for."""
    for sent in city.Story(400, 7, 1, systems=()).messages():
        if sent.planted == "unknown-code" and sent.source == "hospital-a-lis":
            name = re.search(rb"\|0399\d{3}\^\*?([^^|]+)", sent.raw)
            assert name
            shown = name[1].decode("utf-8")
            truth = next((i.loinc for i in ITEMS.values() if i.name == shown), "")
            if truth:
                return sent, shown, truth
    raise AssertionError("the city planted no unknown code")


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def the_gap(conn: psycopg.Connection) -> Gap:
    (found,) = [
        g for g in keep.gaps.of_sources(conn, [SOURCE], "tests") if g.code[:4] == "0399"
    ]
    return found


def observation(conn: psycopg.Connection, code: str) -> tuple[str, str]:
    """The stored result with this code: its patient and id."""
    for (packed,) in conn.execute("select body from resource where not deleted").fetchall():
        body = orjson.loads(dictionary.unpack(packed))
        if body["resourceType"] == "Observation" and f'"{code}"' in str(body).replace("'", '"'):
            return body["subject"]["reference"].partition("/")[2], body["id"]
    raise AssertionError(code)


def test_a_planted_code_is_solved_and_the_doctors_page_follows(
    database: str,
    conn: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    planted: tuple[Sent, str, str],
) -> None:
    sent, name, truth = planted
    accounts.add(conn, "admin", PASSWORD, [Role.ADMIN], "林管理")
    accounts.add(conn, "doctor", PASSWORD, [Role.CLINICIAN], "周医生")
    with (
        working(database, monkeypatch),
        answering(build_app(CITY, database)) as admin,
        httpx.Client(base_url=admin.base_url, timeout=20) as doctor,
    ):
        take(database, sent.raw, source=SOURCE)
        until(lambda: keep.counts(conn).by_state[State.DONE] == 1)
        gap = the_gap(conn)
        assert gap.display == name
        signed_in(admin, "admin")
        signed_in(doctor, "doctor")
        patient, result = observation(conn, gap.code)

        def seen() -> tuple[str, str]:
            page = doctor.get(f"/record/{patient}?lang=en").text
            trace = doctor.get(f"/record/{patient}/trace/Observation/{result}?lang=en")
            return text(page), text(trace.text)

        page, trace = seen()
        assert name in page
        assert truth not in trace
        proposed = admin.get(f"/console/gaps/{gap.id}").text
        first = re.search(r'name="code" value="([^"]+)"', proposed)
        assert first
        assert html.unescape(first[1]) == truth, "the best proposal is what the city meant"
        shown = act(admin, gap.id, "preview", code=truth, display="Mapped name")
        assert "将改变 1 个已入库资源，涉及 1 名患者的页面" in text(shown.text)
        act(
            admin, gap.id, "solve", code=truth, display="Mapped name", seen="0", reason="核对过"
        )
        until(lambda: settled(conn))
        page, trace = seen()
        assert "Mapped name" in page
        assert truth in trace
        message = admin.get(f"/console/messages/{gap_message(conn)}").text
        assert "hospital-a 1.0+1" in message
        act(admin, gap.id, "undo", seen="1", reason="看错了")
        until(lambda: settled(conn))
        page, trace = seen()
        assert "Mapped name" not in page
        assert name in page
        assert truth not in trace


def gap_message(conn: psycopg.Connection) -> int:
    row = conn.execute("select max(message) from code_sighting").fetchone()
    assert row
    return row[0]
