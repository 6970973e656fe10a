"""From a value of a FHIR type to what a search table holds of it, for each type of search parameter.

The tables of which type means what: https://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gateway.fhirpath import Element, quantity, ucum
from gateway.fhirpath.quantity import Quantity
from gateway.search import dates
from gateway.search.text import folded, normalised

Row = tuple[Any, ...]
Json = Mapping[str, Any]

UCUM = "http://unitsofmeasure.org"
BASE_UNITS = "http://unitsofmeasure.org#base"
"""Stands as system in the second row of a UCUM quantity, which is in base units: so 5 g is found by 5000 mg."""
CURRENCY = "urn:iso:std:iso:4217"
BOOLEAN = "http://terminology.hl7.org/CodeSystem/special-values"
INFINITE = 1e300


@dataclass(frozen=True, slots=True)
class Place:
    """What the reading of a value depends on beside the value: the zone, our own base urls, the codes' systems."""

    zone: tzinfo
    bases: tuple[str, ...] = ()
    systems: Mapping[str, str] | None = None
    """For an element of type code: each code's system, from its required binding."""


def token_of_code(value: Any, place: Place) -> Iterable[Row]:
    systems = place.systems
    return (("" if systems is None else systems.get(value, ""), folded(value)),)


def token_of_text(value: Any, _: Place) -> Iterable[Row]:
    return (("", folded(str(value))),)


def token_of_boolean(value: Any, _: Place) -> Iterable[Row]:
    return ((BOOLEAN, "true" if value else "false"),)


def token_of_coding(value: Json, _: Place) -> Iterable[Row]:
    system, code = value.get("system", ""), value.get("code")
    return () if code is None and not system else ((system, folded(code or "")),)


def token_of_concept(value: Json, _: Place) -> Iterable[Row]:
    return [
        (coding.get("system", ""), folded(coding.get("code", "")))
        for coding in value.get("coding", ())
        if "code" in coding or "system" in coding
    ]


def token_of_identifier(value: Json, _: Place) -> Iterable[Row]:
    text = value.get("value")
    return () if text is None else ((value.get("system", ""), folded(text)),)


def token_of_contact(value: Json, _: Place) -> Iterable[Row]:
    text = value.get("value")
    return () if text is None else (("", folded(text)),)


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


def target(reference: str, bases: tuple[str, ...]) -> tuple[str, str]:
    """A reference as target type and id; with an empty type the url of a resource that is not ours."""
    return local(reference, bases) or ("", reference.split("/_history/", maxsplit=1)[0])


def reference_of_reference(value: Json, place: Place) -> Iterable[Row]:
    text = value.get("reference")
    if not text or text[0] == "#":
        return ()
    return (target(text, place.bases),)


def reference_of_canonical(value: str, _: Place) -> Iterable[Row]:
    url, _bar, version = value.partition("|")
    return (("", url), ("", value)) if version else (("", url),)


def reference_of_resource(value: Json, _: Place) -> Iterable[Row]:
    """A whole resource, as the first entry of a document is, has its type and id itself."""
    return ((value["resourceType"], value["id"]),) if "id" in value and "resourceType" in value else ()


def string_of_text(value: Any, _: Place) -> Iterable[Row]:
    return ((normalised(value), value),) if isinstance(value, str) else ()


def _strings(parts: Iterable[str | None]) -> Iterable[Row]:
    return [(normalised(part), part) for part in parts if part]


def string_of_name(value: Json, _: Place) -> Iterable[Row]:
    """Every part, and the name as it is said and as it is listed."""
    given, family = [part for part in value.get("given", ()) if part], value.get("family", "")
    parts = [family, *given, *value.get("prefix", ()), *value.get("suffix", ()), value.get("text", "")]
    if family and given:
        parts += [f"{' '.join(given)} {family}", f"{family} {' '.join(given)}"]
    return _strings(parts)


_ADDRESS = ("text", "city", "district", "state", "postalCode", "country")


def string_of_address(value: Json, _: Place) -> Iterable[Row]:
    return _strings([*(value.get(key, "") for key in _ADDRESS), *value.get("line", ())])


def date_of_text(value: str, place: Place) -> Iterable[Row]:
    found = dates.span(value, place.zone)
    return () if found is None else (found,)


def date_of_instant(value: str, place: Place) -> Iterable[Row]:
    """A fixed point in time, whatever its digits: https://hl7.org/fhir/R4/search.html#date"""
    found = dates.span(value, place.zone)
    return () if found is None else ((found[0], found[0] + 1),)


def date_of_period(value: Json, place: Place) -> Iterable[Row]:
    found = dates.period(value.get("start"), value.get("end"), place.zone)
    return () if found is None else (found,)


def date_of_timing(value: Json, place: Place) -> Iterable[Row]:
    """From the first to the last of what is scheduled: https://hl7.org/fhir/R4/search.html#date"""
    spans = [found for event in value.get("event", ()) if (found := dates.span(event, place.zone))]
    bounds = value.get("repeat", {}).get("boundsPeriod")
    if bounds is not None:
        spans += [found for found in date_of_period(bounds, place) if found]
    return ((min(low for low, _ in spans), max(high for _, high in spans)),) if spans else ()


def uri_of_text(value: str, _: Place) -> Iterable[Row]:
    return ((value,),)


def uri_of_canonical(value: str, _: Place) -> Iterable[Row]:
    url, bar, _version = value.partition("|")
    return ((url,), (value,)) if bar else ((url,),)


def number_of_number(value: Any, _: Place) -> Iterable[Row]:
    return ((float(value), float(value)),)


def number_of_range(value: Json, _: Place) -> Iterable[Row]:
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    return ((_or(low, -INFINITE), _or(high, INFINITE)),)


def _or(value: Any, otherwise: float) -> float:
    return otherwise if value is None else float(value)


# What a quantity's comparator says of the real value.
_BELOW, _ABOVE = ("<", "<="), (">", ">=")


def quantity_of_quantity(value: Json, _: Place) -> Iterable[Row]:
    amount = value.get("value")
    if amount is None:
        return ()
    comparator = value.get("comparator")
    low = -INFINITE if comparator in _BELOW else amount
    high = INFINITE if comparator in _ABOVE else amount
    return _measured(low, high, value)


def quantity_of_range(value: Json, _: Place) -> Iterable[Row]:
    low, high = value.get("low", {}), value.get("high", {})
    return _measured(low.get("value", -INFINITE), high.get("value", INFINITE), low or high)


def quantity_of_money(value: Json, _: Place) -> Iterable[Row]:
    amount = value.get("value")
    if amount is None:
        return ()
    currency = value.get("currency", "")
    return ((float(amount), float(amount), CURRENCY, currency, currency),)


def _measured(low: Any, high: Any, unit: Json) -> Iterable[Row]:
    system, code = unit.get("system", ""), unit.get("code", "")
    row = (float(low), float(high), system, code, unit.get("unit", ""))
    if system != UCUM:
        return (row,)
    factor = base_unit(code)
    if factor is None:
        return (row,)
    return row, (to_base(low, factor[0]), to_base(high, factor[0]), BASE_UNITS, factor[1], "")


@lru_cache(maxsize=1024)
def base_unit(code: str) -> tuple[Decimal, str] | None:
    """How much of which base unit one of this UCUM unit is."""
    measure = Quantity(Decimal(1), code).measure()
    return None if measure is None else (quantity.as_decimal(measure[0]), ucum.canonical(measure[1]))


def to_base(value: Any, factor: Decimal) -> float:
    return value if isinstance(value, float) and abs(value) >= INFINITE else float(Decimal(str(value)) * factor)


Reader = Callable[[Any, Place], Iterable[Row]]

_QUANTITIES = dict.fromkeys(("Quantity", "Age", "Duration", "Count", "Distance"), quantity_of_quantity)
_TEXTS = ("string", "id", "uri", "url", "canonical", "oid", "uuid", "markdown")

READERS: Mapping[str, Mapping[str, Reader]] = {
    "token": {
        **dict.fromkeys(_TEXTS, token_of_text),
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
    "quantity": {**_QUANTITIES, "Money": quantity_of_money, "Range": quantity_of_range},
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
