"""A probe is asked every few seconds, so it must start at once."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pypinyin", "sqlalchemy", "httpx", "pandas", "healthhub.convert", "healthhub.store")


def test_a_probe_imports_no_more_than_it_asks_with() -> None:
    said = "import sys, healthhub.commands.health; print(*sys.modules)"
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", said], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(found.stdout.split())
