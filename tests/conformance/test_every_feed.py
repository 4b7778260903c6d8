"""What every adapter and every mapping promises, whatever its form: the same suite for all."""

from __future__ import annotations

import random
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
import psycopg
import pytest
from feeds import ADAPTERS, FEEDS, GOOD, LIBRARY, MAPPINGS, RECEIVED, Feed, sent, state, worked
from hypothesis import given, settings
from hypothesis import strategies as st

from healthhub import keep
from healthhub.adapter_api import BadMessage, find
from healthhub.convert.samples import SampleSource, differences, outcome
from healthhub.keep import Choice
from healthhub.model import validate
from healthhub.model.ids import SHARED
from healthhub.model.message import State
from healthhub.model.r4 import invariants
from healthhub.pipeline import process

CODES_OF_OTHERS = {"fhir"}
"""Adapters whose resources bear the codes that their sender chose, each under its own system."""


@cache
def by_adapter() -> dict[str, list[Feed]]:
    """The good samples that each adapter reads."""
    found: dict[str, list[Feed]] = defaultdict(list)
    for feed in GOOD:
        found[LIBRARY.definition(feed.mapping).adapter].append(feed)
    return found


def test_every_adapter_and_every_mapping_is_examined_here() -> None:
    assert set(by_adapter()) == set(ADAPTERS)
    shown = {base for name in MAPPINGS for base in LIBRARY.lineage(name)}
    for name in LIBRARY.names():
        assert shown & set(LIBRARY.lineage(name)), f"{name} has no sample"


@pytest.mark.parametrize("feed", FEEDS, ids=str)
def test_a_sample_yields_its_outcome(feed: Feed) -> None:
    found = outcome(LIBRARY, feed.mapping, feed.sample)
    assert list(differences(feed.sample.expected.read_bytes(), found)) == []


@pytest.mark.parametrize("feed", GOOD, ids=str)
def test_what_a_sample_yields_is_sound_r4_and_names_its_raw_bytes(feed: Feed) -> None:
    for number, raw in enumerate(feed.messages, 7):
        drafts = feed.converter.convert(number, raw, RECEIVED).drafts
        stated: dict[tuple[str, Any], dict[str, Any]] = {}
        for draft in drafts:
            key = draft.type, draft.id
            stated[key] = stated.get(key, {}) | draft.body
            assert draft.body["meta"]["source"] == f"urn:healthhub:source:sample#{number}"
            assert draft.stamp.message == number
        for body in stated.values():
            validate.check(body)
            assert [i for i in invariants.check(body) if i.severity == "error"] == []


@pytest.mark.parametrize("feed", GOOD, ids=str)
def test_every_resource_is_explained_by_bytes_of_its_message(feed: Feed) -> None:
    for raw in feed.messages:
        drafts = feed.converter.convert(1, raw, RECEIVED).drafts
        pieces: dict[str, int] = defaultdict(int)
        for each in feed.converter.explain(1, raw, RECEIVED):
            assert len(each.spans) == len(each.paths)
            for start, end in each.spans:
                assert 0 <= start <= end <= len(raw), each
                pieces[each.resource] += end > start
        for draft in drafts:
            constant = draft.patient == SHARED  # an Endpoint says what the settings say
            assert constant or pieces[f"{draft.type}/{draft.id}"], draft.type


@pytest.mark.parametrize("adapter", sorted(set(ADAPTERS) - CODES_OF_OTHERS))
def test_an_unknown_code_is_kept_and_flagged(adapter: str) -> None:
    flagged = 0
    for feed in by_adapter()[adapter]:
        for raw in feed.messages:
            found = feed.converter.convert(1, raw, RECEIVED)
            kept = orjson.dumps([draft.body for draft in found.drafts], default=str).decode()
            for finding in found.findings:
                if finding.code == "unknown-code":
                    flagged += 1
                    assert finding.where
                    assert finding.value in kept, f"{feed}: {finding}"
    assert flagged


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_replay_changes_nothing_and_order_makes_no_difference(
    database: str, mapping: str
) -> None:
    feeds = [feed for feed in GOOD if feed.mapping == mapping]
    sources = {feed.sample.charset for feed in feeds}
    with psycopg.connect(database, autocommit=True) as conn:
        sent(conn, feeds)
        first = state(conn)
        counted = keep.counts(conn).by_state
        kept = {(feed.sample.charset, raw) for feed in feeds for raw in feed.messages}
        assert counted[State.DONE] + counted[State.PARKED] == len(kept) == sum(counted.values())
        assert counted[State.PARKED] == faulty(feeds)
        replayed(conn, sources)
        worked(conn, feeds)
        assert state(conn) == first
        replayed(conn, sources)
        conn.execute("truncate resource, resource_history")
    with psycopg.connect(database, autocommit=True) as conn:  # it knows no shared row yet
        waiting = keep.claim(conn, range(256), 1000)
        random.Random(7).shuffle(waiting)
        for message in waiting:
            process(conn, [message], {f.sample.charset: f.converter for f in feeds}, 1)
        assert state(conn) == first


def faulty(feeds: list[Feed]) -> int:
    """How many of their messages say what cannot enter a record."""
    return sum(
        any(finding.severity == "error" for finding in found.findings)
        for feed in feeds
        for raw in dict.fromkeys(feed.messages)
        for found in [feed.converter.convert(1, raw, RECEIVED)]
    )


def replayed(conn: psycopg.Connection[Any], sources: set[str]) -> None:
    """Let all of them be processed again."""
    for source in sources:
        keep.replay(conn, Choice(source=source), who="test", reason="again")


def injured(draw: st.DrawFn, raw: bytes) -> bytes:
    """Bytes with one to three injuries."""
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(1, 40))
        piece = raw[at : at + length]
        raw = draw(
            st.sampled_from(
                [
                    raw[:at],
                    raw[at:],
                    raw[:at] + raw[at + length :],
                    raw[:at] + bytes(length) + raw[at + length :],
                    raw[:at] + b"\xff\xfe" + raw[at:],
                    raw[:at] + piece * 300 + raw[at:],
                    raw[:at] + b"9" * 5_000 + raw[at:],
                    raw[:at] + bytes(reversed(piece)) + raw[at + length :],
                    b"",
                ]
            )
        )
    return raw


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_wrong_with_a_message_is_said_in_words(
    adapter: str, data: st.DataObject
) -> None:
    feed = data.draw(st.sampled_from([f for f in by_adapter()[adapter] if f.messages]))
    whole = data.draw(st.sampled_from(feed.messages))
    raw = data.draw(st.composite(lambda draw: injured(draw, whole))())
    refused = None
    try:
        for part in feed.adapter.split(raw):
            feed.adapter.envelope(part, feed.source)
        feed.converter.convert(1, raw, RECEIVED)
    except BadMessage as error:
        refused = error
    if refused:
        assert len(refused.message) > 20
        assert refused.condition.isdigit()
        assert feed.adapter.acknowledge(raw, "reject", error=refused, feed=feed.source)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_is_no_message_at_all_is_refused_with_its_place_or_a_reason(adapter: str) -> None:
    source = SampleSource("any")
    for raw in (b"", b"\0" * 64, b"%PDF-1.7\n%\xe2\xe3", b"PK\x03\x04" + bytes(60)):
        with pytest.raises(BadMessage) as refused:
            find(adapter).read(raw, source)
        assert len(refused.value.message) > 20


def largest() -> Iterator[Any]:
    """For each adapter its largest message."""
    for adapter, feeds in sorted(by_adapter().items()):
        feed, raw = max(
            ((feed, raw) for feed in feeds for raw in feed.messages), key=lambda f: len(f[1])
        )
        yield pytest.param(feed, raw, id=adapter)


@pytest.mark.parametrize(("feed", "raw"), list(largest()))
def test_memory_is_bounded_by_the_size_of_the_message(feed: Feed, raw: bytes) -> None:
    feed.converter.convert(1, raw, RECEIVED)  # what is made once
    tracemalloc.start()
    try:
        feed.converter.convert(1, raw, RECEIVED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 + 30 * len(raw)
