"""Source patients are joined into persons by rule, and parted again, without moving a row."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest
from people import arrive, draft, key, merge, number, persons

from healthhub import identify
from healthhub.errors import Gone
from healthhub.identify.golden import is_golden
from healthhub.identify.identity import check_character
from healthhub.model.resource import Draft
from healthhub.pipeline import direct
from healthhub.store import query, reads

Connection = psycopg.Connection[Any]
ONE = number(1)
BORN = "1980-03-07"
_STEM = "81000019800307001"
PERMIT = _STEM + check_character(_STEM)
"""A residence permit of Hong Kong."""


def renamed(now: Draft, former: str) -> Draft:
    """The same patient with a former name."""
    names = [*now.body["name"], {"use": "old", "text": former}]
    return replace(now, body={**now.body, "name": names})


def patient(connection: Connection, key_: Any) -> dict[str, Any]:
    """A Patient as it is stored."""
    return orjson.loads(query.fetch(connection, reads.by_id("Patient", key_)).json)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈梅", BORN)),
        (draft("a", ONE, "陈梅"), draft("b", ONE, "陈 梅", "1980-07-03")),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "CHEN MEI", BORN)),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈梅", "1900-01-01")),
        (draft("a", ONE.lower(), "买买提·艾力"), draft("b", ONE, "买买提艾力")),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈玫", BORN)),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "", BORN)),
        (
            draft("a", ONE, "陈招弟", BORN),
            renamed(draft("b", ONE, "陈思涵", BORN), "陈招弟"),
        ),
        (draft("a", PERMIT, "陈梅", BORN), draft("b", PERMIT, "CHAN MUI", BORN)),
    ],
    ids=[
        "same",
        "name agrees",
        "birth date agrees",
        "default birth date",
        "spelling",
        "a character that sounds the same",
        "birth date agrees and one has no name",
        "former name",
        "Hong Kong spelling",
    ],
)
def test_same_number_and_agreeing_name_or_birth_date_is_one_person(
    connection: Connection, first: Draft, second: Draft
) -> None:
    arrive(connection, first)
    arrive(connection, second)
    assert persons(connection, "a", "b") == [{"a", "b"}]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "李强", "2015-05-05")),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE)),
        (draft("a", ONE), draft("b", ONE)),
        (draft("a", ONE, "陈梅", BORN), draft("b", number(3), "陈梅", BORN)),
        (draft("a", "", "陈梅", BORN), draft("b", "", "陈梅", BORN)),
        (draft("a", ONE, "陈大", "2015-05-05"), draft("b", ONE, "陈二", "2015-05-05")),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "李小明", BORN)),
        (draft("a", ONE, "陈建国", BORN), draft("b", ONE, "陈小明", BORN)),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "LI XIAOMING", BORN)),
        (draft("a", ONE, "无名氏", BORN), draft("b", ONE, "无名氏", BORN)),
        (draft("a", ONE, "陈梅", BORN), draft("b", ONE, "无名氏", BORN)),
        (draft("a", ONE, "陈梅之子", BORN), draft("b", ONE, "陈梅之子", BORN)),
        (
            draft("a", "111111111111111111", "陈梅", BORN),
            draft("b", "111111111111111111", "陈梅", BORN),
        ),
    ],
    ids=[
        "shared card",
        "number alone, nothing else known of one",
        "number alone",
        "twins with numbers of their own",
        "no number",
        "twins under their mother's number",
        "a child under the mother's number and birth date",
        "a child under the father's number and birth date",
        "the same in pinyin",
        "two unknown patients",
        "an unknown patient with a found card",
        "newborns under their mother's name and number",
        "a place-holder for a number",
    ],
)
def test_all_else_stays_apart(connection: Connection, first: Draft, second: Draft) -> None:
    arrive(connection, first)
    arrive(connection, second)
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]


def test_why_a_child_stays_apart_from_the_parent_is_kept_as_evidence(
    connection: Connection,
) -> None:
    arrive(connection, draft("a", ONE, "陈梅", BORN), draft("b", ONE, "CHEN MEI", BORN))
    arrive(connection, draft("c", ONE, "李小明", BORN))
    assert persons(connection, "a", "b", "c") == [{"a", "b"}, {"c"}]
    kept = connection.execute(
        "select rule, evidence from person_link where patient_key = %s", (key("c"),)
    ).fetchone()
    first = min(key("a"), key("b"))
    assert kept == ("alone", [["number+birth, names differ", str(first)]])
    evidence = connection.execute(
        "select evidence from person_link where patient_key = %s", (key("a"),)
    ).fetchone()
    assert evidence == (
        [["number+birth", str(key("b"))], ["number+birth, names differ", str(key("c"))]],
    )


def test_a_child_who_comes_first_never_takes_the_nameless_record_of_the_parent(
    connection: Connection,
) -> None:
    arrive(connection, draft("a", ONE, "李小明", BORN), draft("b", ONE, "", BORN))
    assert persons(connection, "a", "b") == [{"a", "b"}]
    arrive(connection, draft("c", ONE, "陈梅", BORN))
    assert persons(connection, "a", "b", "c") == [{"a"}, {"b"}, {"c"}]


def test_the_golden_patient_links_its_members_and_carries_the_best_of_each(
    connection: Connection,
) -> None:
    arrive(connection, draft("a", ONE, "CHEN MEI", BORN, gender="female"))
    phone = [{"system": "phone", "value": "13971234567"}]
    arrive(connection, draft("b", ONE, "陈梅", "1980-07-03", at=2, telecom=phone))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]
    arrive(connection, draft("c", ONE, "陈梅", BORN, at=3))
    person = identify.person_of(connection, key("a"))
    golden = patient(connection, person)
    assert is_golden(golden)
    assert golden["birthDate"] == BORN
    assert golden["gender"] == "female"
    assert golden["telecom"] == phone
    assert [i["value"] for i in golden["identifier"]] == [ONE]
    assert {link["other"]["reference"] for link in golden["link"]} == {
        f"Patient/{key(name)}" for name in "abc"
    }
    assert {link["type"] for link in golden["link"]} == {"seealso"}
    assert set(identify.cover(connection, person)) == {person, *map(key, "abc")}
    assert identify.cover(connection, key("a")) == [key("a")]


def test_a_change_of_a_member_shows_in_the_golden_patient(connection: Connection) -> None:
    arrive(connection, draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈梅", BORN))
    person = identify.person_of(connection, key("a"))
    before = patient(connection, person)["meta"]["versionId"]
    arrive(connection, draft("b", ONE, "陈梅", BORN, at=5, gender="female"))
    after = patient(connection, person)
    assert after["gender"] == "female"
    assert (before, after["meta"]["versionId"]) == ("1", "2")


def test_a_message_that_changes_nothing_leaves_the_golden_patient_alone(
    connection: Connection,
) -> None:
    arrive(connection, draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈梅", BORN))
    person = identify.person_of(connection, key("a"))
    arrive(connection, draft("b", ONE, "陈梅", BORN))
    assert patient(connection, person)["meta"]["versionId"] == "1"


def test_a_corrected_number_parts_what_the_wrong_one_joined(connection: Connection) -> None:
    arrive(connection, draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈梅", BORN))
    person = identify.person_of(connection, key("a"))
    arrive(connection, draft("b", number(3), "陈梅", BORN, at=9))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]
    with pytest.raises(Gone):
        patient(connection, person)
    lineage = connection.execute(
        "select person_before, person_after from person_decision where patient_key = %s"
        " order by id",
        (key("b"),),
    ).fetchall()
    assert lineage == [(None, person), (person, key("b"))]


def test_two_persons_that_prove_one_keep_one_golden_and_a_pointer(
    connection: Connection,
) -> None:
    two = number(3)
    arrive(connection, draft("a", ONE, "陈梅", BORN), draft("b", ONE, "陈梅", BORN))
    arrive(connection, draft("c", two, "陈梅", BORN), draft("d", two, "陈梅", BORN))
    goldens = {identify.person_of(connection, key(name)) for name in "ac"}
    arrive(connection, merges=(merge("a", "c", 10),))
    assert persons(connection, "a", "b", "c", "d") == [{"a", "b", "c", "d"}]
    (kept,) = {identify.person_of(connection, key(name)) for name in "abcd"}
    (other,) = goldens - {kept}
    pointer = patient(connection, other)
    assert pointer["active"] is False
    assert pointer["link"] == [
        {"other": {"reference": f"Patient/{kept}"}, "type": "replaced-by"}
    ]
    assert identify.person_of(connection, other) == kept
    assert set(map(key, "abcd")) < set(identify.cover(connection, other))


def test_a_merge_joins_and_its_cancellation_parts_with_lineage(connection: Connection) -> None:
    arrive(connection, draft("a", "", "陈梅"), draft("b", "", "陈没"))
    arrive(connection, merges=(merge("a", "b", 5),))
    assert persons(connection, "a", "b") == [{"a", "b"}]
    arrive(connection, merges=(merge("a", "b", 6, undone=True),))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]
    arrive(connection, merges=(merge("a", "b", 5),))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}], "an older merge came late"
    rules = connection.execute(
        "select rule from person_decision where patient_key = %s order by id", (key("b"),)
    ).fetchall()
    assert rules == [("alone",), ("merge",), ("alone",)]


def test_a_merge_may_come_before_either_patient_is_known(connection: Connection) -> None:
    arrive(connection, merges=(merge("a", "b", 5),))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]
    arrive(connection, draft("b", "", "陈没"))
    assert identify.person_of(connection, key("b")) == key("b")
    arrive(connection, draft("a", "", "陈梅"))
    assert persons(connection, "a", "b") == [{"a", "b"}]


def test_a_deleted_member_leaves_the_golden_patient(connection: Connection) -> None:
    arrive(
        connection,
        *(draft(name, ONE, "陈梅", BORN) for name in "abc"),
    )
    person = identify.person_of(connection, key("a"))
    direct.delete(connection, "Patient", str(key("c")))
    connection.commit()
    links = {link["other"]["reference"] for link in patient(connection, person)["link"]}
    assert links == {f"Patient/{key('a')}", f"Patient/{key('b')}"}


@pytest.mark.parametrize("order", ["abcd", "dcba", "cadb", "bdca"])
def test_the_order_of_arrival_does_not_matter(connection: Connection, order: str) -> None:
    drafts = {
        "a": draft("a", ONE, "陈梅", BORN),
        "b": draft("b", ONE, "CHEN MEI", BORN),
        "c": draft("c", ONE, "陈梅", "1900-01-01"),
        "d": draft("d", ONE, "李强", "2015-05-05"),
    }
    for name in order:
        arrive(connection, drafts[name])
    assert persons(connection, "a", "b", "c", "d") == [{"a", "b", "c"}, {"d"}]


def test_fifty_arrivals_at_once_of_a_new_person_make_one(database: str) -> None:
    start = threading.Barrier(50)
    failures: list[BaseException] = []

    def one(place: int) -> None:
        try:
            with psycopg.connect(database) as connection:
                start.wait(30)
                arrive(connection, draft(f"p{place}", ONE, "陈梅", BORN))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=one, args=(place,)) for place in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(database) as connection:
        assert len(persons(connection, *(f"p{place}" for place in range(50)))) == 1
        person = identify.person_of(connection, key("p0"))
        assert len(patient(connection, person)["link"]) == 50
        found = connection.execute("select count(*) from person").fetchone()
    assert found == (1,)


def test_merges_and_arrivals_in_opposite_orders_end_in_one_person(database: str) -> None:
    """Merges tie patients of different numbers, so locks spread; nobody may stay deadlocked."""
    numbers = [number(sequence) for sequence in (1, 3, 5, 7)]
    with psycopg.connect(database) as connection:
        for place, resident in enumerate(numbers):
            arrive(connection, draft(f"n{place}", resident, "陈梅", BORN))
    failures: list[BaseException] = []

    def tie(pairs: list[tuple[int, int]]) -> None:
        try:
            with psycopg.connect(database) as connection:
                for left, right in pairs:
                    for _ in range(10):
                        try:
                            arrive(connection, merges=(merge(f"n{left}", f"n{right}", 5),))
                            break
                        except psycopg.errors.DeadlockDetected:
                            connection.rollback()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    pairs = [(0, 1), (1, 2), (2, 3)]
    threads = [threading.Thread(target=tie, args=(order,)) for order in (pairs, pairs[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(database) as connection:
        assert len(persons(connection, "n0", "n1", "n2", "n3")) == 1


def test_a_number_that_two_sources_name_differently_is_one_in_the_golden_patient(
    connection: Connection,
) -> None:
    for name in "ab":
        kind = {"type": {"coding": [{"code": "NI", "system": f"urn:{name}"}]}}
        both = [
            {"system": "urn:oid:2.16.156.10011.1.3", "value": ONE} | kind,
            {"system": f"urn:{name}", "value": "1"},
        ]
        arrive(connection, draft(name, "", "陈梅", BORN, identifier=both))
    golden = patient(connection, identify.person_of(connection, key("a")))
    assert sorted(one["system"] for one in golden["identifier"]) == [
        "urn:a",
        "urn:b",
        "urn:oid:2.16.156.10011.1.3",
    ]
