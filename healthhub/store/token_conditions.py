"""Conditions of token, string and uri parameters.

http://hl7.org/fhir/R4/search.html#token, #string, #uri
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from healthhub.errors import InvalidRequest
from healthhub.store import entries, spelling
from healthhub.store.concepts import is_code
from healthhub.store.conditions import (
    Clauses,
    Codes,
    Condition,
    Context,
    Unresolved,
    alternatives,
    cut,
    either,
    overlap,
    plain,
    system_and_code,
    unknown_modifier,
)
from healthhub.store.hashes import ANY_SYSTEM, token
from healthhub.store.parameters import Parameter, systems
from healthhub.store.place import Place

SPECIAL_VALUES = "http://terminology.hl7.org/CodeSystem/special-values"
"""The system of true and false (http://hl7.org/fhir/R4/search.html#token)."""
CONTACT_SYSTEMS = ("phone", "fax", "email", "pager", "url", "sms", "other", "")
_LAST = "\U0010ffff"


def of_token(
    clauses: Clauses, parameter: Parameter, modifier: str, value: str, context: Context
) -> Condition:
    """A token in any of its forms, or with one of its modifiers."""
    texts = alternatives(parameter.name, value)
    match modifier:
        case "":
            return _tokens(clauses, parameter, map(system_and_code, texts))
        case "not":
            found = _tokens(clauses, parameter, map(system_and_code, texts))
            return Condition(f"not coalesce({found.sql}, false)", driven=False)
        case "text":
            return _text(clauses, parameter, texts)
        case "of-type":
            return _of_type(clauses, parameter, texts)
        case "in" | "not-in" | "above" | "below":
            found = either(
                [
                    _tokens(clauses, parameter, _concepts(context, text, modifier))
                    for text in texts
                ]
            )
            if modifier != "not-in":
                return found
            return Condition(f"not coalesce({found.sql}, false)", driven=False)
    raise unknown_modifier(parameter, modifier)


def _concepts(context: Context, text: str, modifier: str) -> Codes:
    """The codes of a value set, or those above or below one."""
    kind = "ValueSet" if modifier.endswith("in") else "CodeSystem"
    key = (kind, plain(text) if kind == "ValueSet" else text, modifier.removeprefix("not-"))
    if key not in context.known:
        raise Unresolved(*key)
    return context.known[key]


def _tokens(
    clauses: Clauses, parameter: Parameter, wanted: Iterable[tuple[str | None, str]]
) -> Condition:
    asked = list(wanted)
    found: list[int] = []
    rest: list[Condition] = []
    for place in parameter.places:
        match place.type:
            case "Identifier":
                rest += [_identifier(clauses, place, *each) for each in asked]
            case "ContactPoint":
                rest += [_contact(clauses, place, *each) for each in asked]
            case _:
                found += [
                    hashed
                    for each in asked
                    for hashed in code_tokens(clauses.type, parameter, place, *each)
                ]
    if found:
        rest.append(overlap(clauses, found, code=is_code(clauses.type, parameter)))
    if not rest and any(system and not code for system, code in asked):
        raise InvalidRequest(
            f"{parameter.name} holds plain codes; name the code too", expression=parameter.name
        )
    return either(rest)


def code_tokens(
    resource_type: str, parameter: Parameter, place: Place, system: str | None, code: str
) -> Iterator[int]:
    """The hashes of ``code``, ``system|code``, ``|code`` and ``system|``."""
    if place.type in ("CodeableConcept", "Coding", "Extension"):
        if system and not code:
            yield token(place.path, f"{system}|")
        elif code:
            yield token(place.path, code if system is None else f"{system}|{code}")
        if place.type != "Extension":
            return
    if code and _fits(resource_type, place, system):
        yield token(place.path, ANY_SYSTEM + code)


def _fits(resource_type: str, place: Place, system: str | None) -> bool:
    """Whether a plain code may be of the system asked for; what R4 leaves open fits any."""
    if system is None:
        return True
    if place.type == "boolean":
        return system == SPECIAL_VALUES
    known = systems(resource_type, place.path) if place.type == "code" else ()
    return system in known if known else not (system and place.type != "code")


def _identifier(clauses: Clauses, place: Place, system: str | None, value: str) -> Condition:
    ways = []
    if value:
        hashed = entries.identifier(clauses.type, place.path, value)
        ways.append(f"i.hash = {clauses.value(hashed)}")
    if system is not None:
        ways.append(f"i.system = {clauses.value(token('', system))}")
    row = clauses.row
    return Condition(
        f"({row}.patient_key, {row}.id) in (select i.patient_key, i.id from resource_identifier i"  # noqa: S608
        f" where {' and '.join(ways) or 'false'})",
        driven=bool(value),
        few=bool(value),
    )


def _of_type(clauses: Clauses, parameter: Parameter, texts: list[str]) -> Condition:
    """``system|code|value`` of an identifier and its type."""
    found = []
    for text in texts:
        parts = [plain(part) for part in cut(text, "|")]
        if len(parts) != 3 or not parts[2]:
            raise InvalidRequest(
                f"{parameter.name}:of-type is system|code|value, of the type and the identifier",
                expression=parameter.name,
            )
        system, code, value = parts
        for place in parameter.places:
            if place.type != "Identifier":
                raise unknown_modifier(parameter, "of-type")
            hashed = clauses.value(entries.identifier(clauses.type, place.path, value))
            kind = clauses.value(token("", f"{system}|{code}"))
            found.append(
                Condition(
                    f"({clauses.row}.patient_key, {clauses.row}.id) in"  # noqa: S608
                    " (select i.patient_key, i.id from resource_identifier i"
                    f" where i.hash = {hashed} and i.kind = {kind})"
                )
            )
    return either(found)


def _contact(clauses: Clauses, place: Place, system: str | None, value: str) -> Condition:
    asked = CONTACT_SYSTEMS if system is None else (system,)
    fields = clauses.value([f"{place.path}|{each}" for each in asked])
    wanted = clauses.value(entries.phone(value))
    return _texts_in(clauses, fields, f"t.value = {wanted}")


def _texts_in(clauses: Clauses, fields: str, how: str) -> Condition:
    kind = "" if not clauses.type else f"t.type = {clauses.row}.type and "
    row = clauses.row
    return Condition(
        f"({row}.patient_key, {row}.id) in (select t.patient_key, t.id from resource_text t"  # noqa: S608
        f" where {kind.replace(f'{row}.type', _type_value(clauses))}"
        f"t.parameter = any({fields}::text[]) and ({how}))"
    )


def _type_value(clauses: Clauses) -> str:
    return clauses.sql[0].rpartition(" = ")[2]


def _text(clauses: Clauses, parameter: Parameter, texts: list[str]) -> Condition:
    """Words that the code is shown with begin so (http://hl7.org/fhir/R4/search.html#modifiers)."""
    fields = [f"{place.path}:text" for place in parameter.places]
    forms = [form for text in texts if (form := spelling.normal(plain(text)))]
    return _by_words(clauses, fields, forms)


def _by_words(clauses: Clauses, fields: list[str], starts: list[str]) -> Condition:
    named = clauses.value(fields)
    ways = [
        f"w.value >= {clauses.value(start)} and w.value < {clauses.value(start + _LAST)}"
        for start in starts
    ]
    return Condition(
        f"{clauses.row}.tokens && array(select w.token from resource_word w"  # noqa: S608
        f" where w.field = any({named}::text[]) and ({' or '.join(ways) or 'false'}))"
    )


def of_string(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    """Strings that begin so; :exact the very characters, :contains anywhere."""
    texts = [plain(text) for text in alternatives(parameter.name, value)]
    if modifier not in ("", "exact", "contains"):
        raise unknown_modifier(parameter, modifier)
    paths = [place.path for place in parameter.places]
    if parameter.name == "phonetic":
        if modifier:
            raise unknown_modifier(parameter, modifier)
        heard = [(*spelling.sounds(text), spelling.normal(text)) for text in texts]
        sounds = clauses.value([sound for each in heard for sound in each])
        fields = clauses.value([f"{path}~" for path in paths])
        return _texts_in(clauses, fields, f"t.value = any({sounds}::text[])")
    if modifier == "exact":
        return overlap(clauses, [token(f"{p}:exact", text) for p in paths for text in texts])
    forms = [form for text in texts if (form := spelling.normal(text))]
    fields = clauses.value(paths)
    if modifier == "contains":
        ways = [f"position({clauses.value(form)} in t.value) > 0" for form in forms]
    else:
        ways = [
            f"t.value >= {clauses.value(form)} and t.value < {clauses.value(form + _LAST)}"
            for form in forms
        ]
    return _texts_in(clauses, fields, " or ".join(ways) or "false")


def of_uri(clauses: Clauses, parameter: Parameter, modifier: str, value: str) -> Condition:
    """An address, what lies :below it, or what it lies :above."""
    texts = [plain(text) for text in alternatives(parameter.name, value)]
    paths = [place.path for place in parameter.places]
    match modifier:
        case "":
            if parameter.name == "_source":
                return either([_source(clauses, paths[0], text) for text in texts])
            return overlap(clauses, [token(p, text) for p in paths for text in texts])
        case "below" if parameter.name != "_source":
            exact = overlap(clauses, [token(p, text) for p in paths for text in texts])
            under = _by_words(clauses, paths, [text.rstrip("/") + "/" for text in texts])
            return either([exact, under])
        case "above" if parameter.name != "_source":
            over = [up for text in texts for up in _upwards(text)]
            return overlap(clauses, [token(p, text) for p in paths for text in over])
    raise unknown_modifier(parameter, modifier)


def _source(clauses: Clauses, path: str, text: str) -> Condition:
    """A message of the hub's own is named by its number, which the row holds."""
    if not text.startswith(entries.OWN_SOURCE):
        return overlap(clauses, [token(path, text)])
    source, _, number = text.partition("#")
    found = overlap(clauses, [token(path, source)])
    if not number:
        return found
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return Condition("false")
    return Condition(f"({found.sql} and {clauses.row}.message = {clauses.value(int(number))})")


def _upwards(text: str) -> Iterator[str]:
    """The address itself and each that lies above it."""
    while text and not text.endswith(":/"):
        yield text
        yield f"{text}/"
        text, slash, _ = text.rpartition("/")
        if not slash:
            return
