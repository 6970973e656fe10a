"""What people read: Swedish and English side by side, and times as they are said in Sweden.

Answers give times, never "5 minutes ago"; the law's days are calendar days, Swedish time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Literal

from gateway.coordination import agreements
from gateway.coordination.values import SWEDEN, instant

Language = Literal["sv", "en"]
LANGUAGES: tuple[Language, ...] = ("sv", "en")

_END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class Words:
    """The same in both languages."""

    sv: str
    en: str

    def in_language(self, language: Language) -> str:
        return self.sv if language == "sv" else self.en

    def fill(self, **parts: Part) -> Words:
        """The words with their blanks filled; what is bilingual is filled in its language, times as they are said."""
        return Words(*(_fill(self.in_language(language), parts, language) for language in LANGUAGES))

    def fill_in(self, **parts: Part) -> Words:
        """The same for words that stand within a sentence: no capital."""
        return Words(*(_filled(self.in_language(language), parts, language) for language in LANGUAGES))

    def started(self) -> Words:
        """With a capital, to begin a sentence."""
        return Words(self.sv[:1].upper() + self.sv[1:], self.en[:1].upper() + self.en[1:])


Part = Words | str | datetime | int
"""What a blank may be filled with."""


def _fill(text: str, parts: Mapping[str, Part], language: Language) -> str:
    filled = _filled(text, parts, language)
    return filled[:1].upper() + filled[1:]


def _filled(text: str, parts: Mapping[str, Part], language: Language) -> str:
    shown = {name: spoken(part, language) if isinstance(part, datetime) else part for name, part in parts.items()}
    return text.format(**{k: v.in_language(language) if isinstance(v, Words) else v for k, v in shown.items()})


def both(text: str) -> Words:
    """A text that is the same in both languages, a name for example."""
    return Words(text, text)


@lru_cache(maxsize=4096)  # One time stands in several sentences of a gap.
def spoken(moment: datetime, language: Language) -> str:
    """A time as it is said: day, month, year and clock; the begin or end of a day is the day."""
    local = moment.astimezone(SWEDEN)
    said = f"{local.day} {_months(language)[local.month - 1]} {local.year}"
    return said if local.time() in (time.min, _END_OF_DAY) else f"{said} {local.hour:02}:{local.minute:02}"


def swedish_day(moment: datetime) -> date:
    return moment.astimezone(SWEDEN).date()


def end_of_day(day: date) -> datetime:
    """The last second of a Swedish calendar day: until then, what is due that day is in time."""
    return datetime.combine(day, _END_OF_DAY, SWEDEN)


def days_after(moment: datetime, days: int) -> datetime:
    """The end of the calendar day so many days later."""
    return end_of_day(swedish_day(moment) + timedelta(days=days))


def start_after(moment: datetime, days: int) -> datetime:
    """The beginning of the calendar day so many days later."""
    return datetime.combine(swedish_day(moment) + timedelta(days=days), time.min, SWEDEN)


def due(value: object) -> datetime | None:
    """When something is due: a date means the whole day."""
    if isinstance(value, str) and len(value) == 10:
        moment = instant(value)
        return end_of_day(swedish_day(moment)) if moment else None
    return instant(value)


@cache
def _months(language: Language) -> tuple[str, ...]:
    return tuple(agreements.read("words")["months"][language].split())


@lru_cache(maxsize=1024)  # Codes come from what is told.
def words(group: str, code: str) -> Words | None:
    """The words for a code, from conformance/agreements/words.json."""
    row = agreements.read("words")[group].get(code) if code else None
    return Words(row["sv"], row["en"]) if row else None


def phrase(name: str) -> Words:
    found = words("phrases", name)
    assert found is not None, name
    return found
