"""What a house sends when an admission or a discharge is taken back: the event, then its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from healthhub.city.charts import Chart
from healthhub.city.desk import first_discharge
from healthhub.city.moments import MINUTE, Moment
from healthhub.city.sent import Sent
from healthhub.city.visits import Visit


class TakesBack(ABC):
    """A house whose HIS cancels by ADT; how its lines are written is the house's own."""

    @abstractmethod
    def _adt(
        self, event: str, chart: Chart, at: Moment, *rest: str, planted: str = ""
    ) -> Sent: ...

    @abstractmethod
    def _pv1(self, chart: Chart, visit: Visit) -> str: ...

    @abstractmethod
    def _closing(self, chart: Chart, visit: Visit, at: Moment) -> list[str]: ...

    def cancelled_admission(self, chart: Chart, visit: Visit) -> Iterator[Sent]:
        """A01 and A11 of an admission that did not come about."""
        line = self._pv1(chart, visit)
        yield self._adt("A01", chart, visit.start, line)
        at = visit.start + 35 * MINUTE
        yield self._adt("A11", chart, at, line, planted="cancelled-admission")

    def cancelled_discharge(self, chart: Chart, visit: Visit) -> Iterator[Sent]:
        """A03 and A13 of a discharge that was taken back."""
        at = first_discharge(visit)
        yield self._adt("A03", chart, at, *self._closing(chart, visit, at))
        line = self._pv1(chart, visit)
        yield self._adt("A13", chart, at + 40 * MINUTE, line, planted="cancelled-discharge")
