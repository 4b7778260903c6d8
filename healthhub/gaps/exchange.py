"""Between the overlay and the mappings folder: export, import, and further code lists."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from pathlib import Path

import psycopg
import zstandard

from healthhub import keep
from healthhub.clock import ZONE
from healthhub.errors import InvalidRequest, MappingError
from healthhub.gaps.desk import Desk
from healthhub.mapping.library import Library
from healthhub.mapping.solved import SOLVED
from healthhub.model.code_maps import Target
from healthhub.terms import lists

SOLVED_HEADER = "table,source,code,display,system,version,who,at,why".split(",")
_LEVEL = 19


def export(conn: psycopg.Connection, library: Library, mapping: str) -> tuple[Path, int]:
    """Write the entries of a mapping to its folder, beside those that were exported before;
    gives the file and how many it holds. From the next start on the folder's own file is
    believed, whatever the overlay says."""
    definition = library.definition(mapping)
    path = library.folder / mapping / SOLVED
    rows = {(row["table"], row["source"]): row for row in _rows(path)} if path.is_file() else {}
    for entry in keep.code_maps.overlay(conn).entries:
        if entry.mapping == mapping and entry.table in definition.codes:
            made = keep.code_maps.get(conn, entry.number)
            rows[entry.table, entry.code] = {
                "table": entry.table,
                "source": entry.code,
                "code": entry.target.code,
                "display": entry.target.display,
                "system": entry.target.system,
                "version": str(entry.number),
                "who": made.who,
                "at": made.at.astimezone(ZONE).isoformat(timespec="seconds"),
                "why": made.why,
            }
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SOLVED_HEADER)
    writer.writerows(
        [rows[key].get(name, "") for name in SOLVED_HEADER] for key in sorted(rows)
    )
    _replace(path, text.getvalue().encode())
    return path, len(rows)


def bring(
    conn: psycopg.Connection, desk: Desk, mapping: str, file: Path, *, who: str, why: str
) -> tuple[int, int]:
    """Map the codes of a file as an export writes it; gives how many were mapped, and how many
    were so already. All or nothing."""
    made = known = 0
    with conn.transaction():
        for row in _rows(file):
            where = desk.named(conn, mapping, row["table"], row["source"])
            target = Target(row["code"], row.get("display") or "", row.get("system") or "")
            if where.target == target:
                known += 1
                continue
            desk.solve(conn, where, target, who=who, why=why, seen=where.number)
            made += 1
    return made, known


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(
            f"{path.name} cannot be read ({type(error).__name__}); give a CSV in UTF-8"
        ) from None
    missing = [n for n in ("table", "source", "code") if rows and n not in rows[0]]
    if missing:
        raise InvalidRequest(f"{path.name} lacks the column {missing[0]}; export writes it so")
    return [{name: value or "" for name, value in row.items() if name} for row in rows]


def add(
    mappings: Path,
    file: Path,
    *,
    url: str,
    version: str,
    name: str,
    title: str,
    licence: str,
    fragment: bool,
) -> int:
    """Add a code list to national/terms, packed; one of the same address is replaced."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(
            f"{file.name} cannot be read ({type(error).__name__}); give a CSV in UTF-8"
        ) from None
    if not rows or not {"code", "name"} <= set(rows[0]):
        raise InvalidRequest(f"{file.name} is no CSV with the columns code and name")
    codes = [(row["code"] or "").strip() for row in rows]
    if "" in codes or len(set(codes)) < len(codes):
        (often, _), *_ = Counter(codes).most_common(1)
        raise InvalidRequest(f"{file.name} has an empty code, or one twice ({often})")
    folder = mappings / lists.FOLDER
    if not folder.is_dir():
        raise MappingError(f"there is no folder {folder}; give the mappings folder by settings")
    packed = f"{name.lower()}.csv.zst"
    _replace(
        folder / packed,
        zstandard.compress(file.read_bytes().removeprefix(b"\xef\xbb\xbf"), _LEVEL),
    )
    entry = lists.Entry(
        packed, "codes", url, version, name, title,
        "fragment" if fragment else "complete", "", "", licence,
    )  # fmt: skip
    _register(mappings, entry)
    return len(rows)


def _register(mappings: Path, entry: lists.Entry) -> None:
    known = {**lists.register(mappings), entry.url: entry}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(lists.HEADER)
    writer.writerows([getattr(each, name) for name in lists.HEADER] for each in known.values())
    _replace(mappings / lists.FOLDER / lists.REGISTER, text.getvalue().encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
