"""A condition as a test on one row of its search table.

https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    Text,
    and_,
    false,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

from gateway.search.conditions import (
    Condition,
    Covers,
    DateIs,
    IdIs,
    Near,
    NumberIs,
    QuantityIs,
    RefersTo,
    RefersToAny,
    StringIs,
    TextIs,
    TokenIs,
    Unlike,
    UriIs,
    VersionIs,
    WordsAre,
)
from gateway.search.rows import UNVERSIONED
from gateway.search.units import BASE_UNITS
from gateway.tables import (
    search_date,
    search_number,
    search_position,
    search_quantity,
    search_reference,
    search_string,
    search_text,
    search_text_words,
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
    "position": search_position,
    "text": search_text,
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
    table = search_token.c
    tests = [] if is_.system is None else [table.system == is_.system]
    if is_.code is not None and is_.begins:
        tests += [_begins(table.code, is_.code), or_(table.cased == "", _begins(table.cased, is_.exact))]
    elif is_.code is not None:
        tests += [table.code == is_.code, or_(table.cased == "", table.cased == is_.exact)]
    return and_(*tests)


def _reference(is_: RefersTo) -> Test:
    return and_(search_reference.c.target_id == is_.id, _of_type(is_.type))


def _version(is_: VersionIs) -> Test:
    target, whole = search_reference.c.target_id, f"{is_.url}|{is_.version}"
    return and_(search_reference.c.target_type == "", or_(target == whole, _begins(target, whole + ".")))


def _near(is_: Near) -> Test:
    table = search_position.c
    places = ((table.z, is_.z), (table.x, is_.x), (table.y, is_.y))
    box = [column.between(place - is_.chord, place + is_.chord) for column, place in places]
    apart = [(column - place) * (column - place) for column, place in places]
    return and_(*box, apart[0] + apart[1] + apart[2] <= is_.chord * is_.chord)


class _Words(FunctionElement[bool]):
    """Whether a row of text is found by a query of words."""

    # A Boolean SQLite would compare with 1 instead of looking it up.
    type = NullType()  # type: ignore[assignment]
    inherit_cache = True


@compiles(_Words, "postgresql")
def _words_postgresql(element: _Words, compiler: SQLCompiler, **kw: Any) -> str:
    _, query, _ = element.clauses
    return f"to_tsvector('simple', search_text.words) @@ CAST({compiler.process(query, **kw)} AS tsquery)"


@compiles(_Words, "sqlite")
def _words_sqlite(element: _Words, compiler: SQLCompiler, **kw: Any) -> str:
    query, _, edge = element.clauses
    # An entry of the index says in its last bit of which text it is, and before that of which resource.
    found = select(search_text_words.c.rowid.op(">>")(1)).where(
        literal_column(search_text_words.name).op("MATCH")(query), search_text_words.c.rowid.op("&")(1) == edge
    )
    return compiler.process(search_text.c.rid.in_(found), **kw)


def _of_type(name: str | None) -> Test:
    kind = search_reference.c.target_type
    if name is None:
        return kind.not_in(("", UNVERSIONED))
    return kind.in_(("", UNVERSIONED)) if name == "" else kind == name


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
        case RefersToAny(type=target):
            return _of_type(target)
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
        case VersionIs():
            return _version(condition)
        case Near():
            return _near(condition)
        case WordsAre():
            return _Words(literal(condition.sqlite, Text), literal(condition.postgresql, Text), literal(condition.edge))
        case IdIs():
            raise AssertionError("An id is no search row.")


def any_of(conditions: Iterable[Condition]) -> Test:
    """A row that meets one of the conditions. Those that name a value are one look-up, however many they are."""
    tests: list[Test] = []
    codes: dict[str | None, list[TokenIs]] = {}
    targets: dict[str | None, list[str]] = {}
    for one in conditions:
        match one:
            case TokenIs(system=system, begins=False) if one.code is not None:
                codes.setdefault(system, []).append(one)
            case RefersTo(type=target, id=id):
                targets.setdefault(target, []).append(id)
            case _:
                tests.append(row(one))
    for system, tokens in codes.items():
        table = search_token.c
        as_written = or_(table.cased == "", _one_of(table.cased, [token.exact for token in tokens]))
        of_system = true() if system is None else table.system == system
        tests.append(and_(_one_of(table.code, [token.code or "" for token in tokens]), of_system, as_written))
    for target, named in targets.items():
        tests.append(and_(_one_of(search_reference.c.target_id, named), _of_type(target)))
    return or_(false(), *tests)


def _one_of(column: ColumnElement[str], values: Sequence[str]) -> Test:
    return column == values[0] if len(values) == 1 else column.in_(values)
