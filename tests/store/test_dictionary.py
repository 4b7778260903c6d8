"""Bodies are packed and unpacked rightly however many threads do it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from healthhub.store import dictionary, direct, reads
from healthhub.store.query import fetch


def test_threads_at_once_get_their_own_bytes_back() -> None:
    def there_and_back(number: int) -> bool:
        body = (b'{"resourceType":"Patient","id":"%d"}' % number) * (1 + number % 50)
        return all(dictionary.unpack(dictionary.pack(body)) == body for _ in range(60))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(there_and_back, range(200)))


def test_the_database_holds_every_dictionary_of_this_release(
    connection: psycopg.Connection,
) -> None:
    held = [content for (content,) in connection.execute(dictionary.ALL)]
    assert sorted(held) == sorted(dictionary.shipped()) != []


def test_a_reader_that_lacks_the_dictionary_takes_it_from_the_database(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = direct.create(connection, "Patient", {"resourceType": "Patient", "gender": "male"})
    plain = {0: dictionary._readers[0]}
    monkeypatch.setattr(dictionary, "_readers", plain)
    assert fetch(connection, reads.by_id("Patient", made.id)).json == made.json
    assert len(plain) == 1 + len(dictionary.shipped())
