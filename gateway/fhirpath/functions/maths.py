"""Math functions, on decimals throughout.

https://hl7.org/fhirpath/N1/#math
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException, localcontext
from typing import Any

from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.functions.registry import scalar
from gateway.fhirpath.quantity import Quantity, comparable
from gateway.fhirpath.temporal import Temporal, boundary
from gateway.fhirpath.values import is_number

_DIGITS = 28
_MAX_PLACES = 28
_MOST_DIGITS = 100
_LARGEST = 400
"""In powers of ten. JSON may have 1e999999999, which as a whole number would fill the memory."""


def _number(value: Any) -> Decimal:
    if not is_number(value):
        raise EvaluationError("A number is needed here.", "toDecimal() makes one of a text.")
    return Decimal(value)


def _to_whole(value: Any, rounding: str) -> int:
    number = _number(value)
    if not number.is_finite() or number.adjusted() > _LARGEST:
        raise EvaluationError("The number is too large to be a whole one.")
    return int(number.to_integral_value(rounding))


@scalar("abs")
def absolute(value: Any) -> Any:
    if isinstance(value, Quantity):
        return Quantity(abs(value.value), value.unit, value.calendar)
    return abs(value) if type(value) is int else abs(_number(value))


@scalar("ceiling", result="Integer")
def ceiling(value: Any) -> int:
    return _to_whole(value, ROUND_CEILING)


@scalar("floor", result="Integer")
def floor(value: Any) -> int:
    return _to_whole(value, ROUND_FLOOR)


@scalar("truncate", result="Integer")
def truncate(value: Any) -> int:
    return _to_whole(value, ROUND_DOWN)


@scalar("round", "value", required=0, result="Decimal")
def rounded(value: Any, places: Any = 0) -> Decimal:
    if type(places) is not int or places < 0:
        raise EvaluationError("The number of decimals is a whole number from 0 on.")
    return _placed(_number(value), min(places, _MAX_PLACES), ROUND_HALF_UP)


def _calculated(calculate: Callable[..., Decimal]) -> Callable[..., Decimal | None]:
    """The result of a calculation; nothing where there is none among the decimals."""

    def call(*args: Any) -> Decimal | None:
        numbers = [_number(arg) for arg in args]
        try:
            with localcontext(prec=_DIGITS):
                result = calculate(*numbers)
        except (DecimalException, ZeroDivisionError):
            return None
        return result if result.is_finite() else None

    return call


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    result: Decimal = base**exponent
    return result


def _logarithm(value: Decimal, base: Decimal) -> Decimal:
    result = value.ln() / base.ln()
    nearest = result.to_integral_value()
    # 1000 is 10 to the third: what is off in the last digits only is a matter of calculation.
    return nearest if abs(result - nearest) < Decimal("1e-20") else result


scalar("exp", result="Decimal")(_calculated(lambda value: value.exp()))
scalar("ln", result="Decimal")(_calculated(lambda value: value.ln()))
scalar("sqrt", result="Decimal")(_calculated(lambda value: value.sqrt()))
scalar("log", "value", result="Decimal")(_calculated(_logarithm))


@scalar("power", "value")
def power(value: Any, exponent: Any) -> Any:
    if type(value) is int and type(exponent) is int and exponent >= 0:
        result = _calculated(_power)(value, exponent)
        return None if result is None else int(result) if result == result.to_integral_value() else result
    return _calculated(_power)(value, exponent)


def _decimal_boundary(value: Decimal, places: int, *, high: bool) -> Decimal | None:
    exponent = value.as_tuple().exponent
    if type(places) is not int:
        raise EvaluationError("The precision is a whole number.")
    if not 0 <= places <= _MAX_PLACES or not isinstance(exponent, int):
        return None
    half = Decimal(5).scaleb(min(exponent, 0) - 1)
    edge = value + half if high else value - half
    return _placed(edge, places, ROUND_CEILING if high else ROUND_FLOOR)


def _placed(value: Decimal, places: int, rounding: str) -> Decimal:
    """The value with so many decimals."""
    try:
        with localcontext(prec=_MOST_DIGITS):
            return value.quantize(Decimal(1).scaleb(-places), rounding)
    except DecimalException:
        raise EvaluationError("The number has too many digits to be rounded.") from None


def _boundary(*, high: bool) -> Callable[..., Any]:
    def call(value: Any, precision: Any = None) -> Any:
        if isinstance(value, Temporal):
            return boundary(value, precision, high=high)
        places = 8 if precision is None else precision
        if isinstance(value, Quantity):
            edge = _decimal_boundary(value.value, places, high=high)
            return None if edge is None else Quantity(edge, value.unit, value.calendar)
        return _decimal_boundary(_number(value), places, high=high)

    return call


scalar("lowBoundary", "value", required=0)(_boundary(high=False))
scalar("highBoundary", "value", required=0)(_boundary(high=True))


@scalar("precision", result="Integer")
def precision(value: Any) -> int:
    if isinstance(value, Temporal):
        return value.digits
    exponent = _number(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@scalar("comparable", "value", result="Boolean")
def is_comparable(value: Any, other: Any) -> bool:
    return isinstance(value, Quantity) and isinstance(other, Quantity) and comparable(value, other)
