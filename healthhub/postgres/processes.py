"""The operating system's view of the embedded server: its processes and what crashes leave."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

ORPHAN_SECONDS = 10


def postmaster(cluster: Path) -> int | None:
    """Process id of the cluster's running postmaster; None when the pid file is stale.

    The pid in the file may by now belong to another program, so the process must also be at
    work in this cluster.
    """
    try:
        first = (cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]
        pid = int(first)
    except (FileNotFoundError, ValueError):
        return None
    return pid if _works_in(pid, cluster) else None


def clear(cluster: Path) -> None:
    """Take away what a killed postmaster left: orphaned backends and its pid file.

    Backends notice their postmaster's death only when they next wait, and a new server refuses
    to start while one of them holds the shared memory. They are given a moment, then ended as
    the postmaster would end them after a crash (SIGQUIT: no clean-up, recovery follows).
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    while (orphans := _at_work(cluster)) and time.monotonic() < deadline:
        hard = time.monotonic() > deadline - ORPHAN_SECONDS / 2
        for pid in orphans:
            _send(pid, signal.SIGKILL if hard else signal.SIGQUIT)
        time.sleep(0.05)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _at_work(cluster: Path) -> list[int]:
    """Server processes whose working folder is the cluster, as every one of PostgreSQL's is."""
    found = []
    for entry in os.listdir("/proc") if Path("/proc/self").exists() else ():
        if entry.isdigit() and _works_in(int(entry), cluster):
            found.append(int(entry))
    return found


def _works_in(pid: int, cluster: Path) -> bool:
    process = Path("/proc") / str(pid)
    try:
        if not (process / "comm").read_text(encoding="utf-8").startswith("postgres"):
            return False
        if (process / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z":
            return False
    except (FileNotFoundError, ProcessLookupError):
        return False
    try:
        return Path(os.readlink(process / "cwd")) == cluster.resolve()
    except PermissionError:
        # Root in a container without CAP_SYS_PTRACE: the command line names the cluster.
        return str(cluster) in (process / "cmdline").read_text(encoding="utf-8").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
