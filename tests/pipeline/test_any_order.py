"""Cancellations, merges, corrections and withdrawals end as they mean, in any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import pytest

from healthhub import keep
from healthhub.keep import Choice
from healthhub.model.message import State
from tests.pipeline.test_chain import arrive, message, stored

Bodies = Mapping[tuple[str, str], Any]


def visit(kind: str, at: str, ended: str = "") -> str:
    more = f"PV1|1|I|W1^^12||||1001^李医{'|' * 12}V7{'|' * 25}20260301080000|{ended}\r"
    return message(kind, at, more=more)


def result(at: str, status: str, value: str, observed: str = "") -> str:
    more = (
        f"OBR|1|O1|R1|GLU^血糖^L|||20260302093000{'|' * 15}{at}|||{status}\r"
        f"OBX|1|NM|GLU^葡萄糖^L||{value}|mmol/L|3.9-6.1|N|||{observed or status}|||20260302093000\r"
    )
    return message("ORU^R01", at, more=more)


def merge(at: str, kept: str, gone: str) -> str:
    text = message("ADT^A40", at).replace("P1^^^A^MR", f"{kept}^^^A^MR")
    return text + f"MRG|{gone}^^^A^MR\r"


def of(kind: str, bodies: Bodies) -> list[Any]:
    return [body for (each, _), body in bodies.items() if each == kind]


def one(kind: str, bodies: Bodies) -> Any:
    (body,) = of(kind, bodies)
    return body


STORIES: dict[str, tuple[tuple[str, ...], Callable[[Bodies], bool]]] = {
    "an admission that was cancelled (A11)": (
        (
            visit("ADT^A01", "20260301080000"),
            visit("ADT^A08", "20260301083000"),
            visit("ADT^A11", "20260301090000"),
        ),
        lambda b: one("Encounter", b)["status"] == "cancelled",
    ),
    "a discharge that was cancelled (A13)": (
        (
            visit("ADT^A01", "20260301080000"),
            visit("ADT^A03", "20260305110000", "20260305110000"),
            visit("ADT^A13", "20260305120000"),
        ),
        lambda b: (
            one("Encounter", b)["status"] == "in-progress"
            and "end" not in one("Encounter", b)["period"]
        ),
    ),
    "a discharge after one that was cancelled": (
        (
            visit("ADT^A03", "20260305110000", "20260305110000"),
            visit("ADT^A13", "20260305120000"),
            visit("ADT^A03", "20260306100000", "20260306100000"),
        ),
        lambda b: (
            one("Encounter", b)["status"] == "finished"
            and one("Encounter", b)["period"]["end"].startswith("2026-03-06")
        ),
    ),
    "a result that was corrected (C)": (
        (
            result("20260302100000", "P", "5.6"),
            result("20260302110000", "F", "5.7"),
            result("20260303100000", "C", "6.5"),
        ),
        lambda b: (
            one("Observation", b)["status"] == "corrected"
            and one("Observation", b)["valueQuantity"]["value"] == 6.5
        ),
    ),
    "a result that was reported under the wrong patient and withdrawn (W)": (
        (
            result("20260302100000", "F", "5.6"),
            result("20260303100000", "C", "", "W"),
        ),
        lambda b: one("Observation", b)["status"] == "entered-in-error",
    ),
    "a result that was deleted (D)": (
        (
            result("20260302100000", "F", "5.6"),
            result("20260303100000", "C", "", "D"),
        ),
        lambda b: one("Observation", b)["status"] in ("entered-in-error", "cancelled"),
    ),
    "two numbers of one patient that were merged (A40)": (
        (
            visit("ADT^A01", "20260301080000"),
            result("20260302100000", "F", "5.6").replace("P1^^^A", "P2^^^A"),
            merge("20260304100000", "P1", "P2"),
        ),
        lambda b: len(of("Patient", b)) >= 2 and len(of("Observation", b)) == 1,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story_ends_as_it_means_in_whatever_order_its_messages_arrive(
    database: str, story: str
) -> None:
    parts, holds = STORIES[story]
    expected: dict[Any, Any] = {}
    for order in itertools.permutations(parts):
        kinds = [part.split("|")[8] + part.split("|")[6] for part in order]
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(
                "truncate resource, resource_history, message, message_state, raw_message,"
                " message_finding, person_link cascade"
            )
            ids = arrive(conn, *(part.encode() for part in order))
            states = {keep.get(conn, id_).state for id_ in ids}
            assert states == {State.DONE}, keep.findings(conn, ids)
            ended = comparable(stored(conn))
            assert holds(ended), (kinds, ended)
            expected = expected or ended
            assert ended == expected, kinds
            again = keep.replay(conn, Choice(source="his"), who="t", reason="again")
            assert again == len(parts)
            arrive(conn)
            assert comparable(stored(conn)) == expected, kinds


def comparable(bodies: Bodies) -> dict[Any, Any]:
    """Golden Patients get an id of their own: what they say is compared, not their id."""
    return {
        (kind, id_ if kind != "Patient" or "link" not in body else "golden"): {
            name: value
            for name, value in body.items()
            if not (kind == "Patient" and "link" in body and name == "id")
        }
        for (kind, id_), body in bodies.items()
    }
