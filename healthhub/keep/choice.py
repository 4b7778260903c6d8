"""Which messages: by id, source, kind, state, time, finding or number; for lists and replays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from healthhub.errors import InvalidRequest
from healthhub.keep.figures import DELAYS, WAITS
from healthhub.model.message import State

NARROW = timedelta(days=8)

_DELAYED = """case %(delay)s when 'none' then m.at is null
    else m.at > m.received + interval '5 minutes' end"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Conditions that all must hold; an empty one is not asked.

    ``kind`` may end in ``*`` (``ORU*``); ``since`` is inclusive, ``until`` exclusive, both of
    the time of receipt; ``finding`` is the code of a finding; ``number`` a control id, patient
    number or business number as the source wrote it. ``flaw`` is one of figures.FLAWS;
    ``delay`` a class of figures.DELAYS that was exceeded, or ``ahead`` or ``none``; ``waited``
    a class of figures.WAITS that was exceeded; ``again``: its bytes came again since then.
    """

    ids: tuple[int, ...] = ()
    source: str = ""
    kind: str = ""
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    finding: str = ""
    number: str = ""
    flaw: str = ""
    delay: str = ""
    waited: str = ""
    again: datetime | None = None

    def where(self) -> tuple[LiteralString, dict[str, object]]:
        """The condition on message m and message_state s, and its values."""
        kind = self.kind.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
        asked: dict[str, tuple[object, LiteralString]] = {
            "ids": (list(self.ids), "m.id = any(%(ids)s::bigint[])"),
            "source": (self.source, "m.source = %(source)s"),
            "kind": (kind.replace("*", "%"), "m.kind like %(kind)s"),
            "state": (self.state and str(self.state), "s.state = %(state)s"),
            "since": (self.since, "m.received >= %(since)s"),
            "until": (self.until, "m.received < %(until)s"),
            "finding": (
                self.finding,
                "exists (select from message_finding f where f.message = m.id"
                " and f.code = %(finding)s)",
            ),
            "flaw": (
                self.flaw,
                # Offset 0: asked of each message, not of all findings at once.
                "exists (select from message_finding f where f.message = m.id"
                " and finding_flaw(f.code, f.severity) = %(flaw)s offset 0)",
            ),
            "delay": (self.delay in ("ahead", "none") and self.delay, _DELAYED),
            "late": (DELAYS.get(self.delay), "m.at <= m.received - %(late)s"),
            "waited": (
                WAITS.get(self.waited),
                "s.state = 'done' and s.changed >= m.received + %(waited)s",
            ),
            "again": (
                self.again,
                "exists (select from message_repeat r where r.message = m.id"
                " and r.at >= %(again)s)",
            ),
            "number": (
                [self.number] if self.number else [],
                "(m.numbers || array[m.control, m.patient]) @> %(number)s::text[]",
            ),
        }
        chosen = {name: pair for name, pair in asked.items() if pair[0]}
        condition: LiteralString = "true"
        for _, each in chosen.values():
            condition += " and " + each
        return condition, {name: value for name, (value, _) in chosen.items()}

    def whole(self) -> dict[str, Any]:
        """All of it, for a task that goes on after a restart; ``of`` reads it."""
        return json.loads(json.dumps({k: v for k, v in asdict(self).items() if v}, default=str))

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Choice:
        """The choice that ``whole`` wrote."""
        read: dict[str, Any] = {
            "ids": tuple,
            "state": State,
            "since": datetime.fromisoformat,
            "until": datetime.fromisoformat,
            "again": datetime.fromisoformat,
        }
        return cls(**{name: read.get(name, str)(value) for name, value in said.items()})

    @property
    def narrow(self) -> bool:
        """Whether an index finds it: by a number, or by a span of days that has an end."""
        if self.since is not None and self.until is not None:
            return bool(self.number) or self.until - self.since <= NARROW
        return bool(self.number)

    @property
    def empty(self) -> bool:
        """Whether every message would be chosen."""
        return self == Choice()

    def required(self) -> Choice:
        """Itself; an empty choice is refused, because it would touch every message."""
        if self.empty:
            raise InvalidRequest(
                "name at least one condition (id, source, kind, state, time, finding, number, flaw, "
                "delay, waiting time or repetition)"
            )
        return self

    def as_json(self) -> str:
        """For the log of replays; a number may be a patient's and is only said to be there."""
        said = {name: value for name, value in asdict(self).items() if value}
        if "number" in said:
            said["number"] = "(given)"
        return json.dumps(said, default=str)
