"""healthhub import: store files of NDJSON, as POST /fhir/$import does, and wait for the end."""

from __future__ import annotations

import argparse
import getpass
import sys
import threading
from pathlib import Path

from healthhub import postgres, settings
from healthhub.access.actor import Purpose
from healthhub.bulk import inputs, jobs, process
from healthhub.bulk.importing import COMMAND
from healthhub.errors import InvalidRequest
from healthhub.store import database

HELP = "store FHIR resources under their own ids from NDJSON files, as $export gives them"


def configure(parser: argparse.ArgumentParser) -> None:
    """The files."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--purpose",
        default=Purpose.HOPERAT.value,
        choices=[purpose.value for purpose in Purpose],
        help="what the audit says that this is for",
    )


def run(args: argparse.Namespace) -> int:
    """Import; 1 when lines were wrong, which are then told on stderr."""
    for path in args.files:
        if not path.is_file():
            raise InvalidRequest(f"{path} is no file; name files of NDJSON", expression="files")
    loaded = settings.load()
    wanted = [{"type": "", "url": f"{inputs.LOCAL}{path.resolve()}"} for path in args.files]
    owner = f"{COMMAND}{getpass.getuser()}"
    with postgres.running(loaded) as dsn:
        database.migrate(dsn)
        with process.connect(dsn) as conn:
            with conn.transaction():
                key = jobs.ask(
                    conn,
                    "import",
                    owner=owner,
                    purpose=args.purpose,
                    request="healthhub import",
                    base="",
                    asked={"inputs": wanted},
                    most=1000,
                )
                job = jobs.take(conn, key)
            process.do(conn, job, loaded, dsn, threading.Event())
            done = jobs.of_owner(conn, key, owner)
            wrong = jobs.errors(conn, job.number)
            jobs.release(conn, job.number)
    for text in wrong:
        print(text, file=sys.stderr)
    if done.state != "done":
        raise InvalidRequest(done.said)
    print(f"{done.handled} resources stored or unchanged, {len(wrong)} lines wrong")
    return 1 if wrong else 0
