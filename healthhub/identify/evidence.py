"""What of a Patient says who it is; place-holders say nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from healthhub.identify.identity import ResidentId, parse_resident_id
from healthhub.model.resource import Body

NUMBER_SYSTEMS = frozenset(
    {
        "2.16.156.10011.1.3",  # WS/T 500 and the regional platforms
        "2.16.840.1.113883.2.23.1.19.1",  # HL7 China Connectathon 2024
    }
)
NUMBER_TYPES = frozenset({"NI", "NNCHN"})
"""Identifier types (HL7 table 0203) under which a resident number travels."""
DOCUMENT_KINDS = {
    "01": "resident ID card",
    "02": "household register",
    "03": "passport",
    "04": "officer's card",
    "05": "driving licence",
    "06": "Hong Kong or Macao pass",
    "07": "Taiwan pass",
    "99": "other",
}
"""CV02.01.101; sites add their own (19: the mother's resident ID)."""
DOCUMENT_SYSTEMS = ("CV02.01.101", "2.16.156.10011.2.3.1.9")

NO_BIRTHS = frozenset(
    {date(year, 1, 1) for year in (1753, 1800, 1900, 1901, 1970)}
    | {date(1899, 12, 30), date(1899, 12, 31)}
)
"""Dates that systems write when they know none."""
NO_PHONES = re.compile(
    r"(?:\+?86)?(?:1[3-9]\d0{8}|1[3-9]12345678|(\d)\1{6,}|0*|12345678901?|1380013800\d)"
)
_NO_NAME = re.compile(
    r"(?:无名氏?|无姓名|不详|不祥|未知|未提供|佚名|待查|待定|某某|某男|某女|路人|无|空|"
    r"unknown|unk|noname|anonymous|johndoe|janedoe|doe|test|测试|患者|病人)"
    r"[甲乙丙丁男女a-z]?[0-9#]*"
)
_NEWBORN = re.compile(
    r".+之[长次三大二小]?(?:子|女|婴|婴儿|宝|儿)[甲乙0-9]*|.*(?:新生儿|婴儿).*"
)
"""A newborn goes by the mother's name: twins share it, so it tells nobody apart."""
_JOINTS = re.compile(r"[\s·•‧・．.,，'’`\-]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What bears on identity. ``number`` is valid and the only one the Patient has; ``nameless``
    says that a name was given which names nobody, so that nothing may link it by rule."""

    number: str | None = None
    names: tuple[str, ...] = ()
    birth: date | None = None
    known: bool = False
    nameless: bool = False


def of_patient(body: Body) -> Evidence:
    """Read the evidence from a Patient; an empty body (a deleted one) gives none."""
    if body.get("resourceType") != "Patient":
        return Evidence()
    given = tuple(name_key(text) for text in map(_text_of, _dicts(body.get("name"))) if text)
    names = tuple(sorted({name for name in given if name and not is_no_name(name)}))
    numbers = {found.number for found in resident_ids(body)}
    return Evidence(
        number=numbers.pop() if len(numbers) == 1 else None,
        names=names,
        birth=birth_of(body),
        known=True,
        nameless=bool(given) and not names,
    )


def resident_ids(body: Body) -> list[ResidentId]:
    """The Patient's valid resident numbers that are in use."""
    found: list[ResidentId] = []
    for identifier in _dicts(body.get("identifier")):
        value = identifier.get("value")
        if not isinstance(value, str) or identifier.get("use") == "old":
            continue
        if _is_resident_number(identifier) and (parsed := parse_resident_id(value)):
            found.append(parsed)
    return found


def birth_of(body: Body) -> date | None:
    """A whole birth date that is no place-holder."""
    text = body.get("birthDate")
    if not isinstance(text, str) or len(text) != 10:
        return None
    try:
        born = date.fromisoformat(text)
    except ValueError:
        return None
    return None if born in NO_BIRTHS else born


def is_no_name(name: str) -> bool:
    """Whether a name (as name_key gives it) names nobody in particular."""
    return bool(_NO_NAME.fullmatch(name) or _NEWBORN.fullmatch(name))


def is_no_phone(phone: str) -> bool:
    """Whether a phone number is a place-holder such as 13800000000."""
    digits = re.sub(r"[\s()\-]", "", unicodedata.normalize("NFKC", phone))
    return bool(NO_PHONES.fullmatch(digits))


def name_key(name: str) -> str:
    """A name as it is compared: narrow, lower case, without blanks, dots and dashes."""
    return _JOINTS.sub("", unicodedata.normalize("NFKC", name).casefold())


def _is_resident_number(identifier: Mapping[str, Any]) -> bool:
    system = str(identifier.get("system", "")).removeprefix("urn:oid:")
    if system in NUMBER_SYSTEMS:
        return True
    kind = identifier.get("type")
    codings = (
        _dicts(cast(Mapping[str, Any], kind).get("coding")) if isinstance(kind, dict) else []
    )
    for coding in codings:
        code, of = coding.get("code"), str(coding.get("system", ""))
        if code in NUMBER_TYPES or (code == "01" and of.endswith(DOCUMENT_SYSTEMS)):
            return True
    return False


def _text_of(name: Mapping[str, Any]) -> str:
    if isinstance(text := name.get("text"), str):
        return text
    given = name.get("given")
    parts = [
        name.get("family"),
        *(cast(Sequence[Any], given) if isinstance(given, list) else ()),
    ]
    return "".join(part for part in parts if isinstance(part, str))


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    return [item for item in cast(list[Any], value) if isinstance(item, dict)]
