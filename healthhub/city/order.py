"""Messages in order of time, whatever their number: small feeds in memory, large ones by disk."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path

from healthhub.city.moments import DAY
from healthhub.city.sent import Sent

_BUCKET = 14 * DAY
_IN_MEMORY = 60_000
"""Messages held at most; beyond that, buckets of two weeks go to temporary files."""

_when = attrgetter("at", "source", "control", "planted")


class _Buckets:
    """Two weeks of messages each, appended to files and read back one by one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, list[Sent]] = {}
        self._count = 0
        self._spilled = False

    def add(self, sent: Sent) -> None:
        self._held.setdefault(sent.at // _BUCKET, []).append(sent)
        self._count += 1
        if self._count >= _IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        for number, messages in self._held.items():
            with self._path(number).open("ab") as file:
                pickle.dump(messages, file, protocol=5)
        self._held, self._count, self._spilled = {}, 0, True

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}"

    def ordered(self) -> Iterator[Sent]:
        if self._spilled:
            self._spill()
        numbers = sorted(self._held) or sorted(int(p.name) for p in self._folder.iterdir())
        for number in numbers:
            messages = self._held.pop(number, None) or self._read(number)
            messages.sort(key=_when)
            yield from messages

    def _read(self, number: int) -> list[Sent]:
        messages: list[Sent] = []
        with self._path(number).open("rb") as file:
            while True:
                try:
                    messages += pickle.load(file)  # noqa: S301 - written by this process, just now
                except EOFError:
                    break
        self._path(number).unlink()
        return messages


def by_time(messages: Iterable[Sent]) -> Iterator[Sent]:
    """All messages, earliest first; ties by source and control id, so the order is one."""
    with tempfile.TemporaryDirectory(prefix="healthhub-city-") as folder:
        buckets = _Buckets(Path(folder))
        for sent in messages:
            buckets.add(sent)
        yield from buckets.ordered()
