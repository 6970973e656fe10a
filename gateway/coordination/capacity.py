"""Which unit can take what now, and whom to call: free places and hours of services, without any patient.

https://hl7.org/fhir/R4/healthcareservice.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.coordination.directory import Directory, Unit
from gateway.coordination.values import instant
from gateway.definitions import CANONICAL
from gateway.records import Resource

CAPACITY: Final = f"{CANONICAL}/CodeSystem/capacity"
FREE_PLACES: Final = f"{CANONICAL}/StructureDefinition/free-places"
MUNICIPALITY: Final = f"{CANONICAL}/StructureDefinition/municipality"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ORDER: Final = ("available", "assess", "waitlist", "", "none")
"""Who can take something first."""
EARLIEST, LATEST = date(1800, 1, 1), date(2300, 12, 31)
"""What is closed from or to a day beyond these is so without an end."""
AHEAD: Final = timedelta(days=14)
"""How far ahead is looked for the next opening."""


@dataclass(frozen=True, slots=True)
class Call:
    """A number, whose it is, and when it is answered."""

    phone: str
    name: str
    hours: str | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A service of a unit, as of a time."""

    reference: str
    name: str
    what: tuple[str, ...]
    """What it is for, in the source's words."""
    unit: Unit | None
    municipality: str
    state: str
    """A code of `capacity`; empty where nothing was said."""
    free: int | None
    total: int | None
    as_of: datetime | None
    open: bool | None
    """None where no hours are known."""
    changes: datetime | None
    """When it closes or opens next."""
    calls: tuple[Call, ...]


def rooms(services: Iterable[Resource], directory: Directory, *, at: datetime, zone: ZoneInfo) -> list[Room]:
    """Every active service: those that can take something first, those that are open before those that are not."""
    found = [_room(one, directory, at=at, zone=zone) for one in services if one.get("active") is not False]
    return sorted(found, key=lambda one: (ORDER.index(one.state), one.open is False, one.name, one.reference))


def _room(service: Resource, directory: Directory, *, at: datetime, zone: ZoneInfo) -> Room:
    unit = directory.acting(directory.unit(service.get("providedBy")), at)
    places = _places(service)
    hours = Hours(service, zone)
    is_open = hours.open(at)
    organisation = directory.resource(unit.key) if unit else None
    concepts = [concept for name in ("type", "specialty") for concept in service.get(name, ())]
    return Room(
        reference=f"HealthcareService/{service['id']}",
        name=str(service.get("name") or (unit.name if unit else service["id"])),
        what=tuple(dict.fromkeys(word for one in concepts if (word := _word(one)))),
        unit=unit,
        municipality=_municipality(organisation or {}),
        state=_state(service),
        free=places.get("free"),
        total=places.get("total"),
        as_of=said.astimezone(zone) if (said := instant(places.get("at"))) else None,
        open=is_open,
        changes=hours.changes(at) if is_open is not None else None,
        calls=tuple(_calls(service, unit, organisation, directory, closed=is_open is False)),
    )


@dataclass(frozen=True, slots=True)
class Hours:
    """When a service is there: `availableTime` without `notAvailable`, in the zone's time."""

    service: Resource
    zone: ZoneInfo

    def open(self, at: datetime) -> bool | None:
        """Whether it is; None where it does not say."""
        if not self.service.get("availableTime"):
            return None
        local = at.astimezone(self.zone)
        if any(start <= local.date() <= end for start, end in self._away()):
            return False
        return any(start <= at < end for day in (-1, 0) for start, end in self._of(local.date() + timedelta(days=day)))

    def changes(self, at: datetime) -> datetime | None:
        """The next time at which it opens or closes; None where that is far."""
        now = self.open(at)
        first = at.astimezone(self.zone).date()
        days = [first + timedelta(days=ahead) for ahead in range(-1, AHEAD.days)]
        edges = {edge for day in days for span in self._of(day) for edge in span}
        edges |= {self._midnight(end + timedelta(days=1)) for _, end in self._away()}
        edges |= {self._midnight(start) for start, _ in self._away()}
        return next((edge for edge in sorted(edges) if at < edge <= at + AHEAD and self.open(edge) is not now), None)

    def _of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        for row in self.service.get("availableTime", ()):
            if row.get("daysOfWeek") and DAYS[day.weekday()] not in row["daysOfWeek"]:
                continue
            start, end = (_clock(row.get(name)) for name in ("availableStartTime", "availableEndTime"))
            if row.get("allDay") or start is None or end is None:
                yield self._midnight(day), self._midnight(day + timedelta(days=1))
                continue
            last = day if start < end else day + timedelta(days=1)  # A night goes on into the next day.
            yield datetime.combine(day, start, self.zone), datetime.combine(last, end, self.zone)

    def _away(self) -> Iterator[tuple[date, date]]:
        for row in self.service.get("notAvailable", ()):
            during = row.get("during", {})
            start, end = instant(during.get("start")), instant(during.get("end"))
            if start is not None or end is not None:
                yield self._day(start, EARLIEST), self._day(end, LATEST)

    def _day(self, moment: datetime | None, otherwise: date) -> date:
        return min(max(moment.astimezone(self.zone).date(), EARLIEST), LATEST) if moment else otherwise

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)


def _clock(text: Any) -> time | None:
    """A time of day; R4's leap second is the second before it."""
    try:
        return time.fromisoformat(str(text).replace(":60", ":59"))
    except ValueError:
        return None


def _calls(
    service: Resource, unit: Unit | None, organisation: Resource | None, directory: Directory, *, closed: bool
) -> Iterator[Call]:
    """The service, its unit; where it is closed, whoever is above the unit too."""
    seen: set[str] = set()
    name = str(service.get("name") or (unit.name if unit else ""))
    found = [Call(str(one["value"]), name) for one in service.get("telecom", ()) if _is_phone(one)]
    if unit and unit.phone:
        found.append(Call(unit.phone, unit.name, unit.hours))
    above = directory.unit((organisation or {}).get("partOf")) if closed else None
    if above and above.phone:
        found.append(Call(above.phone, above.name, above.hours))
    for call in found:
        if call.phone not in seen:
            seen.add(call.phone)
            yield call


def _is_phone(telecom: Mapping[str, Any]) -> bool:
    return telecom.get("system") == "phone" and "value" in telecom


def _places(service: Resource) -> dict[str, Any]:
    for extension in service.get("extension", ()):
        if extension.get("url") == FREE_PLACES:
            parts = {part["url"]: part for part in extension.get("extension", ())}
            values = {"free": "valueInteger", "total": "valueInteger", "at": "valueDateTime"}
            return {name: parts[name].get(value) for name, value in values.items() if name in parts}
    return {}


def _state(service: Resource) -> str:
    codings: Sequence[Mapping[str, Any]] = [
        c for one in service.get("characteristic", ()) for c in one.get("coding", ())
    ]
    said = (str(one.get("code")) for one in codings if one.get("system") == CAPACITY)
    return next((code for code in said if code in ORDER), "")


def _word(concept: Mapping[str, Any]) -> str:
    display = next((one["display"] for one in concept.get("coding", ()) if "display" in one), "")
    return str(concept.get("text") or display)


def _municipality(organisation: Resource) -> str:
    """Its code; empty where the directory has none."""
    for address in organisation.get("address", ()):
        for extension in address.get("extension", ()):
            if extension.get("url") == MUNICIPALITY:
                return str(extension.get("valueCoding", {}).get("code", ""))
    return ""
