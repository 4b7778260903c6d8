"""Accounts and clients are made by command, and their secrets are printed once."""

from __future__ import annotations

import io
import re

import psycopg
import pytest

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
