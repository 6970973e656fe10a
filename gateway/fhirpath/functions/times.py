"""The parts of dates and times.

https://build.fhir.org/ig/HL7/FHIRPath/#extract-datetime-components
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import scalar
from gateway.fhirpath.temporal import Date, Temporal, Time, micros_of

_PARTS = ("year", "month", "day", "hour", "minute", "second")


def _temporal(value: Any) -> Temporal:
    if not isinstance(value, Temporal):
        raise EvaluationError(
            "A date or time is needed here.", "toDate(), toDateTime() and toTime() make one of a text."
        )
    return value


def _part(name: str) -> Callable[[Any], int | None]:
    def call(value: Any) -> int | None:
        units = _temporal(value).UNITS
        place = units.index(name) if name in units else len(value.parts)
        return value.parts[place] if place < len(value.parts) else None

    return call


for _name in _PARTS:
    scalar(f"{_name}Of", result="Integer")(_part(_name))


@scalar("millisecondOf", result="Integer")
def millisecond_of(value: Any) -> int | None:
    fraction = _temporal(value).fraction
    return micros_of(fraction) // 1000 if fraction else None


@scalar("timezoneOffsetOf", result="Decimal")
def timezone_offset_of(value: Any) -> Decimal | None:
    """In hours."""
    offset = _temporal(value).offset
    return None if offset is None else Decimal(offset) / 60


@scalar("dateOf", result="Date")
def date_of(value: Any) -> Date | None:
    return None if isinstance(_temporal(value), Time) else Date(value.parts[:3])


@scalar("timeOf", result="Time")
def time_of(value: Any) -> Time | None:
    if isinstance(_temporal(value), Time):
        return value  # type: ignore[no-any-return]
    return Time(value.parts[3:], value.fraction) if len(value.parts) > 3 else None
