"""Conditions of reference parameters, chains through them and the way back.

http://hl7.org/fhir/R4/search.html#reference, #chaining, #has
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from uuid import UUID

from healthhub.errors import InvalidRequest
from healthhub.model.ids import row_id
from healthhub.store import types
from healthhub.store.conditions import (
    Clauses,
    Condition,
    Context,
    alternatives,
    covering,
    either,
    overlap,
    plain,
    system_and_code,
    unknown_modifier,
)
from healthhub.store.hashes import reference, token
from healthhub.store.parameters import Parameter
from healthhub.store.place import Place
from healthhub.store.referred import local_of

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ADDRESSES = ("canonical", "uri")


def of_reference(
    clauses: Clauses, parameter: Parameter, modifier: str, value: str, context: Context
) -> Condition:
    """An id, ``Type/id`` or a URL; :Type says which type, :identifier goes by business number."""
    texts = alternatives(parameter.name, value)
    if modifier == "identifier":
        return _by_identifier(clauses, parameter, texts)
    if modifier and modifier not in parameter.targets:
        raise unknown_modifier(parameter, modifier)
    patients: list[UUID] = []
    elsewhere: dict[Place, list[UUID]] = {}
    tokens: list[int] = []
    for text in map(plain, texts):
        for place in parameter.places:
            keyed = parameter.keyed(place, clauses.type)
            for kind, fhir_id in named(parameter, place, modifier, context.local(text)):
                if kind == "Patient":
                    (patients if keyed else elsewhere.setdefault(place, [])).append(
                        row_id(kind, fhir_id)
                    )
                else:
                    tokens.append(reference(place.path, kind, row_id(kind, fhir_id)))
            tokens += _addresses(place, text, context)
    if patients and not tokens and not elsewhere:
        return Condition("", patients=tuple(dict.fromkeys(patients)))
    found = [overlap(clauses, tokens)] if tokens else []
    if patients:
        found.append(Condition(clauses.of_patients(patients)))
    for place, keys in elsewhere.items():
        hashed = reference_sql(clauses, place, "Patient", "k.id")
        covered = covering(f"select unnest({clauses.value(keys)}::uuid[])")
        found.append(
            Condition(f"{clauses.row}.tokens && array(select {hashed} from ({covered}) k)")  # noqa: S608
        )
    return either(found)


def named(
    parameter: Parameter, place: Place, modifier: str, text: str
) -> Iterator[tuple[str, str]]:
    """The local resources that a text may name at a place."""
    local = local_of(text)
    if local is not None:
        if modifier in ("", local[0]) and place.target in ("", local[0]):
            yield local
    elif _ID.fullmatch(text) and place.type not in _ADDRESSES:
        for kind in parameter.targets:
            if modifier in ("", kind) and place.target in ("", kind):
                yield kind, text


def _addresses(place: Place, text: str, context: Context) -> Iterator[int]:
    """What is referred to by its address: another server's, a canonical, or our own in full."""
    if local_of(text) is None:
        if place.type in _ADDRESSES or ":" in text:
            yield token(place.path, f"={text}")
    elif context.base_url and place.type not in _ADDRESSES:
        yield token(place.path, f"={context.base_url.rstrip('/')}/{text}")


def _by_identifier(clauses: Clauses, parameter: Parameter, texts: Sequence[str]) -> Condition:
    found = []
    for text in texts:
        system, code = system_and_code(text)
        if not code:
            raise InvalidRequest(
                f"{parameter.name}:identifier is value or system|value",
                expression=parameter.name,
            )
        asked = code if system is None else f"{system}|{code}"
        found += [token(f"{place.path}:identifier", asked) for place in parameter.places]
    return overlap(clauses, found)


def patients_named(
    resource_type: str, parameter: Parameter, modifier: str, value: str, context: Context
) -> Iterator[UUID]:
    """The patients that a value names."""
    if modifier not in ("", "Patient") or "Patient" not in parameter.targets:
        return
    for text in map(plain, alternatives(parameter.name, value)):
        for place in parameter.places:
            for kind, fhir_id in named(parameter, place, modifier, context.local(text)):
                if kind == "Patient":
                    yield row_id(kind, fhir_id)


def forward(clauses: Clauses, parameter: Parameter, target: Clauses) -> Condition:
    """Rows whose reference leads to a row that meets the target's conditions.

    The members of a golden patient count as it does.
    """
    row, there = clauses.row, target.row
    met = f"from resource {there} where {target.where()}"
    found = []
    for place in parameter.places:
        if place.target not in ("", target.type) or place.type in _ADDRESSES:
            continue
        if target.type == "Patient":
            keys = covering(f"select {there}.id {met}")
            if parameter.keyed(place, clauses.type):
                found.append(Condition(f"{row}.patient_key in ({keys})"))
                continue
            ids = f"select k.id from ({keys}) k"  # noqa: S608
            met_ids = (
                f"{ids.replace('k.id', reference_sql(clauses, place, target.type, 'k.id'))}"
            )
            found.append(Condition(f"{row}.tokens && array({met_ids})"))
            continue
        hashed = reference_sql(clauses, place, target.type, f"{there}.id")
        found.append(Condition(f"{row}.tokens && array(select {hashed} {met})"))
    return either(found)


def reference_sql(clauses: Clauses, place: Place, kind: str, key: str) -> str:
    """The hash of a reference as SQL makes it."""
    field, name = clauses.value(place.path), clauses.value(kind)
    return f"reference_token({field}::text, {name}::text, {key})"


def backward(clauses: Clauses, parameter: Parameter, source: Clauses) -> Condition:
    """Rows that a row which meets the source's conditions refers to.

    A golden patient is referred to where one of its members is.
    """
    row, there = clauses.row, source.row
    where = source.where()
    found = []
    for place in parameter.places:
        if place.target not in ("", clauses.type) or place.type in _ADDRESSES:
            continue
        if clauses.type == "Patient" and parameter.keyed(place, source.type):
            keys = f"select {there}.patient_key from resource {there} where {where}"  # noqa: S608
            found.append(
                Condition(
                    f"{row}.id in (with met (id) as materialized ({keys}) select id from met"  # noqa: S608
                    " union select l.person_key from person_link l"
                    " join met on l.patient_key = met.id)",
                    driven=source.driven,
                )
            )
            continue
        found.append(_referred(clauses, place, source, where))
    return either(found)


def _referred(clauses: Clauses, place: Place, source: Clauses, where: str) -> Condition:
    """Where few rows are left, each is looked up among the references; else the references
    are gathered once and all rows gone through."""
    row, there = clauses.row, source.row
    hashed = reference_sql(clauses, place, clauses.type, f"{row}.id")
    if clauses.driven:
        met = (
            f"select from resource {there} where {there}.tokens && array[{hashed}] and {where}"
        )
        return Condition(f"exists ({met})", driven=False)
    met = f"select unnest({there}.tokens) from resource {there} where {where}"  # noqa: S608
    return Condition(f"{hashed} in ({met})", driven=False)


def targets_of(parameter: Parameter, modifier: str) -> tuple[str, ...]:
    """The types that a chain through a parameter may lead to."""
    if modifier:
        if modifier not in parameter.targets:
            raise unknown_modifier(parameter, modifier)
        return (modifier,)
    return tuple(kind for kind in parameter.targets if kind in types.NUMBERS)
