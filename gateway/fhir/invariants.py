"""The invariants of data types that are cheap enough for every write, by their key in the specification.

https://hl7.org/fhir/R4/datatypes.html

Which type has which rule stands in the definitions; here is only how a rule of that key is decided. `ele-1`, `dom-2`,
`dom-3`, `ref-1`, `txt-1` and `txt-2` come with the walk itself (`gateway.fhir.check`). The others need FHIRPath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.fhir.datetime import instant

Object = dict[str, Any]


def attachment(value: Object) -> bool:
    return "data" not in value or "contentType" in value or "_contentType" in value


def contact_point(value: Object) -> bool:
    return not ("value" in value or "_value" in value) or "system" in value or "_system" in value


def extension(value: Object) -> bool:
    """Either a value or extensions, and not both."""
    valued = any(name.startswith(("value", "_value")) for name in value)
    return valued != ("extension" in value)


def period(value: Object) -> bool:
    """The start is not after the end, as far as both are known."""
    start, end = value.get("start"), value.get("end")
    if type(start) is not str or type(end) is not str:
        return True
    if "T" not in start or "T" not in end:
        shared = min(len(start), len(end), 10)
        return start[:shared] <= end[:shared]
    try:
        return instant(start) <= instant(end)
    except ValueError:
        return True


def quantity(value: Object) -> bool:
    return not ("code" in value or "_code" in value) or "system" in value or "_system" in value


def range_(value: Object) -> bool:
    """The low value is not higher than the high one, where both are in the same unit."""
    low, high = value.get("low"), value.get("high")
    if type(low) is not dict or type(high) is not dict:
        return True
    if any(low.get(key) != high.get(key) for key in ("system", "code", "unit")):
        return True
    least, most = low.get("value"), high.get("value")
    return not (isinstance(least, int | Decimal) and isinstance(most, int | Decimal)) or least <= most


def ratio(value: Object) -> bool:
    """Numerator and denominator stand together, or an extension says why not."""
    both = ("numerator" in value) + ("denominator" in value)
    return both == 2 or (both == 0 and "extension" in value)


NATIVE: Final[Mapping[str, Callable[[Object], bool]]] = {
    "att-1": attachment,
    "cpt-2": contact_point,
    "ext-1": extension,
    "per-1": period,
    "qty-3": quantity,
    "rat-1": ratio,
    "rng-2": range_,
}
