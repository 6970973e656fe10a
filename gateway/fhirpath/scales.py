"""The scales of UCUM's special units: what a number on one means in its proper unit, and back.

Temperatures are exact; logarithms are calculated to 34 digits. https://ucum.org/ucum#section-Special-Units-on-non-ratio-Scales
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

_DIGITS = 34
_FURTHEST = 300
"""The largest power of ten that a logarithm may mean: as far as a float reaches."""

Step = Callable[[Fraction], Fraction | None]


@dataclass(frozen=True, slots=True)
class Scale:
    """`proper` makes of a number on the scale one of the proper unit, `special` goes back; None where there is none."""

    proper: Step
    special: Step


def _shifted(zero: str) -> Scale:
    return Scale(lambda value: value + Fraction(zero), lambda value: value - Fraction(zero))


def _logarithm(base: int | None, times: int = 1) -> Scale:
    """Of `times` the logarithm to a base, e without one."""
    width = math.log10(base or math.e)

    def proper(value: Fraction) -> Fraction | None:
        power = value / times
        if abs(power) * Fraction(width) > _FURTHEST:
            return None
        with localcontext(prec=_DIGITS):
            exponent = _decimal(power)
            return Fraction(exponent.exp() if base is None else Decimal(base) ** exponent)

    def special(value: Fraction) -> Fraction | None:
        if value <= 0:
            return None
        with localcontext(prec=_DIGITS):
            number = _decimal(value)
            if base == 10:
                return Fraction(number.log10()) * times
            return Fraction(number.ln() if base is None else number.ln() / Decimal(base).ln()) * times

    return Scale(proper, special)


def _root() -> Scale:
    def special(value: Fraction) -> Fraction | None:
        with localcontext(prec=_DIGITS):
            return None if value < 0 else Fraction(_decimal(value).sqrt())

    return Scale(lambda value: value * value, special)


def _slope() -> Scale:
    """A hundred times the tangent of an angle."""

    def proper(value: Fraction) -> Fraction | None:
        return Fraction(str(math.atan(value / 100)))

    def special(value: Fraction) -> Fraction | None:
        return Fraction(str(math.tan(value) * 100)) if abs(value) < math.pi / 2 else None

    return Scale(proper, special)


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


SCALES: dict[str, Scale] = {
    "cel": _shifted("273.15"),
    "degf": _shifted("459.67"),
    "degre": _shifted("218.52"),
    "pH": _logarithm(10, -1),
    "lg": _logarithm(10),
    "2lg": _logarithm(10, 2),
    "ln": _logarithm(None),
    "ld": _logarithm(2),
    "hpX": _logarithm(10, -1),
    "hpC": _logarithm(100, -1),
    "hpM": _logarithm(1000, -1),
    "hpQ": _logarithm(50000, -1),
    "sqrt": _root(),
    "100tan": _slope(),
}
