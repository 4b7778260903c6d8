"""What a client's interactions want written, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from healthhub.errors import HubError
from healthhub.model.resource import Body, Stored

Verb = Literal["create", "update", "patch", "delete"]
Result = Literal["created", "updated", "unchanged", "deleted", "nothing", "found"]
Criteria = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Intent:
    """One interaction that writes.

    Its target is ``id``, or what ``criteria`` find (http://hl7.org/fhir/R4/http.html#ccreate,
    #cond-update, #cdelete); an update with both accepts only that id. ``patch`` makes the next
    body of the current one. ``if_match`` is the version that must be current; ``fresh`` demands
    that there is none (If-None-Match: *). ``place`` names the entry of a bundle in errors;
    ``full_url`` is what other entries call this one.
    """

    verb: Verb
    type: str
    id: str = ""
    criteria: Criteria | None = None
    body: Body | None = None
    patch: Callable[[Body], Body] | None = None
    if_match: int | None = None
    fresh: bool = False
    place: str = ""
    full_url: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an intent: ``found`` is a conditional create that found its resource,
    ``nothing`` a deletion of what was not there (``stored`` is then None). ``withheld`` are the
    FHIRPaths of what was left out, as only the hub says it."""

    result: Result
    id: str
    stored: Stored | None
    withheld: tuple[str, ...] = ()


@contextmanager
def at(intent: Intent) -> Generator[None]:
    """Let an error tell which entry of a bundle it is about."""
    try:
        yield
    except HubError as error:
        if not intent.place:
            raise
        error.message = f"{intent.place}: {error.message}"
        inner = error.expression or ""
        error.expression = f"{intent.place}.{inner}" if inner else intent.place
        raise error from None
