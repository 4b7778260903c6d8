"""The healthhub program: one subcommand for each file in healthhub/commands."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from healthhub import commands
from healthhub.errors import HubError

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Command(Protocol):
    """What a file in healthhub/commands offers."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it; give the exit status."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. A HubError is told in a sentence on stderr; the status is then 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser, chosen = _parser(arguments)
    args = parser.parse_args(arguments)
    if args.settings_file is not None:
        os.environ["HEALTHHUB_SETTINGS"] = str(args.settings_file)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        return chosen[args.command].run(args)
    except HubError as error:
        print(f"healthhub: {error.message}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def names() -> list[str]:
    """Names of all commands."""
    return sorted(each.name for each in pkgutil.iter_modules(commands.__path__))


def _parser(arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, Command]]:
    """The parser. Only the command that is asked for is imported, so that it starts at once."""
    parser = argparse.ArgumentParser(
        prog="healthhub", description="A regional health information hub."
    )
    parser.add_argument(
        "--settings",
        dest="settings_file",
        type=Path,
        metavar="FILE",
        help="settings file (default: HEALTHHUB_SETTINGS, or healthhub.toml)",
    )
    known = names()
    asked = [word for word in arguments if word in known][:1]
    chosen = {name: _command(name) for name in asked or known}
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in chosen.items():
        command.configure(
            subparsers.add_parser(name, help=command.HELP, description=command.HELP)
        )
    return parser, chosen


def _command(name: str) -> Command:
    return cast("Command", importlib.import_module(f"{commands.__name__}.{name}"))
