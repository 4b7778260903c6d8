"""docs/link-your-his.md: its programs open a record as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
from serving import answering
from test_launches import BODIES, SETTINGS, told

from healthhub import cli
from healthhub.main import build_app

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "hospital-a-his"


def programs() -> dict[str, str]:
    """The Python programs of the page by the name in their first line."""
    text = (ROOT / "docs" / "link-your-his.md").read_text("utf-8")
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    found = {}
    for indent, block in blocks:
        lines = [line.removeprefix(indent) for line in block.splitlines()]
        found[lines[0].split()[1].rstrip(":")] = "\n".join(lines)
    return found


def ran(folder: Path, name: str, *words: str) -> str:
    """What a program of the page says."""
    done = subprocess.run(  # noqa: S603 - the page's own words
        [sys.executable, "-X", "utf8", "-c", programs()[name], *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_the_programs_of_the_page_open_a_record(
    database: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran(tmp_path, "make_keys.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    settings = tmp_path / "healthhub.toml"
    settings.write_text(
        f'[institutions.a]\ntitle = "A"\n[sources.{SOURCE}]\ninstitution = "a"\n'
        'mapping = "national/hl7v2"\n'
    )
    monkeypatch.setenv("HEALTHHUB_SETTINGS", str(settings))
    page = (ROOT / "docs" / "link-your-his.md").read_text("utf-8")
    (command,) = re.findall(r"^ *healthhub (client add .*)$", page, re.MULTILINE)
    assert cli.main(command.split()) == 0
    known = {**SETTINGS.sources, SOURCE: SETTINGS.sources["his-a"]}
    app = build_app(SETTINGS.model_copy(update={"sources": known}), database)
    with answering(app) as hub:
        told(connection, BODIES[0])
        url = ran(tmp_path, "launch.py", str(hub.base_url).rstrip("/"), "0001")
        opened = httpx.get(url, timeout=20)
    assert opened.status_code == 303
    assert opened.headers["location"].startswith("/record/")
