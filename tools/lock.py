"""Make requirements.lock from pyproject.toml, check that the two agree, or print a part of it."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


def normal(name: str) -> str:
    """A project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted() -> set[str]:
    """The names of all direct dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        lines += extra
    return {normal(re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0]) for line in lines}


def locked() -> set[str]:
    """The names that the lock file pins."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return {normal(name) for name in found}


def part(which: str) -> str:
    """The lines of the lock file that are needed to ``run`` or to ``build`` the hub.

    uv writes below each package which packages want it ("via"); that leads from a dependency
    to all that it needs.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    roots = {
        "run": project["project"]["dependencies"],
        "build": [*project["build-system"]["requires"], "editables"],
    }[which]
    taken = {normal(re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0]) for line in roots}
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = {normal(block.split("==", 1)[0]): block for block in blocks if "==" in block}
    grown = True
    while grown:
        more = {
            name
            for name, block in named.items()
            if taken
            & {
                normal(each)
                for each in re.findall(r"^    #(?: via)?[ ]+(\S+)", block, re.MULTILINE)
            }
        }
        grown = not more <= taken
        taken |= more
    return "".join(block for name, block in named.items() if name in taken)


def main() -> int:
    """Renew, check or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--part", choices=("run", "build"), help="print only what this needs")
    args = parser.parse_args()
    if args.part:
        sys.stdout.write(part(args.part))
        return 0
    if args.check:
        missing = wanted() - locked()
        if missing:
            print(f"requirements.lock lacks {', '.join(sorted(missing))}; run: make lock")
        return 1 if missing else 0
    command = [
        str(Path(sys.executable).parent / "uv"), "pip", "compile", "pyproject.toml",
        "--all-extras", "--universal", "--generate-hashes", "--python-version", "3.11",
        "--no-header", "--no-emit-index-url", "--quiet", "--output-file", str(LOCK),
    ]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
