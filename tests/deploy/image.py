"""Reads Dockerfile and docker-compose.yml, and does what they say without an engine.

The machines that run these tests have no Docker. So the build stage's COPY and RUN lines are
carried out in a folder, and the services' own commands run as plain processes with exactly the
environment that the two files give them.
"""

from __future__ import annotations

import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, each in SERVICES.items() if each["image"].startswith("healthhub:")]
PREFIX = "/opt/healthhub"


def instructions() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions, stage by stage."""
    stages: list[list[tuple[str, str]]] = []
    for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def of_stage(stage: int, word: str) -> list[str]:
    """What all instructions of one kind say, in one stage."""
    return [rest for each, rest in instructions()[stage] if each == word]


def image_environment() -> dict[str, str]:
    """ENV of the image."""
    pairs = [each.partition("=") for each in of_stage(-1, "ENV")]
    return {name: text for name, _, text in pairs}


def reaches_the_builder(path: str) -> bool:
    """Whether .dockerignore lets a path of the repository into the build (the last rule counts)."""
    taken = True
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        wanted = rule.removeprefix("!")
        steps = Path(path).parts
        heads = ["/".join(steps[: n + 1]) for n in range(len(steps))]
        patterns = [wanted, wanted.removeprefix("**/")]
        if any(fnmatch.fnmatch(head, each) for head in heads for each in patterns):
            taken = rule.startswith("!")
    return taken


def build(folder: Path) -> Path:
    """Carry out the build stage; gives the folder that is /opt/healthhub in the image."""
    source, prefix = folder / "src", folder / "opt"
    tools = folder / "tools"
    for made in (source, prefix, tools):
        made.mkdir(parents=True)
    (tools / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3.11")
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "HTTP", "http"))}
    for word, rest in instructions()[0]:
        here = rest.replace(PREFIX, str(prefix)).replace("/src", str(source))
        if word == "RUN":
            call = subprocess.run(  # noqa: S603
                ["/bin/sh", "-c", here],
                cwd=source,
                env={
                    **kept,
                    "PIP_NO_COMPILE": "1",
                    "PATH": f"{tools}:/usr/bin:/bin",
                    "HOME": str(folder),
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert call.returncode == 0, f"{here}\n{call.stdout}\n{call.stderr}"
        elif word == "COPY":
            *names, target = shlex.split(here)
            _copy(names, source / target)
    return prefix


def _copy(names: list[str], target: Path) -> None:
    """COPY: files into a folder, or one file or folder's content to a name."""
    for name in names:
        assert reaches_the_builder(name), f".dockerignore hides {name}"
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(
                origin, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        else:
            goal = target / name if len(names) > 1 or target.is_dir() else target
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, goal)


@dataclass(frozen=True)
class Stage:
    """Where the services' paths and ports are in this test."""

    prefix: Path
    secrets: Path
    settings: Path
    ports: dict[str, int]

    def environment(self, service: str) -> dict[str, str]:
        """All variables that the service's process has, with this stage's paths and ports."""
        bare = {**image_environment(), **SERVICES[service].get("environment", {})}
        fitted = {name: self._fit(text) for name, text in bare.items()}
        for name, port in self.ports.items():
            if name in fitted:
                fitted[name] = str(port)
        return {**fitted, "HOME": str(self.secrets), "HEALTHHUB_DATA_DIR": str(self.secrets)}

    def command(self, service: str) -> list[str]:
        """ENTRYPOINT and command."""
        entry = yaml.safe_load(of_stage(-1, "ENTRYPOINT")[0])
        return self._found([*entry, *SERVICES[service]["command"]])

    def probe(self, service: str) -> list[str]:
        """The health check's command."""
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return self._found(words)

    def _found(self, words: list[str]) -> list[str]:
        return [str(self.prefix / "bin" / words[0]), *words[1:]]

    def _fit(self, text: str) -> str:
        mappings = self.prefix / "mappings"
        if not mappings.exists():
            text = text.replace(f"{PREFIX}/mappings", str(ROOT / "mappings"))
        return (
            text.replace(PREFIX, str(self.prefix))
            .replace("/run/secrets", str(self.secrets))
            .replace("/etc/healthhub/healthhub.toml", str(self.settings))
        )
