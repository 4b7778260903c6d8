"""A draft of an HL7 v2 dialect: where the samples differ from what the national base expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from healthhub.adapter_api.record import Record, Segment
from healthhub.identify.identity import parse_resident_id

_MARK = "# ? "
STANDARD_MARKS = frozenset({"H", "L", "HH", "LL", "N", "A", "AA", "<", ">", "U", "D", ""})
OFFICIAL_LABELS = frozenset({"NI", "NNCHN", "ID", "IdentifyNO"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the samples hold: labels of patient numbers and how many are identity numbers, which
    visit fields are filled, local tests, marks."""

    labels: dict[str, tuple[int, int]]
    visits: dict[str, int]
    tests: dict[tuple[str, str], Counter[str]]
    marks: Counter[str]
    messages: int


def look(records: Iterable[Record]) -> Seen:
    """Go through the samples once."""
    labels: dict[str, tuple[int, int]] = {}
    visits = {"PV1-19.1": 0, "PV1-50.1": 0, "PID-18.1": 0}
    tests: dict[tuple[str, str], Counter[str]] = {}
    marks: Counter[str] = Counter()
    count = 0
    for record in records:
        count += 1
        for segment in record.segments:
            if segment.name == "PID":
                _labels(segment, labels)
            for path in visits:
                name, _, field = path.removesuffix(".1").partition("-")
                if segment.name == name and segment.field(int(field)):
                    visits[path] += 1
            if segment.name == "OBX":
                parts = [*segment.field(3).split("^"), "", "", ""]
                if parts[2] != "LN" and parts[0]:
                    units = tests.setdefault((parts[0], parts[1]), Counter())
                    units[segment.field(6).split("^")[0]] += 1
                marks[segment.field(8)] += 1
    return Seen(labels, visits, tests, marks, count)


def _labels(segment: Segment, labels: dict[str, tuple[int, int]]) -> None:
    for repetition in segment.field(3).split("~"):
        parts = [*repetition.split("^"), "", "", "", ""]
        if parts[0]:
            seen, resident = labels.get(parts[4], (0, 0))
            is_resident = parse_resident_id(parts[0]) is not None
            labels[parts[4]] = (seen + 1, resident + is_resident)


def write(seen: Seen, title: str) -> tuple[str, str]:
    """The draft of the mapping, and its code table of tests as CSV (empty: no local test)."""
    lines = [
        f"# A draft by `healthhub map draft` from {seen.messages} messages of {title}. Read each",
        '# line; behind "# ?" stands what only somebody who knows the system can say.',
        *_names(seen),
        *_types(seen),
        *_codes(seen),
    ]
    return "\n".join(lines) + "\n", _tests(seen)


def _names(seen: Seen) -> Iterator[str]:
    lines = list(_numbers(seen))
    stands = any(not line.lstrip().startswith("#") for line in lines)
    yield "names:" if stands else f"{_MARK}names:"
    yield from lines


def _numbers(seen: Seen) -> Iterator[str]:
    numbers = [
        label for label, (count, resident) in seen.labels.items() if resident < count / 2
    ]
    for label in sorted(numbers, key=lambda each: -seen.labels[each][0]):
        count, _ = seen.labels[label]
        mark = "" if len(numbers) == 1 and label else _MARK
        yield f"  # {count} patients have a number labelled {label or 'with nothing'} (PID-3.5)"
        yield f"  {mark}patient_number: PID-3[5={label}].1"
    filled = {path: n for path, n in seen.visits.items() if n}
    for path, n in sorted(filled.items(), key=lambda each: -each[1]):
        yield f"  # {path} is filled in {n} messages"
        yield f"  {'' if len(filled) == 1 else _MARK}visit: {path}"


def _types(seen: Seen) -> Iterator[str]:
    found = [
        label
        for label, (count, resident) in seen.labels.items()
        if label and resident and resident >= count / 2 and label not in OFFICIAL_LABELS
    ]
    if not found:
        return
    yield "types:"
    yield "  CX:"
    yield "    rules:"
    for label in found:
        count, resident = seen.labels[label]
        yield f"      # {resident} of {count} numbers labelled {label} are identity numbers"
        yield f'      - value <- .1 | resident_id if .5 = "{label}"'
        yield f'      - value <- .1 if .5 != "{label}"'


def _codes(seen: Seen) -> Iterator[str]:
    labels = [
        label
        for label, (count, resident) in seen.labels.items()
        if label and resident >= count / 2 and label not in OFFICIAL_LABELS
    ]
    strange = sorted(mark for mark in seen.marks if mark not in STANDARD_MARKS)
    if not (seen.tests or labels or strange):
        return
    yield "codes:"
    if seen.tests:
        yield f"  # {len(seen.tests)} local tests: fill tests.csv with the LOINC code of each"
        yield '  tests: {system: "http://loinc.org", file: tests.csv}'
    if labels:
        said = ", ".join(
            f'"{label}": NI|National unique individual identifier' for label in labels
        )
        yield f"  identifier-type: {{map: {{{said}}}}}"
    for mark in strange:
        yield f"  # OBX-8 holds {mark} in {seen.marks[mark]} results, which no standard table has"
    if strange:
        said = ", ".join(f'"{mark}": ...|...' for mark in strange)
        yield f"  {_MARK}interpretation: {{map: {{{said}}}}}"
    if seen.marks["N"] and (seen.marks["P"] or seen.marks["M"]):
        yield "  # N beside P or M may mean negative here, not normal: ask the laboratory"
    if seen.tests:
        yield "resources:"
        yield "  observation:"
        yield "    rules:"
        yield "      - code <- OBX-3 | concept(tests)"


def _tests(seen: Seen) -> str:
    if not seen.tests:
        return ""
    lines: Sequence[str] = [
        ",".join((_cell(code), "", _cell(name), "")) for code, name in sorted(seen.tests)
    ]
    return "\n".join(["source,code,display,system", *lines]) + "\n"


def _cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if set(text) & set(',"\n') else text
