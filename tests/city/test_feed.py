"""The HL7 v2 feeds: the same for the same seed, in order of time, in their dialects' charsets."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub import city, clock
from healthhub.adapter_api import BadMessage, registry
from healthhub.city import moments, order
from healthhub.city.live import Live
from healthhub.city.sent import Sent
from healthhub.city.settings import SOURCES
from healthhub.city.systems import SYSTEMS
from healthhub.city.writing import write
from healthhub.receive.files import messages as read_back
from healthhub.settings import Settings


@pytest.fixture(scope="module")
def story() -> city.Story:
    return city.Story(300, 5, 2, systems=())


@pytest.fixture(scope="module")
def sent(story: city.Story) -> list[Sent]:
    return list(story.messages())


def digest(residents: int, seed: int, years: int) -> str:
    whole = hashlib.sha256()
    for source, at, raw in city.feed(residents, seed, years):
        whole.update(f"{source} {at} ".encode() + raw)
    return whole.hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    assert digest(60, 1, 1) == digest(60, 1, 1)
    assert digest(60, 1, 1) != digest(60, 2, 1)


def test_messages_come_in_order_of_time(sent: list[Sent]) -> None:
    assert [s.at for s in sent] == sorted(s.at for s in sent)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 999)), max_size=60))
def test_order_by_disk_is_order_in_memory(times: list[tuple[int, int]]) -> None:
    made = [Sent(at, "s", b"x", "K", str(c), "p") for at, c in times]
    kept, order._IN_MEMORY = order._IN_MEMORY, 7
    try:
        by_disk = list(order.by_time(made))
    finally:
        order._IN_MEMORY = kept
    assert by_disk == list(order.by_time(made))
    assert [s.at for s in by_disk] == sorted(at for at, _ in times)


def test_hospital_b_writes_strict_gbk_and_no_charset(sent: list[Sent]) -> None:
    for message in sent:
        if message.source.startswith("hospital-b") and message.accepted:
            text = message.raw.decode("gbk", "strict")
            fields = text.split("\r", 1)[0].split("|")
            assert (len(fields) <= 17) == (message.planted != "wrong-charset")


def test_hospital_a_and_the_partner_write_utf8_and_say_so(sent: list[Sent]) -> None:
    for message in sent:
        if not message.source.startswith("hospital-b") and message.accepted:
            head = message.raw.decode("utf-8", "strict").split("\r", 1)[0]
            # the RIS puts it a field too early, as one was seen to
            place = 16 if message.source == "hospital-a-ris" else 17
            assert head.split("|")[place].startswith("UNICODE") == (
                message.planted != "wrong-charset"
            )


def test_the_hub_can_read_each_envelope_but_those_of_garbage(sent: list[Sent]) -> None:
    loaded = Settings(**city.settings())
    adapter = registry.find("hl7v2")
    for message in sent:
        source = loaded.sources[message.source]
        if message.accepted:
            envelope = adapter.envelope(message.raw, source)
            assert envelope.control == message.control
            assert envelope.kind == "^".join(message.kind.split("^")[:2])
        else:
            with pytest.raises(BadMessage):
                adapter.envelope(message.raw, source)


def test_the_same_content_comes_twice_only_where_the_truth_says_so(sent: list[Sent]) -> None:
    seen = Counter((s.source, s.raw) for s in sent if s.accepted)
    again = sum(count - 1 for count in seen.values())
    assert again == sum(s.planted == "resend-same" for s in sent) > 0


def test_names_of_two_characters_are_padded_at_b(sent: list[Sent]) -> None:
    names = {
        s.raw.decode("gbk").split("\r")[1].split("|")[5]
        for s in sent
        if s.source == "hospital-b-lis" and s.accepted
    }
    assert any(len(name) == 3 and name[1] == " " for name in names)
    assert not any(len(name) == 2 for name in names)


def test_every_kind_of_error_is_planted_at_about_its_rate(story: city.Story) -> None:
    many = city.Story(1500, 8, 2, systems=())
    counted = Counter(s.planted for s in many.messages())
    for error in (
        "unknown-code bad-time default-birth typo parents-number resend-same resend-renumbered "
        "correction-before-original corrected result-before-visit late-merge wrong-patient "
        "wrong-charset garbage unknown-patient second-chart cancelled-admission "
        "cancelled-discharge"
    ).split():
        assert counted[error] > 0, error
    total = many.tally["messages"]
    assert 0.005 < counted["resend-same"] / total < 0.012
    assert 0.0004 < counted["garbage"] / total < 0.002
    reports = sum(many.tally[f"reports.{house}"] for house in "abc")
    assert 0.003 < counted["unknown-code"] / reports < 0.01
    assert set(city.settings()["sources"]) == set(SOURCES) | {s.source for s in SYSTEMS}


def test_the_named_resident_is_seen_at_both_hospitals(
    sent: list[Sent], story: city.Story
) -> None:
    named = story.named().person
    kinds = {(s.source, s.kind.split("^")[0]) for s in sent if s.person == named}
    assert {("hospital-a-lis", "OUL"), ("hospital-b-lis", "ORU")} <= kinds
    assert {("hospital-a-his", "ADT"), ("hospital-b-his", "ADT")} <= kinds


def test_the_files_and_the_truth_beside_them_agree(tmp_path: Path) -> None:
    story = city.Story(80, 2, 1)
    counts = dict(write(story, tmp_path))
    adapter = registry.find("hl7v2")
    whole = b""
    for source in SOURCES:
        path = tmp_path / f"{source}.mllp"
        whole += path.read_bytes()
        assert path.read_bytes().count(b"\x1c\r") == counts[f"messages.{source}"]
        known = [raw for raw in read_back([path], adapter) if raw.startswith(b"MSH")]
        assert counts[f"messages.{source}"] - counts["garbage"] <= len(known)
    people = [
        json.loads(line) for line in (tmp_path / "people.ndjson").read_text().splitlines()
    ]
    errors = [
        json.loads(line) for line in (tmp_path / "errors.ndjson").read_text().splitlines()
    ]
    assert len(people) == counts["people"] == 80
    assert sum(e["error"] == "garbage" for e in errors) == counts["garbage"]
    assert [e["source"] for e in errors if e["error"] == "silent"] == ["township-q"]
    for system in SYSTEMS:
        found = [p for p in (tmp_path / "feeds" / system.source).rglob("*") if p.is_file()]
        assert found, system.source
        whole += b"".join(path.read_bytes() for path in found if path.suffix != ".xlsx")
    assert json.loads((tmp_path / "counts.json").read_text()) == counts
    for person in people:
        for patient in person["patients"]:
            assert patient["number"].encode() in whole
    numbers = [(p["institution"], p["number"]) for each in people for p in each["patients"]]
    assert len(numbers) == len(set(numbers))


def test_live_visits_are_of_now_and_never_rewrite_earlier_ones() -> None:
    until = (clock.now() - timedelta(days=2)).astimezone(clock.ZONE).date()
    live = Live(city.Story(60, 4, 1, until))
    start = clock.now()
    made = [
        message
        for minutes in range(0, 60, 5)
        for message in live.visit(start + timedelta(minutes=minutes))
    ]
    assert len(made) > 20
    for message in made:
        assert moments.here(start) - 700 < message.at <= moments.here(start) + 3600
    assert len({message.raw for message in made}) == len(made)
