"""What a resource is found by: a pure function of its body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from healthhub.model.ids import row_id
from healthhub.model.resource import Body
from healthhub.store import spans, spelling, types
from healthhub.store.expressions import Place, Step, walk
from healthhub.store.hashes import ANY_SYSTEM, reference, span_key, token
from healthhub.store.parameters import Parameter, parameters


@dataclass(slots=True)
class Index:
    """The index entries of one resource.

    ``tokens``: hashes of codes, references and exact strings; ``identifiers``: hashes of value,
    of system and of the identifier's type (or None); ``texts``: field and normal form;
    ``words``: texts and addresses behind tokens, of which the store keeps one copy for all;
    ``present``: bits of the parameters that have a value; ``dates``: the spans of the clinical
    date; ``spans``: key, first and last of the other dates, numbers and quantities.
    """

    tokens: set[int] = field(default_factory=set)
    identifiers: set[tuple[int, int, int | None]] = field(default_factory=set)
    texts: set[tuple[str, str]] = field(default_factory=set)
    words: set[tuple[str, str]] = field(default_factory=set)
    present: int = 0
    dates: list[spans.Both] = field(default_factory=list)
    spans: set[tuple[int, int, int]] = field(default_factory=set)

    @property
    def clinical(self) -> spans.Both:
        """Both ends of the clinical date; None where there is none."""
        return spans.hull(self.dates) if self.dates else (None, None)

    @property
    def flat(self) -> list[int] | None:
        """The spans one after another, as the row holds them."""
        return [each for span in sorted(self.spans) for each in span] or None


OWN_SOURCE = "urn:healthhub:source:"
"""How the meta.source begins of what messages made; after # comes the message's number."""

Take = Callable[[Index, Any], bool | int]
"""Enters one value; tells whether it was one, or which parameters' bits it sets."""


def of(body: Body) -> Index:
    """All index entries of a resource."""
    index = Index()
    plan = _plan(body["resourceType"])
    for name, found in body.items():
        for steps, bit, take in plan.get(name, ()):
            if steps:
                values: Iterable[Any] = walk(found, steps)
            else:
                values = found if type(found) is list else (found,)
            for value in values:
                if taken := take(index, value):
                    index.present |= bit if taken is True else taken
    for steps, bit, take in plan.get("", ()):
        for value in walk(body, steps):
            if taken := take(index, value):
                index.present |= bit if taken is True else taken
    return index


Line = tuple[tuple[Step, ...], int, Take]


@cache
def _plan(resource_type: str) -> dict[str, list[Line]]:
    """What to do with each top-level element of a type; "" for what needs the whole body."""
    plan: dict[str, list[Line]] = {}
    for place, kind, found in _fields(resource_type):
        take = _take(resource_type, place, kind, found)
        if take is None:
            continue
        first, *rest = place.steps or ("",)
        bits = 0
        for parameter in found:
            bits |= parameter.bit
            if parameter.own:
                take = _present(take, parameter.presence)
        if isinstance(first, str):
            plan.setdefault(first, []).append((tuple(rest), bits, take))
        else:
            plan.setdefault("", []).append((place.steps, bits, take))
    return plan


def _present(take: Take, presence: int) -> Take:
    """The same, noting that a parameter of the hub's own has a value."""

    def noting(index: Index, value: Any) -> bool | int:
        taken = take(index, value)
        if taken is not False:
            index.tokens.add(presence)
        return taken

    return noting


def forget() -> None:
    """The parameters are others now."""
    _plan.cache_clear()


def _fields(resource_type: str) -> Iterator[tuple[Place, str, list[Parameter]]]:
    """Each place with the parameters that read it in the same way."""
    found: dict[tuple[str, str], tuple[Place, list[Parameter]]] = {}
    for parameter in parameters(resource_type):
        for place in parameter.places:
            key = (place.path, _way(parameter))
            found.setdefault(key, (place, []))[1].append(parameter)
    for (_, way), (place, sharing) in found.items():
        yield place, way, sharing


def _way(parameter: Parameter) -> str:
    if parameter.components:
        return f"composite {pair_field('', parameter)}"
    return "phonetic" if parameter.name == "phonetic" else parameter.kind


def _take(resource_type: str, place: Place, way: str, sharing: list[Parameter]) -> Take | None:
    path = place.path
    if path in ("id", "meta.lastUpdated"):
        return None
    match way:
        case "token":
            return _token_take(resource_type, place)
        case "reference":
            return _reference_take(resource_type, place, sharing)
        case "date":
            clinical = any(parameter.clinical for parameter in sharing)
            return lambda index, value: _date(index, path, clinical, place.many, value)
        case "number" | "quantity":
            read = spans.of_number if way == "number" else spans.of_quantity
            return lambda index, value: _spans(index, path, read(value))
        case "string" | "phonetic":
            return lambda index, value: _texts(index, path, way == "phonetic", value)
        case "uri":
            return lambda index, value: _uri(index, path, value)
    if not way.startswith("composite") or not path:
        return None
    return _composite_take(resource_type, path, sharing[0])


def _token_take(resource_type: str, place: Place) -> Take:
    path = place.path
    match place.type:
        case "Identifier":
            return lambda index, value: _identifier(index, resource_type, path, value)
        case "ContactPoint":
            return lambda index, value: _contact(index, path, value)
        case "CodeableConcept" | "Coding":
            return lambda index, value: _concept(index, path, value)
        case "Extension":
            return lambda index, value: _inner(index, path, value)
    return lambda index, value: _plain(index, path, value)


def _plain(index: Index, path: str, value: Any) -> bool:
    if isinstance(value, dict | list):
        return False
    index.tokens.add(token(path, ANY_SYSTEM + spelled(value)))
    return True


def spelled(value: Any) -> str:
    """A primitive as a search writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _concept(index: Index, path: str, value: Any) -> bool:
    """A Coding or CodeableConcept: by code, by system and code, by system, and by its words."""
    if not isinstance(value, dict):
        return False
    tokens = index.tokens
    for coding in value.get("coding", (value,)):
        system = coding.get("system", "")
        if code := coding.get("code"):
            tokens.add(token(path, code))
            tokens.add(token(path, f"{system}|{code}"))
        if system:
            tokens.add(token(path, f"{system}|"))
        if display := coding.get("display"):
            _word(index, path, display)
    if text := value.get("text"):
        _word(index, path, text)
    return True


def _word(index: Index, path: str, text: str) -> None:
    if form := spelling.normal(text):
        name = f"{path}:text"
        index.words.add((name, form))
        index.tokens.add(token(name, form))


def _inner(index: Index, path: str, value: Any) -> bool:
    """The value of an extension."""
    for name, inner in value.items():
        if name.startswith("value"):
            return (_concept if isinstance(inner, dict) else _plain)(index, path, inner)
    return False


def _identifier(index: Index, resource_type: str, path: str, value: Any) -> bool:
    text = value.get("value")
    kind = value.get("type", {})
    if words := kind.get("text"):
        _word(index, path, words)
    if not text:
        return bool(words)
    hashed = identifier(resource_type, path, text)
    system = token("", value.get("system", ""))
    kinds = [
        token("", f"{coding.get('system', '')}|{coding['code']}")
        for coding in kind.get("coding", ())
        if coding.get("code")
    ]
    index.identifiers.update((hashed, system, each) for each in kinds or (None,))
    return True


def identifier(resource_type: str, path: str, value: str) -> int:
    """The hash of an identifier's value."""
    return token(f"{resource_type}.{path}", value)


def _contact(index: Index, path: str, value: Any) -> bool:
    text = value.get("value")
    if text:
        index.texts.add((f"{path}|{value.get('system', '')}", phone(text)))
    return bool(text)


def phone(text: str) -> str:
    """The form under which a phone number or other address stands."""
    plain = spelling.normal(text)
    return plain if any(c.isalpha() for c in plain) else spelling.digits(text)


def _reference_take(resource_type: str, place: Place, sharing: list[Parameter]) -> Take:
    """The patient is not entered where it is the row's key."""
    path = place.path
    keyed = sharing[0].keyed(place, resource_type)
    targets: dict[str, int] = {}
    for parameter in sharing:
        for other in parameter.places:
            if other.path == path:
                targets[other.target] = targets.get(other.target, 0) | parameter.bit
    anyone = targets.pop("", 0)

    def take(index: Index, value: Any) -> int:
        kind, text = referred(value)
        local = local_of(text)
        if local is not None:
            kind = local[0]
            if not (keyed and kind == "Patient"):
                index.tokens.add(reference(path, kind, row_id(*local)))
        elif text and not text.startswith("#"):
            index.tokens.add(token(path, f"={text}"))
            if "|" in text:  # a canonical with its version is found without it too
                index.tokens.add(token(path, f"={text.partition('|')[0]}"))
        if isinstance(value, dict) and "resourceType" not in value:
            _named(index, path, value.get("identifier", {}))
        return (anyone | targets.get(kind, 0)) if value else 0

    return take


def _named(index: Index, path: str, identifier: Any) -> None:
    """The business identifier of what a reference names."""
    if found := identifier.get("value"):
        index.tokens.add(token(f"{path}:identifier", found))
        index.tokens.add(token(f"{path}:identifier", f"{identifier.get('system', '')}|{found}"))


def referred(value: Any) -> tuple[str, str]:
    """The type, where it is said, and the text of a Reference, canonical, uri, extension or
    resource within."""
    if isinstance(value, str):
        return "", value
    if not isinstance(value, dict):
        return "", ""
    if "valueReference" in value:
        value = value["valueReference"]
    if "resourceType" in value:
        kind = value["resourceType"]
        return kind, f"{kind}/{value['id']}" if "id" in value else ""
    text = value.get("reference", "")
    return value.get("type", ""), text if isinstance(text, str) else ""


def local_of(text: str) -> tuple[str, str] | None:
    """Type and id of a reference to a resource of this server; its version does not count."""
    kind, slash, rest = text.partition("/")
    if not slash or kind not in types.NUMBERS:
        return None
    fhir_id, _, more = rest.partition("/")
    if not fhir_id or (more and not more.startswith("_history/")):
        return None
    return kind, fhir_id


def _date(index: Index, path: str, clinical: bool, many: bool, value: Any) -> bool:
    both = spans.span_of(value)
    if both == (None, None):
        return False
    if clinical:
        index.dates.append(both)
    if many or not clinical:
        _spans(index, path, spans.of_date(value))
    return True


def _spans(index: Index, path: str, amounts: Iterable[spans.Amount]) -> bool:
    found = [(span_key(path, unit), low, high) for unit, low, high in amounts]
    index.spans.update(found)
    return bool(found)


def _texts(index: Index, path: str, phonetic: bool, value: Any) -> bool:
    if isinstance(value, dict) and "valueString" in value:
        value = value["valueString"]
    found = False
    for text in strings(value):
        found = True
        if phonetic:
            index.texts.update((f"{path}~", form) for form in spelling.sounds(text))
            continue
        index.tokens.add(token(f"{path}:exact", text))
        forms = spelling.name_forms(text) if is_name(path) else (spelling.normal(text),)
        index.texts.update((path, form) for form in forms if form)
    return found


def is_name(path: str) -> bool:
    """Whether the strings at a path are names of people and places, found by pinyin too."""
    return path.split(".", 1)[0] in ("name", "alias")


_TEXT_PARTS = (
    "text family given prefix suffix line city district state country postalCode".split()
)


def strings(value: Any) -> Iterator[str]:
    """The strings of a HumanName, Address or plain element."""
    if isinstance(value, str):
        yield value
        return
    if not isinstance(value, dict):
        return
    for part in _TEXT_PARTS:
        held = value.get(part, ())
        for entry in held if isinstance(held, list | tuple) else (held,):
            if isinstance(entry, str):
                yield entry
    given = [each for each in value.get("given", ()) if isinstance(each, str)]
    if value.get("family") and given and not value.get("text"):
        yield value["family"] + "".join(given)


def _uri(index: Index, path: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if value.startswith(OWN_SOURCE):  # which message it was is in the row already
        index.tokens.add(token(path, value.partition("#")[0]))
        return True
    bare = value.partition("|")[0]
    for text in {value, bare}:
        index.tokens.add(token(path, text))
    index.words.add((path, bare))
    return True


def _composite_take(resource_type: str, path: str, parameter: Parameter) -> Take:
    """Pairs of values of one element; those of the whole resource need no entry."""
    field = pair_field(path, parameter)
    first, second = parameter.components

    def take(index: Index, element: Any) -> bool:
        lefts = forms(resource_type, first, element)
        if second.kind in ("quantity", "number", "date"):
            found = [*amounts(second, element)]
            for left, (unit, low, high) in product(lefts, found):
                index.spans.add((span_key(f"{field}${left}", unit), low, high))
        else:
            for left, right in product(lefts, forms(resource_type, second, element)):
                index.tokens.add(token(field, f"{left}${right}"))
        return False

    return take


def pair_field(path: str, parameter: Parameter) -> str:
    """The field of a composite; parameters that pair the same elements share it."""
    ways = "$".join(
        ",".join(place.path for place in component.places) for component in parameter.components
    )
    return f"{path}${ways}"


def forms(resource_type: str, component: Parameter, element: Any) -> set[str]:
    """The texts under which a component's values within an element are found."""
    found: set[str] = set()
    for place in component.places:
        for value in walk(element, place.steps):
            if component.kind == "reference":
                _, text = referred(value)
                found.add(text)
            elif isinstance(value, dict):
                for coding in value.get("coding", (value,)):
                    if code := coding.get("code"):
                        found |= {code, f"{coding.get('system', '')}|{code}"}
            elif component.kind == "string":
                found.add(spelling.normal(value))
            else:
                found.add(ANY_SYSTEM + spelled(value))
    return found


def amounts(component: Parameter, element: Any) -> Iterator[spans.Amount]:
    """The spans of a component's values within an element."""
    for place in component.places:
        for value in walk(element, place.steps):
            match component.kind:
                case "date":
                    yield from spans.of_date(value)
                case "number":
                    yield from spans.of_number(value)
                case _:
                    yield from spans.of_quantity(value)
