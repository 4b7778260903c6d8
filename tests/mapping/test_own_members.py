"""A segment that a group lists among its members is the node's own, or nobody's."""

from __future__ import annotations

from healthhub.adapter_api.record import Segment
from healthhub.mapping.definition import Group
from healthhub.mapping.place import Where
from healthhub.mapping.tree import Grouping, Node, find

HERE = Where("test.yaml", 1)
GROUPS = {
    "order": Group(
        "order", HERE, anchors=("OBR",), members=("NTE", "SPM"), within=("specimen",)
    ),
    "observation": Group(
        "observation", HERE, anchors=("OBX",), members=("NTE",), within=("order",)
    ),
}


def build(*names: str) -> Node:
    segments = [
        Segment(name, name, index, lambda _, text: [text]) for index, name in enumerate(names)
    ]
    return Grouping(GROUPS, "ORU^R01").build(segments)


def test_an_orders_note_is_not_the_note_of_its_results() -> None:
    root = build("MSH", "OBR", "NTE", "OBX", "OBX", "NTE")
    order = root.children[0]
    first, second = order.children
    assert len(find(order, "NTE")) == 1
    assert find(first, "NTE") == ()
    assert [segment.index for segment in find(second, "NTE")] == [5]


def test_a_loose_member_does_not_part_what_belongs_together() -> None:
    groups = {
        "order": Group(
            "order",
            HERE,
            anchors=("ORC",),
            once=("OBR",),
            members=("PRT", "NTE"),
            loose=("PRT",),
        )
    }
    names = ("MSH", "OBR", "PRT", "ORC", "PRT", "OBR", "NTE", "ORC")
    segments = [
        Segment(name, name, index, lambda _, text: [text]) for index, name in enumerate(names)
    ]
    orders = Grouping(groups, "OUL^R22").build(segments).children
    assert [sorted(order.segments) for order in orders] == [
        ["OBR", "ORC", "PRT"],
        ["NTE", "OBR"],
        ["ORC"],
    ]


def test_what_only_the_group_around_lists_is_found_there() -> None:
    root = build("MSH", "OBR", "SPM", "OBX")
    observation = root.children[0].children[0]
    assert [segment.index for segment in find(observation, "SPM")] == [2]
    assert [segment.index for segment in find(observation, "MSH")] == [0]
