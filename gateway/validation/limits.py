"""Whether a value lies below or above a limit: numbers, dates, times, and quantities by their units.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.minValue_x_
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.fhir.datetime import instant
from gateway.fhirpath import Quantity
from gateway.fhirpath.quantity import compare

UCUM = "http://unitsofmeasure.org"


def beyond(value: Any, limit: Any) -> int | None:
    """-1 where a value lies below a limit, 1 where above, 0 where neither; None where that is not told."""
    if isinstance(value, bool) or isinstance(limit, bool):
        return None
    if isinstance(value, int | Decimal) and isinstance(limit, int | Decimal | float):
        other = Decimal(str(limit))
        return (value > other) - (value < other)
    if type(value) is str and type(limit) is str:
        return _timed(value, limit)
    if type(value) is dict and type(limit) is dict:
        return _measured(value, limit)
    return None


def _timed(value: str, limit: str) -> int | None:
    """Of two precisions the coarser decides: a year lies beyond a day where all of it does."""
    if "T" in value and "T" in limit:
        try:
            first, second = instant(value), instant(limit)
        except ValueError:
            return None
        return (first > second) - (first < second)
    shared = min(len(value), len(limit))
    return (value[:shared] > limit[:shared]) - (value[:shared] < limit[:shared])


def _measured(value: dict[str, Any], limit: dict[str, Any]) -> int | None:
    if value.get("system") == limit.get("system") and value.get("code") == limit.get("code"):
        return beyond(value.get("value"), limit.get("value"))
    one, other = _quantity(value), _quantity(limit)
    return None if one is None or other is None else compare(one, other)


def _quantity(value: dict[str, Any]) -> Quantity | None:
    number, code = value.get("value"), value.get("code")
    if value.get("system") != UCUM or type(code) is not str or isinstance(number, bool):
        return None
    return Quantity(Decimal(str(number)), code) if isinstance(number, int | float | Decimal) else None
