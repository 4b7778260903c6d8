"""The index entries of one resource, and how a value of each type is entered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from healthhub.store import spans, spelling
from healthhub.store.concepts import Concept, Span
from healthhub.store.hashes import ANY_SYSTEM, span_key, token


@dataclass(slots=True)
class Index:
    """The index entries of one resource.

    ``tokens``: hashes of codes, references and exact strings; ``identifiers``: hashes of value,
    of system and of the identifier's type (or None); ``texts``: field and normal form;
    ``words``: texts and addresses behind tokens, of which the store keeps one copy for all;
    ``present``: bits of the parameters that have a value; ``dates``: the spans of the clinical
    date, ``clinical`` both ends of them all, None where there is none; ``spans``: key, first and
    last of the other dates, numbers and quantities; ``concept``: what its code says; ``size``:
    that of the spans which is its value.
    """

    tokens: set[int] = field(default_factory=set)
    identifiers: set[tuple[int, int, int | None]] = field(default_factory=set)
    texts: set[tuple[str, str]] = field(default_factory=set)
    words: set[tuple[str, str]] = field(default_factory=set)
    present: int = 0
    dates: list[spans.Both] = field(default_factory=list)
    clinical: spans.Both = (None, None)
    spans: set[Span] = field(default_factory=set)
    concept: Concept | None = None
    size: Span | None = None

    @property
    def flat(self) -> list[int] | None:
        """The spans one after another, as the row holds them: the value first, where its index
        looks for it."""
        in_order = sorted(self.spans, key=lambda span: (span != self.size, span))
        return [each for span in in_order for each in span] or None

    @property
    def number(self) -> int | None:
        """The concept as the row holds it."""
        return self.concept.number if self.concept else None


Take = Callable[[Index, Any], bool | int]
"""Enters one value; tells whether it was one, or which parameters' bits it sets."""

OWN_SOURCE = "urn:healthhub:source:"
"""How the meta.source begins of what messages made; after # comes the message's number."""


def take_plain(index: Index, path: str, value: Any) -> bool:
    """A primitive."""
    if isinstance(value, dict | list):
        return False
    index.tokens.add(token(path, ANY_SYSTEM + spelled(value)))
    return True


def spelled(value: Any) -> str:
    """A primitive as a search writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def take_concept(index: Index, path: str, value: Any) -> bool:
    """A Coding or CodeableConcept: by code, by system and code, by system, and by its words."""
    if not isinstance(value, dict):
        return False
    for coding in value.get("coding", (value,)):
        system, code = coding.get("system", ""), coding.get("code", "")
        index.tokens.update(_coding(path, system, code))
        if display := coding.get("display"):
            _word(index, path, display)
    if text := value.get("text"):
        _word(index, path, text)
    return True


@lru_cache(maxsize=20_000)
def _coding(path: str, system: str, code: str) -> tuple[int, ...]:
    """The hashes of a code, of it with its system, and of the system."""
    texts = (code, f"{system}|{code}") if code else ()
    return tuple(token(path, text) for text in (*texts, *((f"{system}|",) if system else ())))


def _word(index: Index, path: str, text: str) -> None:
    if entry := _worded(path, text) if len(text) <= spelling.SHORT else _words(path, text):
        index.words.add(entry[0])
        index.tokens.add(entry[1])


def _words(path: str, text: str) -> tuple[tuple[str, str], int] | None:
    """The normal form of a text with its field, and the hash of both."""
    name, form = f"{path}:text", spelling.normal(text)
    return ((name, form), token(name, form)) if form else None


_worded = lru_cache(maxsize=20_000)(_words)


def take_inner(index: Index, path: str, value: Any) -> bool:
    """The value of an extension."""
    for name, inner in value.items():
        if name.startswith("value"):
            return (take_concept if isinstance(inner, dict) else take_plain)(index, path, inner)
    return False


def take_identifier(index: Index, resource_type: str, path: str, value: Any) -> bool:
    """An Identifier: by value, with its system and each of its types."""
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


def take_contact(index: Index, path: str, value: Any) -> bool:
    """A ContactPoint: by value, within its system."""
    text = value.get("value")
    if text:
        index.texts.add((f"{path}|{value.get('system', '')}", phone(text)))
    return bool(text)


def phone(text: str) -> str:
    """The form under which a phone number or other address stands."""
    plain = spelling.normal(text)
    return plain if any(c.isalpha() for c in plain) else spelling.digits(text)


def take_date(index: Index, path: str, clinical: bool, many: bool, value: Any) -> bool:
    """A date, dateTime, instant, Period or Timing."""
    both = spans.span_of(value)
    if both == (None, None):
        return False
    if clinical:
        index.dates.append(both)
    if many or not clinical:
        take_spans(index, path, spans.of_date(value))
    return True


def take_spans(index: Index, path: str, amounts: Iterable[spans.Amount]) -> bool:
    """Amounts, each a span of its unit."""
    found = [(span_key(path, unit), low, high) for unit, low, high in amounts]
    index.spans.update(found)
    return bool(found)


def take_texts(index: Index, path: str, phonetic: bool, value: Any) -> bool:
    """Strings: as they are written, and in their normal or spoken forms."""
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


def take_uri(index: Index, path: str, value: Any) -> bool:
    """A uri or canonical, with its version and without."""
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
