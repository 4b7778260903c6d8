"""Lists that add up: entries known by a key, each a statement of its own (docs/decisions/0009).

A study's series and their instances come one object at a time. Each is an element of the merge
(``series[1.2.3]``, ``series[1.2.3].instance[1.2.3.4]``) with its own stamp, so that any order and
any repetition give the same list, and a later word on one entry leaves the others alone. What
follows from the list, its counts and its modalities, is worked out from it and stated by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

Entry = dict[str, Any]
LISTS = {"ImagingStudy": ("series", "instance")}
"""Resource type: its list, and the list inside each of the list's entries. The key is ``uid``."""
COUNTS = ("numberOfSeries", "numberOfInstances")
SUMS = (*COUNTS, "modality")
_BRACKETS = "[]"


def takes(resource_type: str, name: str, value: Any) -> bool:
    """Whether an element is such a list: every entry has its key."""
    lists = LISTS.get(resource_type)
    return (
        lists is not None
        and name == lists[0]
        and isinstance(value, list)
        and all(isinstance(entry, dict) and _key(entry) for entry in value)
    )


def _key(entry: Entry) -> str:
    uid = entry.get("uid")
    return uid if isinstance(uid, str) and not set(uid) & set(_BRACKETS) else ""


def parts(resource_type: str, entries: list[Entry]) -> Iterator[tuple[str, Entry]]:
    """The elements that a list is made of, with what each says."""
    outer, inner = LISTS[resource_type]
    for entry in entries:
        name = f"{outer}[{entry['uid']}]"
        own = {key: value for key, value in entry.items() if key not in (inner, COUNTS[1])}
        yield name, own
        for each in entry.get(inner, ()):
            yield f"{name}.{inner}[{each.get('uid', '')}]", each


def follows(resource_type: str, name: str, body: Entry) -> bool:
    """Whether an element follows from a list of the body, so that nobody states it."""
    lists = LISTS.get(resource_type)
    return lists is not None and name in SUMS and bool(body.get(lists[0]))


def is_part(resource_type: str, key: str) -> bool:
    """Whether an element of the merge is an entry of such a list."""
    lists = LISTS.get(resource_type)
    return lists is not None and key.startswith(f"{lists[0]}[")


def put_together(resource_type: str, said: dict[str, Entry]) -> Entry:
    """The list and its counts from the elements that ``is_part`` names."""
    outer, inner = LISTS[resource_type]
    found: dict[str, Entry] = {}
    inside: dict[str, list[Entry]] = {}
    for key, entry in said.items():
        head, dot, _ = key.partition(f"].{inner}[")
        if not entry:
            continue
        if dot:
            inside.setdefault(f"{head}]", []).append(entry)
        else:
            found[key] = dict(entry)
    for name, entries in inside.items():
        if name in found:
            entries.sort(key=_order)
            found[name] |= {COUNTS[1]: len(entries), inner: entries}
    if not found:
        return {}
    listed = sorted(found.values(), key=_order)
    total = sum(entry.get(COUNTS[1], 0) for entry in listed)
    counts = {COUNTS[0]: len(listed)} | ({COUNTS[1]: total} if total else {})
    modalities = {
        orjson.dumps(entry["modality"]): entry["modality"]
        for entry in sorted(listed, key=lambda entry: str(entry.get("modality", "")))
        if "modality" in entry
    }
    return (
        {outer: listed} | counts | ({"modality": [*modalities.values()]} if modalities else {})
    )


def _order(entry: Entry) -> tuple[int, str]:
    return entry.get("number", 1 << 31), entry.get("uid", "")


def thinned(body: Entry) -> Entry:
    """The body with one entry of each list, for a check of the whole: each entry was checked
    where it was stated, and is taken as it is."""
    lists = LISTS.get(body.get("resourceType", ""))
    entries = body.get(lists[0]) if lists else None
    if lists is None or not isinstance(entries, list):
        return body
    inner = lists[1]
    return body | {
        lists[0]: [
            entry | {inner: entry[inner][:1]} if inner in entry else entry
            for entry in entries[:1]
        ]
    }
