"""The examples of docs/fhir-api.md, run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "fhir-api.md"


def examples() -> list[str]:
    """The shell blocks of the page, in their order."""
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_examples_of_the_page_run(hub: httpx.Client, token: str) -> None:
    blocks = examples()
    assert len(blocks) >= 4
    script = "\n".join(("set -e", *blocks))
    done = subprocess.run(  # noqa: S603 - the page's own examples
        ["bash", "-c", script],  # noqa: S607
        env={"HUB": str(hub.base_url).rstrip("/"), "TOKEN": token, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    for expected in ("HTTP/1.1 201", '"gender":"male"', "304", "transaction-response", "hello"):
        assert expected in done.stdout
