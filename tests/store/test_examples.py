"""Every official example of FHIR R4 is stored, read back equal, and found by the values it has."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from healthhub.errors import Unprocessable
from healthhub.model import ids, validate
from healthhub.model.resource import Body
from healthhub.store import direct, reads, search, types, wire
from healthhub.store.parameters import Parameter, parameters
from healthhub.store.place import Place, reached
from healthhub.store.query import fetch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import examples

pytestmark = pytest.mark.slow

REFUSED = {
    # invalid in themselves
    "Questionnaire/qs1",  # an item without linkId
    "ImplementationGuide/fhir",  # no name
    "CodeSystem/v2-0550",  # a code with blanks
    "Bundle/v2-valuesets",  # the same
    *(
        f"SearchParameter/{of}-extensions-{of_type}-{name}"  # no base
        for of, of_type in (("codesystem", "CodeSystem"), ("valueset", "ValueSet"))
        for name in ("author", "effective", "end", "keyword", "workflow")
    ),
}
"""Examples that the hub refuses, with why."""
MOST = 12
"""Values of one parameter by which an example is sought; a table of codes has hundreds."""


@cache
def all_examples() -> dict[str, list[Body]]:
    """The examples of the types that are stored, by type."""
    found: dict[str, list[Body]] = {}
    with tarfile.open(examples.archive()) as archive:
        for member in archive:
            held = archive.extractfile(member)
            name = member.name.rpartition("/")[2]
            if (
                held is None
                or not name.endswith(".json")
                or name in ("package.json", ".index.json")
            ):
                continue
            body = wire.loads(held.read())
            kind = body.get("resourceType", "")
            if kind in types.NUMBERS and "id" in body:
                found.setdefault(kind, []).append(body)
    return found


@pytest.mark.parametrize("kind", types.NAMES)
def test_every_example_is_stored_and_found(connection: psycopg.Connection, kind: str) -> None:
    missed: list[str] = []
    for body in all_examples().get(kind, ()):
        name = f"{kind}/{body['id']}"
        try:
            validate.check(body)
        except Unprocessable as error:
            if name not in REFUSED:
                missed.append(f"{name}: {error}")
            continue
        if name in REFUSED:
            missed.append(f"{name} is refused no more: take it off the list")
        stored = direct.update(connection, kind, body["id"], body)
        read = fetch(connection, reads.by_id(kind, ids.row_id(kind, body["id"])))
        assert read.json == stored.json
        assert without_meta(wire.reload(read.json)) == without_meta(body), name
        missed += unfound(connection, name, body)
        connection.rollback()
    assert missed == []


def without_meta(body: Body) -> Body:
    """The body without what the server sets."""
    meta = {
        name: value
        for name, value in body.get("meta", {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    rest = {name: value for name, value in body.items() if name != "meta"}
    return rest | ({"meta": meta} if meta else {})


def spread(values: list[str], most: int) -> list[str]:
    """So many of the values, from the first to the last."""
    step = max(1, -(-len(values) // most))
    return values[::step]


def unfound(connection: psycopg.Connection, name: str, body: Body) -> Iterator[str]:
    """The searches by a value of the body that do not find it."""
    kind, fhir_id = body["resourceType"], body["id"]
    asked: list[tuple[str, str]] = []
    for parameter in parameters(kind):
        found: dict[str, None] = {}
        for place in parameter.places:
            if parameter.components or place.path in ("id", "meta.lastUpdated"):
                continue
            for value in reached(body, place):
                found.update(dict.fromkeys(texts(parameter, place, value)))
        asked += [(parameter.name, text) for text in spread(sorted(found), MOST)]
    for param in asked:
        page = search.run(connection, kind, [param, ("_id", fhir_id)])
        if not page.matches:
            yield f"{name}?{param[0]}={param[1]}"


def escaped(text: str) -> str:
    """The text as a parameter's value."""
    for sign in "\\,|$":
        text = text.replace(sign, f"\\{sign}")
    return text


def texts(parameter: Parameter, place: Place, value: Any) -> Iterator[str]:
    """How a client would ask for a value."""
    match parameter.kind:
        case "token":
            yield from tokens(value)
        case "string":
            yield from (escaped(text) for text in strings(value) if text.strip())
        case "reference":
            yield from references(place, value)
        case "date":
            yield from moments(value)
        case "uri":
            yield escaped(value)
        case "number" | "quantity":
            yield from numbers(value)


def tokens(value: Any) -> Iterator[str]:
    """Codes, identifiers, contacts and plain values."""
    if isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, str):
        yield escaped(value)
    elif "value" in value and "coding" not in value:
        yield escaped(value["value"])
        if "system" in value and "://" in value["system"] + "urn:":
            yield f"{escaped(value['system'])}|{escaped(value['value'])}"
    else:
        for coding in value.get("coding", [value]):
            if "code" in coding:
                yield escaped(coding["code"])
                yield f"{escaped(coding.get('system', ''))}|{escaped(coding['code'])}"


def strings(value: Any) -> Iterator[str]:
    """All texts of a name or an address."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in ("text", "family", "given", "prefix", "suffix", "line", "city", "district",
                     "state", "country", "postalCode"):  # fmt: skip
            held = value.get(part, [])
            yield from (each for each in (held if isinstance(held, list) else [held]) if each)


def references(place: Place, value: Any) -> Iterator[str]:
    """A reference as it stands."""
    text = value.get("reference") if isinstance(value, dict) else value
    if isinstance(value, dict) and "resourceType" in value:
        text = f"{value['resourceType']}/{value['id']}" if "id" in value else None
    if isinstance(text, str) and not text.startswith("#"):
        kind = text.partition("/")[0]
        if not place.target or kind == place.target:
            yield escaped(text)


def moments(value: Any) -> Iterator[str]:
    """A date, or a period by its ends."""
    if isinstance(value, str):
        yield value
        yield f"ge{value}"
        yield f"le{value}"
    elif "start" in value:
        yield f"ge{value['start']}"
    elif "end" in value:
        yield f"le{value['end']}"


def numbers(value: Any) -> Iterator[str]:
    """A number, and a quantity with its unit."""
    if isinstance(value, int | float | Decimal):
        yield str(value)
    elif "value" in value and "comparator" not in value:
        number = str(value["value"])
        yield number
        if "code" in value:
            yield f"{number}|{escaped(value.get('system', ''))}|{escaped(value['code'])}"
        if "unit" in value:
            yield f"{number}||{escaped(value['unit'])}"


def test_the_examples_are_many() -> None:
    assert sum(map(len, all_examples().values())) > 2000
