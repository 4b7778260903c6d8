"""Tokens for signed assertions: only its key makes a client, once for each assertion, a while."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from signing import Signer, ask, claims, elliptic, endpoint, register, token

from healthhub.access import Purpose, Role, clients, grants, keys
from healthhub.errors import InvalidRequest

EC = elliptic()
RSA = Signer(RSAKey.generate_key(2048), "RS384", "rsa-1")
OTHER = elliptic()
NAME = "his-a"


@pytest.fixture
def his(connection: psycopg.Connection) -> None:
    """A program that may read everything."""
    register(connection, NAME, "system/*.rs launch", EC)


def assertion(hub: httpx.Client, **changes: Any) -> str:
    """One that holds, but for the changes of its claims."""
    return EC.signed(claims(NAME, endpoint(hub), **changes))


@pytest.mark.parametrize("signer", [EC, RSA], ids=["ES384", "RS384"])
def test_a_signed_assertion_gets_a_token_of_a_few_minutes_that_opens_the_service(
    anyone: httpx.Client, connection: psycopg.Connection, signer: Signer
) -> None:
    register(connection, NAME, "system/*.rs", signer)
    answer = ask(anyone, signer.signed(claims(NAME, endpoint(anyone))), "system/Patient.rs")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("bearer", 300)
    assert told["scope"] == "system/Patient.rs"
    bearer = {"authorization": f"Bearer {told['access_token']}"}
    assert anyone.get("/fhir/Patient", headers=bearer).status_code == 200
    stored = connection.execute("select string_agg(a::text, '') from access_token a").fetchone()
    assert stored is not None
    assert told["access_token"] not in stored[0]


@pytest.mark.usefixtures("his")
@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "other"},
        {"sub": None},
        {"iss": "other", "sub": "other"},
        {"iss": None},
        {"iss": 7},
        {"iss": "a\0b"},
        {"aud": "http://elsewhere/oauth/token"},
        {"aud": None},
        {"aud": []},
        {"exp": 1_000_000_000},
        {"exp": 9_000_000_000},
        {"exp": float("nan")},
        {"exp": "soon"},
        {"exp": [1]},
        {"exp": None},
        {"nbf": 9_000_000_000},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 300},
    ],
    ids=str,
)
def test_an_assertion_with_a_wrong_claim_is_refused(
    anyone: httpx.Client, connection: psycopg.Connection, changes: dict[str, Any]
) -> None:
    answer = ask(anyone, assertion(anyone, **changes))
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"] == "invalid_client"
    assert connection.execute("select count(*) from access_token").fetchone() == (0,)


@pytest.mark.usefixtures("his")
def test_nobody_else_s_signature_is_taken(anyone: httpx.Client) -> None:
    """Another key, another algorithm, none, the public key as a secret, a key sent along."""
    said = claims(NAME, endpoint(anyone))
    secret = OctKey.import_key(json.dumps(EC.public()))
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"ec-1"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    good = assertion(anyone)
    flipped = "B" if good[-10] == "A" else "A"
    forged = [
        OTHER.signed(said),
        OTHER.signed(said, jwk=OTHER.public()),
        OTHER.signed(said, jku="http://127.0.0.1:1/keys"),
        EC.signed(said, jku="http://127.0.0.1:1/keys"),
        EC.signed(said, kid="other"),
        Signer(RSA.key, "RS384", EC.kid).signed(said),
        Signer(RSA.key, "PS384", EC.kid).signed(said),
        jwt.encode({"alg": "HS256", "kid": EC.kid}, said, secret),
        f"{header}.{body}.",
        good[:-10] + flipped + good[-9:],
        "",
        "a.b.c",
        "é.b.c",
        "." * 9000,
    ]
    for one in forged:
        answer = ask(anyone, one)
        assert answer.status_code in (400, 401), one
        assert "access_token" not in answer.text


@pytest.mark.usefixtures("his")
def test_an_assertion_is_taken_once_however_many_bring_it_at_once(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    one = assertion(anyone)
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: ask(anyone, one).status_code, range(16)))
    assert sorted(answers) == [200, *[401] * 15]
    assert connection.execute("select count(*) from access_token").fetchone() == (1,)
    told = connection.execute(
        "select outcome, count(*) from audit_event where action = 'sign-in' group by 1 order by 1"
    ).fetchall()
    assert told == [("denied", 15), ("done", 1)]


@pytest.mark.usefixtures("his")
def test_what_was_used_is_forgotten_only_when_it_has_expired(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    ask(anyone, assertion(anyone))
    kept = connection.execute(
        "select expires_at - now() > interval '4 min' from used_assertion"
    ).fetchall()
    assert kept == [(True,)]
    connection.execute("update used_assertion set expires_at = now() - interval '1 s'")
    connection.execute("update access_token set expires_at = now() - interval '1 s'")
    connection.commit()
    assert ask(anyone, assertion(anyone)).status_code == 200
    counts = "select (select count(*) from used_assertion), (select count(*) from access_token)"
    assert connection.execute(counts).fetchone() == (1, 1)


@pytest.mark.usefixtures("his")
@pytest.mark.parametrize(
    "change",
    [
        "update access_token set expires_at = now()",
        "update client set disabled_at = now()",
        "keys",
        "disable",
    ],
)
def test_a_token_ends(
    anyone: httpx.Client, connection: psycopg.Connection, change: str
) -> None:
    bearer = {"authorization": f"Bearer {token(anyone, EC, NAME, 'system/*.rs')}"}
    if change == "keys":
        clients.set_keys(connection, NAME, clients.Keys(keys.checked(OTHER.set())))
    elif change == "disable":
        clients.disable(connection, NAME)
    else:
        connection.execute(change)  # type: ignore[arg-type]
    connection.commit()
    answer = anyone.get("/fhir/Patient", headers=bearer)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("his")
def test_new_keys_take_the_place_of_the_old(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    clients.set_keys(connection, NAME, clients.Keys(keys.checked(OTHER.set())))
    connection.commit()
    assert ask(anyone, assertion(anyone)).status_code == 401
    assert token(anyone, OTHER, NAME, "system/*.rs")


@pytest.mark.usefixtures("his")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "urn:x"}, "invalid_request"),
        ({"client_assertion": ""}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "system/*.cud"}, "invalid_scope"),
        ({"scope": "user/Patient.rs system/Nothing.rs"}, "invalid_scope"),
        ({"client_id": "other"}, "invalid_client"),
        ({"more": "x" * 70_000}, "invalid_request"),
    ],
    ids=str,
)
def test_a_wrong_form_is_told_as_oauth_has_it(
    anyone: httpx.Client, form: dict[str, str], error: str
) -> None:
    answer = ask(anyone, assertion(anyone), **form)
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (b"{}", "application/json"),
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
        (b"grant_type=%00", "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form_is_refused(anyone: httpx.Client, content: bytes, media: str) -> None:
    answer = anyone.post("/oauth/token", content=content, headers={"content-type": media})
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


def test_clients_without_keys_of_their_own_sign_for_nothing(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    clients.add(connection, NAME, [Role.SYSTEM], Purpose.TREAT)
    connection.commit()
    assert ask(anyone, assertion(anyone)).status_code == 401


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    header=st.one_of(
        st.binary(max_size=40),
        st.dictionaries(
            st.sampled_from(["alg", "kid", "jku", "crit", "b64", "typ", "x"]),
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
            | st.lists(st.text(max_size=4), max_size=2),
        ),
    ),
    body=st.one_of(
        st.binary(max_size=40),
        st.just(b"[" * 4000),
        st.dictionaries(
            st.sampled_from(["iss", "sub", "aud", "exp", "jti"]),
            st.one_of(st.none(), st.just(NAME), st.floats(), st.text(max_size=8)),
        ),
    ),
    signature=st.text(alphabet="AB-_=.", max_size=12),
)
@pytest.mark.usefixtures("his")
def test_whatever_stands_in_an_assertion_it_is_refused_and_breaks_nothing(
    anyone: httpx.Client, header: Any, body: Any, signature: str
) -> None:
    def part(of: Any) -> str:
        raw = of if isinstance(of, bytes) else json.dumps(of).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    answer = ask(anyone, f"{part(header)}.{part(body)}.{signature}")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "JSON"),
        (b"[]", "list"),
        (b'{"keys": 1}', "list"),
        (b'{"keys": []}', "no key"),
        (json.dumps({"keys": [EC.public()] * 33}).encode(), "over 32"),
        (json.dumps({"keys": [EC.key.as_dict(private=True)]}).encode(), "private"),
        (
            json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}).encode(),
            "private",
        ),
        (json.dumps({"keys": [EC.public(use="enc")]}).encode(), "no key"),
        (json.dumps({"keys": [EC.public(crv="P-256")]}).encode(), "no key"),
        (json.dumps({"keys": [EC.public(x="AAAA")]}).encode(), "no key"),
        (json.dumps({"keys": [EC.public(kid="")]}).encode(), "no key"),
        (json.dumps({"keys": [RSA.public(n="AQAB")]}).encode(), "no key"),
        (json.dumps({"keys": [RSA.public(alg="ES384")]}).encode(), "no key"),
        (json.dumps({"keys": [RSA.public(e=["AQAB"])]}).encode(), "no key"),
        (b" " * 70_000, "over"),
    ],
)
def test_a_key_set_without_a_good_key_is_refused_with_the_reason(text: bytes, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        keys.checked(text)


def test_of_a_key_nothing_is_kept_but_what_is_used() -> None:
    both = {"keys": [EC.public(x5u="http://x", note="n"), {"kty": "OKP"}, RSA.public()]}
    kept = keys.checked(json.dumps(both).encode())
    assert [each["kid"] for each in kept] == ["ec-1", "rsa-1"]
    assert set(kept[0]) == {"kty", "kid", "crv", "x", "y"}


@pytest.mark.usefixtures("his")
def test_whoever_only_knows_a_client_s_name_cannot_fill_the_audit(
    anyone: httpx.Client, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "DENIALS_SECONDS", 3600.0)
    said = claims(NAME, endpoint(anyone))
    for _ in range(grants.MOST_DENIALS + 20):
        assert ask(anyone, OTHER.signed(said)).status_code == 401
    count = "select count(*) from audit_event where outcome = 'denied'"
    assert connection.execute(count).fetchone() == (grants.MOST_DENIALS,)
    assert ask(anyone, assertion(anyone)).status_code == 200, (
        "the client itself is not hindered"
    )
