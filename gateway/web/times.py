"""Times as they are said in Sweden: the day, the clock, and the year where it is another one. Never "5 minutes ago"."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from gateway.web.texts import LANGUAGES, Language

_DAYS = {
    "sv": ("mån", "tis", "ons", "tors", "fre", "lör", "sön"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = (
    ("januari", "January"),
    ("februari", "February"),
    ("mars", "March"),
    ("april", "April"),
    ("maj", "May"),
    ("juni", "June"),
    ("juli", "July"),
    ("augusti", "August"),
    ("september", "September"),
    ("oktober", "October"),
    ("november", "November"),
    ("december", "December"),
)
_WHOLE_DAY = (time(0, 0), time(23, 59, 59))
"""A date without a clock is stored as a day's first or last moment, and is said as the day."""
FIELD = "%Y-%m-%dT%H:%M"
"""How a form's datetime-local field writes a time."""


class Times:
    """Says times in one language and zone; the year only where it is not that of `at`."""

    def __init__(self, zone: ZoneInfo, language: Language, at: datetime) -> None:
        self.zone = zone
        self._days = _DAYS[language]
        self._months = [names[LANGUAGES.index(language)] for names in _MONTHS]
        self._year = at.astimezone(zone).year

    def short(self, moment: datetime) -> str:
        """`tors 12 mars 14:30`."""
        local = moment.astimezone(self.zone)
        return f"{self._days[local.weekday()]} {self._date(local)}{self._clock(local)}"

    def plain(self, moment: datetime) -> str:
        """`12 mars 14:30`: for what lies behind us, where nobody asks for the weekday."""
        local = moment.astimezone(self.zone)
        return f"{self._date(local)}{self._clock(local)}"

    def full(self, moment: datetime) -> str:
        """`12 mars 2026 14:30`."""
        local = moment.astimezone(self.zone)
        return f"{local.day} {self._months[local.month - 1]} {local.year} {local:%H:%M}"

    def day(self, moment: datetime) -> str:
        """`12 mars`."""
        return self._date(moment.astimezone(self.zone))

    def month(self, moment: datetime) -> str:
        """`mar`: where there is little room."""
        return self._months[moment.astimezone(self.zone).month - 1][:3]

    def weekday(self, moment: datetime) -> str:
        return self._days[moment.astimezone(self.zone).weekday()]

    def field(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime(FIELD)

    def span(self, start: datetime, end: datetime | None) -> str:
        """`3 mars 04:52–07:20`; open where there is no end."""
        first = start.astimezone(self.zone)
        if end is None:
            return f"{self.plain(first)}–"
        last = end.astimezone(self.zone)
        if first == last:
            return self.plain(first)
        same_day = first.date() == last.date() and first.time() not in _WHOLE_DAY
        return f"{self.plain(first)}–{f'{last:%H:%M}' if same_day else self.plain(last)}"

    def _date(self, local: datetime) -> str:
        year = "" if local.year == self._year else f" {local.year}"
        return f"{local.day} {self._months[local.month - 1]}{year}"

    def _clock(self, local: datetime) -> str:
        return "" if local.time().replace(microsecond=0) in _WHOLE_DAY else f" {local:%H:%M}"
