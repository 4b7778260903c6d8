"""healthhub client: register, list and refuse programs, and give those that sign other keys."""

from __future__ import annotations

import argparse
from pathlib import Path

from healthhub import outbound, postgres, settings
from healthhub.access import clients, keys, published, scopes
from healthhub.access.actor import Purpose, Role
from healthhub.access.scopes import Scopes
from healthhub.errors import InvalidRequest
from healthhub.settings import Settings
from healthhub.store import database

_ROLES = [role.value for role in Role if role is not Role.LAUNCHED]
HELP = "clients of the FHIR interface: add, list, keys, disable"


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, with which."""
    parser.add_argument("what", choices=("add", "list", "keys", "disable"))
    parser.add_argument("name", nargs="?")
    parser.add_argument("--role", action="append", choices=_ROLES)
    parser.add_argument("--all-rights", action="store_true", help="the role system")
    parser.add_argument(
        "--purpose",
        default=Purpose.TREAT.value,
        choices=[purpose.value for purpose in Purpose],
        help="why it asks, where a request does not say",
    )
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="its public keys (JSON Web Key Set): it signs for tokens of a few minutes, and has "
        "none of its own",
    )
    parser.add_argument(
        "--keys-url",
        default="",
        metavar="URL",
        help="the address where it publishes them (setting oauth.keys_from must allow it)",
    )
    parser.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="what it may have at most, such as system/*.rs; several: give it again. It has the "
        "role system then, if no other is named",
    )
    parser.add_argument(
        "--source", metavar="NAME", help="the source ([sources.NAME]) whose system it is"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; a token of its own is printed once and nowhere stored."""
    known = settings.load()
    with postgres.running(known) as dsn:
        database.migrate(dsn)
        with database.connect(dsn) as conn:
            if args.what == "list":
                for client in clients.listed(conn):
                    print(*_told(client))
                return 0
            if not args.name:
                raise InvalidRequest("say which client: healthhub client add NAME")
            if args.what == "disable":
                clients.disable(conn, args.name)
                return 0
            if args.what == "keys":
                clients.set_keys(conn, args.name, _keys(args, known))
                return 0
            token = _add(conn, args, known)
    if token:
        print(f"token of {args.name}, shown this once: {token}")
    return 0


def _add(conn: clients.Connection, args: argparse.Namespace, known: Settings) -> str:
    """The token of its own, if it has one."""
    bounds = scopes.registered(" ".join(args.scope).split()) if args.scope else None
    roles = _roles(args, bounds)
    purpose = Purpose(args.purpose)
    if args.source is not None and args.source not in known.sources:
        raise InvalidRequest(f"there is no [sources.{args.source}] in the settings")
    if not (args.keys or args.keys_url):
        return clients.add(conn, args.name, roles, purpose, bounds, args.source)
    if bounds is None:
        raise InvalidRequest(
            "say what a client that signs may have at most: --scope 'system/*.rs'"
        )
    signs_with = _keys(args, known)
    clients.add_signing(conn, args.name, roles, purpose, bounds, args.source, signs_with)
    return ""


def _roles(args: argparse.Namespace, bounds: Scopes | None) -> list[Role]:
    roles = [Role(role) for role in args.role or ()]
    if args.all_rights or (bounds is not None and not roles):
        roles = [Role.SYSTEM]
    if not roles:
        raise InvalidRequest("say what it may do: --all-rights, --scope, or --role")
    return roles


def _keys(args: argparse.Namespace, known: Settings) -> clients.Keys:
    if bool(args.keys) == bool(args.keys_url):
        raise InvalidRequest("give its public keys: either --keys FILE or --keys-url URL")
    if args.keys_url:
        allowed = known.oauth.keys_from
        outbound.require(args.keys_url, allowed, published.SETTING, "--keys-url")
        return clients.Keys(url=args.keys_url)
    try:
        raw = args.keys.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{args.keys} cannot be read ({error.strerror})") from None
    return clients.Keys(keys.checked(raw))


def _told(client: clients.Client) -> list[str]:
    """A client as a line: what follows its state is there for those that have it."""
    line = [
        client.name,
        ",".join(client.roles),
        client.purpose,
        "disabled" if client.disabled else "active",
    ]
    if client.known_by != "token":
        line.append(client.known_by)
    if client.source:
        line.append(f"source {client.source}")
    return [*line, *client.scopes]
