"""healthhub account: make, list and close the accounts of people."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

import psycopg

from healthhub import postgres, settings
from healthhub.access import accounts, passwords, second_factor
from healthhub.access.actor import Role
from healthhub.errors import InvalidRequest
from healthhub.store import database

HELP = "accounts of people: add, list, password, code, disable"


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, with whom."""
    parser.add_argument("what", choices=("add", "list", "password", "code", "disable"))
    parser.add_argument("name", nargs="?", help="the name to sign in with")
    parser.add_argument("--title", default="", help="the name shown to people")
    parser.add_argument(
        "--role",
        action="append",
        choices=[r.value for r in Role if r not in (Role.SYSTEM, Role.LAUNCHED)],
    )
    parser.add_argument(
        "--generate", action="store_true", help="make a password, print it once"
    )
    parser.add_argument(
        "--off",
        action="store_true",
        help="of code: sign in without one, as when a phone is lost",
    )


def run(args: argparse.Namespace) -> int:
    """Do it; a password is asked for, read from a pipe, or generated."""
    with postgres.running(settings.load()) as dsn:
        database.migrate(dsn)
        with database.connect(dsn) as conn:
            if args.what == "list":
                for account in accounts.listed(conn):
                    roles = ",".join(account.roles)
                    state = "disabled" if account.disabled else "active"
                    print(account.name, roles, state, *(["code"] if account.code else []))
                return 0
            if not args.name:
                raise InvalidRequest("say which account: healthhub account add NAME")
            if args.what == "disable":
                accounts.disable(conn, args.name)
                return 0
            if args.what == "code":
                _code(conn, args.name, off=args.off)
                return 0
            password = passwords.generated() if args.generate else _asked()
            if args.what == "password":
                accounts.set_password(conn, args.name, password)
            else:
                roles = [Role(role) for role in args.role or ()]
                if not roles:
                    raise InvalidRequest("say what the account may do: --role clinician")
                accounts.add(conn, args.name, password, roles, args.title)
    if args.generate:
        print(f"password of {args.name}, shown this once: {password}")
    return 0


def _code(conn: psycopg.Connection[Any], name: str, *, off: bool) -> None:
    if off:
        accounts.drop_code(conn, name)
        return
    secret = accounts.set_code(conn, name)
    print(f"secret of {name}'s codes, shown this once; enter it in an authenticator app:")
    print(" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)))
    print(second_factor.address(name, secret))


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if first != getpass.getpass("once more: "):
        raise InvalidRequest("the two passwords differ; begin again")
    return first
