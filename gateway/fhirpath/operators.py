"""Operators on single values; None is the empty collection.

https://hl7.org/fhirpath/N1/#operations
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, DecimalException
from typing import Any

from gateway.fhirpath import quantity, temporal, values
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.quantity import Quantity
from gateway.fhirpath.temporal import Temporal
from gateway.fhirpath.values import is_number


def _refuse(op: str, a: Any, b: Any) -> EvaluationError:
    return EvaluationError(f"{values.type_name(a)[1]} {op} {values.type_name(b)[1]} is not defined.")


def _moved(value: Temporal, by: Quantity, sign: int) -> Temporal | None:
    unit = by.timely()
    if unit is None:
        hint = "Years and months of a date are written as 1 year, 1 month."
        raise EvaluationError("A date can be moved by units of time only.", hint)
    return temporal.add(value, sign * by.value, unit)


LARGEST = 2**63
"""Whole numbers beyond it are an overflow, which gives nothing."""
LONGEST = 10_000_000
"""Characters of a text that an expression may make."""


def _bounded(value: Any) -> Any:
    """What was calculated; nothing where it overflows."""
    if type(value) is int:
        return value if -LARGEST <= value < LARGEST else None
    return value if value.is_finite() else None


def concatenated(a: str, b: str) -> str:
    if len(a) + len(b) > LONGEST:
        raise EvaluationError("The text would become too long.", f"At most {LONGEST} characters.")
    return a + b


def _calculated(calculate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Arithmetic of which what is too large gives nothing."""

    def call(a: Any, b: Any) -> Any:
        try:
            return calculate(a, b)
        except (DecimalException, ValueError):  # NaN is no whole number
            return None

    return call


@_calculated
def plus(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return None
    if is_number(a) and is_number(b):
        return _bounded(a + b)
    if isinstance(a, str) and isinstance(b, str):
        return concatenated(a, b)
    if isinstance(a, Temporal) and isinstance(b, Quantity):
        return _moved(a, b, 1)
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return quantity.add(a, b, 1)
    raise _refuse("+", a, b)


@_calculated
def minus(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return None
    if is_number(a) and is_number(b):
        return _bounded(a - b)
    if isinstance(a, Temporal) and isinstance(b, Quantity):
        return _moved(a, b, -1)
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return quantity.add(a, b, -1)
    raise _refuse("-", a, b)


def _as_quantity(value: Any) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    return Quantity(Decimal(value)) if is_number(value) else None


@_calculated
def times(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return None
    if is_number(a) and is_number(b):
        return _bounded(a * b)
    left, right = _as_quantity(a), _as_quantity(b)
    if left is None or right is None:
        raise _refuse("*", a, b)
    return quantity.multiply(left, right)


@_calculated
def divided(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return None
    if is_number(a) and is_number(b):
        return Decimal(a) / Decimal(b) if b else None
    left, right = _as_quantity(a), _as_quantity(b)
    if left is None or right is None:
        raise _refuse("/", a, b)
    return quantity.multiply(left, right, power=-1)


def _whole(op: str, calculate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def call(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        if not is_number(a) or not is_number(b):
            raise _refuse(op, a, b)
        # Decimal divides towards zero, as FHIRPath does; Python's int does not.
        return _bounded(calculate(Decimal(a), Decimal(b))) if b else None

    return _calculated(call)


div = _whole("div", lambda a, b: int(a // b))


def mod(a: Any, b: Any) -> Any:
    result = _whole("mod", lambda x, y: x % y)(a, b)
    return int(result) if type(a) is int and type(b) is int and result is not None else result


def negative(a: Any) -> Any:
    if a is None:
        return None
    if isinstance(a, Quantity):
        return Quantity(-a.value, a.unit, a.calendar)
    if is_number(a):
        return -a
    raise EvaluationError(f"The negative of a {values.type_name(a)[1]} is not defined.")


def positive(a: Any) -> Any:
    negative(a)
    return a


def joined(a: Any, b: Any) -> str:
    """`&`: an empty operand is an empty string."""
    for value in (a, b):
        if value is not None and not isinstance(value, str | Temporal):
            raise _refuse("&", a, b)
    return concatenated("" if a is None else str(a), "" if b is None else str(b))


def both(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a: bool | None, b: bool | None) -> bool | None:
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def differing(a: bool | None, b: bool | None) -> bool | None:
    return None if a is None or b is None else a is not b


def implies(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is True:
        return True
    return None if a is None or b is None else b


def less(a: Any, b: Any) -> bool | None:
    order = values.order(a, b)
    return None if order is None else order < 0


def less_or_equal(a: Any, b: Any) -> bool | None:
    order = values.order(a, b)
    return None if order is None else order <= 0


def greater(a: Any, b: Any) -> bool | None:
    order = values.order(a, b)
    return None if order is None else order > 0


def greater_or_equal(a: Any, b: Any) -> bool | None:
    order = values.order(a, b)
    return None if order is None else order >= 0


def member(a: Any, items: Sequence[Any]) -> bool | None:
    """`in`, and the other way round `contains`."""
    return None if a is None else values.contains(items, a)


ARITHMETIC = {"+": plus, "-": minus, "*": times, "/": divided, "div": div, "mod": mod, "&": joined}
ORDERING = {"<": less, "<=": less_or_equal, ">": greater, ">=": greater_or_equal}
LOGIC = {"and": both, "or": either, "xor": differing, "implies": implies}
EQUALITY = {"=": values.equals, "!=": values.differs}
EQUIVALENCE = {
    "~": values.equivalent,
    "!~": lambda left, right: not values.equivalent(left, right),
}
