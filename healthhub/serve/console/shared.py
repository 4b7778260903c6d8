"""What all pages of the console share: their templates, why they look, who looks."""

from __future__ import annotations

from pathlib import Path

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
    },
)
WHY = Purpose.HOPERAT


def viewer(who: Actor) -> Viewer:
    """What the layout needs to know of who looks."""
    return Viewer(
        who.title or who.name,
        record=policy.permits(who, Purpose.TREAT, Action.SEARCH),
        console=policy.permits(who, WHY, Action.OPERATE),
    )
