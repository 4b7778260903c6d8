"""healthhub client: register, list and refuse programs that come with a bearer token."""

from __future__ import annotations

import argparse

from healthhub import postgres, settings
from healthhub.access import clients
from healthhub.access.actor import Purpose, Role
from healthhub.errors import InvalidRequest
from healthhub.store import database

HELP = "clients of the FHIR interface: add, list, disable"


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, with which."""
    parser.add_argument("what", choices=("add", "list", "disable"))
    parser.add_argument("name", nargs="?")
    parser.add_argument("--role", action="append", choices=[role.value for role in Role])
    parser.add_argument("--all-rights", action="store_true", help="the role system")
    parser.add_argument(
        "--purpose",
        default=Purpose.TREAT.value,
        choices=[purpose.value for purpose in Purpose],
        help="why it asks, where a request does not say",
    )


def run(args: argparse.Namespace) -> int:
    """Do it; the token is printed once and nowhere stored."""
    with postgres.running(settings.load()) as dsn:
        database.migrate(dsn)
        with database.connect(dsn) as conn:
            if args.what == "list":
                for client in clients.listed(conn):
                    state = "disabled" if client.disabled else "active"
                    print(client.name, ",".join(client.roles), client.purpose, state)
                return 0
            if not args.name:
                raise InvalidRequest("say which client: healthhub client add NAME")
            if args.what == "disable":
                clients.disable(conn, args.name)
                return 0
            roles = [Role.SYSTEM] if args.all_rights else [Role(r) for r in args.role or ()]
            if not roles:
                raise InvalidRequest("say what it may do: --all-rights, or --role")
            token = clients.add(conn, args.name, roles, Purpose(args.purpose))
    print(f"token of {args.name}, shown this once: {token}")
    return 0
