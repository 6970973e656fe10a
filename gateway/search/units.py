"""Amounts in the base units of their dimension: so that 5 g is found by 5000 mg, and 37 Cel by 98.6 [degF].

https://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from gateway.fhirpath import ucum

UCUM = "http://unitsofmeasure.org"
BASE_UNITS = "http://unitsofmeasure.org#base"
"""Stands as system in the second row of a UCUM quantity, which is in base units."""
INFINITE = 1e300


@dataclass(frozen=True, slots=True)
class Scale:
    """How a unit converts to its base unit."""

    base: str
    unit: ucum.Unit

    def of(self, amount: Decimal | int | float) -> float:
        """An amount of the unit as one of the base unit, rounded once."""
        if isinstance(amount, float) and abs(amount) >= INFINITE:
            return amount
        given = Decimal(str(amount)) if isinstance(amount, float) else Decimal(amount)
        if not self.unit.scale and ucum.measurable(given):  # Divided once, it is as exact as a fraction.
            above, below = given.as_integer_ratio()
            return _quotient(above * self.unit.factor.numerator, below * self.unit.factor.denominator)
        exact = self.unit.amount(given)
        if exact is not None:
            return number(exact)
        # Beyond all measure: without end, or next to nothing.
        if given.adjusted() < 0 or (self.unit.scale and given < 0):
            return 0.0
        return INFINITE if given > 0 else -INFINITE


@lru_cache(maxsize=1024)
def scale(code: str) -> Scale | None:
    """How a UCUM unit converts, or None where it is not one.

    Neither does one whose numbers fall as the amount grows, such as pH: more of it is then less of the base unit.
    """
    unit = ucum.unit(code)
    if unit is None or (unit.scale and _falls(unit)):
        return None
    return Scale(ucum.canonical(unit.dimensions), unit)


def _falls(unit: ucum.Unit) -> bool:
    less, more = unit.amount(Fraction(0)), unit.amount(Fraction(1))
    return less is None or more is None or more < less


def number(exact: Fraction | Decimal | int) -> float:
    """The nearest float, or an infinite one."""
    try:
        return float(exact)
    except OverflowError:
        return INFINITE if exact > 0 else -INFINITE


def _quotient(above: int, below: int) -> float:
    """The float nearest to a fraction, or an infinite one."""
    try:
        return above / below
    except OverflowError:
        return INFINITE if above > 0 else -INFINITE
