"""The city's institutions and sources as the hub's settings name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from healthhub.city.channels import Place, digest
from healthhub.city.places import CITY
from healthhub.city.systems import SYSTEMS

INSTITUTIONS: dict[str, dict[str, str]] = {
    "hospital-a": {"title": f"{CITY}第一人民医院", "kind": "hospital"},
    "hospital-b": {"title": f"{CITY}中医医院", "kind": "hospital"},
    "maternity": {"title": f"{CITY}妇幼保健院", "kind": "hospital"},
}
SOURCES: dict[str, dict[str, Any]] = {
    "hospital-a-his": {
        "institution": "hospital-a",
        "title": "市一医院 澜川HIS",
        "mapping": "hospital-a",
        "sender": "LANCHUAN",
    },
    "hospital-a-lis": {
        "institution": "hospital-a",
        "title": "市一医院 晓镜LIS",
        "mapping": "hospital-a",
        "sender": "XIAOJING",
    },
    "hospital-a-ris": {
        "institution": "hospital-a",
        "title": "市一医院 望野RIS",
        "mapping": "hospital-a",
        "sender": "WANGYE",
    },
    "hospital-b-his": {
        "institution": "hospital-b",
        "title": "市中医院 榆桥HIS",
        "mapping": "hospital-b",
        "sender": "YUQIAO",
        "charset": "gb18030",
    },
    "hospital-b-lis": {
        "institution": "hospital-b",
        "title": "市中医院 青砚LIS",
        "mapping": "hospital-b",
        "sender": "QINGYAN",
        "charset": "gb18030",
    },
    "hospital-b-ris": {
        "institution": "hospital-b",
        "title": "市中医院 松雪RIS",
        "mapping": "hospital-b",
        "sender": "SONGXUE",
        "charset": "gb18030",
    },
    "partner": {
        "institution": "maternity",
        "title": "市妇幼 清和平台",
        "mapping": "national/hl7v2",
        "sender": "QINGHE",
        # outside tools try the hub as this source, with test messages too
        "accept_processing": ["P", "T", "D"],
    },
}


def settings(place: Place | None = None) -> dict[str, Any]:
    """The tables [institutions] and [sources] of a hub that receives the city. With a place they
    say where folders and databases are and which tokens count; without, they name nothing that
    the hub would have to go and fetch."""
    institutions = {code: dict(table) for code, table in INSTITUTIONS.items()}
    sources = {name: dict(table) for name, table in SOURCES.items()}
    for system in SYSTEMS:
        about = system.about
        institutions.setdefault(about.institution, about.institution_table())
        sources[system.source] = about.source_table()
        if place is not None:
            sources[system.source] |= system.channel.settings(system.source, place)
            sources[system.source]["alarms"] = {"silent_minutes": system.silent_minutes}
    if place is not None:
        sources["partner"]["token_sha256"] = digest(place.tokens["partner"])
    return {"institutions": institutions, "sources": sources}


def as_toml(tables: dict[str, Any]) -> str:
    """Nested tables of texts, numbers, true or false and lists of them, as TOML."""
    lines: list[str] = []
    _write(lines, tables, ())
    return "\n".join(lines).lstrip("\n") + "\n"


def _write(lines: list[str], table: dict[str, Any], path: tuple[str, ...]) -> None:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if path and plain:
        lines += ["", f"[{'.'.join(path)}]"]
    for key, value in plain.items():
        lines.append(f"{key} = {_literal(value)}")
    for key, value in table.items():
        if isinstance(value, dict):
            _write(lines, value, (*path, key))


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(each) for each in cast(Sequence[object], value))}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
