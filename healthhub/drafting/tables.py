"""A draft of tables and rules from the sheets of samples."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from healthhub.drafting.columns import SURE, Guess, guesses
from healthhub.drafting.sheets import Found
from healthhub.mapping.tables import plain

_FILE = Path(__file__).with_name("kinds.toml")
_NEED = re.compile(r"\{([a-z|-]+)\}")
PLAIN = re.compile(r"[\w]+")
ASSUMED = re.compile(r"(?:status|intent|class|clinicalStatus|verificationStatus) <- ")
KINDS = ("result", "prescription", "diagnosis", "visit", "patient")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is proposed: sure enough to stand, or for a person to judge."""

    text: str
    sure: float
    why: str

    @property
    def stands(self) -> bool:
        """Whether it may stand without being asked about."""
        return self.sure >= SURE


@dataclass(frozen=True, slots=True)
class Block:
    """A resource that is proposed."""

    name: str
    type: str
    on: tuple[str, ...]
    each: str
    key: tuple[str, ...]
    authority: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A table that is proposed: its name in the draft, its kind (empty: not known), and what
    each column seems to mean."""

    name: str
    found: Found
    kind: str
    guesses: tuple[Guess, ...]

    def column(self, concept: str) -> Guess | None:
        """The column that means this."""
        return next((each for each in self.guesses if each.concept == concept), None)

    def path(self, heading: str) -> str:
        """How rules name a column of it."""
        return (
            f"{self.name}-{heading}" if PLAIN.fullmatch(heading) else f'{self.name}-"{heading}"'
        )


@lru_cache(maxsize=1)
def kinds() -> dict[str, Any]:
    """What tables of each kind become."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def draft(sheets: Sequence[Found]) -> list[Drafted]:
    """Each sheet as a table."""
    made: list[Drafted] = []
    elsewhere = Counter(plain(h) for found in sheets for h in set(found.headings))
    for number, found in enumerate(sheets):
        guessed = tuple(guesses(found.headings, found.rows, elsewhere))
        made.append(Drafted(_name(number), found, _kind(guessed), guessed))
    return made


def _name(number: int) -> str:
    return f"T{chr(65 + number // 26 % 26)}{chr(65 + number % 26)}"


def _kind(guessed: Sequence[Guess]) -> str:
    known = {guess.concept for guess in guessed if guess.sure >= SURE}
    for kind in KINDS:
        if all(known & set(each) for each in kinds()[kind]["has"]):
            return kind
    return ""


def names(tables: Sequence[Drafted]) -> dict[str, str]:
    """The numbers that several tables name: the patient's, the visit's."""
    made: dict[str, str] = {}
    for name, concepts in (
        ("patient_number", ("patient-number", "resident-id")),
        ("visit", ("visit-number",)),
    ):
        found = [
            table.path(guess.heading)
            for table in tables
            if table.kind
            and (guess := next((g for c in concepts if (g := table.column(c))), None))
        ]
        if found:
            made[name] = " else ".join(found)
    return made


def blocks(tables: Sequence[Drafted]) -> list[Block]:
    """The resources that the tables become."""
    said, named = kinds(), names(tables)
    made: list[Block] = []
    for name, key in (("patient", "patient_number"), ("encounter", "visit")):
        if key not in named:
            continue
        template = said["every"][name]
        own = [table for table in tables if table.kind == template["of"]]
        naming = [table for table in tables if f"{table.name}-" in named[key]]
        rules = [
            rule for table in own for rule in _rules(table, template["rules"], key in named)
        ]
        if not own:
            rules = [
                Rule(t, 1.0, "")
                for t in template["rules"]
                if isinstance(t, str) and "{" not in t
            ]
        made.append(
            Block(
                name,
                template["type"],
                () if name == "patient" else tuple(table.name for table in naming),
                "",
                (key,),
                f"1 if {' or '.join(table.name for table in own)} else 0" if own else "0",
                tuple(_once(rules)),
            )
        )
    for table in tables:
        for name, template in said.get(table.kind, {}).items():
            if isinstance(template, dict):
                block = _block(table, name, template, has_visit="visit" in named)
                if block is not None:
                    made.append(block)
    return _distinct(made)


def _block(
    table: Drafted, name: str, template: Mapping[str, Any], *, has_visit: bool
) -> Block | None:
    key = [_filled(table, part) for part in template["key"]]
    if not all(key):
        return None
    rules = [
        rule
        for rule in _rules(table, template["rules"], visit=has_visit)
        if has_visit or "ref(encounter)" not in rule.text
    ]
    return Block(
        name,
        template["type"],
        (table.name,),
        table.name if template.get("each") else "",
        tuple(part.text for part in key if part),
        "",
        tuple(rules),
    )


def _rules(
    table: Drafted, templates: Sequence[str | Sequence[str]], visit: bool
) -> Iterator[Rule]:
    for template in templates:
        forms = [template] if isinstance(template, str) else template
        found = next((rule for form in forms if (rule := _filled(table, form))), None)
        if found is not None:
            yield found


def _filled(table: Drafted, form: str) -> Rule | None:
    """A form with the table's columns in it; None where one is not there."""
    used: list[Guess] = []

    def put(match: re.Match[str]) -> str:
        if match[1] == "table":
            return table.name
        guess = next((g for c in match[1].split("|") if (g := table.column(c))), None)
        if guess is None:
            raise LookupError
        used.append(guess)
        return table.path(guess.heading)

    try:
        text = _NEED.sub(put, form)
    except LookupError:
        return None
    if f"{table.name}-_state" in text and table.column("deleted") is None:
        return None
    sure = min([1.0, *(guess.sure for guess in used)])
    why = ". ".join(f"{guess.heading}: {guess.why}" for guess in used)
    if not used and ASSUMED.match(text) and "_state" not in text:
        why = "assumed of every row: nothing in the samples says so"
    return Rule(text, sure, why)


def _once(rules: Sequence[Rule]) -> Iterator[Rule]:
    seen: set[str] = set()
    for rule in rules:
        if rule.text not in seen:
            seen.add(rule.text)
            yield rule


def _distinct(made: Sequence[Block]) -> list[Block]:
    """Blocks of one name get numbers: two tables of results, say."""
    counted: dict[str, int] = {}
    out: list[Block] = []
    for block in made:
        n = counted[block.name] = counted.get(block.name, 0) + 1
        if n == 1:
            out.append(block)
            continue
        rules = tuple(
            Rule(r.text.replace("refs(observation)", f"refs(observation-{n})"), r.sure, r.why)
            for r in block.rules
        )
        out.append(
            Block(
                f"{block.name}-{n}",
                block.type,
                block.on,
                block.each,
                block.key,
                block.authority,
                rules,
            )
        )
    return out
