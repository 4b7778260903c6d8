"""Where the embedded server lives: its folder, its socket, and the account that owns them."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from healthhub.errors import SettingError

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_LIMIT = 107
"""Bytes in sockaddr_un.sun_path without its final zero (unix(7))."""
ACCOUNTS = ("healthhub", "postgres", "nobody")
"""Whom the server runs as when the hub runs as root, which PostgreSQL refuses: first that exists."""
ROOT_HOME = Path("/var/lib/healthhub")
"""Where root's clusters go when the account cannot reach the data folder."""


@dataclass(frozen=True)
class Account:
    """The operating-system account that owns and runs the server."""

    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program under this account and wait for it; only its stderr is kept.

        Its stdout goes nowhere, not into a pipe: a server that it starts would hold a pipe open.
        """
        return subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=folder,
            env=environ,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def reaches(self, folder: Path) -> bool:
        """Whether this account may pass into the folder (asked of the kernel, so ACLs count)."""
        return (
            self.run(("/bin/sh", "-c", 'cd "$1"', "sh", str(folder)), Path("/")).returncode == 0
        )

    def own(self, path: Path, mode: int = 0o700) -> None:
        """Make the folder this account's alone."""
        path.mkdir(mode=mode, parents=False, exist_ok=True)
        if self.switch:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


@dataclass(frozen=True)
class Place:
    """The folder of one embedded server. ``home`` is owned by ``account``, mode 0700."""

    data_dir: Path
    home: Path
    account: Account

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.home / "server.log"

    @cached_property
    def socket(self) -> Path:
        """Folder of the unix socket: in ``home``, or in /tmp when that path is too long."""
        near = self.home / "socket"
        if len(os.fsencode(near / SOCKET_NAME)) <= SOCKET_LIMIT:
            return near
        return Path("/tmp") / f"healthhub-{self.account.uid}-{_key(self.home)}"  # noqa: S108

    def major(self) -> int | None:
        """Major version of the data that lie here; None when there are none yet."""
        try:
            return int((self.cluster / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    def prepare(self) -> None:
        """Make the folders, and refuse a socket folder that is somebody else's."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if self.home.parent != self.data_dir:
            self.home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            note = self.data_dir / "postgres.txt"
            note.write_text(f"The database of this data folder is in {self.home}\n", "utf-8")
        self.account.own(self.home)
        if self.socket.exists():
            found = self.socket.lstat()
            if found.st_uid != self.account.uid or not stat.S_ISDIR(found.st_mode):
                raise SettingError(
                    f"{self.socket} belongs to another user; remove it or choose a shorter "
                    "data_dir",
                    expression="data_dir",
                )
        self.account.own(self.socket)


def account() -> Account:
    """The present user, or for root the first of ACCOUNTS that exists."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, _group(entry), switch=True)
    raise SettingError(
        "PostgreSQL does not run as root and none of the accounts "
        f"{', '.join(ACCOUNTS)} exists; add one or set database_url",
        expression="database_url",
    )


def choose(data_dir: Path) -> Place:
    """Where the server of this data folder lives.

    It is ``data_dir/postgres``, except for root with a data folder that the server's account
    cannot reach (below /root, say): permissions of folders above are never loosened, so the
    server then lives in ROOT_HOME under a name derived from the data folder's path, and
    ``data_dir/postgres.txt`` says so.
    """
    data_dir = data_dir.resolve()
    owner = account()
    data_dir.mkdir(parents=True, exist_ok=True)
    home = data_dir / "postgres"
    if owner.switch and not home.exists() and not owner.reaches(data_dir):
        home = ROOT_HOME / _key(data_dir)
    return Place(data_dir, home, owner)


def _key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _group(entry: pwd.struct_passwd) -> int:
    try:
        return grp.getgrgid(entry.pw_gid).gr_gid
    except KeyError:
        return entry.pw_gid
