"""Bytes as they arrived to the document in them: charset, SOAP envelope, base64, small repairs."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass

from adapters.hl7v3.layers import Base64, Blanked, Layer, Recoded, Written
from adapters.hl7v3.node import Node, numbered
from adapters.hl7v3.parse import parse
from healthhub.adapter_api import BadMessage

_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]+)["'][^>]*\?>""")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_RUN_TOGETHER = re.compile(rb"""(=\s*"[^"<>]*")(?=[A-Za-z_])""")
_TAG = re.compile(rb"<[A-Za-z][^<>]*>")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_CHINESE_UTF8 = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")
_NO_CHARSETS = frozenset("idna punycode undefined unicode_escape raw_unicode_escape".split())
"""Codecs of Python that are no charset: some fail in other ways, one takes hours for a megabyte."""
CHINESE = ("gb2312", "gbk", "gb18030", "hz", "cp936")
EVERYTHING: frozenset[str] = frozenset()
"""What to make of a document, unless told otherwise."""
WRAPPERS = 4
"""Wrappings inside one another at most: a SOAP envelope, a message, a document."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was found: the elements of the innermost document (the root first), the action that
    the SOAP operation was called with, the wrappings from the outside in, and its own bytes as its maker wrote them.
    ``mislabelled`` tells of a declared charset that the bytes are not in."""

    nodes: list[Node]
    data: bytes
    action: str = ""
    layers: tuple[Layer, ...] = ()
    repaired: bool = False
    original: bytes = b""
    mislabelled: str = ""

    @property
    def root(self) -> Node:
        """The root element."""
        return self.nodes[0]

    def outer(self, start: int, end: int) -> tuple[int, int]:
        """Bytes of the innermost document as bytes of what arrived."""
        for layer in reversed(self.layers):
            start, end = layer.outer(start, end=False), layer.outer(end, end=True)
        return start, max(start, end)


def read(raw: bytes, charset: str, only: frozenset[str] = EVERYTHING) -> Document:
    """The document in the bytes, or only some of its elements (see parse); raises BadMessage."""
    if not raw.strip():
        raise BadMessage("the message is empty; send an XML document", place="byte 1")
    document = _plain(raw, charset, only)
    action = mislabelled = ""
    for _ in range(WRAPPERS):
        outer, root = document, document.root
        mislabelled = mislabelled or document.mislabelled
        if root.name == "Envelope":
            action, document = _from_envelope(outer, only)
        else:
            carries = root.name.startswith("RCMR_IN000002")
            inner = (_from_base64 if carries else _from_body)(outer, only)
            if inner is None:
                break
            document = inner
        if document.data is not outer.data:
            root.whole.dissolve()
    return Document(
        document.nodes,
        document.data,
        action,
        document.layers,
        document.repaired,
        document.original,
        mislabelled or document.mislabelled,
    )


def _plain(
    raw: bytes, charset: str, only: frozenset[str], layers: tuple[Layer, ...] = ()
) -> Document:
    """XML that is not wrapped: in UTF-8, or made so; parsed strictly, then after a repair."""
    data, recoded, mislabelled = _utf8(raw, charset)
    found = (*layers, *recoded)
    try:
        nodes = parse(data, only)
        return Document(nodes, data, layers=found, original=raw, mislabelled=mislabelled)
    except BadMessage:
        mended, positions = _mended(data)
        if not positions:
            raise
        return Document(
            parse(mended, only),
            mended,
            layers=(*found, Blanked(positions)),
            repaired=True,
            original=raw,
            mislabelled=mislabelled,
        )


def _utf8(raw: bytes, charset: str) -> tuple[bytes, tuple[Layer, ...], str]:
    """The bytes in UTF-8, and what is to be said of their declaration. The declared charset
    counts, then the source's; a declaration that the bytes do not keep to is not believed
    (UTF-8 declared, GB18030 sent; GBK declared, and all of it is UTF-8)."""
    declared = _DECLARED.match(raw[:256])
    named = declared[1].decode("ascii").lower() if declared else ""
    wanted = ""
    if raw[:2] in _WIDE:
        tried = ["utf-16-le" if raw[:2] == _WIDE[0] else "utf-16-be"]
        start = 2
    else:
        start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
        wanted = "gb18030" if named in CHINESE else named or charset
        tried = [wanted, "utf-8", charset, "gb18030"]
        if wanted == "gb18030" and _CHINESE_UTF8.search(raw):
            tried.insert(0, "utf-8")  # Chinese in UTF-8 can pass for GBK, as another text
    for codec in dict.fromkeys(tried):
        try:
            if codecs.lookup(codec).name.replace("-", "_") in _NO_CHARSETS:
                continue
            text = raw[start:].decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
        other = bool(named and wanted) and _plain_name(codec) != _plain_name(wanted)
        said = (
            f"the document declares {named}, but its bytes are {codec} and were read so; "
            "correct the declaration"
            if other and not text.isascii()
            else ""
        )
        if _plain_name(codec) == "utf-8" and _plain_name(named) in ("", "utf-8"):
            if not start:
                return raw, (), said
            return raw[start:], (Recoded(raw[start:], "utf-8", start),), said
        head = _DECLARATION.match(text)
        before = head[0] if head else ""
        inner = text[len(before) :].encode("utf-8", "surrogatepass")
        at = start + len(before.encode(codec))
        return inner, (Recoded(inner, codec, at),), said
    raise BadMessage(
        f"the bytes are neither {tried[0]} nor UTF-8 nor GB18030; declare the charset that is "
        "sent",
        condition="102",
        place="byte 1",
    )


def _plain_name(charset: str) -> str:
    """The name of a charset; of ASCII, that of UTF-8, which holds it."""
    name = charset.lower().replace("_", "-")
    return "utf-8" if name in ("utf8", "us-ascii", "ascii") else name


def _mended(data: bytes) -> tuple[bytes, list[int]]:
    """A blank between attributes that run together (``a="1"b="2"``), as some systems send."""
    positions: list[int] = []
    pieces: list[bytes] = []
    last = added = 0
    for tag in _TAG.finditer(data):
        for found in _RUN_TOGETHER.finditer(data, tag.start(), tag.end()):
            pieces += (data[last : found.end()], b" ")
            last = found.end()
            positions.append(last + added)
            added += 1
    return b"".join((*pieces, data[last:])), positions


def _from_envelope(outer: Document, only: frozenset[str]) -> tuple[str, Document]:
    """The action and the message of a SOAP envelope's one operation."""
    body = outer.root.child("Body")
    operation = body.children[0] if body is not None and body.children else None
    if operation is None:
        raise BadMessage(
            "the SOAP envelope has no operation in its Body; send HIPMessageServer with action "
            "and message",
            condition="101",
            place="Envelope/Body",
        )
    action = next((c.text.strip() for c in operation.children if c.name == "action"), "")
    message = operation.child("message") or next(
        (c for c in operation.children if c.children or c.text.lstrip().startswith("<")), None
    )
    if message is None:
        return action, _inside(outer, operation)
    if message.children:
        return action, _inside(outer, message.children[0])
    text = message.text
    if not text.strip():
        raise BadMessage(
            "the operation's message is empty; put the XML message into it",
            condition="101",
            place="Envelope/Body/message",
        )
    inner = text.encode("utf-8", "surrogatepass")
    lead = len(inner) - len(inner.lstrip())
    layer = _written(outer.data, message, lead)
    head = _DECLARATION.match(text.lstrip())
    if head and re.search(r"encoding\s*=", head[0]):
        # the text has been decoded with its envelope: what it declares of itself is no more true
        skip = len(head[0].encode("utf-8"))
        layer = _written(outer.data, message, lead + skip)
        lead += skip
    return action, _plain(inner[lead:], "utf-8", only, (*outer.layers, layer))


def _from_body(outer: Document, only: frozenset[str]) -> Document | None:
    """The message that a vendor's frame of header and body carries as text; None if it is none."""
    body = outer.root.child("body")
    if body is None or body.children or outer.root.child("header") is None:
        return None
    text = body.text
    if not text.lstrip().startswith("<"):
        return None
    inner = text.encode("utf-8", "surrogatepass")
    lead = len(inner) - len(inner.lstrip())
    head = _DECLARATION.match(text.lstrip())
    lead += len(head[0].encode("utf-8")) if head else 0
    layers = (*outer.layers, _written(outer.data, body, lead))
    return _plain(inner[lead:], "utf-8", only, layers)


def _inside(outer: Document, root: Node) -> Document:
    """An element of a document as a document of its own, in the same bytes."""
    root.parent = None
    nodes = numbered(root)
    end = outer.data.find(b">", root.end) + 1
    return Document(
        nodes,
        outer.data,
        layers=outer.layers,
        repaired=outer.repaired,
        original=outer.data[root.start : end],
    )


def _written(data: bytes, node: Node, lead: int) -> Written:
    """The layer of an element's text, ``lead`` bytes of which are passed over."""
    pieces: list[tuple[int, int, int]] = []
    inner = -lead
    for outer, text in node.texts:
        length = len(text.encode("utf-8", "surrogatepass"))
        if inner >= 0:
            pieces.append((inner, outer, length))
        elif inner + length > 0:
            pieces.append((0, outer - inner, inner + length))
        inner += length
    finish = data.find(b"<", pieces[-1][1] + 1) if pieces else node.end
    return Written(tuple(pieces), finish if finish >= 0 else node.end)


def _from_base64(outer: Document, only: frozenset[str]) -> Document | None:
    """The document that a register message carries as base64; None if it carries none so."""
    for node in outer.nodes:
        if node.children or len(node.texts) == 0:
            continue
        text = node.text
        if len(text) < 64 or node.name not in ("originalText", "text", "value", "content"):
            continue
        try:
            inner = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            continue
        if inner.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            layers = (*outer.layers, _written(outer.data, node, 0), Base64(text))
            return _plain(inner, "utf-8", only, layers)
    return None
