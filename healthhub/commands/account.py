"""healthhub account: make, list and close the accounts of people."""

from __future__ import annotations

import argparse
import getpass
import sys

from healthhub import postgres, settings
from healthhub.access import accounts, passwords
from healthhub.access.actor import Role
from healthhub.errors import InvalidRequest
from healthhub.store import database

HELP = "accounts of people: add, list, password, disable"


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, with whom."""
    parser.add_argument("what", choices=("add", "list", "password", "disable"))
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


def run(args: argparse.Namespace) -> int:
    """Do it; a password is asked for, read from a pipe, or generated."""
    with postgres.running(settings.load()) as dsn:
        database.migrate(dsn)
        with database.connect(dsn) as conn:
            if args.what == "list":
                for account in accounts.listed(conn):
                    roles = ",".join(account.roles)
                    print(account.name, roles, "disabled" if account.disabled else "active")
                return 0
            if not args.name:
                raise InvalidRequest("say which account: healthhub account add NAME")
            if args.what == "disable":
                accounts.disable(conn, args.name)
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


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if first != getpass.getpass("once more: "):
        raise InvalidRequest("the two passwords differ; begin again")
    return first
