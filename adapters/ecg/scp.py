"""SCP-ECG records (EN 1064, ISO 11073-91064) to recordings: who, with what, the leads, the global
measurements of section 7 and the statements of sections 8 and 11."""

from __future__ import annotations

from decimal import Decimal

from adapters.ecg import recording
from adapters.ecg.recording import Lead, Measurement, Recording, cleaned, plain
from adapters.ecg.samples import Rhythms, rhythms
from adapters.ecg.sections import Section, sections
from adapters.tree import Piece, Tree
from healthhub.adapter_api import BadMessage

_NEEDED = {1: "the patient", 3: "the leads", 6: "the rhythm"}
_CHARSETS = {
    0x01: "latin-1",
    0x03: "iso8859-2",
    0x0B: "iso8859-4",
    0x13: "iso8859-5",
    0x1B: "iso8859-6",
    0x23: "iso8859-7",
    0x2B: "tis-620",
    0x33: "iso8859-15",
    0x07: "utf-16-le",
    0x0F: "shift-jis",
    0x17: "euc-jp",
    0x27: "gb18030",
    0x2F: "cp949",
    0x37: "utf-8",
}
"""Language codes of tag 14, byte 17; GB 2312 is read as the superset that hospitals write."""
_TEXTS = {
    0: "patient/family",
    1: "patient/given",
    2: "patient/id",
    16: "institution",
    18: "department",
    20: "referrer",
    21: "confirmedBy",
    22: "technician",
    23: "room",
    30: "comment",
}
_SEXES = {1: "M", 2: "F"}
_SIZES = {25: 4, 26: 3, 34: 2}
"""Bytes of the tags that say when."""
_LEAD_SYSTEM = Piece("SCPECG")
_UNKNOWN = frozenset((29999, 19999, 9999, 0x7FFF, 0xFFFF))
_INTERVALS = (
    ("5.13.5-7", "PR Interval", 0, 2),
    ("5.13.5-9", "QRS Duration", 2, 3),
    ("5.13.5-11", "QT Interval", 2, 4),
)
"""Measurements by the points they lie between: P onset and offset, QRS onset and offset, T
offset. The codes are those of DICOM's SCPECG scheme (PS3.16, CID 3700 and following)."""
_AXES = (("5.10.3-11", "P Axis"), ("5.10.3-13", "QRS Axis"), ("5.10.3-15", "T Axis"))
_CONFIRMED = {1: "confirmed", 2: "overread"}


def read(raw: bytes, charset: str) -> Tree:
    """The recording; raises BadMessage with section and byte."""
    found = sections(raw)
    for number, what in _NEEDED.items():
        if number not in found:
            raise BadMessage(
                f"section {number} ({what}) is missing; send the recording whole",
                condition="101",
                place=f"section {number}, byte 7",
            )
    made = Recording("SCP", len(raw))
    charset = _patient(made, found[1], charset)
    found_leads = rhythms(found)
    _leads(made, found_leads)
    if 7 in found:
        _measurements(made, found[7])
    for number in (8, 11):
        if number in found:
            _statements(made, found[number], charset)
    return made.finish(Decimal(found_leads.longest * found_leads.interval) / 1_000_000)


def _patient(made: Recording, section: Section, charset: str) -> str:
    """What section 1 says, tag by tag; gives the charset of the record's texts."""
    tags = _tags(section)
    device = next(((at, size) for tag, at, size in tags if tag == 14 and size > 17), None)
    if device is not None:
        charset = _CHARSETS.get(section.number_at(device[0] + 16, "B", "tag 14"), charset)
    for tag, at, size in tags:
        if tag in _TEXTS:
            made.say(_TEXTS[tag], section.piece(at, size, _text(section, at, size, charset)))
        elif tag == 5 and size >= 4:
            made.say("patient/birth", _date(section, at))
        elif tag == 8 and size:
            sex = _SEXES.get(section.number_at(at, "B", "tag 8"), "U")
            made.say("patient/sex", section.piece(at, 1, sex))
    if device is not None:
        _device(made, section, *device, charset)
    made.say("time", _taken(section, tags))
    _name(made)
    return charset


def _taken(section: Section, tags: list[tuple[int, int, int]]) -> Piece:
    """When it was taken: tags 25 (date), 26 (time) and 34 (zone)."""
    places = {tag: at for tag, at, size in tags if size >= _SIZES.get(tag, 1 << 16)}
    if 25 not in places:
        return Piece("")
    day = _date(section, places[25])
    if not day.text or 26 not in places:
        return day
    time = _time(section, places[26])
    zone = _offset(section.number_at(places[34], "h", "tag 34")) if 34 in places else ""
    return Piece(day.text + time.text + zone, day.start, max(day.end, time.end))


def _tags(section: Section) -> list[tuple[int, int, int]]:
    """Tag, byte and length of each value."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(section):
        tag = section.number_at(at, "B", "a tag")
        if tag == 255:
            break
        size = section.number_at(at + 1, "H", "the length of a tag")
        section.need(at + 3, size, f"the value of tag {tag}")
        found.append((tag, at + 3, size))
        at += 3 + size
    return found


def _text(section: Section, at: int, size: int, charset: str) -> str:
    start = section.need(at, size, "a text")
    data = section.raw[start : start + size]
    if charset == "utf-16-le":
        data = data[: size // 2 * 2]
    try:
        return cleaned(data.decode(charset).partition("\0")[0])
    except UnicodeDecodeError as error:
        raise BadMessage(
            f"a text is not {charset}; let the sender state its charset (tag 14), or set the "
            "source's charset",
            condition="102",
            place=f"section {section.number}, byte {start + error.start + 1}",
        ) from None


def _date(section: Section, at: int) -> Piece:
    year = section.number_at(at, "H", "a date")
    month, day = (
        section.number_at(at + 2, "B", "a date"),
        section.number_at(at + 3, "B", "a date"),
    )
    return section.piece(at, 4, f"{year:04d}{month:02d}{day:02d}" if year else "")


def _time(section: Section, at: int) -> Piece:
    parts = [section.number_at(at + i, "B", "a time") for i in range(3)]
    return section.piece(at, 3, "".join(f"{part:02d}" for part in parts))


def _offset(minutes: int) -> str:
    if abs(minutes) > 14 * 60:
        return ""  # 0x7FFF: the zone is not known
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


def _device(made: Recording, section: Section, at: int, size: int, charset: str) -> None:
    """Tag 14: numbers in the first 36 bytes, then texts that end in NUL."""
    made.say(
        "device/model",
        section.piece(at + 8, 6, _text(section, at + 8, min(6, size - 8), charset)),
    )
    made.say(
        "device/id", section.piece(at + 4, 2, str(section.number_at(at + 4, "H", "tag 14")))
    )
    place = at + 36
    names = ("", "serial", "software", "", "manufacturer")
    for name in names:
        if place >= at + size:
            return
        start = section.need(place, at + size - place, "tag 14")
        whole = section.raw[start : start + at + size - place]
        length = whole.find(b"\0") if b"\0" in whole else len(whole)
        if name:
            said = section.piece(place, length, _text(section, place, length, charset))
            made.say(f"device/{name}", said)
        place += length + 1


def _name(made: Recording) -> None:
    """A whole name, as Chinese ones are written, and the number of the recording."""
    first = made.tree.first
    family, given = first("patient/family"), first("patient/given")
    whole = f"{family}{given}" if not f"{family}{given}".isascii() else f"{given} {family}"
    made.say("patient/name", Piece(whole.strip()))
    number = "|".join(
        (first("patient/id"), first("time"), first("device/serial") or first("device/id"))
    )
    made.say("id", Piece(number))


def _leads(made: Recording, found: Rhythms) -> None:
    period = Decimal(found.interval) / 1000
    most = recording.kept(found.longest, period, "section 3, byte 1")
    for number, one in enumerate(found.leads, 1):
        before = one.defined.first - found.first
        if before >= most:
            continue
        values = one.values[: most - before]
        data = " ".join((*["E"] * before, *map(str, values)))
        made.lead(
            Lead(
                code=Piece(f"5.6.3-9-{one.defined.number}", one.start, one.end),
                name=Piece(f"lead {number}"),
                system=_LEAD_SYSTEM,
                origin=Piece("0"),
                unit=Piece("uV"),
                period=Piece(plain(period)),
                factor=Piece(plain(Decimal(one.nanovolts) / 1000)),
                data=Piece(data, one.start, one.end),
            )
        )
    if found.bimodal:
        made.say("remark", Piece("bimodal"))


def _measurements(made: Recording, section: Section) -> None:
    """Section 7: mean intervals, the points of the first block, and what follows the beats."""
    blocks = section.number_at(0, "B", "its number of blocks")
    spikes = section.number_at(1, "B", "its number of spikes")
    rr = section.number_at(2, "H", "the RR interval")
    made.measurement(_measured("5.10.2.1-3", "RR Interval", rr, "ms", section, (2, 4)))
    if blocks:
        points = [section.number_at(6 + 2 * i, "H", "a measurement") for i in range(5)]
        for code, name, first, last in _INTERVALS:
            known = points[first] not in _UNKNOWN and points[last] not in _UNKNOWN
            value = points[last] - points[first] if known else 0
            span = (6 + 2 * first, 8 + 2 * last)
            made.measurement(_measured(code, name, max(value, 0), "ms", section, span))
        for number, (code, name) in enumerate(_AXES):
            at = 16 + 2 * number
            axis = section.number_at(at, "h", "an axis")
            if abs(axis) <= 360:
                unit = Piece("deg")
                value = section.piece(at, 2, str(axis))
                made.measurement(
                    Measurement(Piece(code), Piece(name), _LEAD_SYSTEM, value, unit)
                )
    at = 6 + 16 * blocks + 10 * spikes
    if at + 2 > len(section):
        return
    at += 2 + section.number_at(at, "H", "the number of QRS complexes")
    if at + 6 > len(section):
        return
    rate, qtc = section.number_at(at, "H", "the rate"), section.number_at(at + 4, "H", "QTc")
    made.measurement(
        _measured("5.10.2.5-1", "Ventricular Rate", rate, "/min", section, (at, at + 2))
    )
    made.measurement(
        _measured("5.10.2.5-5", "QTc Interval", qtc, "ms", section, (at + 4, at + 6))
    )


def _measured(
    code: str, name: str, value: int, unit: str, section: Section, span: tuple[int, int]
) -> Measurement:
    text = str(value) if value and value not in _UNKNOWN else ""
    found = section.piece(span[0], span[1] - span[0], text)
    return Measurement(Piece(code), Piece(name), _LEAD_SYSTEM, found, Piece(unit))


def _statements(made: Recording, section: Section, charset: str) -> None:
    """Sections 8 and 11: whether a doctor confirmed them, when, and the statements."""
    state = _CONFIRMED.get(section.number_at(0, "B", "whether it was confirmed"), "")
    at, coded = 9, 1 if section.number == 11 else 0
    texts: list[Piece] = []
    for number in range(section.number_at(8, "B", "the number of statements")):
        size = section.number_at(at + 1, "H", f"statement {number + 1}")
        section.need(at + 3, size, f"statement {number + 1}")
        if size > coded:
            text = _text(section, at + 3 + coded, size - coded, charset)
            texts.append(section.piece(at + 3 + coded, size - coded, text))
        at += 3 + size
    if section.number == 11 and made.tree.first("statement"):
        return  # the same in codes
    for piece in texts:
        made.say("statement", piece)
    if state == "confirmed" and any(piece.text for piece in texts):
        day, time = _date(section, 1), _time(section, 5)
        made.say("confirmed", Piece(day.text + time.text or "true", day.start, time.end))
