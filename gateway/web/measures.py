"""Measures for leading and steering, with plots; and who can take more. The plots are drawn on the server.

docs/measures.md, docs/page.md
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.door import Door
from gateway.access.measuring import Period
from gateway.errors import BadRequest, NotFound, Unprocessable
from gateway.web import visitor
from gateway.web.plots import Bar, bars, in_order
from gateway.web.refusals import said
from gateway.web.render import page
from gateway.web.texts import LANGUAGES, TEXTS, Language
from gateway.web.texts.measures import UNKNOWN

SHOWN: Final = (
    "answered-in-time",
    "time-to-accept",
    "refusals",
    "mission-gaps",
    "time-to-first-trained",
    "time-to-completion",
    "solved-at-home",
    "sent-on",
)
MOST: Final = 10_000
"""Missions that a page waits for, some ten seconds' work; the operation counts more, in the background if so asked."""
MONTHS: Final = 3
"""So many, the present one included, where no period is asked for."""
HOUR, DAY = 60, 24 * 60
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One value of a dimension, with a cell for each column; None where it is not told."""

    label: str
    cells: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A measure divided by a dimension. `rows` is None where not even the values are told."""

    rows: tuple[Row, ...] | None


async def measures(request: Request) -> Response:
    """Are we answering in time, what is refused and why, where do gaps last longest."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    today = request.app.state.clock().astimezone(request.app.state.zone).date()
    period = Period(_months_before(today), today)
    language, display = visitor.language(request), door.definitions.display
    stored = await to_thread.run_sync(lambda: _stored(door, who, request.app.state.settings.reporter, today))
    months = {month: _Reader(language, display, reports) for month, reports in stored.items()}
    try:
        month = _month(request, stored)
        if month is not None:
            found, period = stored[month], Period(month, month.replace(day=monthrange(month.year, month.month)[1]))
        else:
            period = Period(_day(request, "first") or period.first, _day(request, "last") or period.last)
            if period.last < period.first:
                raise BadRequest("The last day must not lie before the first.", rule="period-backwards", where="last")
            found = await to_thread.run_sync(lambda: _evaluated(door, who, period))
    except (BadRequest, NotFound, Unprocessable) as error:  # Beside the form, where another period can be chosen.
        return page(
            request,
            "measures.html",
            caller=who.caller,
            status=error.status,
            period=period,
            refusal=said(error, language),
            month=None,
            months=_rows(months),
            months_bars=_by_month(months, language),
        )
    reader = _Reader(language, display, found)
    return page(
        request,
        "measures.html",
        caller=who.caller,
        period=period,
        refusal="",
        month=month,
        months=_rows(months),
        months_bars=_by_month(months, language),
        brief=reader.brief(),
        in_time={name: reader.in_time(name) for name in ("mission", "party", "municipality")},
        in_time_bars=reader.bars("answered-in-time", "share", "mission", percent=True),
        refused={name: reader.counts("refusals", name) for name in ("reason", "party", "municipality")},
        refused_bars=reader.bars("refusals", "count", "reason"),
        gaps={name: reader.lengths("mission-gaps", name) for name in ("kind", "party", "municipality")},
        gaps_bars=reader.bars("mission-gaps", "median", "kind"),
    )


async def capacity(request: Request) -> Response:
    """Which unit can take what now, and whom to call."""
    who, door = visitor.asking(request, "capacity"), visitor.door_of(request)
    found = await to_thread.run_sync(door.capacity, who)
    return page(request, "capacity.html", caller=who.caller, rooms=found)


def _evaluated(door: Door, who: Asking, period: Period) -> dict[str, Figures]:
    reports = door.evaluate(who, [door.measure(who, name) for name in SHOWN], period, most=MOST)
    return dict(zip(SHOWN, reports, strict=True))


def _stored(door: Door, who: Asking, reporter: str | None, today: date) -> dict[date, Mapping[str, Figures]]:
    """The months that are stored whole, the latest first."""
    found = door.stored_months(who, reporter, SHOWN, today) if reporter else {}
    return {month: reports for month, reports in found.items() if reports.keys() == set(SHOWN)}


def _month(request: Request, stored: Collection[date]) -> date | None:
    """The stored month that is asked for; where nothing is, the latest. BadRequest, NotFound."""
    text = request.query_params.get("month", "").strip()
    if not text:
        period = any(request.query_params.get(name) for name in ("first", "last"))
        return None if period else next(iter(stored), None)
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise BadRequest("month is a month: 2026-01.", rule="parameter-malformed", where="month") from None
    if month not in stored:
        raise NotFound("That month is not counted.", rule="month-unknown", where="month")
    return month


def _rows(months: Mapping[date, _Reader]) -> list[Row]:
    return [Row(f"{month:%Y-%m}", one.in_short()) for month, one in months.items()]


def _by_month(months: Mapping[date, _Reader], language: Language) -> Sequence[Bar]:
    """The share that is answered in time, the latest month first."""
    few = TEXTS[language]["few"]
    shares = [(month, one.group("answered-in-time", "share"), one) for month, one in months.items()]
    rows = [
        (f"{month:%Y-%m}", share.get("measureScore", {}).get("value"), one.score(share) or few)
        for month, share, one in shares
    ]
    return in_order(rows, whole=100)


@dataclass(frozen=True, slots=True)
class _Reader:
    """MeasureReports, in the visitor's language."""

    language: Language
    display: Any
    reports: Mapping[str, Figures]

    def brief(self) -> list[tuple[str | None, str]]:
        """The four figures at the top, each with what it is."""
        named = (
            ("time-to-first-trained", "median", "first-trained"),
            ("time-to-completion", "median", "to-completion"),
            ("solved-at-home", "share", "at-home"),
            ("sent-on", "share", "are-sent-on"),
        )
        found = [(self.group(of, statistic), name) for of, statistic, name in named]
        few = TEXTS[self.language]["few"]
        return [(self.score(one) or (few if _is_masked(one) else None), name) for one, name in found]

    def in_short(self) -> tuple[str | None, ...]:
        """The figures of a month, one for each column."""
        named = (
            ("answered-in-time", "share"),
            ("time-to-accept", "median"),
            ("time-to-first-trained", "median"),
            ("time-to-completion", "median"),
            ("refusals", "count"),
            ("solved-at-home", "share"),
            ("sent-on", "share"),
        )
        found = [self.group(*one) for one in named]
        return tuple(self.score(one) or (None if _is_masked(one) else "–") for one in found)

    def in_time(self, dimension: str) -> Table:
        shares = self._strata("answered-in-time", "share", dimension)
        medians = self._strata("time-to-accept", "median", dimension) or {}
        tenths = self._strata("time-to-accept", "p90", dimension) or {}
        return self._table(
            shares,
            lambda key, one: (
                _count(one, "denominator"),
                _count(one, "numerator"),
                self.score(one),
                self.score(medians.get(key, {})),
                self.score(tenths.get(key, {})),
            ),
        )

    def counts(self, measure: str, dimension: str) -> Table:
        found = self._strata(measure, "count", dimension)
        return self._table(found, lambda _, one: (_count(one, "initial-population"),))

    def lengths(self, measure: str, dimension: str) -> Table:
        tenths = self._strata(measure, "p90", dimension) or {}
        return self._table(
            self._strata(measure, "median", dimension),
            lambda key, one: (
                _count(one, "measure-population"),
                self.score(one),
                self.score(tenths.get(key, {})),
            ),
        )

    def bars(self, measure: str, statistic: str, dimension: str, *, percent: bool = False) -> Sequence[Bar]:
        found = self._strata(measure, statistic, dimension) or {}
        few = TEXTS[self.language]["few"]
        rows = [
            (self._label(one), one.get("measureScore", {}).get("value"), self.score(one) or few)
            for one in found.values()
        ]
        return bars(rows, whole=100 if percent else None)

    def _table(self, strata: Mapping[Any, Figures] | None, cells: Any) -> Table:
        if strata is None:
            return Table(None)
        found = [(_size(one), Row(self._label(one), cells(key, one))) for key, one in strata.items()]
        return Table(tuple(row for _, row in sorted(found, key=lambda one: (-one[0], one[1].label))))

    def group(self, measure: str, statistic: str) -> Figures:
        return next(one for one in self.reports[measure]["group"] if _code(one["code"]) == statistic)

    def _strata(self, measure: str, statistic: str, dimension: str) -> dict[tuple[str, str], Figures] | None:
        for one in self.group(measure, statistic).get("stratifier", ()):
            if _code(one["code"][0]) == dimension:
                return None if "extension" in one else {_key(s["value"]): s for s in one.get("stratum", ())}
        return {}

    def _label(self, stratum: Figures) -> str:
        system, code = _key(stratum["value"])
        if code == "unknown":
            return UNKNOWN[LANGUAGES.index(self.language)]
        return self.display(system, code, self.language) or str(stratum["value"].get("text", code))

    def score(self, figures: Figures) -> str | None:
        score = figures.get("measureScore")
        if score is None:
            return None
        value = float(score["value"])
        if score.get("unit") == "%":
            return f"{value:.0f} %"
        return f"{value:.0f}" if "unit" not in score else lasted(value, self.language)


def lasted(minutes: float, language: Language) -> str:
    """`8 min`, `1 h 15 min`, `3 dygn`."""
    if minutes < HOUR:
        return f"{minutes:.0f} min" if minutes >= 10 or minutes == int(minutes) else _decimal(minutes, language)
    if minutes < 2 * DAY:
        hours, rest = divmod(round(minutes), HOUR)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days = minutes / DAY
    return f"{days:.0f} dygn" if language == "sv" else f"{days:.0f} days"


def _decimal(minutes: float, language: Language) -> str:
    text = f"{minutes:.1f} min"
    return text.replace(".", ",") if language == "sv" else text


def _count(figures: Figures, population: str) -> str | None:
    populations: Sequence[Figures] = figures.get("population", ())
    counts = (one["count"] for one in populations if _code(one["code"]) == population and "count" in one)
    return next((str(count) for count in counts), None)


def _is_masked(figures: Figures) -> bool:
    return any("_count" in one for one in figures.get("population", ()))


def _size(figures: Figures) -> int:
    return max((one.get("count", 0) for one in figures.get("population", ())), default=0)


def _key(concept: Mapping[str, Any]) -> tuple[str, str]:
    coding = concept["coding"][0]
    return str(coding.get("system", "")), str(coding["code"])


def _code(concept: Mapping[str, Any]) -> str:
    return str(concept["coding"][0]["code"])


def _months_before(day: date) -> date:
    first = day.replace(day=1)
    for _ in range(MONTHS - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadRequest(f"{name} is a day: 2026-01-31.", rule="parameter-malformed", where=name) from None
