"""A watched folder: complete files are taken, then moved to done/ or failed/."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg

from healthhub import clock
from healthhub.receive.tables import Told
from healthhub.settings import Folder

log = logging.getLogger(__name__)

NOT_YET = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".lock")
"""Names of files that programs are still writing; ``~$`` and a dot at the beginning too."""


@dataclass(frozen=True, slots=True)
class _Look:
    size: int
    changed: int
    since: float


class FileTaker(Protocol):
    """Takes a file: its rows (tables.Taker), or its messages (whole.Taker)."""

    def file(self, conn: psycopg.Connection, path: Path, shown: str, via: str) -> Told:
        """Keep what the file says; again, it says nothing new."""
        ...


class Watch:
    """Looks into one folder again and again. What it remembers between looks is only how long
    a file has not changed: after a restart it begins anew, and a file that was taken and not
    moved is taken again, which says nothing new."""

    def __init__(self, folder: Folder, taker: FileTaker) -> None:
        self._folder = folder
        self._taker = taker
        self._looks: dict[Path, _Look] = {}

    def look(self, conn: psycopg.Connection) -> int:
        """Take the files that are complete, oldest first; gives how many."""
        taken = 0
        for path in self._complete():
            before = _look_at(path)
            told = self._taker.file(conn, path, path.name, "folder")
            if before is None or _look_at(path) != before:
                continue  # written to meanwhile: the rest of it is taken next time
            self._put_away(path, told)
            self._looks.pop(path, None)
            taken += 1
        return taken

    def _complete(self) -> list[Path]:
        now = time.monotonic()
        there: dict[Path, _Look] = {}
        for path in self._folder.path.iterdir():
            name = path.name
            if name.startswith((".", "~$")) or name.lower().endswith(NOT_YET):
                continue
            # A link could lead whoever may write here to any file that the hub may read.
            real = path.is_file() and not path.is_symlink()
            seen = _look_at(path) if real else None
            if seen is None:
                continue
            last = self._looks.get(path)
            same = last is not None and (last.size, last.changed) == seen
            there[path] = last if same and last else _Look(*seen, now)
        self._looks = there
        settled = [
            path
            for path, look in there.items()
            if look.size and now - look.since >= self._folder.settle_seconds
        ]
        return sorted(settled, key=lambda path: (there[path].changed, path.name))

    def _put_away(self, path: Path, told: Told) -> None:
        """To done/; to failed/ with what was found beside it, if anything of it was refused."""
        place = self._folder.path / ("failed" if told.refused else "done")
        place.mkdir(exist_ok=True)
        stamp = f"{clock.now():%Y%m%dT%H%M%S}"
        target = place / path.name
        number = 0
        while target.exists():
            number += 1
            target = place / f"{path.stem}.{stamp}.{number}{path.suffix}"
        if told.refused:
            lines = [f"{where}: {reason}\n" for where, reason in told.refused]
            more = told.counts.rejected - len(told.refused)
            lines += [f"and {more} more\n"] if more > 0 else []
            target.with_name(target.name + ".findings.txt").write_text(
                "".join(lines), encoding="utf-8"
            )
        path.rename(target)
        log.info(
            "folder file kept=%d unchanged=%d rejected=%d",
            told.counts.kept,
            told.counts.unchanged,
            told.counts.rejected,
        )


def _look_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
