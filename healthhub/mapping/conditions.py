"""Compiles conditions: valued, compared, matched, combined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthhub.errors import MappingError
from healthhub.mapping.expressions import (
    Both,
    Compare,
    Condition,
    Constant,
    Expression,
    Matches,
    Not,
    Path,
    Valued,
)
from healthhub.terms.forms import PATTERNS

if TYPE_CHECKING:
    from healthhub.mapping.values import Values


class Conditions:
    """Writes conditions into the function that ``values`` writes to."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def condition(self, condition: Condition) -> str:
        """A condition as a Python expression."""
        match condition:
            case Both(conditions, every):
                joint = " and " if every else " or "
                return "(" + joint.join(self.condition(c) for c in conditions) + ")"
            case Not(inner):
                return f"(not {self.condition(inner)})"
            case Valued(value):
                return self._valued(value)
            case Compare(value, others, negated):
                found = self.values.one(value)
                if all(isinstance(other, Constant) for other in others):
                    words = tuple(self._as_text(other) for other in others)
                    known = ", ".join(map(repr, words))
                    test = f"plain({found}) in {{{known}}}"
                else:
                    words_code = ", ".join(
                        f"plain({self.values.one(other)})" for other in others
                    )
                    test = f"plain({found}) in ({words_code},)"
                return f"(not {test})" if negated else f"({test})"
            case Matches(value, pattern):
                if pattern not in PATTERNS:
                    raise MappingError(
                        f"there is no pattern {pattern!r}; known are {', '.join(PATTERNS)}"
                    )
                return f"looks_like({pattern!r}, {self.values.one(value)})"

    @staticmethod
    def _as_text(value: Expression) -> str:
        constant = value.value if isinstance(value, Constant) else ""
        return (
            ("true" if constant else "false") if isinstance(constant, bool) else str(constant)
        )

    def _valued(self, value: Expression) -> str:
        if isinstance(value, Path) and value.segment and value.field:
            if value.filters or value.repetition:
                return f"bool({self.values.iterable(value, 'vs')})"
            if value.component:
                return f"({self.values.iterable(value, 'v1')} is not None)"
            return f"has({self.values.body.segment(value.segment)}, {value.field})"
        if isinstance(value, Path) and value.segment:
            return f"bool({self.values.body.segment(value.segment)})"
        if isinstance(value, Path):
            return f"({self.values.relative_value(value)} is not None)"
        return f"({self.values.one(value)} is not None)"
