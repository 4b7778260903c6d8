"""What a doctor should see first: critical, corrected and withdrawn results, double drugs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from healthhub.serve.record.medicines import Medicine
from healthhub.serve.record.observations import Reading, State
from healthhub.serve.record.results import newest_first

CRITICAL_DAYS = 90
CHANGED_DAYS = 180
MOST = 12
"""More lines than this would hide what matters; the trend pages hold the rest."""


@dataclass(frozen=True, slots=True)
class Critical:
    """A critical result, and what the same analyte showed last, if it was measured again."""

    reading: Reading
    since: Reading | None


@dataclass(frozen=True, slots=True)
class Attention:
    """Lines by kind, the latest first. Falsy when there is nothing."""

    critical: tuple[Critical, ...]
    corrected: tuple[Reading, ...]
    withdrawn: tuple[Reading, ...]
    duplicated: tuple[Medicine, ...]
    differing: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(
            self.critical
            or self.corrected
            or self.withdrawn
            or self.duplicated
            or self.differing
        )


def attention(
    readings: Iterable[Reading],
    medicines: Sequence[Medicine],
    differing: tuple[str, ...],
    now: datetime,
) -> Attention:
    """What needs attention as of now."""
    dated = [item for item in newest_first(readings) if item.at is not None]
    latest: dict[tuple[str, str], Reading] = {}
    for item in dated:
        if item.state is not State.WITHDRAWN:
            latest.setdefault(item.row, item)
    recent = [item for item in dated if _age(item, now) <= timedelta(days=CRITICAL_DAYS)]
    changed = [item for item in dated if _age(item, now) <= timedelta(days=CHANGED_DAYS)]
    critical = []
    for item in recent:
        if item.marked.mark.critical and item.state is not State.WITHDRAWN:
            last = latest[item.row]
            critical.append(Critical(item, last if last is not item else None))
    return Attention(
        tuple(critical[:MOST]),
        tuple(item for item in changed if item.state is State.CORRECTED)[:MOST],
        tuple(item for item in changed if item.state is State.WITHDRAWN)[:MOST],
        tuple(item for item in medicines if item.duplicated),
        differing,
    )


def _age(item: Reading, now: datetime) -> timedelta:
    return now - item.at.at if item.at else timedelta.max
