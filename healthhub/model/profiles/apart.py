"""Constraints of stored profiles, evaluated in a process of their own, within a time.

Whoever stores a profile writes its FHIRPath, and an expression or a pattern in it can be made to
run for ever; within the service's own process nothing could end it. The process is started for
the first constraint of a judgement and killed when its time is over.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any

import orjson

from healthhub.errors import TooCostly
from healthhub.model.r4 import invariants
from healthhub.model.resource import Body

SECONDS = 15.0
"""For all constraints of a judgement, the start of the process among it."""
MEMORY = 2 * 2**30
"""Bytes that the process may take."""


class Apart:
    """Evaluates constraints for one judgement; a context manager that ends its process."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None
        self._root: Body | None = None

    def __enter__(self) -> Apart:
        """Nothing is started before it is needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def holds(
        self, expression: str, node: Body, type_: str, resource: Body, root: Body
    ) -> bool:
        """As ``invariants.holds``; TooCostly when the time is over."""
        asked = {"expression": expression, "node": node, "type": type_}
        if root is not self._root:
            asked["root"] = self._root = root
        said = self._ask(orjson.dumps(asked) + b"\n")
        if said == b"":
            raise TooCostly(
                f"the constraints of the profile take over {self._seconds:g} seconds, or too much "
                "memory, on this resource; simplify their FHIRPath",
                expression="StructureDefinition.differential.element.constraint",
            )
        if said == b"?\n":
            raise invariants.CannotEvaluate
        return said == b"1\n"

    def _ask(self, line: bytes) -> bytes:
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - started with pipes
        assert process.stdout is not None  # noqa: S101 - started with pipes
        try:
            process.stdin.write(line)
            process.stdin.flush()
            return process.stdout.readline()
        except BrokenPipeError:
            return b""

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._timer = threading.Timer(self._seconds, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        return self._process


def main() -> None:
    """Answer each line: 1 it holds, 0 it does not, ? the library cannot say."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    root: Any = None
    for line in sys.stdin.buffer:
        asked = orjson.loads(line)
        root = asked.get("root", root)
        try:
            held = invariants.holds(
                asked["expression"], asked["node"], asked["type"], root, root
            )
            said = b"1\n" if held else b"0\n"
        except invariants.CannotEvaluate:
            said = b"?\n"
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
