"""From an address below /fhir to the interaction that answers it, step by step.

The hub's busiest addresses: they are found in a tree of steps, ahead of the pages' router, which
tries its routes one after another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Interaction = Callable[[Request], Awaitable[Response]]
Line = tuple[str, str, Interaction]
"""Path below /fhir, method, and who answers; a step in braces stands for any one step."""
ROOT = "/fhir"


def is_ours(scope: Scope) -> bool:
    """Whether a request is for an address below /fhir."""
    path: str = scope.get("path", "")
    return path.startswith(ROOT) and path[len(ROOT) : len(ROOT) + 1] in ("", "/")


@dataclass(slots=True)
class _Step:
    """A place in the tree: what follows by name, what follows whatever it is called, and the
    interactions of this very address with the names of its parameters."""

    named: dict[str, _Step] = field(default_factory=dict)
    any: _Step | None = None
    methods: dict[str, tuple[Interaction, tuple[str, ...]]] = field(default_factory=dict)


class Ways:
    """Answers all that is below /fhir.

    ``unknown`` answers for addresses and methods that no line names, ``failed`` for errors of an
    interaction. A way with a name goes before one with a parameter, step by step from the left.
    """

    def __init__(
        self,
        lines: Iterable[Line],
        unknown: Interaction,
        failed: Callable[[Request, Exception], Response],
    ) -> None:
        self._unknown = unknown
        self._failed = failed
        self._root = _Step()
        for path, method, interaction in lines:
            self._add(path, method, interaction)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        rest: str = scope["path"][len(ROOT) + 1 :]
        steps = rest.split("/") if rest else []
        interaction, scope["path_params"] = self._find(steps, scope["method"]) or (
            self._unknown,
            {"path": rest},
        )
        scope["ways"] = self
        request = Request(scope, receive, send)
        try:
            response = await interaction(request)
        except Exception as error:  # noqa: BLE001 - every error is an answer
            response = self._failed(request, error)
        await response(scope, receive, send)

    def _add(self, path: str, method: str, interaction: Interaction) -> None:
        here, names = self._root, []
        for step in path.strip("/").split("/") if path.strip("/") else ():
            if step.startswith("{"):
                names.append(step[1:-1])
                if here.any is None:
                    here.any = _Step()
                here = here.any
            else:
                here = here.named.setdefault(step, _Step())
        for each in ("GET", "HEAD") if method == "GET" else (method,):
            here.methods.setdefault(each, (interaction, tuple(names)))

    def _find(self, steps: list[str], method: str) -> tuple[Interaction, dict[str, str]] | None:
        found = _follow(self._root, steps, 0, method, [])
        if found is None:
            return None
        (interaction, names), values = found
        return interaction, dict(zip(names, values, strict=True))


def _follow(
    here: _Step, steps: list[str], at: int, method: str, values: list[str]
) -> tuple[tuple[Interaction, tuple[str, ...]], list[str]] | None:
    if at == len(steps):
        held = here.methods.get(method)
        return None if held is None else (held, values)
    step = steps[at]
    named = here.named.get(step)
    if named is not None and (found := _follow(named, steps, at + 1, method, values)):
        return found
    if here.any is None or not step:
        return None
    return _follow(here.any, steps, at + 1, method, [*values, step])
