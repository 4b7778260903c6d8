"""Fixtures of the adapter's tests."""

from __future__ import annotations

import pytest
from hl7v2_feeds import Feed


@pytest.fixture
def utf8() -> Feed:
    """A source whose default is UTF-8."""
    return Feed()


@pytest.fixture
def gbk() -> Feed:
    """A source whose default is GBK, as old systems are."""
    return Feed("gbk")
