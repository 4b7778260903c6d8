"""Objects of one study add up to one ImagingStudy, in whatever order and however often they come."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub import clock, keep
from healthhub.adapter_api import registry
from healthhub.convert.converter import Converter
from healthhub.convert.samples import SampleSource
from healthhub.keep import Keeper
from healthhub.mapping.library import Library
from healthhub.model import ids, validate
from healthhub.model.message import Incoming
from healthhub.model.resource import Draft
from healthhub.pipeline import process
from healthhub.store import direct, gathered, query, reads, writer
from tests.dicom import invented_objects as made

RECEIVED = datetime(2026, 3, 2, tzinfo=UTC)
CONVERTER = Converter("pacs", SampleSource("national/dicom"), Library(made.MAPPINGS))
STUDY = ids.derive("sample", "ImagingStudy", made.uid(1))
OBJECTS = [
    made.written(made.image(number, series, modality="SR" if series == 3 else "CT"))
    for series, number in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1))
]


def drafts(raw: bytes, message: int) -> list[Draft]:
    converted = CONVERTER.convert(message, raw, RECEIVED)
    assert [f for f in converted.findings if f.severity == "error"] == []
    return list(converted.drafts)


def body(connection: psycopg.Connection, key: UUID = STUDY) -> dict[str, Any]:
    return orjson.loads(query.fetch(connection, reads.by_id("ImagingStudy", key)).json)


def versions(connection: psycopg.Connection) -> int:
    return len(query.fetch(connection, reads.history("ImagingStudy", STUDY)))


def listed(study: dict[str, Any]) -> list[tuple[str, list[int]]]:
    return [
        (series["modality"]["code"], [each["number"] for each in series["instance"]])
        for series in study["series"]
    ]


def said(study: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in study.items() if name != "meta"}


def test_one_object_makes_a_study_of_one(connection: psycopg.Connection) -> None:
    writer.write(connection, drafts(OBJECTS[0], 1), validate.check)
    study = body(connection)
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (1, 1)
    assert study["series"][0]["numberOfInstances"] == 1
    assert [each["code"] for each in study["modality"]] == ["CT"]
    validate.check(study)


def test_objects_add_up_with_their_counts_and_modalities(
    connection: psycopg.Connection,
) -> None:
    for n, raw in enumerate(OBJECTS, 1):
        writer.write(connection, drafts(raw, n), validate.check)
    study = body(connection)
    assert listed(study) == [("CT", [1, 2, 3]), ("CT", [1, 2]), ("SR", [1])]
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (3, 6)
    assert [series["numberOfInstances"] for series in study["series"]] == [3, 2, 1]
    assert [each["code"] for each in study["modality"]] == ["CT", "SR"]
    validate.check(study)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_order_any_grouping_and_any_repetition_end_alike(
    connection: psycopg.Connection, data: st.DataObject
) -> None:
    numbered = list(enumerate(OBJECTS, 1))
    order = data.draw(st.permutations(numbered)) + data.draw(
        st.lists(st.sampled_from(numbered), max_size=4)
    )
    size = data.draw(st.integers(1, 6))
    with connection.transaction(force_rollback=True):
        for start in range(0, len(order), size):
            group = [d for n, raw in order[start : start + size] for d in drafts(raw, n)]
            writer.write(connection, group, validate.check)
        study = body(connection)
    with connection.transaction(force_rollback=True):
        writer.write(
            connection, [d for n, raw in numbered for d in drafts(raw, n)], validate.check
        )
        assert said(study) == said(body(connection))


def test_the_same_objects_again_make_no_version(connection: psycopg.Connection) -> None:
    for _ in range(2):
        for n, raw in enumerate(OBJECTS, 1):
            writer.write(connection, drafts(raw, n), validate.check)
    assert versions(connection) == len(OBJECTS)


def test_a_later_word_on_one_instance_leaves_the_others_alone(
    connection: psycopg.Connection,
) -> None:
    for n, raw in enumerate(OBJECTS[:3], 1):
        writer.write(connection, drafts(raw, n), validate.check)
    again = made.image(2, 1, ContentDate="20260302", InstanceNumber="22")
    writer.write(connection, drafts(made.written(again), 9), validate.check)
    assert listed(body(connection)) == [("CT", [1, 3, 22])]
    writer.write(connection, drafts(OBJECTS[1], 2), validate.check)
    assert listed(body(connection)) == [("CT", [1, 3, 22])], "an older word changes nothing"


def test_a_client_that_takes_a_series_out_is_believed_over_older_objects(
    connection: psycopg.Connection,
) -> None:
    for n, raw in enumerate(OBJECTS, 1):
        writer.write(connection, drafts(raw, n), validate.check)
    study = body(connection)
    kept = said(study) | {"series": study["series"][:1], "modality": study["modality"][:1]}
    kept |= {"numberOfSeries": 1, "numberOfInstances": 3}
    direct.update(connection, "ImagingStudy", str(STUDY), kept)
    for n, raw in enumerate(OBJECTS, 1):
        writer.write(connection, drafts(raw, n), validate.check)
    assert listed(body(connection)) == [("CT", [1, 2, 3])]


def test_a_study_of_which_only_counts_are_known_keeps_them(
    connection: psycopg.Connection,
) -> None:
    draft = next(d for d in drafts(OBJECTS[0], 1) if d.type == "ImagingStudy")
    plain = {k: v for k, v in draft.body.items() if k != "series"}
    counted = Draft(
        draft.type, draft.id, draft.patient, draft.stamp, plain | {"numberOfInstances": 412}
    )
    writer.write(connection, [counted], validate.check)
    assert body(connection)["numberOfInstances"] == 412


def test_a_body_is_taken_apart_and_put_together_without_loss() -> None:
    study = {
        "resourceType": "ImagingStudy",
        "series": [
            {"uid": "1.2", "number": 1, "numberOfInstances": 1, "instance": [{"uid": "1.2.3"}]},
            {"uid": "1.3", "number": 2},
        ],
        "numberOfSeries": 2,
        "numberOfInstances": 1,
    }
    parts = dict(gathered.parts("ImagingStudy", study["series"]))  # type: ignore[arg-type]
    together = gathered.put_together("ImagingStudy", parts)
    assert {"resourceType": "ImagingStudy"} | together == study


def test_objects_that_come_together_are_written_together(database: str) -> None:
    """Forty images of one study cost the study a version or two, not forty."""
    source = SampleSource("national/dicom")
    adapter = registry.find("dicom")
    raws = [made.written(made.image(n, 1)) for n in range(2, 42)]
    Random(5).shuffle(raws)

    async def fill() -> None:
        async with Keeper(database) as keeper:
            now = clock.now()
            waiting = [
                await keeper.submit(
                    Incoming("pacs", raw, now, "t", adapter.envelope(raw, source))
                )
                for raw in raws
            ]
            await asyncio.gather(*waiting)

    asyncio.run(fill())
    with psycopg.connect(database, autocommit=True) as conn:
        _rest_on(conn)
        assert keep.claim(conn, range(256), 500) == [], "they rest until the span has ended"
        _end_of_rest(conn)
        batch = keep.claim(conn, range(256), 500)
        assert len(batch) == 40
        tally = process(conn, batch, {"pacs": CONVERTER}, 3)
        assert (tally.done, tally.parked) == (40, 0)
        assert body(conn)["numberOfInstances"] == 40
        assert versions(conn) == 1
        done = conn.execute("select count(*) from message_state where next_try is null")
        assert done.fetchone() == (40,)


def _rest_on(conn: psycopg.Connection) -> None:
    """The messages rest for some seconds from their receipt; let them rest for an hour, so that a
    slow machine is not too late."""
    spans = "select min(next_try - received), max(next_try - received) from message_state"
    found = conn.execute(spans + " join message using (id)").fetchone()
    assert found is not None
    assert timedelta(0) < found[0] <= found[1] <= timedelta(seconds=6)
    conn.execute("update message_state set next_try = now() + interval '1 h'")


def _end_of_rest(conn: psycopg.Connection) -> None:
    """Let the time pass for which messages rest."""
    conn.execute("update message_state set next_try = now() where next_try is not null")


@pytest.mark.slow
def test_a_study_of_five_thousand_images_is_written_within_bounds(
    connection: psycopg.Connection,
) -> None:
    """Batches as the worker makes them: the versions are few, the row is small."""
    first = next(d for d in drafts(OBJECTS[1], 1) if d.type == "ImagingStudy")
    count, batch = 5000, 125
    for start in range(0, count, batch):
        writer.write(
            connection,
            [_numbered(first, n) for n in range(start + 1, start + batch + 1)],
            validate.check,
        )
    assert body(connection)["numberOfInstances"] == count
    assert versions(connection) == count // batch
    sizes = connection.execute(
        "select sum(pg_column_size(body)) from resource_history where type = "
        "(select type from resource where id = %s)",
        (STUDY,),
    ).fetchone()
    assert sizes is not None
    assert sizes[0] < 4 * 2**20, "the history of the study stays below 4 MiB"


def _numbered(draft: Draft, number: int) -> Draft:
    series = draft.body["series"][0]
    instance = series["instance"][0] | {
        "uid": made.uid(1, 1, number * 7919 % 99991),
        "number": number,
    }
    stamp = type(draft.stamp)(1, draft.stamp.at, number)
    changed = draft.body | {"series": [series | {"instance": [instance]}]}
    return Draft(draft.type, draft.id, draft.patient, stamp, changed)
