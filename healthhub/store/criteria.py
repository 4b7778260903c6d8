"""What a search asks for: each parameter of its address as a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from healthhub.errors import InvalidRequest, UnknownParameter
from healthhub.model.ids import row_id
from healthhub.store import parameters as registry
from healthhub.store import reference_conditions, span_conditions, token_conditions, types
from healthhub.store.conditions import (
    Clauses,
    Condition,
    Context,
    Hint,
    Unresolved,
    alternatives,
    cut,
    either,
    overlap,
    plain,
    unknown_modifier,
)
from healthhub.store.hashes import token
from healthhub.store.pairs import pair_field
from healthhub.store.parameters import CONTROL, Parameter, named
from healthhub.store.place import Place
from healthhub.store.r4_settled import WITHOUT_SEARCH
from healthhub.store.spelling import normal

COMPARTMENT = "@compartment"
"""The name under which a compartment (``Patient/1``) stands among the parameters: no address
can hold it."""
DEEPEST = 6
"""Steps of a chain."""


_PLAIN: Mapping[str, Callable[[Clauses, Parameter, str, str], Condition]] = {
    "string": token_conditions.of_string,
    "uri": token_conditions.of_uri,
    "date": span_conditions.of_date,
    "number": span_conditions.of_number,
    "quantity": span_conditions.of_quantity,
}
"""The kinds whose values need nothing but themselves."""


def add(clauses: Clauses, name: str, value: str, context: Context) -> None:
    """Add the condition of one parameter of a search. Raises UnknownParameter, InvalidRequest,
    Unresolved."""
    found = condition(clauses, name, value, context)
    if found.patients is not None:
        clauses.patients(found.patients)
    else:
        clauses.add(found.sql, driven=found.driven, few=found.few, hint=found.hint)


def condition(clauses: Clauses, name: str, value: str, context: Context) -> Condition:
    """The condition of one parameter."""
    if clauses.values.get("depth", 0) > DEEPEST:
        raise InvalidRequest(f"a chain has at most {DEEPEST} steps", expression=name[:64])
    if name == COMPARTMENT:
        return _compartment(clauses, value, context)
    if name.startswith("_has:"):
        return _has(clauses, name, value, context)
    head, dot, rest = name.partition(".")
    bare, _, modifier = head.partition(":")
    if bare == "_list":
        return _list(clauses, value, context)
    parameter = _known(clauses.type, bare)
    if dot:
        return _chain(clauses, parameter, modifier, rest, value, context)
    return _of(clauses, parameter, modifier, value, context)


def _known(resource_type: str, name: str) -> Parameter:
    parameter = named(resource_type).get(name)
    if parameter is None:
        advice = WITHOUT_SEARCH.get(name)
        if advice is None:
            known = ", ".join((*sorted(named(resource_type)), "_has", "_list", *CONTROL))
            kind = resource_type or "a search of all types"
            advice = f"{kind} has no search parameter {name[:64]!r}; it has {known}"
        raise UnknownParameter(advice, expression=name[:64])
    if not parameter.ready:
        raise UnknownParameter(
            f"{name} is defined, but not all resources are indexed by it yet; "
            "'healthhub store reindex' does it",
            expression=name[:64],
        )
    return parameter


def _of(
    clauses: Clauses, parameter: Parameter, modifier: str, value: str, context: Context
) -> Condition:
    if modifier == "missing":
        return _missing(clauses, parameter, value)
    if parameter.name == "_id":
        return _ids(clauses, parameter, modifier, value)
    if parameter.components:
        return _composite(clauses, parameter, modifier, value)
    match parameter.kind:
        case "token":
            return token_conditions.of_token(clauses, parameter, modifier, value, context)
        case "reference":
            return reference_conditions.of_reference(
                clauses, parameter, modifier, value, context
            )
        case _ if parameter.kind in _PLAIN:
            return _PLAIN[parameter.kind](clauses, parameter, modifier, value)
    raise UnknownParameter(f"{parameter.name} cannot be searched", expression=parameter.name)


def _missing(clauses: Clauses, parameter: Parameter, value: str) -> Condition:
    if value not in ("true", "false"):
        raise InvalidRequest(
            f"{parameter.name}:missing is true or false", expression=parameter.name
        )
    if parameter.own:
        sql = overlap(clauses, [parameter.presence]).sql
        return Condition(f"not {sql}" if value == "true" else sql, driven=False)
    if not parameter.bit:
        if parameter.components:
            raise unknown_modifier(parameter, "missing")
        return Condition("false" if value == "true" else "true", driven=False)
    way = "=" if value == "true" else "<>"
    bit = clauses.value(parameter.bit)
    return Condition(f"{clauses.row}.present & {bit}::bigint {way} 0", driven=False)


def _ids(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    if modifier not in ("", "not"):
        raise unknown_modifier(parameter, modifier)
    texts = [plain(text) for text in alternatives("_id", value)]
    kinds = (clauses.type,) if clauses.type else types.NAMES
    keys = clauses.value([row_id(kind, text) for kind in kinds for text in texts])
    if modifier:
        return Condition(f"not {clauses.row}.id = any({keys}::uuid[])", driven=False)
    return Condition(f"{clauses.row}.id = any({keys}::uuid[])", few=True)


def _list(clauses: Clauses, value: str, context: Context) -> Condition:
    """Members of a List (http://hl7.org/fhir/R4/search.html#list)."""
    fhir_id = plain(value)
    key = ("List", fhir_id, "in")
    if fhir_id.startswith("$"):
        raise UnknownParameter(
            "functional lists such as $current are not offered", expression="_list"
        )
    if key not in context.known:
        raise Unresolved(*key)
    kinds = (clauses.type,) if clauses.type else types.NAMES
    keys = [row_id(kind, text) for kind, text in context.known[key] if kind in kinds]
    return Condition(f"{clauses.row}.id = any({clauses.value(keys)}::uuid[])")


def _composite(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    """``a$b``: both in the same element. http://hl7.org/fhir/R4/search.html#composite"""
    if modifier:
        raise unknown_modifier(parameter, modifier)
    found = []
    for text in alternatives(parameter.name, value):
        parts = cut(text, "$")
        if len(parts) != len(parameter.components) or not all(parts):
            names = "$".join(component.name for component in parameter.components)
            raise InvalidRequest(f"{parameter.name} is {names}", expression=parameter.name)
        for place in parameter.places:
            found.append(
                _pair(clauses, parameter, place, parts)
                if place.path
                else _whole(clauses, parameter, parts)
            )
    return either(found)


def _whole(clauses: Clauses, parameter: Parameter, parts: list[str]) -> Condition:
    """Both components are the resource's own: each is searched for itself."""
    found = [
        _of(clauses, component, "", part, Context())
        for component, part in zip(parameter.components, parts, strict=True)
    ]
    joined = " and ".join(f"({each.sql})" for each in found)
    one, other = (each.hint for each in found)
    hint = Hint(
        one.codes if other.codes is None else other.codes,
        one.sizes if other.sizes is None else other.sizes,
        one.times if other.times is None else other.times,
    )
    return Condition(f"({joined})", any(each.driven for each in found), hint=hint)


def _pair(clauses: Clauses, parameter: Parameter, place: Place, parts: list[str]) -> Condition:
    first, second = parameter.components
    field = pair_field(place.path, parameter)
    left = _form(first, parts[0])
    match second.kind:
        case "quantity":
            asked = list(span_conditions.quantities(second, parts[1]))
        case "number":
            prefix, low, high = span_conditions.number(second, parts[1])
            asked = [span_conditions.exact(prefix, low, high)]
        case "date":
            asked = [span_conditions.dated(second, parts[1])]
        case _:
            return overlap(clauses, [token(field, f"{left}${_form(second, parts[1])}")])
    return Condition(span_conditions.among(clauses, [f"{field}${left}"], asked), driven=False)


def _form(component: Parameter, text: str) -> str:
    """The one form under which a row holds what is asked for."""
    if component.kind == "string":
        return normal(plain(text))
    if any(place.type in ("code", "boolean", "string") for place in component.places):
        if not any(place.type in ("CodeableConcept", "Coding") for place in component.places):
            return f"*|{plain(text).rpartition('|')[2]}"
        if text in ("true", "false"):
            return f"*|{text}"
    return plain(text)


def _chain(
    clauses: Clauses,
    parameter: Parameter,
    modifier: str,
    rest: str,
    value: str,
    context: Context,
) -> Condition:
    """``patient.name``, ``subject:Patient.organization.name``."""
    if parameter.kind != "reference":
        raise UnknownParameter(
            f"{parameter.name} is no reference, so nothing can follow it",
            expression=parameter.name,
        )
    found: list[Condition] = []
    refused: UnknownParameter | None = None
    for kind in reference_conditions.targets_of(parameter, modifier):
        target = clauses.inner(kind)
        try:
            add(target, rest, value, context)
        except UnknownParameter as error:
            refused = error
            continue
        found.append(reference_conditions.forward(clauses, parameter, target))
    if not found:
        raise refused or UnknownParameter(
            f"{parameter.name} leads to nothing that is stored here", expression=parameter.name
        )
    return either(found)


def _has(clauses: Clauses, name: str, value: str, context: Context) -> Condition:
    """``_has:Observation:patient:code``. http://hl7.org/fhir/R4/search.html#has"""
    parts = name.split(":", 3)
    if len(parts) < 4 or not parts[3] or parts[1] not in types.NUMBERS:
        raise InvalidRequest(
            "_has is written _has:Type:reference:parameter, such as "
            "_has:Observation:patient:code",
            expression="_has",
        )
    _, kind, link, rest = parts
    parameter = _known(kind, link)
    if parameter.kind != "reference" or (
        clauses.type and clauses.type not in parameter.targets
    ):
        raise InvalidRequest(
            f"{kind}:{link[:64]} does not refer to {clauses.type}", expression="_has"
        )
    source = clauses.inner(kind)
    add(source, rest, value, context)
    return reference_conditions.backward(clauses, parameter, source)


def _compartment(clauses: Clauses, value: str, context: Context) -> Condition:
    """What belongs to a patient, encounter, ...: any of the compartment's parameters names it."""
    kind, _, fhir_id = value.partition("/")
    names = registry.compartment(kind, clauses.type)
    if not names:
        raise InvalidRequest(
            f"{clauses.type} is not in the compartment of {kind}", expression="type"
        )
    found: list[Condition] = []
    for name in names:
        parameter = named(clauses.type)[name]
        if kind not in parameter.targets:
            continue
        one = reference_conditions.of_reference(
            clauses, parameter, "", f"{kind}/{fhir_id}", context
        )
        if one.patients is not None:
            one = Condition(clauses.of_patients(one.patients))
        found.append(one)
    return either(found)


def patients_named(
    resource_type: str, name: str, value: str, context: Context
) -> Iterator[UUID]:
    """The patients that a parameter names, wherever in it."""
    if name == COMPARTMENT:
        if value.startswith("Patient/"):
            yield row_id("Patient", value.removeprefix("Patient/"))
        return
    if name.startswith("_has:"):
        parts = name.split(":", 3)
        if len(parts) == 4 and parts[1] in types.NUMBERS:
            yield from patients_named(parts[1], parts[3], value, context)
        return
    head, dot, rest = name.partition(".")
    bare, _, modifier = head.partition(":")
    parameter = named(resource_type).get(bare)
    if parameter is None or parameter.kind != "reference":
        return
    if dot:
        for kind in (modifier,) if modifier else parameter.targets:
            yield from patients_named(kind, rest, value, context)
    else:
        yield from reference_conditions.patients_named(
            resource_type, parameter, modifier, value, context
        )
