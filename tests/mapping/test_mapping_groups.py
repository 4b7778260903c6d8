"""Tolerant grouping: which segment belongs to which node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub.adapter_api.record import Segment
from healthhub.mapping.definition import Group
from healthhub.mapping.place import Where
from healthhub.mapping.tree import Grouping, Node, find

HERE = Where("test", 1)
GROUPS = {
    group.name: group
    for group in (
        Group("patient", HERE, ("PID",), (), ("PV1", "NTE", "AL1")),
        Group("specimen", HERE, ("SPM",), (), (), ("patient",), ("OUL^R22",)),
        Group(
            "order",
            HERE,
            ("ORC",),
            ("OBR", "RXE"),
            ("SPM", "NTE", "RXR"),
            ("specimen", "patient"),
        ),
        Group("observation", HERE, ("OBX",), (), ("NTE",), ("order", "specimen", "patient")),
    )
}


def _shape(node: Node) -> str:
    own = [f"{name}{'' if len(s) == 1 else len(s)}" for name, s in node.segments.items()]
    return f"{node.group}({' '.join([*own, *map(_shape, node.children)])})"


def _build(names: str, kind: str = "ORU^R01") -> Node:
    segments = [
        Segment(name, name, index, lambda _, text: text.split("|"))
        for index, name in enumerate(names.split())
    ]
    return Grouping(GROUPS, kind).build(segments)


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        ("MSH PID ORC OBR OBX OBX", "message(MSH patient(PID order(ORC OBR observation(OBX) observation(OBX))))"),
        ("MSH PID OBR ORC SPM OBX", "message(MSH patient(PID order(OBR ORC SPM observation(OBX))))"),
        ("MSH PID OBR OBX OBR OBX", "message(MSH patient(PID order(OBR observation(OBX)) order(OBR observation(OBX))))"),
        ("MSH PID ORC OBR OBX ORC OBR", "message(MSH patient(PID order(ORC OBR observation(OBX)) order(ORC OBR)))"),
        ("MSH PID ORC RXE RXR ORC RXE RXR", "message(MSH patient(PID order(ORC RXE RXR) order(ORC RXE RXR)))"),
        ("MSH PID PV1 OBX", "message(MSH patient(PID PV1 observation(OBX)))"),
        ("MSH OBX", "message(MSH observation(OBX))"),
        ("MSH PID NTE ORC NTE OBR OBX NTE NTE", "message(MSH patient(PID NTE order(ORC NTE OBR observation(OBX NTE2))))"),
        ("MSH PID OBR OBX SPM OBX", "message(MSH patient(PID order(OBR SPM observation(OBX) observation(OBX))))"),
        ("MSH PID OBR PV1 OBX", "message(MSH patient(PID PV1 order(OBR) observation(OBX)))"),
        ("MSH PID ZXX OBX PID", "message(MSH ZXX patient(PID observation(OBX)) patient(PID))"),
    ],
)  # fmt: skip
def test_segments_fall_into_their_nodes(names: str, shape: str) -> None:
    assert _shape(_build(names)) == shape


def test_a_group_exists_only_in_its_messages() -> None:
    names = "MSH PID SPM OBX OBR OBX SPM OBR"
    assert _shape(_build(names, "OUL^R22")) == (
        "message(MSH patient(PID specimen(SPM observation(OBX) order(OBR observation(OBX))) "
        "specimen(SPM order(OBR))))"
    )


@given(
    st.lists(st.sampled_from("MSH PID PV1 ORC OBR OBX NTE SPM RXE ZZZ".split()), max_size=30)
)
def test_no_segment_is_lost_or_doubled_whatever_the_order(names: list[str]) -> None:
    def count(node: Node) -> int:
        return sum(map(len, node.segments.values())) + sum(map(count, node.children))

    assert count(_build(" ".join(names))) == len(names)


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ("PID ORC TQ1 RXO RXR NTE RXE TQ1 RXR", {"TQ1": [6], "RXR": [7], "NTE": [4]}),
        ("PID ORC TQ1 RXO RXR RXE RXR", {"TQ1": [1], "RXR": [5]}),
        ("PID ORC TQ1 RXE RXR RXR", {"TQ1": [1], "RXR": [3, 4]}),
        ("PID ORC PRT RXO RXE PRT", {"PRT": [1, 4]}),
    ],
    ids=["both", "none of its own", "nothing was asked for", "loose ones stay"],
)
def test_a_group_begins_afresh_with_the_second_of_two_once_segments(
    names: str, seen: dict[str, list[int]]
) -> None:
    """Places are counted from ORC, which is 0 there."""
    order = Group(
        "order",
        HERE,
        ("ORC",),
        ("RXO", "RXE"),
        ("TQ1", "RXR", "NTE", "PRT"),
        ("patient",),
        loose=("PRT",),
        afresh=("RXE",),
    )
    groups = {"patient": GROUPS["patient"], "order": order}
    segments = [
        Segment(name, name, index - 1, lambda _, text: text.split("|"))
        for index, name in enumerate(names.split())
    ]
    node = next(Grouping(groups, "RDE^O11").build(segments).below("order"))
    found = {name: [segment.index for segment in find(node, name)] for name in seen}
    assert found == seen
