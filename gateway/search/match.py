"""A condition as a test on one row of its search table.

https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Table, and_, false, not_, or_, true

from gateway.search.conditions import (
    Condition,
    Covers,
    DateIs,
    IdIs,
    NumberIs,
    QuantityIs,
    RefersTo,
    StringIs,
    TextIs,
    TokenIs,
    Unlike,
    UriIs,
)
from gateway.search.rows import BASE_UNITS
from gateway.tables import (
    search_date,
    search_number,
    search_quantity,
    search_reference,
    search_string,
    search_token,
    search_uri,
)

Test = ColumnElement[bool]

TABLES: Mapping[str, Table] = {
    "token": search_token,
    "reference": search_reference,
    "date": search_date,
    "string": search_string,
    "uri": search_uri,
    "number": search_number,
    "quantity": search_quantity,
}
_LAST = "\U0010ffff"
"""Behind every text that begins with what stands before it."""


def date(is_: DateIs, low: ColumnElement[int], high: ColumnElement[int]) -> Test:
    """The prefixes by their words in the specification: https://hl7.org/fhir/R4/search.html#prefix"""
    within = and_(low >= is_.low, high <= is_.high)
    match is_.prefix:
        case "eq":
            return within
        case "ne":
            return or_(low < is_.low, high > is_.high)
        case "gt":
            return high > is_.high
        case "lt":
            return low < is_.low
        case "ge":
            return or_(high > is_.high, within)
        case "le":
            return or_(low < is_.low, within)
        case "sa":
            return low >= is_.high
        case "eb":
            return high <= is_.low
        case "ap":
            return and_(low < is_.high, high > is_.low)


def _number(is_: NumberIs, low: ColumnElement[float], high: ColumnElement[float]) -> Test:
    """Only equality looks at precision; the other prefixes compare with exactly the number that was written."""
    match is_.prefix:
        case "eq":
            return and_(low >= is_.low, high < is_.high)
        case "ne":
            return or_(low < is_.low, high >= is_.high)
        case "gt":
            return high > is_.value
        case "lt":
            return low < is_.value
        case "ge":
            return high >= is_.value
        case "le":
            return low <= is_.value
        case "sa":
            return low > is_.value
        case "eb":
            return high < is_.value
        case "ap":
            return and_(low <= is_.high, high >= is_.low)


def _begins(column: ColumnElement[str], text: str) -> Test:
    return and_(column >= text, column < text + _LAST)


def _string(is_: StringIs) -> Test:
    value = search_string.c.value
    if is_.how == "exact":
        return and_(value == is_.value, search_string.c.exact == is_.exact)
    if is_.how == "contains":
        return value.contains(is_.value, autoescape=True)
    return _begins(value, is_.value)


def _text(is_: TextIs) -> Test:
    """Of the whole texts only, which all have an exact form."""
    value, asked = search_string.c.value, is_.value
    tests: Mapping[str, Test] = {
        "eq": value == asked,
        "ne": value != asked,
        "co": value.contains(asked, autoescape=True),
        "sw": _begins(value, asked),
        "ew": value.endswith(asked, autoescape=True),
        "gt": value > asked,
        "lt": value < asked,
        "ge": value >= asked,
        "le": value <= asked,
    }
    return and_(tests[is_.operator], search_string.c.exact != "")


def _uri(is_: UriIs) -> Test:
    value = search_uri.c.value
    if is_.how == "below":
        return _begins(value, is_.value)
    if is_.how == "above":
        ends = [i for i, char in enumerate(is_.value) if char in "/#|:."]
        return value.in_([*{is_.value[:end] for end in ends}, *{is_.value[: end + 1] for end in ends}, is_.value])
    return value == is_.value


def _token(is_: TokenIs) -> Test:
    tests = []
    if is_.code is not None:
        tests.append(search_token.c.code == is_.code)
    if is_.system is not None:
        tests.append(search_token.c.system == is_.system)
    return and_(*tests)


def _reference(is_: RefersTo) -> Test:
    return and_(search_reference.c.target_id == is_.id, _of_type(is_.type))


def _of_type(name: str | None) -> Test:
    kind = search_reference.c.target_type
    return kind != "" if name is None else kind == name


def _quantity(is_: QuantityIs) -> Test:
    table = search_quantity.c
    tests = [_number(is_.number, table.low, table.high)]
    tests.append(table.system != BASE_UNITS if is_.system is None else table.system == is_.system)
    if is_.code is not None:
        # Without a system the unit may be meant as it is shown.
        tests.append(table.code == is_.code if is_.system else or_(table.code == is_.code, table.unit == is_.code))
    return and_(*tests)


def row(condition: Condition) -> Test:
    """The condition on a row of its own kind of table."""
    match condition:
        case TokenIs():
            return _token(condition)
        case RefersTo():
            return _reference(condition)
        case DateIs():
            return date(condition, search_date.c.low, search_date.c.high)
        case StringIs():
            return _string(condition)
        case UriIs():
            return _uri(condition)
        case NumberIs():
            return _number(condition, search_number.c.low, search_number.c.high)
        case QuantityIs():
            return _quantity(condition)
        case TextIs():
            return _text(condition)
        case Covers(low=low, high=high):
            return and_(search_date.c.low <= low, search_date.c.high >= high)
        case Unlike(condition=unlike):
            return not_(row(unlike))
        case IdIs():
            raise AssertionError("An id is no search row.")


def any_of(conditions: Iterable[Condition]) -> Test:
    """A row that meets one of the conditions. Those that name a value are one look-up, however many they are."""
    tests: list[Test] = []
    codes: dict[str | None, list[str]] = {}
    targets: dict[str | None, list[str]] = {}
    for one in conditions:
        match one:
            case TokenIs(system=system, code=str(code)):
                codes.setdefault(system, []).append(code)
            case RefersTo(type=target, id=id):
                targets.setdefault(target, []).append(id)
            case _:
                tests.append(row(one))
    for system, named in codes.items():
        of_system = true() if system is None else search_token.c.system == system
        tests.append(and_(_one_of(search_token.c.code, named), of_system))
    for target, named in targets.items():
        tests.append(and_(_one_of(search_reference.c.target_id, named), _of_type(target)))
    return or_(false(), *tests)


def _one_of(column: ColumnElement[str], values: Sequence[str]) -> Test:
    return column == values[0] if len(values) == 1 else column.in_(values)
