"""Start, adopt, watch and stop the embedded server; the last of its users stops it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from healthhub.errors import SettingError
from healthhub.postgres import processes
from healthhub.postgres.place import Place
from healthhub.postgres.programs import Programs

ROLE = "healthhub"
START_SECONDS = 120
STOP_SECONDS = 60
CONF = {
    "listen_addresses": "''",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_messages": "warning",
    # A statement or a row in the log could hold patient data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
}


class Server:
    """One embedded server. Safe to use from several processes: a lock file orders them.

    ``home/lock`` is held while one of them starts or stops the server; ``home/users`` is held
    shared by each that uses it. The kernel frees both when a process dies, however it dies.
    """

    def __init__(self, place: Place, programs: Programs, conf: Mapping[str, str]) -> None:
        self.place = place
        self.programs = programs
        self._conf = {
            **CONF,
            "unix_socket_directories": f"'{_quoted(str(place.socket))}'",
            **conf,
        }
        self._users: int | None = None

    @property
    def dsn(self) -> str:
        """Address of the hub's database."""
        return self.address(ROLE)

    def address(self, database: str) -> str:
        """Address of a database of this server."""
        folder = quote(str(self.place.socket), safe="")
        return f"postgresql://{ROLE}@/{database}?host={folder}&port=5432"

    def start(self) -> str:
        """Make sure that the server is up, whatever state it was left in; count as its user."""
        self.place.prepare()
        with self._lock():
            if self._users is None:
                self._users = os.open(self.place.home / "users", os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self._up()
            except BaseException:
                self._release()
                raise
        return self.dsn

    def alive(self) -> bool:
        """Whether its postmaster runs (not whether it accepts connections)."""
        return processes.postmaster(self.place.cluster) is not None

    def leave(self) -> None:
        """Stop using the server; stop it when nobody else uses it."""
        if self._users is None:
            return
        with self._lock():
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self._stop()
            finally:
                self._release()

    def _release(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        handle = os.open(self.place.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _up(self) -> None:
        if not self.place.cluster.exists():
            self._initdb()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise self._failed("did not come up")
            if self.alive():
                # Starting, recovering or stopping on another's behalf: wait for the outcome.
                time.sleep(0.1)
                continue
            processes.clear(self.place.cluster)
            self._launch(last_try=time.monotonic() + 5 > deadline)
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "select 1 from pg_database where datname = %s", (ROLE,)
            ).fetchone()
            if known is None:
                connection.execute(f"create database {ROLE}")

    def _answers(self) -> bool:
        if not self.alive():
            return False
        try:
            with psycopg.connect(self.address("postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    def _initdb(self) -> None:
        """Make the cluster under another name first, so that a broken one is never taken."""
        fresh = self.place.home / "cluster.new"
        self._run("rm", "-rf", str(fresh), folder=Path("/bin"))
        call = self._run(
            "initdb",
            *("--pgdata", str(fresh), "--username", ROLE, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions"),
        )
        if call.returncode:
            raise SettingError(
                f"initdb failed in {self.place.home}: {call.stderr.strip()[-500:]}",
                expression="data_dir",
            )
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("include_if_exists = 'healthhub.conf'\n")
        fresh.rename(self.place.cluster)

    def _launch(self, *, last_try: bool) -> None:
        conf = self.place.cluster / "healthhub.conf"
        lines = [f"{name} = {value}\n" for name, value in self._conf.items()]
        conf.write_text("# Written at each start.\n" + "".join(lines), encoding="utf-8")
        if self.place.account.switch:
            os.chown(conf, self.place.account.uid, self.place.account.gid)
        call = self._run(
            "pg_ctl",
            *("start", "--wait", "--silent", "--timeout", str(START_SECONDS)),
            *("--pgdata", str(self.place.cluster), "--log", str(self.place.log)),
        )
        if call.returncode and last_try:
            raise self._failed("does not start")
        if call.returncode:
            time.sleep(0.5)

    def _stop(self) -> None:
        if self.alive():
            self._run(
                "pg_ctl",
                *("stop", "--wait", "--silent", "--mode", "fast"),
                *("--timeout", str(STOP_SECONDS), "--pgdata", str(self.place.cluster)),
            )

    def _run(
        self, program: str, *arguments: str, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        kept = {"PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR"}
        environ = {name: text for name, text in os.environ.items() if name in kept}
        return self.place.account.run(
            [str((folder or self.programs.folder) / program), *arguments],
            self.place.home,
            {**environ, "LC_ALL": "C"},
        )

    def _failed(self, what: str) -> SettingError:
        try:
            tail = self.place.log.read_text(encoding="utf-8", errors="replace")[-600:]
        except FileNotFoundError:
            tail = ""
        return SettingError(
            f"the embedded PostgreSQL {what}; the end of {self.place.log} says:\n{tail}",
            expression="data_dir",
        )


def _quoted(text: str) -> str:
    return text.replace("'", "''")
