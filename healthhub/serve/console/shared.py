"""What all pages of the console share: their templates, why they look, who looks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from healthhub.access import policy
from healthhub.access.actor import Actor, Purpose
from healthhub.access.policy import Action
from healthhub.clock import ZONE
from healthhub.web.pages import Pages, Viewer

PAGES = Pages(
    Path(__file__).parent / "templates",
    filters={
        "local": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "thousands": "{:,}".format,
        "brief": lambda value: brief(value),
    },
)
WHY = Purpose.HOPERAT


def number_of(text: str) -> int | None:
    """A number as a form sends it; None where it is none that the store could hold."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def brief(value: object) -> str:
    """An element's value as people read it: of a coded one its words and codes."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(brief, cast("list[object]", value))))
    if not isinstance(value, dict):
        return str(value)
    said = cast("dict[str, object]", value)
    if "coding" in said:
        return brief(said["coding"])
    if "code" in said and "value" not in said:
        return " ".join(str(said[k]) for k in ("display", "code") if k in said)
    return " ".join(filter(None, (brief(each) for each in said.values())))


def viewer(who: Actor) -> Viewer:
    """What the layout needs to know of who looks."""
    return Viewer(
        who.title or who.name,
        record=policy.permits(who, Purpose.TREAT, Action.SEARCH),
        console=policy.permits(who, WHY, Action.OPERATE),
    )
