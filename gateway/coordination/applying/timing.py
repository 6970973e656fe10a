"""When something is to be done, as definitions say it, in the terms that requests have for it.

https://hl7.org/fhir/R4/datatypes.html#Timing
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gateway.coordination.applying.context import Context
from gateway.coordination.values import instant, written
from gateway.errors import Unprocessable
from gateway.fhirpath import Date, DateTime, temporal

_UNITS: Final = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
_MOST: Final = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Timed:
    """The same time in several forms; those that it has."""

    at: str | None = None
    period: Mapping[str, str] | None = None
    timing: Mapping[str, Any] | None = None

    def choices(self) -> Iterator[tuple[str, Any]]:
        """The types of a choice that may hold it, the best first."""
        for type, value in (("Timing", self.timing), ("dateTime", self.at), ("Period", self.period)):
            if value is not None:
                yield type, value


def timed(type: str, value: Any, context: Context, where: str) -> Timed:
    """The time that a `timing[x]` of this type says. Unprocessable where it cannot be known."""
    if type == "DateTime":
        return Timed(at=value, period={"start": value})
    if type == "Period":
        return Timed(at=None, period=value)
    if type == "Timing":
        return Timed(period=_bounds(value, context, where), timing=value)
    if type == "Duration":
        end = later(context.now, value, where)
        return Timed(period={"start": written(context.now), "end": written(end)})
    if type == "Age":
        born = Date.parse(str(context.resources["subject"].get("birthDate", "")))
        unit = _UNITS.get(value.get("code", value.get("unit", "")), "")
        at = temporal.add(born, Decimal(value.get("value", 0)), unit) if born and unit else None
        if at is None:
            text = (
                "When the subject comes to the age is not known: it takes a day of birth, and an age in a unit of time."
            )
            raise Unprocessable(text, rule="timing-needs-birth-date", expression=f"{where}.timingAge")
        return Timed(at=str(at), period={"start": str(at)})
    text = "A time that is given as a range is not applied: give a period, a timing or a duration."
    raise Unprocessable(text, rule="timing-not-applied", expression=f"{where}.timing{type}")


def later(moment: datetime, duration: Mapping[str, Any], where: str) -> datetime:
    """The moment so much later. Unprocessable where the duration is none."""
    unit = _UNITS.get(duration.get("code", duration.get("unit", "")))
    value = Decimal(duration.get("value", 0))
    found = temporal.add(DateTime.of(moment), value, unit) if unit and abs(value) <= _MOST else None
    told = None if found is None else instant(str(found))
    if told is None:
        text = "A duration has a value and a unit of time in UCUM: s, min, h, d, wk, mo or a."
        raise Unprocessable(text, rule="duration-malformed", expression=where)
    return told


def _bounds(timing: Mapping[str, Any], context: Context, where: str) -> Mapping[str, str] | None:
    """From when to when a timing goes, where it says so."""
    repeat = timing.get("repeat", {})
    if "boundsPeriod" in repeat:
        found: Mapping[str, str] = repeat["boundsPeriod"]
        return found
    if "boundsDuration" in repeat:
        return {"start": written(context.now), "end": written(later(context.now, repeat["boundsDuration"], where))}
    events = timing.get("event", ())
    return {"start": min(events), "end": max(events)} if events else None
