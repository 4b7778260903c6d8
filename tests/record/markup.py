"""A strict reader of HTML: what a browser would silently repair is a fault here."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "br", "col", "hr", "img"})
FOREIGN_EMPTY = frozenset({"circle", "rect", "path", "line", "polyline"})


class Reader(HTMLParser):
    """Collects faults, ids, references between elements, addresses and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> has an attribute twice: {names}")
        found = dict(attrs)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"] or "")
        for name in ("for", "aria-labelledby", "aria-describedby"):
            self.named += (found.get(name) or "").split()
        self.addresses += [
            found[name] or "" for name in ("href", "src", "action") if name in found
        ]
        if any(name.startswith("on") or name == "style" for name in names):
            self.faults.append(f"<{tag}> has inline code or style: {names}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()
            if tag not in FOREIGN_EMPTY:
                self.faults.append(f"<{tag}/> closes itself, which HTML does not know")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> within {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    """Read a whole page; its faults are complete."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    if not html.lstrip().startswith("<!DOCTYPE html>"):
        reader.faults.append("no doctype")
    if reader.open:
        reader.faults.append(f"never closed: {reader.open}")
    twice = {name for name in reader.ids if reader.ids.count(name) > 1}
    if twice:
        reader.faults.append(f"ids that come twice: {sorted(twice)}")
    missing = set(reader.named) - set(reader.ids)
    if missing:
        reader.faults.append(f"references to nothing: {sorted(missing)}")
    return reader
