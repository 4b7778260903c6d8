"""Raw messages: durable, replayable, each in exactly one state."""

from healthhub.keep import code_maps, figures, gaps, scores, tasks, uploads
from healthhub.keep.admission import admit, reject, via
from healthhub.keep.at_hand import MOST_DEATHS, AtHand, fatal
from healthhub.keep.choice import Choice
from healthhub.keep.keeper import Keeper
from healthhub.keep.lanes import Lanes, workers_here
from healthhub.keep.messages import (
    Counts,
    Line,
    akin,
    counts,
    find,
    finding_counts,
    findings,
    get,
    within,
)
from healthhub.keep.overview import Act, SourceCounts, acts, oldest_waiting, sources
from healthhub.keep.queue import claim, claim_older, finish, newest, park, retry_later, waiting
from healthhub.keep.replay import ignore, matching, note, replay, turn
from healthhub.keep.sightings import sight

__all__ = [
    "MOST_DEATHS",
    "Act",
    "AtHand",
    "Choice",
    "Counts",
    "Keeper",
    "Lanes",
    "Line",
    "SourceCounts",
    "acts",
    "admit",
    "akin",
    "claim",
    "claim_older",
    "code_maps",
    "counts",
    "fatal",
    "figures",
    "find",
    "finding_counts",
    "findings",
    "finish",
    "gaps",
    "get",
    "ignore",
    "matching",
    "newest",
    "note",
    "oldest_waiting",
    "park",
    "reject",
    "replay",
    "retry_later",
    "scores",
    "sight",
    "sources",
    "tasks",
    "turn",
    "uploads",
    "via",
    "waiting",
    "within",
    "workers_here",
]
