"""The XHTML of a narrative: well formed, and only what R4 allows (txt-1, txt-2).

http://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

XHTML = "{http://www.w3.org/1999/xhtml}"
ELEMENTS = frozenset(
    "div p br a b i u em strong small big tt q cite abbr acronym address bdo blockquote code dd "
    "del dfn dl dt h1 h2 h3 h4 h5 h6 hr img ins kbd li ol pre s samp span sub sup table tbody "
    "td tfoot th thead tr caption col colgroup ul var".split()
)
ATTRIBUTES = frozenset(
    "class id style title lang dir href name src alt width height colspan rowspan align valign "
    "border cellpadding cellspacing summary scope headers abbr span start type value cite "
    "datetime accesskey tabindex rel char charoff nowrap bgcolor rules frame shape coords "
    "longdesc usemap ismap axis compact clear xml:lang".split()
)
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)(\w+);")


def fault(text: str) -> str | None:
    """What is wrong with a narrative's ``div``; None when nothing is."""
    if "<!" in text.replace("<!--", ""):
        return "a narrative has no DOCTYPE and no CDATA"
    try:
        # Named entities of XHTML are allowed, and no part of XML: they stand for one character.
        root = Xml.fromstring(_ENTITY.sub("x", text))  # noqa: S314 - no DTD can be in it
    except Xml.ParseError:
        return "a narrative is well-formed XHTML"
    if root.tag != f"{XHTML}div":
        return "a narrative is a div of the namespace http://www.w3.org/1999/xhtml"
    for element in root.iter():
        name = str(element.tag).removeprefix(XHTML)
        if name not in ELEMENTS:
            return f"a narrative has no element {name[:20]!r}"
        for attribute in element.attrib:
            bare = attribute.rpartition("}")[2]
            if bare not in ATTRIBUTES:
                return f"a narrative has no attribute {bare[:20]!r}"
    if not "".join(root.itertext()).strip() and root.find(f".//{XHTML}img") is None:
        return "a narrative says something"
    return None
