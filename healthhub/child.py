"""One child process of the supervisor: started, watched, started again with growing pauses."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A child that has run this long is taken to be well: its next pause is the first again."""
PR_SET_PDEATHSIG = 1

log = logging.getLogger("healthhub.serve")


class Child:
    """A process that runs ``healthhub COMMAND`` with some variables and inherited sockets."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.environ = environ
        self._command = [sys.executable, "-m", "healthhub", *command]
        self._descriptors = descriptors
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = FIRST_PAUSE
        self._again_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process. It gets a session of its own, so that Ctrl-C reaches only us."""
        self._started = time.monotonic()
        self._again_at = None
        self._process = subprocess.Popen(  # noqa: S603
            self._command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environ},
            pass_fds=self._descriptors,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )

    def mend(self) -> None:
        """Notice that it has died, and start it again once its pause is over."""
        if self._process is not None and self._process.poll() is not None:
            ran = time.monotonic() - self._started
            if ran >= STEADY_SECONDS:
                self._pause = FIRST_PAUSE
            log.error(
                "%s ended with status %s after %.0f s; it starts again in %.1f s",
                self.name,
                self._process.returncode,
                ran,
                self._pause,
            )
            self._process = None
            self._again_at = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if self._again_at is not None and time.monotonic() >= self._again_at:
            self.start()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True


def _die_with(parent: int):
    """What a child does between fork and exec: ask the kernel to kill it with its parent."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def hook() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return hook
