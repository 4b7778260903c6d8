"""Reads the text of rules: ``target <- value | function(argument) if condition``."""

from __future__ import annotations

import re

from healthhub.adapter_api import paths
from healthhub.errors import MappingError
from healthhub.mapping import advice
from healthhub.mapping.expressions import (
    Both,
    Call,
    Choice,
    Compare,
    Condition,
    Constant,
    Expression,
    Filter,
    Matches,
    Not,
    Path,
    Pipe,
    Step,
    Target,
    Valued,
    Word,
)

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<tree>(?:[a-z]\w*)?/(?:[^\s\[\]()|,"<>=!]|\[(?:[^\]"]|"[^"]*")*\])+)
    | (?P<path>[A-Z][A-Z0-9]{2}-\d+(?:\[(?:[^\]"]|"[^"]*")*\])?(?:\.\d+){0,2}(?![\w]))
    | (?P<column>[A-Z][A-Z0-9]{2}-(?:"[^"]+"|[^\W\d]\w*))
    | (?P<relative>\.(?:\d+(?:\.\d+)?)?)
    | (?P<number>-?\d+)
    | (?P<word>[A-Za-z_][\w-]*)
    | (?P<sign><-|!=|[|(),=])
    )""",
    re.VERBOSE,
)
_GROUP = re.compile(r"[a-z]\w*")
TOP = "root"
"""What the whole tree of an XML message is called as a segment: ``/id`` reads of it."""
_PATH = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})-(?P<field>\d+)(?:\[(?P<filter>.*)\])?"
    r"(?:\.(?P<component>\d+))?(?:\.(?P<sub>\d+))?"
)
_COLUMN = re.compile(r'([A-Z][A-Z0-9]{2})-(?:"([^"]+)"|([^\W\d]\w*))')
UNNUMBERED = -1
"""The field of a column until the tables of the mapping say its number."""
_FILTER = re.compile(
    r'\s*(\d+)(?:\.(\d+))?\s*(!?=)((?:\s*(?:"[^"]*"|[^"|,\]]*)\s*\|?)+)(?:,|$)'
)
_STEP = re.compile(r'(_?[a-z][A-Za-z0-9]*)(?:\[(?:"([^"]+)"|([\w-]*))\])?(?:\.|$)')
_KEYWORDS = {"if", "else", "and", "or", "not", "in", "matches"}
_CONDITIONAL = {"=", "!=", "in", "matches", "and", "or", "not"}
_ESCAPES = {"n": "\n", "t": "\t"}


class _Reader:
    """A cursor over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                rest = text[position:].strip()
                raise MappingError(
                    f"cannot be read from {rest[:30]!r} on{advice.of_sign(rest)}"
                )
            kind = match.lastgroup
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        self.next = 0

    def peek(self) -> tuple[str, str]:
        """Kind and text of the next token; empty at the end."""
        if self.next < len(self.tokens):
            kind, text, _ = self.tokens[self.next]
            return kind, text
        return "", ""

    def take(self) -> tuple[str, str]:
        """The next token, passed over."""
        token = self.peek()
        self.next += 1
        return token

    def skip(self, text: str) -> bool:
        """Pass over the token if it is this sign or keyword."""
        kind, found = self.peek()
        if found == text and kind in ("sign", "word"):
            self.next += 1
            return True
        return False

    def need(self, text: str) -> None:
        """Pass over this token or fail."""
        if not self.skip(text):
            found = self.peek()[1] or "the end"
            raise MappingError(f"expected {text!r} before {found!r}")

    def done(self) -> None:
        """Fail if anything is left."""
        kind, found = self.peek()
        if kind:
            hint = "; a condition follows the word if" if found in _CONDITIONAL else ""
            raise MappingError(f"did not expect {found!r} here{hint}")


def rule(text: str) -> tuple[Target, Expression | None]:
    """A rule's target and value; None as value for ``<- none``."""
    head, arrow, value = text.partition("<-")
    if not arrow:
        raise MappingError("has no arrow; write it as: target <- value")
    goal = target(head.strip())
    if value.strip() == "none":
        return goal, None
    return goal, expression(value)


def expression(text: str) -> Expression:
    """A value on its own."""
    reader = _Reader(text)
    result = _choice(reader)
    reader.done()
    return result


def condition(text: str) -> Condition:
    """A condition on its own."""
    reader = _Reader(text)
    result = _any(reader)
    reader.done()
    return result


def target(text: str) -> Target:
    """A target such as ``name[official].given[]``."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise MappingError(
                f"the target {text!r} is no FHIR element; write name, name.part, name[] or "
                "name[label].part"
            )
        name, url, label = match[1], match[2], match[3]
        steps.append(Step(name, url if url is not None else label, url is not None))
        position = match.end()
    if not steps or text.endswith("."):
        raise MappingError("the target is empty; name a FHIR element before the arrow")
    for step in steps[:-1]:
        if step.label == "":
            raise MappingError(
                f"{step.name}[] cannot have parts; give the entry a word: {step.name}[word]"
            )
    return Target(text, tuple(steps))


def path(text: str) -> Path:
    """A path such as ``PID-3[5=X].1`` or ``.4.2``."""
    if text.startswith("."):
        numbers = [int(number) for number in text.split(".") if number]
        component, sub = [*numbers, 0, 0][:2]
        return Path(text, "", 0, component, sub)
    group, slash, below = text.partition("/")
    if slash and (not group or _GROUP.fullmatch(group)):
        return Path(text, group or TOP, paths.number(below))
    column = _COLUMN.fullmatch(text)
    if column is not None:
        return Path(text, column[1], UNNUMBERED, column=column[2] or column[3])
    match = _PATH.fullmatch(text)
    if match is not None and "0" in (match["field"], match["component"], match["sub"]):
        raise MappingError(f"{text!r} counts from 0; fields and components count from 1")
    if match is None:
        raise MappingError(
            f"{text!r} is no path; write it as PID-3, PID-3.1 or PID-3[5=X].1, of XML as "
            "group/element/@attribute"
        )
    repetition, filters = _filter(match["filter"])
    return Path(
        text,
        match["segment"],
        int(match["field"]),
        int(match["component"] or 0),
        int(match["sub"] or 0),
        repetition,
        filters,
    )


def _filter(text: str | None) -> tuple[int, tuple[Filter, ...]]:
    if text is None:
        return 0, ()
    if text.strip().isdigit() and int(text) > 0:
        return int(text), ()
    filters: list[Filter] = []
    position = 0
    while position < len(text):
        match = _FILTER.match(text, position)
        if match is None:
            raise MappingError(
                f"the filter [{text}] is wrong; write [2], [5=X] or [5=X|Y,4.1=Z]"
            )
        words = tuple(word.strip().strip('"') for word in match[4].split("|"))
        filters.append(Filter(int(match[1]), int(match[2] or 0), match[3] == "=", words))
        position = match.end()
    if not filters:
        raise MappingError("the filter [] is empty; write [2], [5=X] or [5=X|Y,4.1=Z]")
    return 0, tuple(filters)


def _choice(reader: _Reader) -> Expression:
    options: list[tuple[Expression, Condition | None]] = []
    while True:
        value = _pipe(reader)
        options.append((value, _any(reader) if reader.skip("if") else None))
        if not reader.skip("else"):
            break
    if len(options) == 1 and options[0][1] is None:
        return options[0][0]
    return Choice(tuple(options))


def _pipe(reader: _Reader) -> Expression:
    first = _operand(reader)
    calls: list[Call] = []
    while reader.skip("|"):
        kind, name = reader.take()
        if kind != "word" or name in _KEYWORDS:
            raise MappingError(f"expected a function after '|', found {name or 'the end'!r}")
        calls.append(Call(name, _arguments(reader)))
    return Pipe(first, tuple(calls)) if calls else first


def _arguments(reader: _Reader) -> tuple[Expression, ...]:
    if not reader.skip("("):
        return ()
    if reader.skip(")"):
        return ()
    arguments = [_choice(reader)]
    while reader.skip(","):
        arguments.append(_choice(reader))
    reader.need(")")
    return tuple(arguments)


def _operand(reader: _Reader) -> Expression:
    if reader.skip("("):
        value = _choice(reader)
        reader.need(")")
        return value
    kind, text = reader.take()
    if kind in ("path", "column", "relative", "tree"):
        return path(text)
    if kind == "text":
        return Constant(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1]))
    if kind == "number":
        return Constant(int(text))
    if kind == "word" and text not in _KEYWORDS:
        if text in ("true", "false"):
            return Constant(text == "true")
        if reader.peek() == ("sign", "("):
            return Call(text, _arguments(reader))
        if re.fullmatch(r"[A-Z][A-Z0-9]{2}", text):
            kind, part = reader.peek()
            if kind == "relative" and part[1:]:
                raise MappingError(f"{text}{part} is no path; write {text}-{part[1:]}")
            return Path(text, text)
        return Word(text)
    hint = {"=": "; compare with a single =", "if": "; write: value if condition else value"}
    raise MappingError(f"expected a value, found {text or 'the end'!r}{hint.get(text, '')}")


def _any(reader: _Reader) -> Condition:
    conditions = [_all(reader)]
    while reader.skip("or"):
        conditions.append(_all(reader))
    return conditions[0] if len(conditions) == 1 else Both(tuple(conditions), every=False)


def _all(reader: _Reader) -> Condition:
    conditions = [_one(reader)]
    while reader.skip("and"):
        conditions.append(_one(reader))
    return conditions[0] if len(conditions) == 1 else Both(tuple(conditions), every=True)


def _one(reader: _Reader) -> Condition:
    if reader.skip("not"):
        return Not(_one(reader))
    if reader.skip("("):
        inner = _any(reader)
        reader.need(")")
        return inner
    value = _pipe(reader)
    if reader.skip("="):
        return Compare(value, (_pipe(reader),))
    if reader.skip("!="):
        return Compare(value, (_pipe(reader),), negated=True)
    if reader.skip("in"):
        reader.need("(")
        others = [_pipe(reader)]
        while reader.skip(","):
            others.append(_pipe(reader))
        reader.need(")")
        return Compare(value, tuple(others))
    if reader.skip("matches"):
        return Matches(value, reader.take()[1])
    return Valued(value)
