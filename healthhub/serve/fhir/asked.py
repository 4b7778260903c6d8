"""What every interaction asks first: who, why, of which type, answered in which form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from starlette.requests import Request

from healthhub.access import Actor, Door, Purpose, holdings
from healthhub.access import http as access
from healthhub.errors import InvalidRequest, NotAcceptable, NotFound, UnknownParameter
from healthhub.model.resource import Stored
from healthhub.serve.fhir.part import PARTS, WHOLE, Part, part_of

FHIR_JSON = "application/fhir+json"
_JSON = frozenset({"json", "application/json", "application/fhir+json", "text/json"})
_ANY = frozenset({"*/*", "application/*", "text/*"})
_TYPES = frozenset(holdings.TYPES)
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')
FORM = ("_format", "_pretty")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may go on: its actor, purpose, door, and the form of the answer."""

    who: Actor
    why: Purpose
    door: Door
    base: str
    pretty: bool
    params: tuple[tuple[str, str], ...]
    part: Part = WHOLE

    def one(self, name: str) -> str | None:
        """A parameter that may be given once."""
        given = [value for key, value in self.params if key == name]
        if len(given) > 1:
            raise InvalidRequest(f"{name} may be given once", expression=name)
        return given[0] if given else None


async def asked(
    request: Request, *allowed: str, free: bool = False, parts: bool = False, raw: bool = False
) -> Asked:
    """Who asks, why, and how to answer; the caller is known before anything else is said.

    Parameters other than ``allowed`` and _format, _pretty are errors, unless ``free``; with
    ``parts`` _summary and _elements are well too. ``raw``: the answer is no FHIR, whatever
    the Accept header says.
    http://hl7.org/fhir/R4/http.html#parameters
    """
    who = await access.actor(request)
    why = access.purpose(request, who)
    params = tuple(request.query_params.multi_items()) if request.scope["query_string"] else ()
    if not free:
        for name, _ in params:
            if name not in allowed and name not in FORM and not (parts and name in PARTS):
                known = ", ".join((*allowed, *FORM, *(PARTS if parts else ())))
                raise UnknownParameter(
                    f"{name[:64]!r} is no parameter here; there are {known}",
                    expression=name[:64],
                )
    pretty = form_of(params, "" if raw else request.headers.get("accept", ""))
    part = part_of(params) if parts and params else WHOLE
    return Asked(who, why, access.door(request), base_of(request), pretty, params, part)


def form_of(params: tuple[tuple[str, str], ...], accept: str) -> bool:
    """Whether to answer in pretty JSON; NotAcceptable for anything that is not JSON.

    ``_format`` outweighs the Accept header. http://hl7.org/fhir/R4/http.html#mime-type
    """
    pretty, form = False, ""
    for name, value in params:
        if name == "_format":
            form = value
        elif name == "_pretty":
            if value not in ("true", "false"):
                raise InvalidRequest("_pretty is true or false", expression="_pretty")
            pretty = value == "true"
    # An unescaped "+" of application/fhir+json arrives as a blank.
    wanted = form.replace(" ", "+") if form else accept
    if not wanted or wanted == FHIR_JSON or wanted == "*/*":
        return pretty
    for choice in wanted.split(","):
        media, *details = (part.strip().lower() for part in choice.split(";"))
        if details and "q=0" in details:
            continue
        if media in _JSON or (media in _ANY and not form) or (media == "" and not form):
            return pretty
    raise NotAcceptable("the hub answers in JSON; ask for application/fhir+json")


def base_of(request: Request) -> str:
    """The address of the FHIR service: the one configured, else the one that was called."""
    configured = request.app.state.settings.web.base_url
    if configured:
        return f"{configured.rstrip('/')}/fhir"
    return f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}/fhir"


def type_of(request: Request) -> str:
    """The resource type in the address."""
    name = request.path_params["type"]
    if name not in _TYPES:
        raise NotFound(f"{name[:64]!r} is no resource type that is stored here; see metadata")
    return name


def id_of(request: Request) -> str:
    """The logical id in the address."""
    return check_id(request.path_params["id"])


def check_id(fhir_id: object) -> str:
    """A logical id that FHIR allows."""
    if not isinstance(fhir_id, str) or not _ID.fullmatch(fhir_id):
        raise InvalidRequest(
            "an id is 1 to 64 letters (A to Z), digits, '-' and '.'", expression="id"
        )
    return fhir_id


def if_match(request: Request) -> int | None:
    """The version of If-Match; None without one. http://hl7.org/fhir/R4/http.html#concurrency"""
    text = request.headers.get("if-match")
    return None if text is None else version_of(text)


def version_of(text: str) -> int:
    """The version that an ETag names."""
    found = _ETAG.fullmatch(text.strip())
    version = found.group(1) if found else text.strip()
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidRequest('If-Match holds one version, as W/"3"', expression="If-Match")
    return int(version)


def is_unchanged(request: Request, stored: Stored) -> bool:
    """Whether the client has this version already (If-None-Match, else If-Modified-Since)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or str(stored.version) in _ETAG.findall(tags)
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        known = parsedate_to_datetime(since)
        return stored.updated.replace(microsecond=0) <= known
    except (ValueError, TypeError):
        return False
