"""When two values are the same thing said twice: identifiers, references, codes, times, and what else R4 has.

https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from gateway.coordination.statements import logical
from gateway.identity.identifiers import canonical

SWEDEN = ZoneInfo("Europe/Stockholm")
FIRST, LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d.*)?)?)?")
_ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)")


def instant(value: Any) -> datetime | None:
    """The moment that a dateTime names; a date begins at midnight, Swedish time.

    Sources write 0001 and 9999 for "never": there time must still be able to go a year back and forth.
    """
    return _instant(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)  # One time stands in several elements of a Task, and in its history.
def _instant(value: str) -> datetime | None:
    if not _TIME.fullmatch(value):
        return None
    text = value + "-01-01"[(len(value) - 4) :] if len(value) < 10 else value
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return told(time if time.tzinfo else time.replace(tzinfo=SWEDEN))


def told(time: datetime) -> datetime:
    """The moment itself, or at the ends of the calendar the nearest that can be reckoned with."""
    return min(max(time, FIRST), LAST)


def written(time: datetime) -> str:
    """A moment as a FHIR instant in Swedish time, whatever zone it was read in."""
    return _of_fixed(time) if type(time.tzinfo) is timezone else _written(time)


def _written(time: datetime) -> str:
    return told(time).astimezone(SWEDEN).isoformat()


# Steps of one Task have one time, and so have the Tasks of a record. Not those of a zone with summer time: the two
# moments of an hour that occurs twice are equal there.
_of_fixed = lru_cache(maxsize=1024)(_written)


def reference_key(reference: Any) -> str | None:
    """What a Reference refers to: by identifier where it has one, else by its literal."""
    if not isinstance(reference, dict):
        return None
    identifier = reference.get("identifier")
    if isinstance(identifier, dict) and "value" in identifier:
        return f"{identifier.get('system', '')}|{identifier['value']}"
    literal = reference.get("reference") or reference.get("display")
    return str(literal) if literal else None


def logical_reference(resource_type: str, key: str, display: str) -> dict[str, Any]:
    """The Reference that a key of `reference_key` stands for."""
    system, bar, value = key.rpartition("|")
    made: dict[str, Any] = {"type": resource_type}
    if bar:
        made["identifier"] = {"system": system, "value": value} if system else {"value": value}
    return made | {"display": display}


def same_key(value: Any) -> Hashable:
    """Equal for values that say the same thing: wording, zone and our own ids do not count."""
    if isinstance(value, str):
        moment = instant(value) if _ZONED.fullmatch(value) else None
        return moment.timestamp() if moment else value
    if not isinstance(value, dict):
        return canonical(value)
    names = value.keys()
    if isinstance(value.get("identifier"), dict) or "reference" in names:
        return "reference", reference_key(value)
    if "coding" in names and (codes := frozenset((c.get("system"), c["code"]) for c in value["coding"] if "code" in c)):
        return "concept", codes
    if "code" in names and "system" in names and "value" not in names:
        return "coding", value["system"], value["code"]
    if "system" in names and "value" in names and not isinstance(value["value"], dict):
        return "identified", value["system"], re.sub(r"[\s-]", "", str(value["value"]))
    return canonical(_without_zone(logical(value)))


def same(one: Any, other: Any) -> bool:
    """Whether two values of one element say the same; a coarser date says the same as a finer one within it."""
    if isinstance(one, str) and isinstance(other, str) and one[:10] != other[:10] and len(one) != len(other):
        short, long = sorted((one, other), key=len)
        return len(short) < 10 and bool(_TIME.fullmatch(short)) and long.startswith(short)
    a, b = same_key(one), same_key(other)
    if a == b:
        return True
    if isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0] == "concept":
        return bool(a[1] & b[1])
    moments = instant(one), instant(other)
    if len(str(one)) == 10 or len(str(other)) == 10:
        return None not in moments and len({m.astimezone(SWEDEN).date() for m in moments if m}) == 1
    return False


def unite(lists: Iterable[list[Any]]) -> list[Any]:
    """One list of what all of them hold: first come first, what says the same once, filled in by what follows."""
    found: dict[Hashable, Any] = {}
    for items in lists:
        for item in items:
            key = same_key(item)
            before = found.get(key)
            if before is None:
                found[key] = item
            elif isinstance(before, dict):
                found[key] = {**item, **before}
    return list(found.values())


def _without_zone(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_zone(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_without_zone(child) for child in value]
    return same_key(value) if isinstance(value, str) and _ZONED.fullmatch(value) else value
