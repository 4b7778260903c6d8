"""How a load goes: a line now and then with what is done, how fast, and what is left."""

from __future__ import annotations

import time
from collections import deque
from typing import TextIO

from healthhub.load.portion import Outcome

TERMINAL_SECONDS, LOG_SECONDS = 1.0, 10.0
"""Between two lines, where somebody watches and where they go to a file."""
WINDOW_SECONDS = 60.0
"""The rate is that of the last minute."""


class Progress:
    """Writes lines to a stream. ``total`` is what all shares add up to, 0 while unknown."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._pause = TERMINAL_SECONDS if to.isatty() else LOG_SECONDS
        self._began = self._last = time.monotonic()
        self._past: deque[tuple[float, int, int, float]] = deque([(self._began, 0, 0, 0.0)])
        self.total = 0.0

    def tell(self, outcome: Outcome) -> None:
        """Write a line if it is time for one."""
        now = time.monotonic()
        if now - self._last < self._pause:
            return
        self._last = now
        self._past.append((now, outcome.read, outcome.resources, outcome.share))
        while len(self._past) > 2 and now - self._past[0][0] > WINDOW_SECONDS:
            self._past.popleft()
        self._to.write(self.line(outcome) + "\n")
        self._to.flush()

    def line(self, outcome: Outcome) -> str:
        """What is done, how fast, what is left, what went wrong."""
        then, read, resources, share = self._past[0]
        seconds = max(time.monotonic() - then, 0.001)
        parts = [
            f"{outcome.read:,} read",
            f"{(outcome.read - read) / seconds:,.0f}/s",
            f"{(outcome.resources - resources) / seconds:,.0f} resources/s",
        ]
        if self.total > 0:
            done = min(outcome.share / self.total, 1.0)
            parts.insert(1, f"{done:.1%}")
            rate = (outcome.share - share) / seconds
            if rate > 0:
                left = max(self.total - outcome.share, 0.0) / rate
                parts.append(f"about {_span(left)} left")
        parts += [
            f"{count:,} {word}"
            for count, word in (
                (outcome.skipped, "files taken before"),
                (outcome.known, "known before"),
                (outcome.parked, "parked"),
                (outcome.rejected, "rejected"),
                (outcome.waiting, "left to the workers"),
            )
            if count
        ]
        return ", ".join(parts)

    def end(self, outcome: Outcome) -> str:
        """The last line: all of it."""
        seconds = max(time.monotonic() - self._began, 0.001)
        before = f"{outcome.skipped:,} files taken before, " if outcome.skipped else ""
        return (
            f"{before}{outcome.done:,} done, {outcome.known:,} known before, {outcome.parked:,} parked, "
            f"{outcome.rejected:,} rejected, {outcome.waiting:,} left to the workers; "
            f"{outcome.resources:,} versions of resources in {_span(seconds)}, "
            f"{outcome.resources / seconds:,.0f}/s"
        )


def _span(seconds: float) -> str:
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
