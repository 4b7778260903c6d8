"""Checks that the names by which the parts of a mapping speak of each other exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from healthhub.adapter_api import find
from healthhub.errors import MappingError, SettingError
from healthhub.mapping.advice import close, nearest
from healthhub.mapping.definition import Definition
from healthhub.mapping.place import Where, wrong
from healthhub.mapping.sources import Sources
from healthhub.mapping.taking import ITSELF, REFERRER
from healthhub.mapping.tree import TOP
from healthhub.model.r4.shape import element, resources


def broken(definition: Definition) -> Iterator[MappingError]:
    """Each adapter, group or type of resource that is named and is not there."""
    try:
        find(definition.adapter)
    except SettingError as error:
        yield wrong(definition.where, error.message)
    yield from _of_groups(definition)
    yield from _of_resources(definition)
    yield from _of_taken(definition)
    yield from _of_paths(definition)
    for merge in definition.merges:
        if not _there(merge.each, definition):
            yield _missing(merge.where, "the merge", "each", merge.each, definition.groups)
    for remark in definition.remarks:
        if not _there(remark.each, definition):
            yield _missing(remark.where, "the remark", "each", remark.each, definition.groups)


def _of_groups(definition: Definition) -> Iterator[MappingError]:
    for group in definition.groups.values():
        for name in group.within:
            if name not in definition.groups:
                yield _missing(
                    group.where, f"the group {group.name}", "in", name, definition.groups
                )
        if not group.anchors and not group.once and not group.paths:
            yield wrong(
                group.where,
                f"nothing begins the group {group.name}; give it anchors, once or a path",
            )


def _of_paths(definition: Definition) -> Iterator[MappingError]:
    """Paths below a group that does not exist would read nothing, and say nothing."""
    sources = Sources(definition)
    for block in definition.resources.values():
        for path in sorted(sources.of_block(block), key=lambda path: path.text):
            known = path.segment in definition.groups or path.segment in ("", TOP)
            if path.segment.islower() and not known:
                yield wrong(
                    block.where,
                    f"{path.text} of the resource {block.name} begins with {path.segment}, and "
                    f"there is no such group{nearest(path.segment, definition.groups)}; a path "
                    "from the root begins with a slash",
                )


def _of_resources(definition: Definition) -> Iterator[MappingError]:
    for block in definition.resources.values():
        if block.type not in resources():
            yield wrong(
                block.where,
                f"{block.type} is no resource type of FHIR R4{close(block.type, resources())}",
            )
        if isinstance(block.each, str) and not _there(block.each, definition):
            whose = f"the resource {block.name}"
            yield _missing(block.where, whose, "each", block.each, definition.groups)


def _of_taken(definition: Definition) -> Iterator[MappingError]:
    for kind in definition.take.values():
        if kind.name not in resources():
            yield wrong(
                kind.where,
                f"{kind.name} is no resource type of FHIR R4{close(kind.name, resources())}",
            )
            continue
        paths = (o.partition(".")[0] for o in (*kind.owner, *kind.codes))
        named = (*kind.withdrawn, *kind.unknown, *paths)
        for name in named:
            if name not in (ITSELF, REFERRER) and element(kind.name, name) is None:
                yield wrong(kind.where, f"{kind.name} has no element {name}")
        for table in kind.codes.values():
            if table not in definition.codes:
                yield wrong(
                    kind.where,
                    f"{kind.name} is to be mapped by the table {table}, and codes has no such "
                    f"table{nearest(table, definition.codes)}",
                )


def _there(each: str, definition: Definition) -> bool:
    """A group, the message, or a segment (three capitals)."""
    segment = len(each) == 3 and each.isupper() and each.isalnum()
    return each == "message" or segment or each in definition.groups


def _missing(
    where: Where, whose: str, key: str, name: str, known: Iterable[str]
) -> MappingError:
    return wrong(
        where,
        f"{whose} says {key}: {name}, and there is no such group"
        f"{nearest(name, [*known, 'message'])}",
    )
