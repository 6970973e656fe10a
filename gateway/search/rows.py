"""From a value of a FHIR type to what a search table holds of it, for each type of search parameter.

The tables of which type means what: https://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from gateway.fhirpath import Element
from gateway.search import dates, sphere
from gateway.search.text import folded, spellings
from gateway.search.units import BASE_UNITS, INFINITE, UCUM, scale

Row = tuple[Any, ...]
Json = Mapping[str, Any]

CURRENCY = "urn:iso:std:iso:4217"
BOOLEAN = "http://terminology.hl7.org/CodeSystem/special-values"


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Place:
    """What the reading of a value depends on beside the value."""

    zone: tzinfo
    bases: tuple[str, ...] = ()
    """Our own base urls."""
    systems: Mapping[str, str] | None = None
    """For an element of type code: each code's system, from its required binding."""
    cased: Callable[[str], bool] = _never
    """Whether a system's codes mind case."""


@lru_cache(maxsize=8192)
def _token(system: str, code: str, cased: Callable[[str], bool]) -> Row:
    """Case matters where the system says so. When in doubt it does not: https://hl7.org/fhir/R4/search.html#token"""
    return system, folded(code), code if system and cased(system) else ""


def token_of_code(value: Any, place: Place) -> Sequence[Row]:
    systems = place.systems
    return (_token("" if systems is None else systems.get(value, ""), value, place.cased),)


def token_of_text(value: Any, _: Place) -> Sequence[Row]:
    return (("", folded(str(value)), ""),)


def token_of_uri(value: str, _: Place) -> Sequence[Row]:
    return (("", folded(value), value),)


def token_of_boolean(value: Any, _: Place) -> Sequence[Row]:
    return ((BOOLEAN, "true" if value else "false", ""),)


def token_of_coding(value: Json, place: Place) -> Sequence[Row]:
    system, code = value.get("system", ""), value.get("code")
    return () if code is None and not system else (_token(system, code or "", place.cased),)


def token_of_concept(value: Json, place: Place) -> Sequence[Row]:
    return [row for coding in value.get("coding", ()) for row in token_of_coding(coding, place)]


def token_of_identifier(value: Json, _: Place) -> Sequence[Row]:
    text = value.get("value")
    return () if text is None else ((value.get("system", ""), folded(text), ""),)


def token_of_contact(value: Json, _: Place) -> Sequence[Row]:
    text = value.get("value")
    return () if text is None else (("", folded(text), ""),)


def texts_of_coding(value: Json) -> list[Row]:
    return _strings((value.get("display"),))


def texts_of_concept(value: Json) -> list[Row]:
    return _strings((value.get("text"), *(coding.get("display") for coding in value.get("coding", ()))))


def texts_of_identifier(value: Json) -> list[Row]:
    return _strings((value.get("type", {}).get("text"),))


TEXTS: Mapping[str, Callable[[Json], list[Row]]] = {
    "Coding": texts_of_coding,
    "CodeableConcept": texts_of_concept,
    "Identifier": texts_of_identifier,
}
"""What `:text` looks at, as strings: https://hl7.org/fhir/R4/search.html#token"""


def typed_of_identifier(value: Json) -> list[Row]:
    """What `:of-type` looks at: the system of the identifier's type, and its code with the value."""
    text = value.get("value")
    codings = value.get("type", {}).get("coding", ()) if text is not None else ()
    return [
        (coding["system"], of_type(coding["code"], str(text)), "")
        for coding in codings
        if "system" in coding and "code" in coding
    ]


def of_type(code: str, value: str) -> str:
    return f"{folded(code)}|{folded(value)}"


def local(reference: str, bases: tuple[str, ...]) -> tuple[str, str] | None:
    """Type and id of a reference to this server: `Patient/1`, or the same behind one of our base urls."""
    for base in bases:
        if reference.startswith(base):
            reference = reference[len(base) :].lstrip("/")
            break
    parts = reference.split("/")
    if len(parts) == 4 and parts[2] == "_history":
        parts = parts[:2]
    return (parts[0], parts[1]) if len(parts) == 2 and parts[0][:1].isupper() and parts[1] else None


@lru_cache(maxsize=8192)
def target(reference: str, bases: tuple[str, ...]) -> tuple[str, str]:
    """A reference as target type and id; with an empty type the url of a resource that is not ours."""
    return local(reference, bases) or ("", reference.split("/_history/", maxsplit=1)[0])


UNVERSIONED = "|"
"""The type of a target that is named without the version that the resource names: it is found, and leads nowhere."""


def reference_of_reference(value: Json, place: Place) -> Sequence[Row]:
    text = value.get("reference")
    if not text or text[0] == "#":
        return ()
    return (target(text, place.bases),)


def reference_of_canonical(value: str, place: Place) -> Sequence[Row]:
    """A canonical with and without its version; one under our base urls also as the reference that it amounts to."""
    url, _bar, version = value.partition("|")
    own = local(url, place.bases)
    return [(UNVERSIONED if version else "", url), *([("", value)] if version else []), *([own] if own else [])]


def reference_of_resource(value: Json, _: Place) -> Sequence[Row]:
    """A whole resource, as the first entry of a document is, has its type and id itself."""
    return ((value["resourceType"], value["id"]),) if "id" in value and "resourceType" in value else ()


def string_of_text(value: Any, _: Place) -> Sequence[Row]:
    return _strings((value,)) if isinstance(value, str) else ()


def _strings(texts: Iterable[str | None]) -> list[Row]:
    """Each text, and where punctuation stands within a word also with space in its place: a row of a part only."""
    rows: list[Row] = []
    for text in texts:
        if text:
            plain, apart = spellings(text)
            rows.append((plain, text))
            if apart != plain:
                rows.append((apart, PART))
    return rows


PART = ""
"""Stands for the exact text in a row of a part or another spelling, which neither `:exact` nor sorting looks at."""
_PARTS = 10


def string_of_family(value: str, _: Place) -> Sequence[Row]:
    """A family name, and its later parts by themselves: https://hl7.org/fhir/R4/search.html#string"""
    words = spellings(value)[1].split()
    return [*_strings((value,)), *((" ".join(words[i:]), PART) for i in range(1, min(len(words), _PARTS)))]


def string_of_name(value: Json, place: Place) -> Sequence[Row]:
    """Every part, and the name as it is said and as it is listed."""
    given, family = [part for part in value.get("given", ()) if part], value.get("family", "")
    parts = [*given, *value.get("prefix", ()), *value.get("suffix", ()), value.get("text", "")]
    if family and given:
        parts += [f"{' '.join(given)} {family}", f"{family} {' '.join(given)}"]
    return [*(string_of_family(family, place) if family else ()), *_strings(parts)]


_ADDRESS = ("text", "city", "district", "state", "postalCode", "country")


def string_of_address(value: Json, _: Place) -> Sequence[Row]:
    return _strings([*(value.get(key, "") for key in _ADDRESS), *value.get("line", ())])


def date_of_text(value: str, place: Place) -> Sequence[Row]:
    found = dates.span(value, place.zone)
    return () if found is None else (found,)


def date_of_instant(value: str, place: Place) -> Sequence[Row]:
    """A fixed point in time, whatever its digits: https://hl7.org/fhir/R4/search.html#date"""
    found = dates.span(value, place.zone)
    return () if found is None else ((found[0], found[0] + 1),)


def date_of_period(value: Json, place: Place) -> Sequence[Row]:
    found = dates.period(value.get("start"), value.get("end"), place.zone)
    return () if found is None else (found,)


def date_of_timing(value: Json, place: Place) -> Sequence[Row]:
    """From the first to the last of what is scheduled: https://hl7.org/fhir/R4/search.html#date"""
    spans = [found for event in value.get("event", ()) if (found := dates.span(event, place.zone))]
    bounds = value.get("repeat", {}).get("boundsPeriod")
    if bounds is not None:
        spans += [found for found in date_of_period(bounds, place) if found]
    return ((min(low for low, _ in spans), max(high for _, high in spans)),) if spans else ()


def uri_of_text(value: str, _: Place) -> Sequence[Row]:
    return ((value,),)


def uri_of_canonical(value: str, _: Place) -> Sequence[Row]:
    url, bar, _version = value.partition("|")
    return ((url,), (value,)) if bar else ((url,),)


def number_of_number(value: Any, _: Place) -> Sequence[Row]:
    return ((float(value), float(value)),)


def number_of_range(value: Json, _: Place) -> Sequence[Row]:
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    return ((_or(low, -INFINITE), _or(high, INFINITE)),)


def _or(value: Any, otherwise: float) -> float:
    return otherwise if value is None else float(value)


# What a quantity's comparator says of the real value: open downwards, open upwards, without the value itself.
_BELOW, _ABOVE, _BESIDE = ("<", "<="), (">", ">="), ("<", ">")


def quantity_of_quantity(value: Json, _: Place) -> Sequence[Row]:
    amount = value.get("value")
    if amount is None:
        return ()
    comparator = value.get("comparator")
    low = -INFINITE if comparator in _BELOW else amount
    high = INFINITE if comparator in _ABOVE else amount
    rows = _measured(low, high, value)
    return rows if comparator not in _BESIDE else [(*_inside(row[0], row[1]), *row[2:]) for row in rows]


def _inside(low: float, high: float) -> tuple[float, float]:
    """The range without the end that is no infinite one."""
    return (low, math.nextafter(high, low)) if low == -INFINITE else (math.nextafter(low, high), high)


def quantity_of_range(value: Json, _: Place) -> Sequence[Row]:
    low, high = value.get("low", {}), value.get("high", {})
    return _measured(low.get("value", -INFINITE), high.get("value", INFINITE), low or high)


def quantity_of_money(value: Json, _: Place) -> Sequence[Row]:
    amount = value.get("value")
    if amount is None:
        return ()
    currency = value.get("currency", "")
    return ((float(amount), float(amount), CURRENCY, currency, currency),)


def quantity_of_sampled(value: Json, _: Place) -> Sequence[Row]:
    """Sampled data by its bounds: https://hl7.org/fhir/R4/observation.html#search"""
    origin, factor = value.get("origin", {}), Decimal(str(value.get("factor", 1)))
    zero = Decimal(str(origin.get("value", 0)))
    limits = {"L": value.get("lowerLimit"), "U": value.get("upperLimit")}
    found = [
        sample for text in value.get("data", "").split() if (sample := _sample(limits.get(text, text))) is not None
    ]
    if not found:
        return ()
    ends = sorted((zero + min(found) * factor, zero + max(found) * factor))
    return _measured(ends[0], ends[1], origin)


def _sample(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


def _measured(low: Any, high: Any, unit: Json) -> Sequence[Row]:
    return _measures(low, high, unit.get("system", ""), unit.get("code", ""), unit.get("unit", ""))


@lru_cache(maxsize=4096)  # Several parameters read the same quantity, and what is measured comes back.
def _measures(low: Any, high: Any, system: str, code: str, unit: str) -> Sequence[Row]:
    row = (float(low), float(high), system, code, unit)
    found = scale(code) if system == UCUM else None
    if found is None:
        return (row,)
    least = found.of(low)
    return row, (least, least if high == low else found.of(high), BASE_UNITS, found.base, "")


def position_of_element(value: Json, _: Place) -> Sequence[Row]:
    """A place on earth as a point on the unit sphere, where distance is plain arithmetic."""
    latitude, longitude = value.get("latitude"), value.get("longitude")
    return () if latitude is None or longitude is None else (sphere.point(float(latitude), float(longitude)),)


Reader = Callable[[Any, Place], Sequence[Row]]

_QUANTITIES = dict.fromkeys(("Quantity", "Age", "Duration", "Count", "Distance"), quantity_of_quantity)
_TEXTS = ("string", "id", "uri", "url", "canonical", "oid", "uuid", "markdown")

READERS: Mapping[str, Mapping[str, Reader]] = {
    "token": {
        **dict.fromkeys(("string", "id", "markdown"), token_of_text),
        **dict.fromkeys(("uri", "url", "canonical", "oid", "uuid"), token_of_uri),
        **dict.fromkeys(("integer", "positiveInt", "unsignedInt", "date", "dateTime"), token_of_text),
        "code": token_of_code,
        "boolean": token_of_boolean,
        "Coding": token_of_coding,
        "CodeableConcept": token_of_concept,
        "Identifier": token_of_identifier,
        "ContactPoint": token_of_contact,
    },
    "reference": {
        "Reference": reference_of_reference,
        **dict.fromkeys(("canonical", "uri", "url", "uuid", "oid"), reference_of_canonical),
        "Resource": reference_of_resource,
    },
    "string": {
        **dict.fromkeys((*_TEXTS, "code"), string_of_text),
        "HumanName": string_of_name,
        "Address": string_of_address,
    },
    "date": {
        **dict.fromkeys(("date", "dateTime"), date_of_text),
        "instant": date_of_instant,
        "Period": date_of_period,
        "Timing": date_of_timing,
    },
    "uri": {
        **dict.fromkeys(("uri", "url", "oid", "uuid"), uri_of_text),
        "canonical": uri_of_canonical,
    },
    "number": {
        **dict.fromkeys(("integer", "positiveInt", "unsignedInt", "decimal"), number_of_number),
        "Range": number_of_range,
    },
    "quantity": {
        **_QUANTITIES,
        "Money": quantity_of_money,
        "Range": quantity_of_range,
        "SampledData": quantity_of_sampled,
    },
}

SYSTEM_TYPES = {
    "Boolean": "boolean",
    "String": "string",
    "Integer": "integer",
    "Decimal": "decimal",
    "Date": "date",
    "DateTime": "dateTime",
}
"""What an expression computes has a System type; it is read as the FHIR type of that kind."""


def extension_value(value: Json) -> Element | None:
    """The value of an extension: a search parameter may name the extension only."""
    for key, content in value.items():
        if key.startswith("value"):
            kind = key[5:]
            primitive = kind[:1].lower() + kind[1:]
            return Element(content, kind if isinstance(content, dict) else primitive)
    return None
