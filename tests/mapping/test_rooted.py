"""Which values are worked out once for a document, and which for each of its entries."""

from __future__ import annotations

from functools import cache

import pytest

from healthhub.mapping.definition import Definition
from healthhub.mapping.library import Library
from healthhub.mapping.rooted import Rooted
from healthhub.settings import PACKAGE_ROOT


@cache
def _definition(mapping: str) -> Definition:
    return Library(PACKAGE_ROOT / "mappings").mapping(mapping).definition


@pytest.mark.parametrize(
    ("name", "rooted"),
    [
        ("document", True),
        ("visit", True),
        ("patient_number", True),
        ("written", True),
        ("section_name", False),
        ("drug", False),
        ("order_state", False),
        ("item", False),
    ],
)
def test_a_name_that_reads_the_root_alone_is_the_same_from_everywhere(
    name: str, rooted: bool
) -> None:
    definition = _definition("national/cda")
    assert Rooted(definition).value(definition.names[name].value) is rooted


@pytest.mark.parametrize(
    ("block", "rooted"),
    [
        ("patient", True),
        ("encounter", True),
        ("document", True),
        ("practitioner", False),
        ("item", False),
        ("ordered", False),
    ],
)
def test_a_block_of_the_whole_document_has_one_key(block: str, rooted: bool) -> None:
    definition = _definition("national/cda")
    assert Rooted(definition).block(definition.resources[block]) is rooted


def test_segments_of_a_message_hang_on_the_node_that_asks() -> None:
    definition = _definition("national/hl7v2")
    judge = Rooted(definition)
    assert not judge.block(definition.resources["patient"])
