"""What is asked of the list of messages: the fields of its form, and the choice they make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from healthhub.clock import ZONE
from healthhub.errors import InvalidRequest
from healthhub.keep import Choice
from healthhub.keep.figures import DELAYS, FLAWS, WAITS
from healthhub.model.message import State

IN_ADDRESS = (
    "source",
    "state",
    "kind",
    "finding",
    "since",
    "until",
    "flaw",
    "delay",
    "waited",
    "again",
)
FIELDS = (*IN_ADDRESS, "number", "patient")
CLASSES = {
    "flaw": FLAWS,
    "delay": (*DELAYS, "ahead", "none"),
    "waited": tuple(WAITS),
    "state": tuple(State),
}
"""A number may be a patient's: it travels in forms and never in an address."""


def asked(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields that are filled in."""
    return {name: text for name in FIELDS if (text := fields.get(name, "").strip())}


def choice(given: Mapping[str, str]) -> Choice:
    """The choice that the fields make; InvalidRequest for a state or time that is none."""
    for name, known in CLASSES.items():
        if given.get(name) and given[name] not in known:
            raise InvalidRequest(
                f"there is no such {name}; there are {', '.join(known)}", expression=name
            )
    state = given.get("state", "")
    return Choice(
        source=given.get("source", ""),
        kind=given.get("kind", ""),
        state=State(state) if state else None,
        since=_moment(given.get("since", "")),
        until=_moment(given.get("until", "")),
        finding=given.get("finding", ""),
        number=given.get("number", ""),
        flaw=given.get("flaw", ""),
        delay=given.get("delay", ""),
        waited=given.get("waited", ""),
        again=_moment(given.get("again", "")),
    )


def address(given: Mapping[str, str], **more: object) -> str:
    """The list's address with what may stand in it."""
    shown: dict[str, object] = {k: v for k, v in given.items() if k in IN_ADDRESS}
    query = urlencode(shown | more)
    return "/console/messages" + (f"?{query}" if query else "")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("write a time as 2026-03-01 or 2026-03-01T08:00") from None
    return at if at.tzinfo else at.replace(tzinfo=ZONE)
