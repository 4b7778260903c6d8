"""STOW-RS over a real socket: every object kept before the answer, which names each that is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub import keep
from healthhub.errors import InvalidRequest
from healthhub.keep import Choice
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.receive import multipart, stow
from healthhub.settings import Settings
from tests.dicom import invented_objects as made
from tests.serving import answering

TOKEN = "a-token-for-tests"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
BASE: dict[str, Any] = {
    "institution": "h",
    "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
}
PUBLIC = "https://hub.example/dicomweb/pacs"
SOURCES = {
    "pacs": {
        **BASE,
        "adapter": "dicom",
        "mapping": "national/dicom",
        "pacs": {"url": "http://127.0.0.1:9/dicom-web", "address": PUBLIC},
    },
    "his": {**BASE, "mapping": "national/hl7v2"},
}


def hub_settings(**more: Any) -> Settings:
    return Settings.model_validate(
        {"institutions": {"h": {"title": "H"}}, "sources": SOURCES} | more
    )


@pytest.fixture
def hub(database: str) -> Iterator[httpx.Client]:
    with answering(build_app(hub_settings(), database)) as client:
        client.headers.update(AUTH)
        yield client


def related(*parts: bytes, kind: str = "application/dicom") -> dict[str, Any]:
    """The body and headers of a STOW-RS request."""
    body = b"".join(
        b"--b\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + part + b"\r\n"
        for part in parts
    )
    content_type = f'multipart/related; type="{kind}"; boundary=b'
    return {"content": body + b"--b--\r\n", "headers": {"Content-Type": content_type}}


def kept(dsn: str, source: str = "pacs") -> dict[bytes, str]:
    with psycopg.connect(dsn) as conn:
        lines = keep.find(conn, Choice(source=source))
        return {keep.get(conn, line.id).raw: str(line.state) for line in lines}


def values(answer: httpx.Response, sequence: str, tag: str) -> list[Any]:
    items = answer.json().get(sequence, {}).get("Value", [])
    return [value for item in items for value in item.get(tag, {}).get("Value", [])]


def test_all_objects_are_durable_and_named_with_where_to_have_them(
    hub: httpx.Client, database: str
) -> None:
    raws = [made.written(made.image(n)) for n in (1, 2, 3)]
    answer = hub.post("/feeds/pacs/studies", **related(*raws))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert kept(database) == dict.fromkeys(raws, "pending")
    assert values(answer, "00081199", "00081155") == [made.uid(1, 1, n) for n in (1, 2, 3)]
    url = f"{PUBLIC}/studies/{made.uid(1)}"
    assert answer.json()["00081190"]["Value"] == [url]
    first = f"{url}/series/{made.uid(1, 1)}/instances/{made.uid(1, 1, 1)}"
    assert values(answer, "00081199", "00081190")[0] == first


def test_the_same_again_is_the_same_answer_and_nothing_more(
    hub: httpx.Client, database: str
) -> None:
    raw = made.ct_first()
    answers = [hub.post("/feeds/pacs/studies", **related(raw, raw)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert kept(database) == {raw: "pending"}


def test_what_cannot_be_taken_is_named_with_its_reason_and_kept_as_rejected(
    hub: httpx.Client, database: str
) -> None:
    good, cut, none = made.ct_first(), made.cut_off(), made.no_study()
    answer = hub.post("/feeds/pacs/studies", **related(good, cut, none, b"no object"))
    assert answer.status_code == 202
    assert values(answer, "00081199", "00081155") == [made.uid(1, 1, 1)]
    assert values(answer, "00081198", "00081155") == [made.uid(7, 1, 1)]
    assert values(answer, "00081198", "00081197") == [0xC000]
    assert (
        "(0020,000D) StudyInstanceUID is missing" in values(answer, "00081198", "00000902")[0]
    )
    assert values(answer, "0008119A", "00081197") == [0xC000, 0xC000]
    assert kept(database) == {
        good: "pending",
        cut: "rejected",
        none: "rejected",
        b"no object": "rejected",
    }


def test_an_object_of_another_study_than_the_address_names_is_refused(
    hub: httpx.Client, database: str
) -> None:
    mine, other = made.ct_first(), made.dx_in_gb18030()
    answer = hub.post(f"/feeds/pacs/studies/{made.uid(1)}", **related(mine, other))
    assert answer.status_code == 202
    assert values(answer, "00081198", "00081197") == [0xC409]
    assert kept(database) == {mine: "pending", other: "rejected"}
    alone = hub.post(f"/feeds/pacs/studies/{made.uid(99)}", **related(mine))
    assert alone.status_code == 409


def test_metadata_as_json_is_kept_object_by_object_and_bulk_data_is_not(
    hub: httpx.Client, database: str
) -> None:
    one, two = (made.image(n).to_json().encode() for n in (1, 2))
    request = related(b"[" + one + b"," + two + b"]", kind="application/dicom+json")
    answer = hub.post("/feeds/pacs/studies", **request)
    assert answer.status_code == 200
    assert kept(database) == {one: "pending", two: "pending"}
    bulk = b"--b\r\nContent-Type: image/jpeg\r\nContent-Location: x\r\n\r\njpeg\r\n"
    request["content"] = request["content"].replace(b"--b--", bulk + b"--b--")
    told = hub.post("/feeds/pacs/studies", **request)
    assert told.status_code == 200
    assert values(told, "00081199", "00081196") == [0xB006, 0xB006]


def test_one_object_may_come_without_multipart_and_to_the_feeds_own_address(
    hub: httpx.Client, database: str
) -> None:
    raw = made.ct_first()
    headers = {"Content-Type": "application/dicom"}
    assert hub.post("/feeds/pacs/studies", content=raw, headers=headers).status_code == 200
    plain = hub.post("/feeds/pacs/dicom", content=raw)
    assert plain.status_code == 200
    assert plain.json()[0]["repeated"] is True
    assert kept(database) == {raw: "pending"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": 'multipart/related; type="image/jpeg"; boundary=b'}, b"--b--", 415),
        ({"Content-Type": 'multipart/related; type="application/dicom"'}, b"--b--", 400),
        (
            {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
            b"x",
            400,
        ),
        (
            {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
            b"--b--",
            400,
        ),
        (
            {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
            b"--b\r\n\r\nDICM",
            400,
        ),
    ],
)
def test_a_body_of_another_form_is_refused(
    hub: httpx.Client, database: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = hub.post("/feeds/pacs/studies", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["message"]
    assert kept(database) == {}


def test_only_the_source_itself_may_send(hub: httpx.Client, database: str) -> None:
    request = related(made.ct_first())
    request["headers"]["Authorization"] = "Bearer another"
    assert hub.post("/feeds/pacs/studies", **request).status_code == 401
    assert hub.post("/feeds/his/studies", **related(made.ct_first())).status_code == 404
    assert kept(database) == {}


def test_nothing_is_acknowledged_while_the_store_is_away(database: str) -> None:
    app = build_app(hub_settings(), database)
    app.state.dsn = "postgresql://127.0.0.1:9/nowhere"
    with answering(app) as client:
        answer = client.post("/feeds/pacs/studies", **_with_token(related(made.ct_first())))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert values(answer, "00081198", "00081197") == [0xA700]


def test_an_object_over_its_sources_limit_is_refused_and_the_others_kept(
    database: str,
) -> None:
    sources = SOURCES | {"pacs": SOURCES["pacs"] | {"max_message_bytes": 2000}}
    with answering(build_app(hub_settings(sources=sources), database)) as client:
        request = _with_token(related(made.ct_first(), made.dx_in_gb18030()))
        answer = client.post("/feeds/pacs/studies", **request)
    assert answer.status_code == 202
    assert values(answer, "00081198", "00081155") == [made.uid(1, 1, 1)]
    assert "longer than 2000 bytes" in values(answer, "00081198", "00000902")[0]
    assert sorted(kept(database).values()) == ["pending", "rejected"]


def test_a_body_of_endless_parts_is_refused(
    hub: httpx.Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow, "MOST_OBJECTS", 3)
    answer = hub.post("/feeds/pacs/studies", **related(*[b"%d" % n for n in range(50)]))
    assert answer.status_code == 413
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.REJECTED] <= 3


def test_a_body_over_the_limit_is_refused(database: str) -> None:
    app = build_app(hub_settings(web={"max_body_bytes": 5000}), database)
    with answering(app) as client:
        answer = client.post("/feeds/pacs/studies", **_with_token(related(made.ct_first())))
    assert answer.status_code == 413


def _with_token(request: dict[str, Any]) -> dict[str, Any]:
    return request | {"headers": request["headers"] | AUTH}


@given(
    parts=st.lists(st.binary(max_size=40).filter(lambda part: b"--b" not in part), max_size=4)
)
def test_parts_come_out_as_they_went_in(parts: list[bytes]) -> None:
    body = related(*parts)["content"]
    assert [part.content for part in multipart.parts(body, "b")] == parts


@given(body=st.binary(max_size=60), boundary=st.sampled_from(["b", "", "--", "\x00"]))
def test_a_mangled_body_is_cut_or_refused(body: bytes, boundary: str) -> None:
    try:
        assert sum(len(part.content) for part in multipart.parts(body, boundary)) <= len(body)
    except InvalidRequest as refused:
        told = refused.message
        assert "multipart" in told


def test_half_a_character_in_metadata_keeps_no_object_out(hub: httpx.Client) -> None:
    said = (
        b'[{"00080016":{"vr":"UI","Value":["1.2"]},"00080018":{"vr":"UI","Value":["1.2.3"]},'
        b'"0020000D":{"vr":"UI","Value":["1.2\\ud800"]},"0020000E":{"vr":"UI","Value":["1.4"]},'
        b'"00100020":{"vr":"LO","Value":["A\\ud800"]}}]'
    )
    answer = hub.post(
        "/feeds/pacs/studies", content=said, headers={"Content-Type": "application/dicom+json"}
    )
    assert answer.status_code in (200, 409)
    assert (
        hub.post(
            "/feeds/pacs/studies",
            content=said,
            headers={"Content-Type": "application/dicom+json"},
        ).status_code
        == answer.status_code
    )
