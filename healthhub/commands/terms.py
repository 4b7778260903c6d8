"""healthhub terms: codes without a map, what they could stand for, mapping them and going back."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

import psycopg

from healthhub import keep, postgres, settings
from healthhub.clock import ZONE
from healthhub.errors import InvalidRequest
from healthhub.gaps import exchange, solving
from healthhub.gaps.desk import Desk
from healthhub.gaps.preview import Preview
from healthhub.keep.code_maps import Version
from healthhub.model.code_maps import Target
from healthhub.store import database

HELP = "codes without a map: list, preview, map, undo, export; and code lists"


def configure(parser: argparse.ArgumentParser) -> None:
    """The subcommands."""
    commands = parser.add_subparsers(dest="action", required=True)
    gaps = commands.add_parser("gaps", help="codes without a map, the most frequent first")
    gaps.add_argument("--source", default="")
    gaps.add_argument("--shown", choices=("open", "mapped", "aside"), default="open")
    gaps.add_argument("--limit", type=int, default=50)
    show = commands.add_parser("show", help="one gap: samples, proposals, history")
    show.add_argument("gap", type=int)
    for name, text in (
        ("preview", "what a target would change; nothing is changed"),
        ("map", "map a code, and derive again what is stored"),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("gap", type=int)
        one.add_argument("code", help="the target's code")
        one.add_argument("--display", default="", help="the target's name")
        one.add_argument("--system", default="", help="its code system; else the table's")
        if name == "map":
            one.add_argument("--reason", required=True)
    undo = commands.add_parser("undo", help="go back to what a code was before a version")
    undo.add_argument("version", type=int)
    undo.add_argument("--reason", required=True)
    aside = commands.add_parser(
        "aside", help="no standard has this code: take it off the queue"
    )
    aside.add_argument("gap", type=int)
    aside.add_argument("--reason", required=True)
    aside.add_argument("--back", action="store_true", help="put it back on the queue")
    versions = commands.add_parser(
        "versions", help="what people have mapped, and how far it is"
    )
    versions.add_argument("--limit", type=int, default=50)
    export = commands.add_parser("export", help="write a mapping's entries to its solved.csv")
    export.add_argument("mapping")
    bring = commands.add_parser("import", help="map the codes of a solved.csv")
    bring.add_argument("mapping")
    bring.add_argument("file", type=Path)
    bring.add_argument("--reason", required=True)
    add = commands.add_parser("add", help="add a code list (CSV: code,name) to national/terms")
    add.add_argument("file", type=Path)
    for name, text in (("url", "its address"), ("name", "its name"), ("title", "a line for people"),
                       ("licence", "under which it may be used")):  # fmt: skip
        add.add_argument(f"--{name}", required=True, help=text)
    add.add_argument("--version", default="")
    add.add_argument("--fragment", action="store_true", help="it is only a part of the system")


def run(args: argparse.Namespace) -> int:
    """Do one of them."""
    loaded = settings.load()
    if args.action == "add":
        count = exchange.add(
            loaded.mappings_dir,
            args.file,
            url=args.url,
            version=args.version,
            name=args.name,
            title=args.title,
            licence=args.licence,
            fragment=args.fragment,
        )
        _say(f"{count} codes of {args.url}; processes know them once they are started again")
        return 0
    desk = Desk(loaded.mappings_dir, loaded.sources)
    with postgres.running(loaded) as dsn, database.connect(dsn) as conn:
        _ACTIONS[args.action](desk, conn, args)
    return 0


def _say(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def _gaps(_: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    found = keep.gaps.queue(conn, args.shown, source=args.source, limit=args.limit)
    for gap in found.gaps:
        first, last = (at.astimezone(ZONE).date() for at in (gap.first, gap.last))
        _say(
            f"{gap.id:>6}  {gap.messages:>8}  {gap.source:<18} {gap.table:<16} {gap.code:<14} "
            f"{first} {last}  {gap.display} {gap.unit}".rstrip()
        )
    _say(f"{found.total} codes in {found.messages} messages")


def _show(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    sheet = desk.sheet(conn, args.gap)
    where = sheet.place
    _say(f"{where.mapping} {where.table.name} {where.code} {sheet.gap.display}")
    _say(f"sources   {', '.join(f'{g.source} ({g.messages})' for g in where.gaps)}")
    _say(f"stands for {_target(where.target)}" if where.number else "was never mapped")
    if sheet.remaining:
        _say(f"under way: {sheet.remaining} of {where.messages} messages left")
    for number, met in sheet.samples[:12]:
        limits = met.range or f"{met.low}-{met.high}".strip("-")
        _say(f"  message {number}: {met.display} {met.value} {met.unit} [{limits}]")
    for rank, proposal in enumerate(sheet.proposals, 1):
        reasons = ", ".join(f"{r.kind} {r.what} {r.weight:+.2f}" for r in proposal.reasons)
        _say(f"{rank}. {proposal.score:.0%} {_target(proposal.target)}: {reasons}")
    for version in sheet.history:
        _version(version)


def _preview(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    where = desk.place(conn, args.gap)
    found = desk.preview(conn, where, Target(args.code, args.display, args.system))
    _say(_changes(found))
    for example in found.examples:
        _say(f"  {example.type} {example.element}: {example.before} -> {example.after}")


def _changes(found: Preview) -> str:
    about = (
        "" if found.exact else f"about (of {found.messages} messages {found.looked} looked at) "
    )
    line = (
        f"{about}{found.about(found.resources)} resources of {found.about(found.patients)} patients "
        f"change, in {found.messages} messages"
    )
    if found.parked:
        line += f"; {found.parked} messages could no longer be stored: it would be refused"
    return line


def _map(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    where = desk.place(conn, args.gap)
    target = Target(args.code, args.display, args.system)
    number = desk.solve(
        conn, where, target, who=getpass.getuser(), why=args.reason, seen=where.number
    )
    _say(f"version {number}; {where.messages} messages are derived again in the background")


def _undo(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    taken = keep.code_maps.get(conn, args.version)
    where = desk.named(conn, taken.mapping, taken.table, taken.code)
    number = solving.undo(conn, args.version, where, who=getpass.getuser(), why=args.reason)
    _say(f"version {number}; {where.messages} messages are derived again in the background")


def _aside(_: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    gap = keep.gaps.get(conn, args.gap)
    solving.set_aside(conn, [gap], who=getpass.getuser(), why=args.reason, back=args.back)


def _versions(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    for version in keep.code_maps.latest(conn, args.limit):
        _version(version, desk.left(conn, version))


def _version(version: Version, left: int = 0) -> None:
    at = version.at.astimezone(ZONE).isoformat(timespec="seconds")
    state = "done" if version.finished else f"{left} left"
    lost = f", {version.lost} lost" if version.lost else ""
    undoes = f" (takes back {version.undoes})" if version.undoes else ""
    _say(
        f"{version.number:>6}  {at}  {version.who}  {version.mapping} {version.table} "
        f"{version.code} -> {_target(version.target)}{undoes}; {version.messages} messages, "
        f"{state}{lost}; {version.why}"
    )


def _target(target: Target | None) -> str:
    return "unknown" if target is None else f"{target.code} {target.display}".strip()


def _export(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    path, count = exchange.export(conn, desk.library, args.mapping)
    _say(f"{path}: {count} codes; processes read it when they are started again")


def _import(desk: Desk, conn: psycopg.Connection, args: argparse.Namespace) -> None:
    if not args.reason.strip():
        raise InvalidRequest("--reason is empty: say why", expression="reason")
    made, known = exchange.bring(
        conn, desk, args.mapping, args.file, who=getpass.getuser(), why=args.reason
    )
    _say(f"{made} codes mapped, {known} were so already")


_ACTIONS = {
    "gaps": _gaps,
    "show": _show,
    "preview": _preview,
    "map": _map,
    "undo": _undo,
    "aside": _aside,
    "versions": _versions,
    "export": _export,
    "import": _import,
}
