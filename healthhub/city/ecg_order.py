"""What an electrocardiogram is made of beside its curve: who, where, when, by whose order."""

from __future__ import annotations

from dataclasses import dataclass

from healthhub.city.charts import Chart
from healthhub.city.moments import Moment


@dataclass(frozen=True, slots=True)
class Cart:
    """The machine."""

    maker: str
    model: str
    serial: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """One recording. ``number`` is its own; ``visit`` and ``order`` are the hospital's numbers,
    empty where there are none."""

    number: str
    chart: Chart
    at: Moment
    place: str
    technician: str
    device: Cart
    visit: str = ""
    order: str = ""
