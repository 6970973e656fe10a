"""Quantities: a decimal with a UCUM or a calendar unit.

https://hl7.org/fhirpath/N1/#quantity
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, DecimalException
from fractions import Fraction

from gateway.fhirpath import ucum

_CALENDAR_UNITS = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
CALENDAR = {name + plural: name for name in _CALENDAR_UNITS for plural in ("", "s")}
# Calendar units that are as long as a UCUM unit. A year and a month are not: their length depends on the date.
DEFINITE = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
_TIMELY = {code: name for name, code in DEFINITE.items()}
_YEARS = {"year": Fraction(12), "month": Fraction(1)}
_AVERAGE = {"year": "a", "month": "mo"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """`unit` is a UCUM code (`1` for none), or with `calendar` the singular name of a calendar unit."""

    value: Decimal
    unit: str = "1"
    calendar: bool = False

    def __str__(self) -> str:
        if self.calendar:
            return f"{self.value} {self.unit}{'' if self.value == 1 else 's'}"
        return f"{self.value} '{self.unit}'"

    def timely(self) -> str | None:
        """The calendar unit to add to a date; None for what a date cannot be moved by."""
        if self.calendar:
            return self.unit
        return _TIMELY.get(self.unit) or CALENDAR.get(self.unit)

    def scale(self) -> ucum.Unit | None:
        """How the unit measures; None where it is not known."""
        if self.calendar and self.unit in _YEARS:
            return ucum.Unit(_YEARS[self.unit], (("calendar month", 1),))
        return ucum.unit(DEFINITE[self.unit] if self.calendar else self.unit)

    def measure(self) -> tuple[Fraction, tuple[tuple[str, int], ...]] | None:
        """The amount in base units and their dimensions; None where the unit is not known."""
        unit = self.scale()
        amount = None if unit is None else unit.amount(self.value)
        return None if unit is None or amount is None else (amount, unit.dimensions)

    def within(self, other: Quantity) -> Decimal | None:
        """The amount in the unit of the other; None where it does not convert."""
        unit, measured = other.scale(), self.measure()
        if unit is None or measured is None or unit.dimensions != measured[1]:
            return None
        value = unit.value(measured[0])
        return None if value is None else as_decimal(value)


def compare(a: Quantity, b: Quantity) -> int | None:
    """Negative, zero or positive; None where the units cannot be compared."""
    if a.unit == b.unit and a.calendar == b.calendar:
        return (a.value > b.value) - (a.value < b.value)
    one, other = a.measure(), b.measure()
    if one is None or other is None or one[1] != other[1]:
        return None
    return (one[0] > other[0]) - (one[0] < other[0])


def comparable(a: Quantity, b: Quantity) -> bool:
    one, other = a.measure(), b.measure()
    return one is not None and other is not None and one[1] == other[1]


def equivalent(a: Quantity, b: Quantity) -> bool:
    """The same amount, looked at with the precision of the less precise one."""
    if a.calendar != b.calendar:
        a, b = _definite(a), _definite(b)
    one, other = a.measure(), b.measure()
    if one is None or other is None:
        return a.unit == b.unit and alike(a.value, b.value)
    if one[1] != other[1]:
        return False
    if not a.value or not b.value:
        return one[0] == other[0]
    converted = b.within(a)
    return converted is not None and alike(a.value, converted)


def _definite(value: Quantity) -> Quantity:
    """A calendar year beside one of UCUM is as long as that: https://hl7.org/fhirpath/N1/#equivalent"""
    code = _AVERAGE.get(value.unit) if value.calendar else None
    return value if code is None else Quantity(value.value, code)


def alike(a: Decimal, b: Decimal) -> bool:
    """Equal once both are rounded to the fewer decimals of the two; trailing zeroes do not count."""
    digits = min(decimals(a), decimals(b))
    return round(a, digits) == round(b, digits)


def decimals(value: Decimal) -> int:
    """How many digits behind the point matter."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def as_decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def multiply(a: Quantity, b: Quantity, *, power: int = 1) -> Quantity | None:
    """The product, or with power -1 the quotient, in base units where the units differ."""
    if power < 0 and not b.value:
        return None
    try:
        value = a.value * b.value if power > 0 else a.value / b.value
    except DecimalException:
        return None
    if b.unit == "1" and not b.calendar:
        return Quantity(value, a.unit, a.calendar)
    if a.unit == "1" and power > 0 and not a.calendar:
        return Quantity(value, b.unit, b.calendar)
    one, other = a.scale(), b.scale()
    if one is None or other is None:
        return None
    try:
        unit = one.times(other, power)
    except ValueError:
        return None
    amount = unit.amount(value)
    return None if amount is None else Quantity(as_decimal(amount), ucum.canonical(unit.dimensions))


def add(a: Quantity, b: Quantity, sign: int) -> Quantity | None:
    """The sum in the unit of the first; None where the units cannot be added."""
    if a.unit == b.unit and a.calendar == b.calendar:
        return Quantity(a.value + sign * b.value, a.unit, a.calendar)
    if any(unit is not None and unit.scale for unit in (a.scale(), b.scale())):
        # 20 Cel and 1 K: a degree more, or 294.15 K in all? UCUM does not say.
        return None
    addend = b.within(a)
    return None if addend is None else Quantity(a.value + sign * addend, a.unit, a.calendar)


def converted(value: Quantity, unit: str) -> Quantity | None:
    """The quantity in a unit: a UCUM code or a calendar unit's name."""
    like = Quantity(value.value, CALENDAR[unit], calendar=True) if unit in CALENDAR else Quantity(value.value, unit)
    if (like.unit, like.calendar) == (value.unit, value.calendar):
        return value
    amount = value.within(like)
    return None if amount is None else Quantity(amount, like.unit, like.calendar)
