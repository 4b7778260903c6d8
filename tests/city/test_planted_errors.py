"""The errors planted in a city's feeds, on every kind of channel: as many found as planted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations
from typing import Any

import orjson
import psycopg
import pytest
from hub_of_the_city import Hub, messages_of, stored
from serving import copied

from healthhub import city, clock, keep
from healthhub.city import moments
from healthhub.city.journal import PersonTruth
from healthhub.city.sent import Sent
from healthhub.city.sheets import DIASTOLIC, SYSTOLIC
from healthhub.city.systems import SYSTEMS
from healthhub.model.message import State
from healthhub.terms.forms import half
from healthhub.watch.looking import Looker

FORMS = {"dicom", "ecg", "device", "fhir"}
"""Adapters whose messages are a kind of channel of their own, however they are handed over."""
WAYS = {
    s.source: s.about.adapter if s.about.adapter in FORMS else type(s.channel).__name__.lower()
    for s in SYSTEMS
}
EVERYWHERE = ("unknown-code", "bad-time", "corrected", "wrong-patient", "wrong-charset")
PLANTED = {
    "mllp": (*EVERYWHERE, "correction-before-original", "resend-same", "resend-renumbered",
             "garbage", "cancelled-admission"),
    "http": (*EVERYWHERE, "correction-before-original", "resend-same", "garbage"),
    "folder": (*EVERYWHERE, "resend-same", "garbage"),
    "views": (*EVERYWHERE, "resend-renumbered"),
    "dicom": ("unknown-code", "bad-time", "wrong-charset", "resend-same", "garbage"),
    "ecg": ("stranger", "wrong-charset", "resend-same", "garbage"),
    "device": ("unknown-code", "bad-time", "wrong-charset", "resend-same", "garbage"),
    "fhir": ("profile-missed", "corrected", "resend-same", "garbage"),
}  # fmt: skip
"""What must be planted on each kind of channel."""
BULKY = {"insurance-settlement", "drug-distribution", "blood-station", "emergency-120"}
"""Of these only what is planted is sent here: they have tests of their own."""
Place = tuple[str, str]


def way(sent: Sent) -> str:
    return WAYS.get(sent.source, "mllp")


def chosen() -> tuple[list[Sent], dict[str, str]]:
    """Of a larger city, so few families that all kinds of errors are among them: all that is
    sent about these, and what is sent about nobody; and who bears each patient number."""
    people: list[PersonTruth] = []
    everything = list(city.Story(400, 3, 2).messages(people.append))
    kinds: dict[str, set[Place]] = defaultdict(set)
    for each in everything:
        if each.planted and each.person:
            kinds[family(each)].add((way(each), each.planted))
    for each in everything:
        if each.planted == "garbage" and not each.person and each.control[1:9].isdigit():
            kinds[f"{int(each.control[1:9]) // 8}"].add((way(each), "garbage"))
    wanted = {(w, kind) for w, all_ in PLANTED.items() for kind in all_}
    families: set[str] = set()
    while left := wanted - {k for f in families for k in kinds[f]}:
        best = max(sorted(kinds), key=lambda f: len(kinds[f] & left))
        if not kinds[best] & left:
            break
        families.add(best)
    families.add("0")
    bearers = {
        number: truth.resident.person for truth in people for _, number, _ in truth.numbers
    }
    return [
        s
        for s in everything
        if s.planted or s.source not in BULKY
        if family(s) in families or not family(s)
    ], bearers


def family(sent: Sent) -> str:
    if sent.person:
        return f"{int(sent.person[1:]) // 8}"
    return f"{int(sent.control[1:9]) // 8}" if sent.control[1:9].isdigit() else ""


class Taken:
    """The hub after all of it: what it keeps, what it stores, what it remarks upon."""

    def __init__(
        self, hub: Hub, conn: psycopg.Connection, sent: list[Sent], bearers: dict[str, str]
    ) -> None:
        self.hub, self.conn, self.sent, self.bearers = hub, conn, sent, bearers
        self.resources = stored(conn)

    def codes(self, sent: Sent) -> set[str]:
        ids = messages_of(self.conn, self.hub, sent)
        return {f.code for each in keep.findings(self.conn, ids).values() for f in each}

    def states(self, sent: Sent) -> list[str]:
        ids = messages_of(self.conn, self.hub, sent)
        found = self.conn.execute("select state from message_state where id = any(%s)", (ids,))
        return [state for (state,) in found]

    def drafts(self, sent: Sent) -> list[dict[str, Any]]:
        """What the last message that holds it says, as the converter reads it."""
        last = messages_of(self.conn, self.hub, sent)[-1]
        raw = keep.get(self.conn, last).raw
        done = self.hub.converters[sent.source].convert(last, raw, moments.aware(sent.at))
        return [draft.body for draft in done.drafts]

    def says(self, sent: Sent) -> bool:
        """Whether the store holds the values that this, the last word, tells."""
        results = [b for b in self.drafts(sent) if value(b) is not None]
        if way(sent) in ("folder", "views"):
            told = rows_values(sent, self.sent)
        else:  # these very bytes are a message of their own
            told = sorted(str(value(body)) for body in results)
        held = sorted(str(value(self.resources[str(b["id"])])) for b in results)
        return bool(told) and held == told

    def once(self, sent: Sent) -> bool:
        """Whether what it makes is what the first sending made."""
        control = sent.control.removesuffix("R")
        first = next(s for s in self.sent if s.source == sent.source and s.control == control)
        made = [{str(b["id"]) for b in self.drafts(each)} for each in (first, sent)]
        return made[0] == made[1] and made[0] <= set(self.resources)

    def withdrawn(self, sent: Sent) -> bool:
        """Whether nothing of it counts any more."""
        own = [b for b in self.drafts(sent) if b["resourceType"] in STATUS]
        return bool(own) and all(
            STATUS[b["resourceType"]](self.resources[str(b["id"])]) for b in own
        )

    def patients(self) -> tuple[dict[str, str], list[set[str]]]:
        """Who each source patient is in truth, and which of them the hub takes for one."""
        people = [b for b in self.resources.values() if b["resourceType"] == "Patient"]
        golden = [b for b in people if "golden" in str(b["meta"].get("tag"))]
        bearer = {
            b["id"]: self.bearers[i["value"]]
            for b in people
            if b not in golden
            for i in b.get("identifier", ())
            if i.get("value") in self.bearers
        }
        linked = [
            {each["other"]["reference"].split("/")[1] for each in b["link"]} for b in golden
        ]
        return bearer, [each & set(bearer) for each in linked]

    def stranger(self, sent: Sent) -> bool:
        """Whether it stands under a patient who is taken for nobody that the city knows."""
        [own] = [str(b["id"]) for b in self.drafts(sent) if b["resourceType"] == "Patient"]
        taken_for = {
            each["other"]["reference"].split("/")[1]
            for body in self.resources.values()
            if body["resourceType"] == "Patient"
            and "golden" in str(body["meta"].get("tag"))
            and f"Patient/{own}" in str(body["link"])
            for each in body["link"]
        }
        return own in self.resources and taken_for <= {own}

    def repeated(self, sent: Sent) -> bool:
        """Kept once. Bytes that came again are counted; a row that came again is no message."""
        [id_] = messages_of(self.conn, self.hub, sent)
        if way(sent) == "folder":
            return True
        times = self.conn.execute(
            "select times from message_repeat where message = %s", (id_,)
        ).fetchone()
        return times is not None and times[0] >= 1


def value(body: dict[str, Any]) -> str | None:
    """A result's value, a pressure's two, or None of what has none."""
    if body["resourceType"] != "Observation":
        return None
    told = [body, *body.get("component", [])]
    found = [each["valueQuantity"]["value"] for each in told if "valueQuantity" in each]
    return "/".join(f"{float(number):g}" for number in found) or body.get("valueString")


def rows_values(sent: Sent, all_: list[Sent]) -> list[str]:
    """The values that rows tell: of a follow-up its pressures, of a report its results."""
    cells = orjson.loads(sent.raw)
    if sent.kind == "HTN":
        return sorted([f"{half(cells[SYSTOLIC])}/{half(cells[DIASTOLIC])}", *(
            f"{float(half(cells[name]).removesuffix('次/分')):g}" for name in ("体重(kg)", "心率"))])  # fmt: skip
    rows = [orjson.loads(s.raw) for s in all_ if s.kind == "V_LAB_RESULT"]
    own = [r for r in rows if r["jybgdbh"] == cells["jybgdbh"] and r["gxrq"] == cells["gxrq"]]
    return sorted(
        r["jyjg"] if r["jydljg"] == 0 else f"{float(r['jyjg'].lstrip('<')):g}" for r in own
    )


def _entered_in_error(body: dict[str, Any]) -> bool:
    return body.get("status") in ("entered-in-error", "cancelled")


STATUS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Observation": _entered_in_error,
    "DiagnosticReport": _entered_in_error,
    "MedicationRequest": _entered_in_error,
    "Condition": lambda body: "entered-in-error" in str(body.get("verificationStatus")),
}
FOUND: dict[str, Callable[[Taken, Sent], bool]] = {
    "unknown-code": lambda hub, sent: "unknown-code" in hub.codes(sent),
    "bad-time": lambda hub, sent: bool({"bad-time", "bad-date", "clock-off"} & hub.codes(sent)),
    "wrong-charset": lambda hub, sent: (
        "wrong-charset" in hub.codes(sent) or hub.states(sent) == ["rejected"]
    ),
    "garbage": lambda hub, sent: hub.states(sent) == ["rejected"],
    "corrected": lambda hub, sent: hub.says(sent),
    "correction-before-original": lambda hub, sent: hub.says(sent),
    "wrong-patient": lambda hub, sent: hub.withdrawn(sent),
    "resend-same": lambda hub, sent: hub.repeated(sent),
    "resend-renumbered": lambda hub, sent: hub.once(sent),
    "stranger": lambda hub, sent: hub.stranger(sent),
    "profile-missed": lambda hub, sent: "profile" in hub.codes(sent),
    "cancelled-admission": lambda hub, sent: any(
        hub.resources[str(b["id"])]["status"] == "cancelled"
        for b in hub.drafts(sent)
        if b["resourceType"] == "Encounter"
    ),
}
LAST_WORD = ("corrected", "correction-before-original", "wrong-patient")
"""Planted in two messages: it is the later word that must hold."""


def to_be_found(sent: list[Sent]) -> Iterator[Sent]:
    last: dict[tuple[str, str, str], Sent] = {}
    for each in sent:
        if each.planted in LAST_WORD:
            word = (
                each.source,
                each.planted,
                each.detail if "^" in each.kind else each.control,
            )
            told = last.get(word)
            # of a correction that came first it is still the correction that counts
            if told is None or each.planted != "correction-before-original":
                last[word] = each
        elif each.planted in FOUND:
            yield each
    yield from last.values()


@pytest.fixture(scope="module")
def taken(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Taken]:
    """The chosen families' messages in a hub: one for all tests here."""
    with copied(server_dsn, template) as dsn:
        sent, bearers = chosen()
        hub = Hub(dsn, tmp_path_factory.mktemp("city"))
        silent = {s.source for s in SYSTEMS if s.silent_since(city.UNTIL) is not None}
        with pytest.MonkeyPatch.context() as days:
            earlier = clock.now() - timedelta(days=2)
            days.setattr(clock, "now", lambda: earlier)
            hub.take([each for each in sent if each.source in silent])
        hub.take([each for each in sent if each.source not in silent])
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield Taken(hub, conn, sent, bearers)
        hub.close()


def test_every_error_planted_is_found(taken: Taken) -> None:
    planted: Counter[Place] = Counter()
    missed: list[tuple[str, str, str]] = []
    for each in to_be_found(taken.sent):
        planted[way(each), each.planted] += 1
        if not FOUND[each.planted](taken, each):
            missed.append((each.source, each.planted, each.control))
    assert missed == []
    assert {(w, kind) for w, all_ in PLANTED.items() for kind in all_} - set(planted) == set()


def test_the_feed_that_went_silent_gives_the_alarm_and_no_other_does(taken: Taken) -> None:
    silent = [s.source for s in SYSTEMS if s.silent_since(city.UNTIL) is not None]
    found = Looker(taken.hub.settings).look(taken.conn, clock.now())
    assert [t.source for t in found if t.rule == "silent"] == silent == ["township-q"]


def test_nothing_that_can_be_read_is_left_lying(taken: Taken) -> None:
    states = keep.counts(taken.conn).by_state
    refused = sum(not each.accepted for each in taken.sent)
    assert {state.value: count for state, count in states.items() if count} == {
        "done": states[State.DONE],
        "rejected": refused,
    }


def test_one_person_is_one_person_wherever_they_were(taken: Taken) -> None:
    """Nobody is taken for another; of the charts that one person has, all but those that the
    registration spoilt (no number, a wrong name, a parent's number) are found to be theirs."""
    bearer, linked = taken.patients()
    together = {pair for each in linked for pair in combinations(sorted(each), 2)}
    wrong = [pair for pair in together if bearer[pair[0]] != bearer[pair[1]]]
    assert wrong == []
    same = {p for p in combinations(sorted(bearer), 2) if bearer[p[0]] == bearer[p[1]]}
    assert len(same) > 40
    assert len(together & same) / len(same) > 0.9


def test_the_named_resident_is_one_person_of_all_houses(taken: Taken) -> None:
    named = city.Story(400, 3, 2).named().person
    bearer, linked = taken.patients()
    [own] = [each for each in linked if named in {bearer[patient] for patient in each}]
    origins = {
        taken.resources[id_]["meta"]["source"].removeprefix("urn:healthhub:source:")
        for id_ in own
    }
    houses = ("hospital-a", "hospital-b-views", "hospital-b", "hospital-c", "township-p")
    assert {next((h for h in houses if o.startswith(h)), "") for o in origins} >= set(houses)
