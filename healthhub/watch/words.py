"""An alarm in words, for pages and hooks; numbers and times only, no patient's data."""

from __future__ import annotations

from datetime import datetime

from healthhub.clock import ZONE
from healthhub.watch.alarms import Alarm
from healthhub.web.language import Translator


def text(alarm: Alarm, t: Translator) -> str:
    """What is wrong, in a sentence."""
    key = alarm.rule
    facts = dict(alarm.facts)
    if "last" in facts:
        facts["last"] = _local(str(facts["last"]))
    if "since" in facts:
        facts["since"] = _local(str(facts["since"]))
    if key == "silent" and "minutes" in facts:
        key = "silent_set"
    if "parts" in facts:
        names = str(facts["parts"]).split()
        facts["parts"] = " / ".join(t.known("duty", name) for name in names)
    return t(f"alarm.{key}", **facts)


def _local(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(ZONE):%Y-%m-%d %H:%M}"
