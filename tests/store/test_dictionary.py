"""Bodies are packed and unpacked rightly however many threads do it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from healthhub.store import dictionary


def test_threads_at_once_get_their_own_bytes_back() -> None:
    def there_and_back(number: int) -> bool:
        body = (b'{"resourceType":"Patient","id":"%d"}' % number) * (1 + number % 50)
        return all(dictionary.unpack(dictionary.pack(body)) == body for _ in range(60))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(there_and_back, range(200)))
