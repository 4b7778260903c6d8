"""The FHIR elements that a block's rules fill, as a tree, and which of them are choices."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from healthhub.mapping.definition import DataType, Definition, Rule
from healthhub.mapping.expressions import (
    Call,
    Choice,
    Constant,
    Expression,
    Path,
    Pipe,
    Step,
    Word,
)
from healthhub.mapping.place import wrong

_CHOICE = re.compile(
    r"([a-z][A-Za-z]*?)(Boolean|Integer|Decimal|String|DateTime|Date|Time|Instant|Uri|Code|Coding|"
    r"CodeableConcept|Quantity|Age|Duration|Range|Ratio|Period|Timing|Reference|Attachment|"
    r"Identifier|SampledData|Address|HumanName|ContactPoint|Annotation|Money|PositiveInt|"
    r"UnsignedInt|Base64Binary)"
)
CONSTANT_WORDS = frozenset(("message", "event", "received", "source", "namespace", "endpoint"))


@dataclass(slots=True)
class Element:
    """One element, entry of an array, or (at the top) the whole object."""

    name: str
    url: str = ""
    rules: list[Rule] = field(default_factory=list[Rule])
    children: dict[str, Element] = field(default_factory=dict[str, "Element"])
    parts: list[Rule | Element] = field(default_factory=list["Rule | Element"])
    entries: dict[str, Element] = field(default_factory=dict[str, "Element"])
    order: int = 0

    @property
    def array(self) -> bool:
        """Whether it is filled with ``[]`` or labels."""
        return bool(self.parts)


def tree(rules: tuple[Rule, ...]) -> Element:
    """The elements that the rules fill; MappingError when two contradict each other."""
    root = Element("")
    for order, rule in enumerate(rules):
        at = root
        for step in rule.target.steps[:-1]:
            at = _descend(at, step, rule, order)
        last = rule.target.steps[-1]
        if last.label == "":
            element = _child(at, last.name, order)
            _agree(element, rule, array=True)
            element.parts.append(rule)
        else:
            _descend(at, last, rule, order).rules.append(rule)
    return root


def _child(at: Element, name: str, order: int) -> Element:
    if name not in at.children:
        at.children[name] = Element(name, order=order)
    return at.children[name]


def _descend(at: Element, step: Step, rule: Rule, order: int) -> Element:
    element = _child(at, step.name, order)
    if step.label is None:
        _agree(element, rule, array=False)
        return element
    _agree(element, rule, array=True)
    if step.label not in element.entries:
        entry = Element(step.name, url=step.label if step.url else "", order=order)
        element.entries[step.label] = entry
        element.parts.append(entry)
    return element.entries[step.label]


def _agree(element: Element, rule: Rule, *, array: bool) -> None:
    if (array and (element.rules or element.children)) or (not array and element.parts):
        raise wrong(
            rule.where,
            f"{element.name} is filled both as one value and as a list; "
            "write [] or [word] in all its rules or in none",
            rule.text,
        )


def stem(name: str) -> str:
    """``value`` of ``valueQuantity``; empty if the name has not the form of a choice."""
    match = _CHOICE.fullmatch(name)
    return match[1] if match else ""


def choices(element: Element) -> dict[str, list[Element]]:
    """The choices among an element's children of which more than one form is filled."""
    groups: dict[str, list[Element]] = {}
    for child in element.children.values():
        # a choice never repeats; reasonCode[] and reasonReference[] are two elements
        found = "" if child.array else stem(child.name)
        if found:
            groups.setdefault(found, []).append(child)
    return {name: found for name, found in groups.items() if len(found) > 1}


class Reading:
    """Which rules read the message; the others are constants."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition

    def reads(self, value: Expression | None, parameters: tuple[str, ...] = ()) -> bool:
        """Whether a value depends on the message's content."""
        match value:
            case None | Constant():
                return False
            case Path():
                return True
            case Word(name):
                return name not in CONSTANT_WORDS and name not in parameters
            case Call(name, arguments):
                if name in ("ref", "refs", "link", "nth") or self._type(name) is not None:
                    return True
                return any(self.reads(argument, parameters) for argument in arguments)
            case Pipe(first, calls):
                return self.reads(first, parameters) or any(
                    self.reads(argument, parameters)
                    for call in calls
                    if call.name not in ("code", "coding", "concept", "ref", "link")
                    for argument in call.arguments
                )
            case Choice(options):
                return any(self.reads(option, parameters) for option, _ in options)

    def _type(self, name: str) -> DataType | None:
        return self._definition.types.get(name)

    def within(self, element: Element, parameters: tuple[str, ...] = ()) -> bool:
        """Whether a rule below the element reads the message."""
        for child in element.children.values():
            if any(self.reads(rule.value, parameters) for rule in child.rules):
                return True
            if self.within(child, parameters):
                return True
            for part in child.parts:
                if isinstance(part, Rule):
                    if self.reads(part.value, parameters):
                        return True
                elif any(
                    self.reads(rule.value, parameters) for rule in part.rules
                ) or self.within(part, parameters):
                    return True
        return False
