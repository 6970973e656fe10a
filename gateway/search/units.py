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
    """How a unit converts to its base unit: times `factor`, and from another zero where it has one."""

    base: str
    factor: Fraction
    zero: Fraction = Fraction(0)

    def of(self, amount: Decimal | int | float) -> float:
        """An amount of the unit as one of the base unit, rounded once."""
        if isinstance(amount, float) and abs(amount) >= INFINITE:
            return amount
        return number(Fraction(amount if not isinstance(amount, float) else str(amount)) * self.factor + self.zero)


# Units that begin to count at another zero: https://ucum.org/ucum#section-Tables-of-Terminal-Symbols
_SHIFTED = {
    "Cel": Scale("K", Fraction(1), Fraction("273.15")),
    "[degF]": Scale("K", Fraction(5, 9), Fraction("459.67") * 5 / 9),
    "[degRe]": Scale("K", Fraction(5, 4), Fraction("273.15")),
}


@lru_cache(maxsize=1024)
def scale(code: str) -> Scale | None:
    """How a UCUM unit converts, or None where it is not one that is known here."""
    if code in _SHIFTED:
        return _SHIFTED[code]
    unit = ucum.unit(code)
    return None if unit is None else Scale(ucum.canonical(unit.dimensions), unit.factor)


def number(exact: Fraction | Decimal | int) -> float:
    """The nearest float, or an infinite one."""
    try:
        return float(exact)
    except OverflowError:
        return INFINITE if exact > 0 else -INFINITE
