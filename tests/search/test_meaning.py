"""What the database finds is what the specification's sentences say, read a second time in plain Python.

https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.shelf import NOW, Shelf

PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


@dataclass(frozen=True)
class Range:
    """From `low`, which belongs to it, to `high`, which does not; None: without end."""

    low: Any
    high: Any

    def contains(self, other: Range) -> bool:
        begins = self.low is None or (other.low is not None and self.low <= other.low)
        ends = self.high is None or (other.high is not None and other.high <= self.high)
        return begins and ends

    def overlaps(self, other: Range) -> bool:
        begins = self.low is None or other.high is None or self.low < other.high
        ends = self.high is None or other.low is None or other.low < self.high
        return begins and ends

    @property
    def above(self) -> Range:
        return Range(self.high, None)

    @property
    def below(self) -> Range:
        return Range(None, self.low)


SENTENCES: dict[str, Callable[[Range, Range], bool]] = {
    "eq": lambda search, target: search.contains(target),
    "ne": lambda search, target: not search.contains(target),
    "gt": lambda search, target: search.above.overlaps(target),
    "lt": lambda search, target: search.below.overlaps(target),
    "ge": lambda search, target: search.above.overlaps(target) or search.contains(target),
    "le": lambda search, target: search.below.overlaps(target) or search.contains(target),
    "sa": lambda search, target: not search.overlaps(target) and search.above.contains(target),
    "eb": lambda search, target: not search.overlaps(target) and search.below.contains(target),
    "ap": lambda search, target: search.overlaps(target),
}


# --- dates

SWEDEN = ZoneInfo("Europe/Stockholm")
SECOND, MILLISECOND, MICROSECOND = timedelta(seconds=1), timedelta(milliseconds=1), timedelta(microseconds=1)

# Few of each, so that they meet: around the ends of days, months and years, and the change to summer time.
DAYS = st.sampled_from(["2023-12-31", "2024-01-01", "2024-02-29", "2024-03-01", "2024-03-31", "2024-04-01"])
CLOCKS = st.sampled_from(["00:00:00", "00:30:00", "10:29:59", "10:30:00", "22:30:00", "23:59:59"])
FRACTIONS = st.sampled_from(["", ".000", ".500", ".999"])
ZONES = st.sampled_from(["Z", "+01:00", "-05:00"])
DATES = st.one_of(DAYS, DAYS.map(lambda day: day[:7]), DAYS.map(lambda day: day[:4]))
MOMENTS = st.builds("{}T{}{}{}".format, DAYS, CLOCKS, FRACTIONS, ZONES)
DATE_TIMES = st.one_of(DATES, MOMENTS)
SEARCHED = st.one_of(DATE_TIMES, st.builds("{}T{}".format, DAYS, CLOCKS), MOMENTS.map(lambda text: text[:16]))


def range_of(text: str) -> Range:
    """All the time that a date of its precision stands for."""
    if len(text) <= 10:
        year, month, day = (*map(int, text.split("-")), 0, 0)[:3]
        first = datetime(year, month or 1, day or 1, tzinfo=SWEDEN)
        if day:
            after = first + timedelta(days=1)
        else:
            after = datetime(year + (month in (0, 12)), month % 12 + 1 if month else 1, 1, tzinfo=SWEDEN)
        return Range(first.astimezone(UTC), after.astimezone(UTC))
    moment = datetime.fromisoformat(text)
    low = (moment if moment.tzinfo else moment.replace(tzinfo=SWEDEN)).astimezone(UTC)
    clock = text[11:].replace("Z", "").partition("+")[0].partition("-")[0]
    width = {5: timedelta(minutes=1), 8: SECOND, 12: MILLISECOND}[len(clock)]
    return Range(low, low + width)


@st.composite
def stored_times(draw: st.DrawFn) -> tuple[dict[str, Any], Range]:
    """The value[x] of an Observation's effective time, and its range."""
    kind = draw(st.sampled_from(["dateTime", "instant", "Period", "Timing"]))
    if kind == "dateTime":
        text = draw(DATE_TIMES)
        return {"effectiveDateTime": text}, range_of(text)
    if kind == "instant":
        text = draw(MOMENTS)
        low = range_of(text).low
        return {"effectiveInstant": text}, Range(low, low + MICROSECOND)
    if kind == "Period":
        period, found = draw(periods())
        return {"effectivePeriod": period}, found
    events = draw(st.lists(DATE_TIMES, min_size=1, max_size=3))
    ranges = [range_of(event) for event in events]
    return {"effectiveTiming": {"event": events}}, Range(min(r.low for r in ranges), max(r.high for r in ranges))


@st.composite
def periods(draw: st.DrawFn) -> tuple[dict[str, str], Range]:
    ends = sorted(draw(st.tuples(DATE_TIMES, DATE_TIMES)), key=lambda text: range_of(text).low)
    which = draw(st.sampled_from(["both", "start", "end"]))
    start = ends[0] if which != "end" else None
    end = ends[1] if which != "start" else None
    period = {name: text for name, text in (("start", start), ("end", end)) if text}
    return period, Range(range_of(start).low if start else None, range_of(end).high if end else None)


@settings(max_examples=15, deadline=None)
@given(st.lists(stored_times(), min_size=1, max_size=12), st.lists(SEARCHED, min_size=1, max_size=4, unique=True))
def test_dates_are_found_as_the_sentences_say(stored: list[tuple[dict[str, Any], Range]], searched: list[str]) -> None:
    shelf = Shelf([{"resourceType": "Observation", "id": str(place), **time} for place, (time, _) in enumerate(stored)])
    for text in searched:
        for prefix in PREFIXES:
            search = range_of(text)
            if prefix == "ap":
                margin = max(timedelta(), NOW - search.high, search.low - NOW) / 10
                search = Range(search.low - margin, search.high + margin)
            said = [str(place) for place, (_, target) in enumerate(stored) if SENTENCES[prefix or "eq"](search, target)]
            query = f"Observation?date={prefix}{text.replace('+', '%2B')}"
            assert sorted(shelf.search(query)) == sorted(said), query


# --- quantities

UNITS = {"ug": Fraction(1, 10**6), "mg": Fraction(1, 1000), "g": Fraction(1), "kg": Fraction(1000)}
NUMBERS = st.sampled_from(
    ["0", "1", "5", "5.4", "5.40", "5.35", "5.45", "-2", "0.0054", "5400", "5.4e3", "1e2", "99.5"]
)


@dataclass(frozen=True)
class Amount:
    """An exact amount, or all below or above it, with itself or without."""

    value: Fraction
    comparator: str

    def any(self, test: Callable[[Fraction], bool], low: Fraction, high: Fraction) -> bool:
        """Whether the test holds somewhere; beyond `low` and `high` it does not change."""
        return any(test(point) for point in self._points(low, high))

    def all(self, test: Callable[[Fraction], bool], low: Fraction, high: Fraction) -> bool:
        return all(test(point) for point in self._points(low, high))

    def _points(self, low: Fraction, high: Fraction) -> list[Fraction]:
        """The amounts at which a test that changes at `low` and `high` only can come out otherwise."""
        near = Fraction(1, 10**15)
        marks = [low, high, self.value]
        points = [mark + step for mark in marks for step in (-near, 0, near)]
        points += [min(marks) - 1, max(marks) + 1]
        holds = {
            "": lambda point: point == self.value,
            "<": lambda point: point < self.value,
            "<=": lambda point: point <= self.value,
            ">": lambda point: point > self.value,
            ">=": lambda point: point >= self.value,
        }[self.comparator]
        return [point for point in points if holds(point)]


def precision(text: str) -> Fraction:
    """Half a unit of the last significant digit; 1e2 is read as the specification does, 95 to 105."""
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    if exponent and len(mantissa.replace(".", "").lstrip("-0")) == 1:
        decimals += 1
    return Fraction(1, 2) * Fraction(10) ** (int(exponent or 0) - decimals)


def found(prefix: str, text: str, unit: Fraction, target: Amount) -> bool:
    value, half = Fraction(text) * unit, precision(text) * unit
    if prefix == "ap":
        half = max(half, abs(value) / 10)
    low, high = value - half, value + half
    match prefix:
        case "eq":
            return target.all(lambda point: low <= point < high, low, high)
        case "ne":
            return not target.all(lambda point: low <= point < high, low, high)
        case "gt":
            return target.any(lambda point: point > value, value, value)
        case "lt":
            return target.any(lambda point: point < value, value, value)
        case "ge":
            return target.any(lambda point: point >= value, value, value)
        case "le":
            return target.any(lambda point: point <= value, value, value)
        case "sa":
            return target.all(lambda point: point > value, value, value)
        case "eb":
            return target.all(lambda point: point < value, value, value)
    return target.any(lambda point: low <= point <= high, low, high)


STORED = st.tuples(NUMBERS, st.sampled_from(sorted(UNITS)), st.sampled_from(["", "", "", "<", "<=", ">", ">="]))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(STORED, min_size=1, max_size=12),
    st.lists(st.tuples(NUMBERS, st.sampled_from(sorted(UNITS))), min_size=1, max_size=4),
)
def test_quantities_are_found_as_the_sentences_say(
    stored: list[tuple[str, str, str]], searched: list[tuple[str, str]]
) -> None:
    shelf = Shelf([observation(str(place), *one) for place, one in enumerate(stored)])
    for text, unit in searched:
        for prefix in PREFIXES:
            said = [
                str(place)
                for place, (value, code, comparator) in enumerate(stored)
                if found(prefix or "eq", text, UNITS[unit], Amount(Fraction(value) * UNITS[code], comparator))
            ]
            query = f"Observation?value-quantity={prefix}{text}|http://unitsofmeasure.org|{unit}"
            assert sorted(shelf.search(query)) == sorted(said), query


def observation(id: str, value: str, unit: str, comparator: str) -> dict[str, Any]:
    quantity = {"value": Decimal(value), "system": "http://unitsofmeasure.org", "code": unit}
    if comparator:
        quantity["comparator"] = comparator
    return {"resourceType": "Observation", "id": id, "valueQuantity": quantity}


# --- strings

LETTERS = st.text(alphabet="aåÅe\u0301-' ,", min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=8))
def test_a_text_is_found_by_itself_however_it_is_written(texts: list[str]) -> None:
    texts = [text for text in texts if any(char.isalpha() for char in text)]
    shelf = Shelf(
        [{"resourceType": "Questionnaire", "id": str(place), "title": text} for place, text in enumerate(texts)]
    )
    for place, text in enumerate(texts):
        escaped = text.replace(",", "\\,").replace(" ", "%20")
        for query in (f"title={escaped}", f"title={escaped.upper()}", f"title:exact={escaped}"):
            assert str(place) in shelf.search(f"Questionnaire?{query}"), query
        assert {texts[int(id)] for id in shelf.search(f"Questionnaire?title:exact={escaped}")} == {text}
