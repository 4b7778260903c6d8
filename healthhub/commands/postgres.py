"""healthhub postgres: run a program of PostgreSQL on the hub's database, e.g. pg_dump."""

from __future__ import annotations

import argparse
import os
import subprocess

from psycopg.conninfo import conninfo_to_dict

from healthhub import postgres, settings
from healthhub.errors import NotFound

HELP = "run psql, pg_dump or another program of PostgreSQL on the hub's database"
VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "options": "PGOPTIONS",
}
"""https://www.postgresql.org/docs/current/libpq-envars.html"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The program, and all that it is to be told."""
    parser.add_argument(
        "program", help="psql, pg_dump, pg_restore, pg_basebackup, vacuumdb ..."
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER)


def run(args: argparse.Namespace) -> int:
    """Run it with the database's address in its environment, where no process list shows it."""
    loaded = settings.load()
    found = postgres.find(loaded.postgres_bin, postgres.choose(loaded.data_dir))
    program = found.folder / args.program
    if program.parent != found.folder or not os.access(program, os.X_OK):
        raise NotFound(f"there is no program {args.program!r} in {found.folder}")
    with postgres.running(loaded) as dsn:
        given = conninfo_to_dict(dsn)
        address = {VARIABLES[key]: str(text) for key, text in given.items() if key in VARIABLES}
        return subprocess.run(
            [program, *args.arguments], env={**os.environ, **address}, check=False
        ).returncode
