"""The entries of a batch or transaction, taken apart and checked as far as each can be alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.responses import Response

from healthhub.access import holdings
from healthhub.errors import InvalidRequest, NotFound, TooLarge, UnsupportedMedia
from healthhub.serve.fhir import answer, body
from healthhub.serve.fhir.asked import Asked

METHODS = ("DELETE", "POST", "PUT", "PATCH", "GET", "HEAD")
"""In the order in which a transaction does them; PUT and PATCH go together."""
_CONTROL = re.compile("[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bundle: its request taken apart. ``path`` has no leading slash."""

    number: int
    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    full_url: str
    resource: Any
    request: dict[str, Any]

    @property
    def place(self) -> str:
        """The entry in errors."""
        return f"Bundle.entry[{self.number}]"

    @property
    def steps(self) -> list[str]:
        """The steps of its address."""
        return self.path.split("/") if self.path else []


def read(raw: bytes, ask: Asked, most: int) -> tuple[str, list[Entry]]:
    """The bundle's type and its entries, each checked as far as it can be alone."""
    sent = holdings.loads(raw)
    if sent.get("resourceType") != "Bundle":
        raise InvalidRequest(
            "POST a Bundle here, or a resource to the address of its type",
            expression="resourceType",
        )
    kind = sent.get("type")
    if kind not in ("batch", "transaction"):
        raise InvalidRequest(
            "the bundle's type is batch or transaction; others are stored at /fhir/Bundle",
            expression="Bundle.type",
        )
    listed = sent.get("entry", [])
    if not isinstance(listed, list):
        raise InvalidRequest("entry is a list", expression="Bundle.entry")
    if len(listed) > most:
        raise TooLarge(
            f"a bundle has at most {most} entries; send several", expression="Bundle.entry"
        )
    found = [_entry(each, number, ask) for number, each in enumerate(listed)]
    _distinct(found)
    return kind, found


def _distinct(found: Sequence[Entry]) -> None:
    """A fullUrl names one entry (bdl-7): a link to it must not be a guess."""
    seen: set[str] = set()
    for entry in found:
        if entry.full_url and entry.full_url in seen:
            raise InvalidRequest(
                f"{entry.place}: another entry has this fullUrl; each names one",
                expression=f"{entry.place}.fullUrl",
            )
        seen.add(entry.full_url)


def _entry(sent: Any, number: int, ask: Asked) -> Entry:
    place = f"Bundle.entry[{number}]"
    request = sent.get("request") if isinstance(sent, dict) else None
    if not isinstance(request, dict):
        raise InvalidRequest(
            f"{place}: each entry has a request with method and url",
            expression=f"{place}.request",
        )
    for name in ("method", "url", "ifMatch", "ifNoneMatch", "ifNoneExist", "ifModifiedSince"):
        if not isinstance(request.get(name, ""), str):
            raise InvalidRequest(
                f"{place}: {name} is text", expression=f"{place}.request.{name}"
            )
    method, url = request.get("method", ""), request.get("url", "")
    if method not in METHODS:
        raise InvalidRequest(
            f"{place}: method is one of {', '.join(METHODS)}",
            expression=f"{place}.request.method",
        )
    full_url = sent.get("fullUrl", "")
    if not isinstance(full_url, str):
        raise InvalidRequest(f"{place}: fullUrl is text", expression=f"{place}.fullUrl")
    path, params = _address(url, place, ask)
    return Entry(number, method, path, params, full_url, sent.get("resource"), request)


def _address(url: str, place: str, ask: Asked) -> tuple[str, tuple[tuple[str, str], ...]]:
    path, _, query = url.partition("?")
    local = path.removeprefix(f"{ask.base}/")
    wrong = not path or _CONTROL.search(url) or "://" in local or ".." in local.split("/")
    if wrong and path != ask.base:
        raise InvalidRequest(
            f"{place}: url is an address of this server, as Patient/123 or Patient?name=x",
            expression=f"{place}.request.url",
        )
    try:
        params = parse_qsl(query, keep_blank_values=True, max_num_fields=1000, errors="strict")
    except ValueError:
        raise InvalidRequest(
            f"{place}: the query is not UTF-8, or has over 1000 parameters",
            expression=f"{place}.request.url",
        ) from None
    return unquote(local.strip("/")), tuple(params)


def type_in(entry: Entry) -> str:
    """The resource type that an entry's address begins with."""
    name = entry.steps[0] if entry.steps else ""
    if name not in holdings.TYPES:
        raise NotFound(
            f"{entry.place}: {name[:64]!r} is no resource type that is stored here",
            expression=f"{entry.place}.request.url",
        )
    return name


def patch_in(entry: Entry) -> tuple[Any, bool]:
    """A patch in an entry: Parameters, or a Binary that holds a JSON Patch.

    http://hl7.org/fhir/R4/http.html#patch says how a bundle carries one.
    """
    sent = entry.resource
    if not isinstance(sent, dict) or sent.get("resourceType") != "Binary":
        return sent, False
    if sent.get("contentType") != body.JSON_PATCH:
        raise UnsupportedMedia(f"{entry.place}: the Binary of a patch is {body.JSON_PATCH}")
    return holdings.parse(body.content_of(sent)), True


def response(listed: Sequence[bytes], kind: str, ask: Asked) -> Response:
    """The bundle of answers."""
    head = b'{"resourceType":"Bundle","type":"%b"' % kind.encode()
    tail = b',"entry":[%b]' % b",".join(listed) if listed else b""
    return answer.of_json(ask, head + tail + b"}")
