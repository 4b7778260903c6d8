"""Accounts and clients are made by command, and their secrets are printed once."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import httpx
import psycopg
import pytest
from signing import elliptic

from healthhub import cli
from healthhub.access import passwords


@pytest.fixture(autouse=True)
def settings(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands work on the test's database."""
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)


def test_account_add_generates_a_password_and_prints_it_once(
    capsys: pytest.CaptureFixture[str], connection: psycopg.Connection
) -> None:
    assert cli.main(["account", "add", "wang", "--role", "clinician", "--generate"]) == 0
    shown = capsys.readouterr().out
    (password,) = re.findall(r"once: (\S+)", shown)
    row = connection.execute("select name, roles, password from account").fetchone()
    assert row is not None
    assert row[:2] == ("wang", ["clinician"])
    assert passwords.verify(password, row[2])
    assert cli.main(["account", "list"]) == 0
    listed = capsys.readouterr().out
    assert "wang clinician active" in listed
    assert password not in listed


def test_account_refuses_a_weak_password_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, connection: psycopg.Connection
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("weak\n"))
    assert cli.main(["account", "add", "wang", "--role", "clinician"]) != 0
    assert connection.execute("select count(*) from account").fetchone() == (0,)


@pytest.mark.parametrize(
    "words",
    [
        ["account", "add"],
        ["account", "add", "wang", "--generate"],
        ["account", "disable", "nobody"],
        ["client", "add", "his"],
        ["client", "add", "his", "--scope", "system/Nothing.rs"],
        ["client", "add", "his", "--scope", "system/*.rs", "--source", "nowhere"],
        ["client", "add", "his", "--keys", "nowhere.json", "--scope", "system/*.rs"],
        ["client", "add", "his", "--keys-url", "https://x.example/k", "--scope", "system/*.rs"],
        ["client", "keys", "his"],
        ["client", "keys", "nobody", "--keys-url", "https://x.example/k"],
        ["client", "disable", "nobody"],
    ],
)
def test_what_is_missing_or_unknown_is_said(words: list[str]) -> None:
    assert cli.main(words) != 0


def test_client_add_prints_a_token_that_is_nowhere_stored(
    capsys: pytest.CaptureFixture[str], connection: psycopg.Connection
) -> None:
    assert cli.main(["client", "add", "his", "--all-rights"]) == 0
    (token,) = re.findall(r"once: (\S+)", capsys.readouterr().out)
    row = connection.execute("select roles, purpose, client::text from client").fetchone()
    assert row is not None
    assert row[:2] == (["system"], "TREAT")
    assert len(token) >= 43
    assert token not in row[2]
    assert cli.main(["client", "disable", "his"]) == 0
    assert cli.main(["client", "list"]) == 0
    assert "his system TREAT disabled" in capsys.readouterr().out


def test_client_add_with_keys_makes_no_token_and_keys_gives_it_others(
    capsys: pytest.CaptureFixture[str], connection: psycopg.Connection, tmp_path: Path
) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file in files:
        file.write_bytes(elliptic(file.stem).set())
    words = ["client", "add", "his", "--keys", str(files[0]), "--scope", "system/*.rs launch"]
    assert cli.main(words) == 0
    assert "token" not in capsys.readouterr().out
    row = connection.execute("select token, roles, scopes, jwks_url from client").fetchone()
    assert row == (None, ["system"], ["launch", "system/*.rs"], None)
    assert cli.main(["client", "keys", "his", "--keys", str(files[1])]) == 0
    assert cli.main(["client", "list"]) == 0
    assert "his system TREAT active keys second launch system/*.rs" in capsys.readouterr().out


def test_a_client_that_signs_is_bounded_by_scopes_and_hands_over_no_private_key(
    capsys: pytest.CaptureFixture[str], connection: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(elliptic().set())
    assert cli.main(["client", "add", "his", "--all-rights", "--keys", str(file)]) != 0
    assert "--scope" in capsys.readouterr().err
    file.write_text(json.dumps({"keys": [elliptic().key.as_dict(private=True)]}))
    words = ["client", "add", "his", "--keys", str(file), "--scope", "system/*.rs"]
    assert cli.main(words) != 0
    assert "private key" in capsys.readouterr().err
    assert connection.execute("select count(*) from client").fetchone() == (0,)


def test_a_client_with_a_token_of_its_own_may_be_bounded_too(
    capsys: pytest.CaptureFixture[str], connection: psycopg.Connection, anyone: httpx.Client
) -> None:
    assert cli.main(["client", "add", "app", "--scope", "system/Basic.rs"]) == 0
    (token,) = re.findall(r"once: (\S+)", capsys.readouterr().out)
    headers = {"authorization": f"Bearer {token}"}
    assert anyone.get("/fhir/Basic", headers=headers).status_code == 200
    assert anyone.get("/fhir/Patient", headers=headers).status_code == 403
