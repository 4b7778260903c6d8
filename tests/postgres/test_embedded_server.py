"""The embedded server survives what happens to it: deaths, leftovers, several users, two accounts."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from healthhub import postgres
from healthhub.errors import SettingError
from healthhub.postgres import Server, processes
from healthhub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"shared_buffers": "16MB", "max_wal_size": "64MB", "min_wal_size": "32MB"}
NUMBERS = itertools.count(1)
USE = """
import sys, time
from pathlib import Path
from healthhub import postgres
from healthhub.settings import Settings
with postgres.running(Settings(data_dir=Path(sys.argv[1])), {"shared_buffers": "16MB"}) as dsn:
    print(dsn, flush=True)
    time.sleep(300)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder that the account of PostgreSQL can enter too, when we are root."""
    with tempfile.TemporaryDirectory(prefix="healthhub-pg-") as made:
        Path(made).chmod(0o711)
        yield Path(made) / "data"
        end(Path(made))


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """The server of that folder, not started; whatever a test leaves of it is killed."""
    made = postgres.embedded(Settings(data_dir=folder), SMALL)
    yield made
    made.leave()
    end(folder)


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A folder of a test's own, for those that need it untouched."""
    with tempfile.TemporaryDirectory(prefix="healthhub-pg-") as made:
        Path(made).chmod(0o711)
        yield Path(made) / "data"
        end(Path(made))


def end(folder: Path) -> None:
    """Kill what a test left running below the folder, so that it can be removed."""
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and process.cwd().startswith(str(folder)):
                process.kill()
        except psutil.Error:
            continue


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.05)


def write(dsn: str) -> int:
    """Commit a number that was never written before; gives it."""
    number = next(NUMBERS)
    with psycopg.connect(dsn) as connection:
        connection.execute("create table if not exists kept (n int)")
        connection.execute("insert into kept values (%s)", (number,))
    return number


def read(dsn: str) -> set[int]:
    with psycopg.connect(dsn) as connection:
        return {n for (n,) in connection.execute("select n from kept").fetchall()}


def user(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that uses the server of the folder."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", USE, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_server_starts_on_an_empty_folder_and_stops_with_its_last_user(
    server: Server, folder: Path
) -> None:
    dsn = server.start()
    first = write(dsn)
    second = postgres.embedded(Settings(data_dir=folder), SMALL)
    assert second.start() == dsn
    server.leave()
    assert second.alive(), "one still uses it"
    later = write(dsn)
    second.leave()
    assert not second.alive()
    assert server.start() == dsn
    assert {first, later} <= read(dsn)


def test_a_second_process_attaches_and_keeps_the_server_when_the_first_is_killed(
    server: Server, folder: Path
) -> None:
    first, dsn = user(folder)
    assert server.start() == dsn
    before = processes.postmaster(server.place.cluster)
    kill(first)
    assert write(dsn) in read(dsn)
    assert processes.postmaster(server.place.cluster) == before
    server.leave()
    assert not server.alive()


def test_a_server_whose_only_user_was_killed_is_adopted_by_the_next(
    server: Server, folder: Path
) -> None:
    first, dsn = user(folder)
    number = write(dsn)
    orphan = processes.postmaster(server.place.cluster)
    kill(first)
    assert server.start() == dsn
    assert processes.postmaster(server.place.cluster) == orphan, "adopted, not started anew"
    assert number in read(dsn)
    server.leave()
    assert not server.alive(), "whoever adopts it also stops it"


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a backend at work"])
def test_a_killed_postmaster_is_started_again_and_nothing_committed_is_lost(
    server: Server, busy: bool
) -> None:
    dsn = server.start()
    number = write(dsn)
    backend = psycopg.connect(dsn)
    if busy:
        backend.execute("select count(*) from kept")
    pid = processes.postmaster(server.place.cluster)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.alive())
    assert server.start() == dsn
    assert processes.postmaster(server.place.cluster) not in (None, pid)
    assert number in read(dsn)
    backend.close()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("999999999", id="a process that is gone"),
        pytest.param(str(os.getpid()), id="another program's process"),
        pytest.param("", id="nothing", marks=pytest.mark.slow),
        pytest.param("12x", id="torn", marks=pytest.mark.slow),
    ],
)
def test_a_stale_pid_file_is_no_obstacle(server: Server, content: str) -> None:
    dsn = server.start()
    number = write(dsn)
    server.leave()
    pid_file = server.place.cluster / "postmaster.pid"
    assert not pid_file.exists()
    pid_file.write_text(f"{content}\n{server.place.cluster}\n", "utf-8")
    if server.place.account.switch:
        os.chown(pid_file, server.place.account.uid, server.place.account.gid)
    assert server.start() == dsn
    assert number in read(dsn)


@pytest.mark.slow
def test_an_initdb_that_was_broken_off_is_begun_again(fresh: Path) -> None:
    server = postgres.embedded(Settings(data_dir=fresh), SMALL)
    server.place.prepare()
    torn = server.place.home / "cluster.new"
    server.place.account.own(torn)
    (torn / "PG_VERSION").write_text("15\n")
    write(server.start())
    assert not torn.exists()
    server.leave()


@pytest.mark.slow
def test_processes_that_start_at_once_share_one_server(folder: Path, server: Server) -> None:
    users = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", USE, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(3)
    ]
    (dsn,) = {each.stdout.readline().strip() for each in users if each.stdout}
    running = processes.postmaster(server.place.cluster)
    for each in users[:2]:
        kill(each)
    assert write(dsn) in read(dsn)
    assert processes.postmaster(server.place.cluster) == running
    kill(users[2])


def test_a_long_folder_name_still_gets_a_socket(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    server = postgres.embedded(Settings(data_dir=deep), SMALL)
    assert server.place.socket.parent == Path("/tmp")  # noqa: S108
    assert len(os.fsencode(server.place.socket / ".s.PGSQL.5432")) <= 107


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
class TestAsRoot:
    def test_the_server_runs_as_another_account_and_its_data_are_that_accounts_alone(
        self, server: Server
    ) -> None:
        server.start()
        pid = processes.postmaster(server.place.cluster)
        assert psutil.Process(pid).uids().real == server.place.account.uid != 0
        found = server.place.home.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (server.place.account.uid, 0o700)

    @pytest.mark.slow
    def test_below_a_folder_that_the_account_cannot_enter_the_data_lie_elsewhere_and_it_is_said(
        self, fresh: Path
    ) -> None:
        fresh.parent.chmod(0o700)
        server = postgres.embedded(Settings(data_dir=fresh), SMALL)
        try:
            write(server.start())
            assert not server.place.home.is_relative_to(fresh)
            note = (fresh / "postgres.txt").read_text("utf-8")
            assert str(server.place.home) in note
            assert fresh.parent.stat().st_mode & 0o777 == 0o700, "permissions stay as they were"
            server.leave()
        finally:
            end(server.place.home)
            shutil.rmtree(server.place.home, ignore_errors=True)

    @pytest.mark.slow
    def test_an_unprivileged_account_runs_a_server_of_its_own(self, tmp_path: Path) -> None:
        nobody = pwd.getpwnam("nobody")
        with tempfile.TemporaryDirectory(prefix="healthhub-pg-") as made:
            os.chown(made, nobody.pw_uid, nobody.pw_gid)
            script = (
                "import os, sys; os.setgroups([]); os.setgid(int(sys.argv[2]));"
                "os.setuid(int(sys.argv[3]))\n" + USE.replace("time.sleep(300)", "")
            )
            # What has to be imported is imported before root is given up: this checkout may lie
            # where nobody else can read.
            script = "import psycopg, healthhub.postgres, healthhub.settings\n" + script
            call = subprocess.run(  # noqa: S603
                [sys.executable, "-c", script, f"{made}/data", str(nobody.pw_gid),
                 str(nobody.pw_uid)],
                capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
                env={"PATH": os.environ["PATH"], "HOME": made},
            )  # fmt: skip
            assert call.returncode == 0, call.stderr
            assert call.stdout.startswith("postgresql://")
            cluster = Path(made) / "data" / "postgres" / "cluster"
            assert cluster.stat().st_uid == nobody.pw_uid
            assert not (cluster / "postmaster.pid").exists(), "it was stopped"

    @pytest.mark.slow
    def test_a_socket_folder_of_another_user_is_refused(self, fresh: Path) -> None:
        server = postgres.embedded(Settings(data_dir=fresh), SMALL)
        server.place.account.own(server.place.home)
        server.place.socket.mkdir()
        os.chown(server.place.socket, 12345, 12345)
        with pytest.raises(SettingError, match="belongs to another user") as caught:
            server.start()
        assert caught.value.expression == "data_dir"


@pytest.mark.slow
def test_a_backend_that_hangs_after_its_postmaster_died_does_not_keep_the_server_down(
    server: Server,
) -> None:
    dsn = server.start()
    number = write(dsn)
    backend = psycopg.connect(dsn)
    row = backend.execute("select pg_backend_pid()").fetchone()
    pid = processes.postmaster(server.place.cluster)
    assert row is not None
    assert pid is not None
    os.kill(row[0], signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.alive())
    assert server.start() == dsn
    backend.close()
    wait_until(lambda: gone(row[0]))
    assert number in read(dsn)


def gone(pid: int) -> bool:
    """Whether a process has ended; its new parent may not have asked for its status yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_a_server_that_cannot_start_says_what_its_log_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healthhub.postgres.server.START_SECONDS", 3)
    server = postgres.embedded(Settings(data_dir=folder), {"shared_buffers": "plenty"})
    with pytest.raises(SettingError, match=r"does not start.*server\.log") as caught:
        server.start()
    assert "shared_buffers" in caught.value.message
    assert caught.value.expression == "data_dir"
