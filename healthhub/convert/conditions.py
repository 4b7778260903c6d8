"""What a partner's request asks of its resource: which one it means, and under what condition.

The one identifier of a search names a resource as an id does, http://hl7.org/fhir/R4/http.html#cond-update;
versions are those of the partner's server, of which the hub keeps none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from healthhub.adapter_api.record import Given
from healthhub.convert.addresses import Addresses, conditional, identifier, sought

_NO_ID = (
    "the resource has no id, and its entry no fullUrl, so it cannot be known again; add one"
)
_NO_SEARCH = (
    "is not identifier=SYSTEM|VALUE, so which resource is meant cannot be told; search for one "
    "identifier, or send it under an id"
)
_OTHER = "request.url and the resource's {} are not the same; correct one of them"
_LACKS = (
    "request.url seeks an identifier that the resource does not have, so the next search would "
    "not find it; add it to the resource's identifier, or send it under an id"
)


def refused(given: Given, addresses: Addresses) -> tuple[str, str] | None:
    """Why a resource is not taken as what its request means (a finding's code and sentence)."""
    if conditional(given):
        return _mistaken(given)
    if given.unless and "id" not in given.resource and not sought(given):
        return "no-key", f"ifNoneExist {_NO_SEARCH}"
    known = addresses.of_given(given)
    if known is None:
        return "no-key", _NO_ID
    if given.method == "PUT" and given.url and addresses.requested(given.url) != known:
        return "conflict", _OTHER.format("id")
    return None


def _mistaken(given: Given) -> tuple[str, str] | None:
    """A PUT to a search; with an id in the resource too, R4 takes none but the one found."""
    if given.url.partition("?")[0].rpartition("/")[2] != given.resource["resourceType"]:
        return "conflict", _OTHER.format("type")
    if not (key := identifier(given.url)):
        return "no-key", f"the search of request.url {_NO_SEARCH}"
    return None if key in _identifiers(given.resource) else ("conflict", _LACKS)


def _identifiers(resource: dict[str, Any]) -> Iterator[str]:
    """A resource's identifiers as a search writes them; some types have but one."""
    told = resource.get("identifier", ())
    for one in cast("list[dict[str, Any]]", told if isinstance(told, list) else [told]):
        yield f"{one.get('system', '')}|{one.get('value', '')}"


def yields(given: Given) -> bool:
    """Whether it is to be there only if there is none, and so yields to all said elsewhere."""
    none = given.method == "PUT" and given.none_match.strip() == "*"
    return none or bool(given.unless)


def unchecked(given: Given) -> str:
    """A sentence on the conditions that the hub cannot check; empty if there are none."""
    names = ["ifMatch"] if given.match else []
    if given.none_match and not yields(given):
        names.append("ifNoneMatch")
    if not names:
        return ""
    return (
        f"{' and '.join(names)} cannot be checked, as the hub keeps no versions of the sender's "
        "server; done without, the newest meta.lastUpdated counts"
    )
