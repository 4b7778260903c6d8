"""The walk over a resource with a profile's tree in hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from healthhub.model.issue import Issue, Severity
from healthhub.model.profiles import slices, values
from healthhub.model.profiles.slices import CannotTell, Codes
from healthhub.model.profiles.tree import CORE, Profile, Resolve, Rule, read
from healthhub.model.profiles.values import Value
from healthhub.model.r4 import invariants, shape
from healthhub.model.resource import Body

_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/.*)?")
DEEPEST = 8
"""Profiles of extensions and data types inside one another."""


Holds = Callable[[str, Body, str, Body, Body], bool]
"""Whether a constraint holds (invariants.holds)."""


@dataclass(frozen=True)
class Known:
    """What the check may look up: profiles by address, and a value set's (system, code) pairs;
    None for what is not to be had. ``holds`` evaluates the profiles' own constraints."""

    profile: Resolve
    codes: Codes
    holds: Holds = invariants.holds


@dataclass
class _Walk:
    known: Known
    profile: Profile
    root: Body
    depth: int = 0
    found: list[Issue] = field(default_factory=list[Issue])

    def say(self, severity: Severity, code: str, place: str, text: str) -> None:
        self.found.append(Issue(severity, code, place, text, self.profile.url))


def check(body: Body, definition: Body, known: Known, place: str = "") -> list[Issue]:
    """Where the resource does not meet the profile. The body has passed ``validate.check``;
    ``place`` is where it stands, if that is inside another."""
    profile = read(definition, known.profile)
    kind = str(body.get("resourceType"))
    place = place or kind
    if profile.type != kind:
        text = f"the profile is one of {profile.type}; choose one of {kind}"
        return [Issue("error", "structure", place, text, profile.url)]
    own: Body = orjson.loads(orjson.dumps(body, default=float))
    return _of(profile, own, place, own, known, 0)


def _of(
    profile: Profile, body: Body, place: str, root: Body, known: Known, depth: int
) -> list[Issue]:
    walk = _Walk(known, profile, root, depth)
    for base in profile.missing:
        walk.say(
            "warning",
            "not-found",
            place,
            f"the hub has no profile {base}; what it says was not judged",
        )
    _inside(walk, profile.root, Value(place, body), profile.type)
    return walk.found


def _inside(walk: _Walk, rule: Rule, value: Value, type_: str) -> None:
    """The constraints of an object, and its elements."""
    inner: Any = value.value
    if not isinstance(inner, dict):
        return
    holder = cast(Body, inner)
    _constraints(walk, rule, value, type_)
    for name, child in rule.children.items():
        given = values.of(holder, name, value.place)
        _counted(walk, child, given, value.place, name)
        for one in given:
            _value(walk, child, one, type_)
        if child.slices:
            _sliced(walk, child, given, value.place, type_)


def _counted(walk: _Walk, rule: Rule, given: list[Value], above: str, shown: str) -> None:
    count = len(given)
    if count < rule.min:
        what = "is demanded" if rule.min == 1 else f"is demanded {rule.min} times"
        walk.say("error", "required", f"{above}.{rule.name}", f"{shown} {what}; add it")
    if rule.max is not None and count > rule.max:
        what = (
            "has no place in this profile"
            if rule.max == 0
            else f"may be given {rule.max} times"
        )
        walk.say("error", "structure", given[rule.max].place, f"{shown} {what}; remove it")


def _sliced(walk: _Walk, rule: Rule, given: list[Value], above: str, type_: str) -> None:
    taken: set[str] = set()
    try:
        for name, slice_ in rule.slices.items():
            mine = [one for one in given if slices.belongs(rule, slice_, one, walk.known.codes)]
            taken.update(one.place for one in mine)
            _counted(walk, slice_, mine, above, f"{rule.name}:{name}")
            for one in mine:
                _value(walk, slice_, one, type_)
    except CannotTell:
        text = f"the hub cannot tell the slices of {rule.name} apart; check them by hand"
        walk.say("information", "not-supported", f"{above}.{rule.name}", text)
        return
    if rule.said.get("slicing", {}).get("rules") == "closed":
        for one in given:
            if one.place not in taken:
                text = (
                    f"{rule.name} may only be one of {', '.join(rule.slices)}; remove this one"
                )
                walk.say("error", "structure", one.place, text)


def _value(walk: _Walk, rule: Rule, one: Value, above: str) -> None:
    type_ = _type_of(rule, one, above)
    if rule.fixed is not None and not values.fits(rule.fixed, one.value):
        exactly = "is exactly" if rule.fixed[0].startswith("fixed") else "holds"
        wanted = orjson.dumps(rule.fixed[1]).decode()
        walk.say("error", "value", one.place, f"{rule.name} {exactly} {wanted} in this profile")
    if (
        one.choice
        and rule.types
        and one.choice.lower()
        not in {str(allowed.get("code")).lower() for allowed in rule.types}
    ):
        names = ", ".join(str(allowed.get("code")) for allowed in rule.types)
        walk.say("error", "structure", one.place, f"{rule.name} is of type {names} here")
    most = rule.said.get("maxLength")
    if most is not None and isinstance(one.value, str) and len(one.value) > most:
        walk.say("error", "value", one.place, f"{rule.name} has at most {most} characters")
    _bound(walk, rule, one)
    _typed(walk, rule, one, type_)
    _inside(walk, rule, one, type_)


def _type_of(rule: Rule, one: Value, above: str) -> str:
    """The type of a value, which FHIRPath and nested elements need."""
    element = rule.name.removesuffix("[x]") + one.choice
    return shape.elements(above).get(element, ("", False))[0]


def _bound(walk: _Walk, rule: Rule, one: Value) -> None:
    binding = rule.said.get("binding", {})
    if binding.get("strength") != "required" or "valueSet" not in binding:
        return
    url = str(binding["valueSet"])
    codes = walk.known.codes(url)
    if codes is None:
        text = f"the hub cannot list the codes of {url}; check this code by hand"
        walk.say("information", "not-supported", one.place, text)
    elif not slices.in_codes(one.value, codes):
        walk.say("error", "code-invalid", one.place, f"this needs a code of {url}")


def _typed(walk: _Walk, rule: Rule, one: Value, type_: str) -> None:
    """Profiles that the element's types name, and what a reference may refer to."""
    inner: Any = one.value
    if not isinstance(inner, dict):
        return
    held = cast(Body, inner)
    for allowed in rule.types:
        targets = [str(t).partition("|")[0] for t in allowed.get("targetProfile", [])]
        if allowed.get("code") == "Reference" and targets:
            _target(walk, one.place, held, targets)
    profiles = [
        str(url).partition("|")[0]
        for allowed in rule.types
        for url in allowed.get("profile", [])
    ]
    if not profiles or walk.depth >= DEEPEST:
        return
    tried: list[list[Issue]] = []
    for url in profiles:
        definition = walk.known.profile(url)
        if definition is None:
            text = f"the hub has no profile {url}; what it says was not judged"
            walk.say("warning", "not-found", one.place, text)
            return
        profile = read(definition, walk.known.profile)
        tried.append(_of(profile, held, one.place, walk.root, walk.known, walk.depth + 1))
    walk.found += min(tried, key=lambda issues: sum(i.severity == "error" for i in issues))


def _target(walk: _Walk, place: str, reference: Body, targets: list[str]) -> None:
    match = _REFERENCE.fullmatch(str(reference.get("reference", "")))
    if match is None:
        return
    allowed: set[str] = set()
    for url in targets:
        definition = None if url.startswith(CORE) else walk.known.profile(url)
        allowed.add(str(definition["type"]) if definition else url.removeprefix(CORE))
    if not allowed & {match[1], "Resource"}:
        walk.say("error", "structure", place, f"this refers to {' or '.join(sorted(allowed))}")


def _constraints(walk: _Walk, rule: Rule, value: Value, type_: str) -> None:
    for one in rule.said.get("constraint", []):
        expression = one.get("expression")
        if not expression or str(one.get("source", "")).startswith(CORE):
            continue
        text = f"{one['key']}: {one['human']}"
        try:
            if walk.known.holds(expression, value.value, type_, walk.root, walk.root):
                continue
        except invariants.CannotEvaluate:
            text = f"the hub cannot evaluate {one['key']}; check by hand: {one['human']}"
            walk.say("information", "not-supported", value.place, text)
            continue
        severity: Severity = "warning" if one.get("severity") == "warning" else "error"
        walk.say(severity, "invariant", value.place, text)
