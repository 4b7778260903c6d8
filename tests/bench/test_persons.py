"""Persons are held against the truth in pairs."""

from __future__ import annotations

from bench.persons import agreement


def test_precision_and_recall_are_counted_in_pairs() -> None:
    truth = {"a": "P", "b": "P", "c": "P", "d": "Q", "e": "Q"}
    found = agreement([["a", "b", "d"], ["c"], ["e", "unknown"]], truth)
    assert (found.joined, found.true, found.both) == (3, 4, 1)
    assert (found.precision, found.recall, found.f1) == (1 / 3, 1 / 4, 2 / 7)


def test_nothing_joined_is_nothing_wrong() -> None:
    assert agreement([["a"], ["b"]], {"a": "P", "b": "Q"}).precision == 1.0
