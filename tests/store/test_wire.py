"""JSON comes back as it was sent, or is refused with advice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub.errors import InvalidRequest
from healthhub.store import wire


@pytest.mark.parametrize(
    "number",
    [
        "1.50",
        "1e2",
        "1E-7",
        "0.0",
        "-0",
        "-0.0",
        "123456789012345678901234567890",
        "1e400",
        "7",
    ],
)
def test_a_number_keeps_its_characters(number: str) -> None:
    text = f'{{"resourceType":"Basic","x":[{number}]}}'
    assert wire.dumps(wire.loads(text)) == text.encode()
    assert wire.dumps(wire.reload(text.encode())) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[1]",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b'{"a":"\xff"}',
        b'{"a":"\x01"}',
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a":' + b"[" * 150 + b"]" * 150 + b"}",
        "{}".encode("utf-16"),
    ],
)
def test_what_fhir_forbids_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        wire.loads(text)


def test_many_short_lists_are_not_deep() -> None:
    assert len(wire.loads(b'{"a":[' + b",".join([b"[]"] * 500) + b"]}")["a"]) == 500


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text("xyz", min_size=1), values))
def test_what_was_read_is_written_the_same(body: dict) -> None:
    sent = wire.dumps(_big(body))
    assert wire.dumps(wire.loads(sent)) == sent


def _big(value: object) -> dict:
    """Integers as Decimal: a body never holds one that JSON libraries cannot write."""
    match value:
        case dict():
            return {name: _big(inner) for name, inner in value.items()}
        case list():
            return [_big(inner) for inner in value]  # type: ignore[return-value]
        case int() if not isinstance(value, bool):
            return Decimal(value)  # type: ignore[return-value]
    return value  # type: ignore[return-value]
