"""Tokens told about and ended: to whom they belong, and to nobody else."""

from __future__ import annotations

import time
from typing import Any

import httpx
import psycopg
import pytest
from signing import JWT_BEARER, claims, elliptic, endpoint, register, token

from healthhub.access import Purpose, Role, clients

SIGNER = elliptic()


@pytest.fixture(autouse=True)
def programs(connection: psycopg.Connection) -> None:
    """Two programs that sign."""
    for name in ("his", "lis"):
        register(connection, name, "system/*.rs", SIGNER)


def post(hub: httpx.Client, path: str, bearer: str = "", **fields: str) -> httpx.Response:
    """A form to one of the addresses."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return hub.post(f"/oauth/{path}", data=fields, headers=headers)


def signed(hub: httpx.Client, name: str) -> dict[str, str]:
    """The fields of an assertion."""
    assertion = SIGNER.signed(claims(name, endpoint(hub)))
    return {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}


def active(hub: httpx.Client, name: str, told: str) -> Any:
    """Whether a program is told that a token is good."""
    return post(hub, "introspect", token=told, **signed(hub, name)).json()["active"]


def test_a_token_is_told_to_its_own_client_by_assertion_and_by_token(
    anyone: httpx.Client,
) -> None:
    made = token(anyone, SIGNER, "his", "system/Patient.rs")
    for answer in (
        post(anyone, "introspect", token=made, **signed(anyone, "his")),
        post(anyone, "introspect", made, token=made, token_type_hint="access_token"),
    ):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json()
        assert abs(told.pop("exp") - time.time() - 300) < 60
        assert told == {
            "active": True,
            "client_id": "his",
            "scope": "system/Patient.rs",
            "token_type": "bearer",
        }


def test_another_client_s_token_is_told_to_one_with_all_rights_alone(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    made = token(anyone, SIGNER, "his", "system/*.rs")
    full = clients.add(connection, "archive", [Role.SYSTEM], Purpose.TREAT)
    narrow = clients.add(connection, "viewer", [Role.CLINICIAN], Purpose.TREAT)
    connection.commit()
    assert active(anyone, "lis", made) is False
    assert post(anyone, "introspect", narrow, token=made).json() == {"active": False}
    assert post(anyone, "introspect", full, token=made).json()["client_id"] == "his"
    own = post(anyone, "introspect", full, token=full).json()
    assert own == {"active": True, "client_id": "archive", "token_type": "bearer"}


@pytest.mark.parametrize(
    "change",
    [
        "update access_token set expires_at = now()",
        "update client set disabled_at = now() where name = 'his'",
    ],
)
def test_a_token_that_has_ended_is_told_as_such(
    anyone: httpx.Client, connection: psycopg.Connection, change: str
) -> None:
    made = token(anyone, SIGNER, "his", "system/*.rs")
    full = clients.add(connection, "archive", [Role.SYSTEM], Purpose.TREAT)
    connection.execute(change)  # type: ignore[arg-type]
    connection.commit()
    assert post(anyone, "introspect", full, token=made).json() == {"active": False}
    assert post(anyone, "introspect", full, token="none").json() == {"active": False}


def test_a_revoked_token_opens_nothing_from_the_same_moment(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    made = token(anyone, SIGNER, "his", "system/*.rs")
    headers = {"authorization": f"Bearer {made}"}
    assert anyone.get("/fhir/Patient", headers=headers).status_code == 200
    answer = post(anyone, "revoke", token=made, **signed(anyone, "his"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert anyone.get("/fhir/Patient", headers=headers).status_code == 401
    assert active(anyone, "his", made) is False
    told = connection.execute(
        "select outcome from audit_event where action = 'sign-out'"
    ).fetchall()
    assert told == [("done",)]


def test_nobody_ends_another_s_token_and_none_is_told_whether_there_was_one(
    anyone: httpx.Client,
) -> None:
    made = token(anyone, SIGNER, "his", "system/*.rs")
    for which in (made, "none"):
        answer = post(anyone, "revoke", token=which, **signed(anyone, "lis"))
        assert (answer.status_code, answer.content) == (200, b"")
    assert active(anyone, "his", made) is True


@pytest.mark.parametrize("path", ["introspect", "revoke"])
def test_who_brings_nothing_or_a_used_assertion_is_refused(
    anyone: httpx.Client, path: str
) -> None:
    made = token(anyone, SIGNER, "his", "system/*.rs")
    used = signed(anyone, "his")
    assert post(anyone, path, token="x", **used).status_code == 200
    refusals = [
        post(anyone, path, token=made),
        post(anyone, path, "wrong", token=made),
        post(anyone, path, token=made, **used),
        post(anyone, path, token=made, **signed(anyone, "nobody")),
        post(anyone, path, token=made, client_id="lis", **signed(anyone, "his")),
    ]
    for answer in refusals:
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"
    empty = post(anyone, path, **signed(anyone, "his"))
    assert (empty.status_code, empty.json()["error"]) == (400, "invalid_request")
    kind = signed(anyone, "his") | {"client_assertion_type": "urn:x"}
    assert post(anyone, path, token=made, **kind).json()["error"] == "invalid_request"
    assert active(anyone, "his", made) is True
