"""A strange code from its first message to its map, what is stored derived again, and back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from gap_stage import (
    CODE,
    MAPPINGS,
    URATE,
    codes,
    converters,
    gap,
    library,
    report,
    settled,
    take,
    until,
    versions,
    working,
)

from healthhub import keep
from healthhub.errors import Conflict, InvalidRequest
from healthhub.gaps import rederivation, solving
from healthhub.keep import Choice
from healthhub.model.code_maps import Target
from healthhub.model.message import State

MAPPED = [("尿酸", "14933-6"), ("尿酸", CODE)]
OWN = [("尿酸", CODE)]


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def place(conn: psycopg.Connection, code: str = CODE) -> solving.Place:
    return solving.place(conn, library(), MAPPINGS, gap(conn, code))


def solve(conn: psycopg.Connection, target: Target = URATE, code: str = CODE) -> int:
    with conn.transaction():
        where = place(conn, code)
        return solving.solve(
            conn, where, target, who="林管理", why="与检验科核对", seen=where.number
        )


def undo(conn: psycopg.Connection, number: int) -> int:
    with conn.transaction():
        return solving.undo(conn, number, place(conn), who="林管理", why="看错了")


def test_a_code_is_solved_derived_again_and_taken_back(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch, 2):
        take(database, *(report(n) for n in range(5)))
        take(database, *(report(n, code="0303003") for n in range(5, 8)))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 8)
        found = gap(conn)
        assert (found.open, found.mapped, found.display, found.unit) == (5, 0, "尿酸", "μmol/L")
        before = versions(conn)
        number = solve(conn)
        until(lambda: settled(conn))
        assert (gap(conn).open, gap(conn).mapped) == (0, 5)
        assert [c for c in codes(conn) if (("尿酸", CODE) in c)] == [MAPPED] * 5
        assert versions(conn) == before + 5, "one version of what changed, none of the rest"
        (live,) = take(database, report(9))
        until(lambda: keep.get(conn, live).state is State.DONE)
        assert keep.findings(conn, [live])[live] == []
        assert gap(conn).mapped == 6
        undo(conn, number)
        until(lambda: settled(conn))
        assert (gap(conn).open, gap(conn).mapped) == (6, 0)
        assert [c for c in codes(conn) if (("尿酸", CODE) in c)] == [OWN] * 6


@pytest.mark.parametrize(
    ("first", "second"),
    [("14933-6", "22664-7"), ("22664-7", "14933-6")],
    ids=["to a lesser spelling", "to a greater spelling"],
)
def test_a_map_can_be_corrected_whatever_the_codes_are(
    database: str,
    conn: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    second: str,
) -> None:
    with working(database, monkeypatch):
        take(database, report(1))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 1)
        for code in (first, second):
            solve(conn, Target(code, "尿酸"))
            until(lambda: settled(conn))
            assert codes(conn) == [[("尿酸", code), ("尿酸", CODE)]]


def test_only_the_messages_that_hold_the_code_are_processed_again(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        (holds,) = take(database, report(1))
        (other,) = take(database, report(2, code="0303003"))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 2)
        solve(conn)
        until(lambda: settled(conn))
    assert keep.get(conn, other).attempts == 1
    changed = conn.execute(
        "select count(*) from message_state where id = %s and changed > "
        "(select at from code_map_version)",
        (holds,),
    ).fetchone()
    assert changed == (1,)


def test_one_map_serves_every_source_of_the_mapping_and_each_spelling(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        take(database, report(1, code="ua9"))
        take(database, report(2, code="UA9"), source="a-old-lis")
        until(lambda: keep.counts(conn).by_state[State.DONE] == 2)
        where = place(conn, "ua9")
        assert {g.source for g in where.gaps} == set(MAPPINGS)
        assert where.messages == 2
        solve(conn, code="ua9")
        until(lambda: settled(conn))
        assert gap(conn, "UA9", "a-old-lis").open == 0
        later = solving.place(conn, library(), MAPPINGS, gap(conn, "UA9", "a-old-lis"))
        assert later.target == URATE


def test_what_has_lost_its_bytes_or_was_ignored_is_told_and_not_parked(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        pruned, ignored, kept = take(database, *(report(n) for n in range(3)))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 3)
        conn.execute("delete from raw_message where id = %s", (pruned,))
        conn.execute("update message_state set state = 'ignored' where id = %s", (ignored,))
        number = solve(conn)
        until(lambda: settled(conn))
        assert keep.get(conn, pruned).state is State.DONE
        assert keep.get(conn, ignored).state is State.IGNORED
        assert keep.get(conn, kept).state is State.DONE
        assert keep.code_maps.get(conn, number).lost == 2
        assert (gap(conn).open, gap(conn).mapped) == (0, 1)


def test_what_a_worker_of_yesterday_finishes_late_is_derived_again(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It converted before the map was made, and stored after the re-derivation was over."""
    monkeypatch.setattr(rederivation, "SWEEP_SECONDS", 0.05)
    with working(database, monkeypatch):
        take(database, report(1))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 1)
        solve(conn)
        until(lambda: settled(conn))
        conn.execute("update code_sighting set version = 0")
        conn.execute("update code_gap set open = 1, mapped = 0")
        until(lambda: gap(conn).mapped == 1 and settled(conn))


def test_a_worker_that_does_not_know_a_version_yet_does_not_call_it_done(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        take(database, report(1))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 1)
    number = solve(conn)
    rederivation.Rederivation().turn(conn, converters(), known=0)
    assert keep.code_maps.get(conn, number).finished is None
    with working(database, monkeypatch):
        until(lambda: settled(conn))
    assert gap(conn).mapped == 1


def test_a_replay_counts_nothing_twice(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        ids = take(database, report(1), report(2))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 2)
        for _ in range(2):
            keep.replay(conn, Choice(ids=tuple(ids)), who="x", reason="x")
            until(lambda: settled(conn))
        assert gap(conn).open == 2
        assert conn.execute("select count(*) from code_sighting").fetchone() == (2,)


REFUSED = [
    ("", "", "give the code"),
    ("14933 6", "", "give the code"),
    ("14933-5", "", "check digit"),
    ("1" * 201, "", "give the code"),
    ("14933-6", "loinc", "URI"),
]


@pytest.mark.parametrize(("code", "system", "why"), REFUSED)
def test_a_target_that_can_be_none_is_refused(code: str, system: str, why: str) -> None:
    table = library().definition("hospital-a").codes["tests"]
    with pytest.raises(InvalidRequest, match=why):
        solving.checked(table, CODE, Target(code, "", system))


def test_what_the_table_itself_has_is_changed_there() -> None:
    table = library().definition("hospital-a").codes["tests"]
    with pytest.raises(Conflict, match="change it there"):
        solving.checked(table, "0303003", URATE)


def test_two_people_cannot_map_one_code_over_each_other(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        take(database, report(1))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 1)
        number = solve(conn)
        with pytest.raises(Conflict, match="meanwhile"):
            solving.solve(conn, place(conn), URATE, who="b", why="b", seen=0)
        second = solve(conn, Target("22664-7", "尿素"))
        with pytest.raises(Conflict, match="latest"):
            undo(conn, number)
        undo(conn, second)
        until(lambda: settled(conn))
        assert codes(conn) == [MAPPED], "back to the version before"
        with pytest.raises(InvalidRequest, match="say why"):
            solving.solve(conn, place(conn), URATE, who="b", why=" ", seen=3)


def test_two_people_cannot_map_two_spellings_of_one_code_apart(
    database: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(database, monkeypatch):
        take(database, report(1, code="ua9"), report(2, code="UA9"))
        until(lambda: keep.counts(conn).by_state[State.DONE] == 2)
        lower, upper = place(conn, "ua9"), place(conn, "UA9")
        solving.solve(conn, lower, URATE, who="a", why="a", seen=0)
        with pytest.raises(Conflict, match="meanwhile"):
            solving.solve(conn, upper, Target("22664-7", "尿素"), who="b", why="b", seen=0)
        until(lambda: settled(conn))
        assert {place(conn, code).target for code in ("ua9", "UA9")} == {URATE}


def test_loinc_codes_carry_their_check_digit() -> None:
    for code in ("718-7", "14933-6", "6690-2", "33959-8", "4548-4", "2885-2"):
        assert solving.is_loinc(code)
        wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
        assert not solving.is_loinc(wrong)
