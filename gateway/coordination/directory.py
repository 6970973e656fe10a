"""Units by any of their identifiers: people see names and telephone numbers, not ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.coordination.values import reference_key
from gateway.coordination.words import due
from gateway.definitions import CANONICAL
from gateway.identity.systems import HSA_ID, ORGANISATION_NUMBER
from gateway.records import Resource

_REPLACED_BY = f"{CANONICAL}/StructureDefinition/replaced-by"
_HUVUDMAN = f"{CANONICAL}/CodeSystem/huvudman"
AFTER = timedelta(seconds=1)
"""So long after its end a unit's heir has what it had: periods of days end with the last second of a day."""
_MOST_HEIRS = 5
_PERIOD = "http://hl7.org/fhir/StructureDefinition/organization-period"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as people know it. `key` is how references name it: system and value of its identifier."""

    key: str
    name: str
    phone: str | None = None
    id: str | None = None
    hours: str | None = None
    ended: datetime | None = None
    """When it closed."""
    heir: str | None = None
    """The key of the unit that took over."""
    above: str | None = None
    """The key of the unit or body that it is part of."""

    @property
    def hsa_id(self) -> str:
        return self.key.rpartition("|")[2]


class Directory:
    """Looked up by reference; who is not in it is named as the reference names him."""

    def __init__(self, organisations: Iterable[Resource] = (), *, read: dict[str, Unit] | None = None) -> None:
        """`read` are units by id that directories share: those that are read the same whatever else is there."""
        self._resources: dict[str, Resource] = {}
        self._organisations = sorted(organisations, key=lambda one: str(one["id"]))
        for organisation in self._organisations:
            for key in _keys(organisation):
                self._resources.setdefault(key, organisation)
        self._ends: tuple[datetime, ...] | None = None
        self._units: dict[str, Unit] = {}
        self._shared = self._units if read is None else read
        self._met: dict[str, Unit] = {}

    def unit(self, reference: Any) -> Unit | None:
        """The unit that a Reference names; None when it names none."""
        key = reference_key(reference)
        return self.by_key(key, str(reference.get("display") or "")) if key else None

    def by_key(self, key: str, display: str = "") -> Unit:
        """The unit of a reference key."""
        unit = self._met.get(key)
        if unit is None:
            resource = self._resources.get(key)
            if resource is None:
                return Unit(key, display or key.rpartition("|")[2])
            unit = self._met[key] = self._unit(resource)
        return unit if unit.name else replace(unit, name=display or unit.hsa_id)

    def by_hsa_id(self, hsa_id: str, display: str = "") -> Unit:
        return self.by_key(f"{HSA_ID}|{hsa_id}", display)

    def acting(self, unit: Unit | None, at: datetime) -> Unit | None:
        """The unit to turn to: itself, or after it has closed the one that took over; None when nobody did."""
        if unit is None or unit.ended is None or unit.ended >= at:
            return unit
        *_, (last, _) = self._line(unit, at)
        return last

    def _line(self, unit: Unit | None, at: datetime) -> Iterator[tuple[Unit | None, datetime | None]]:
        """The unit and those that took over one after the other, each with when it did; None when nobody did.

        An heir that nobody knows is none, and neither is one who has left it to this unit himself.
        """
        since, met = None, set[str]()
        for _ in range(_MOST_HEIRS):
            yield unit, since
            if unit is None or unit.ended is None or unit.ended >= at:
                return
            met.add(unit.key)
            took_over = unit.ended + AFTER
            since = took_over if since is None else max(since, took_over)
            unit = self.by_key(unit.heir) if unit.heir and unit.heir in self._resources else None
            if unit is not None and unit.key in met:
                unit = None
        yield unit, since

    def passings(self, unit: Unit | None, at: datetime) -> Iterator[tuple[Unit, datetime]]:
        """Who took over from a unit that has closed, one after the other, each with when he did."""
        for heir, since in self._line(unit, at):
            if heir is not None and since is not None and since <= at:
                yield heir, since

    def takes_over(self, unit: Unit | None, at: datetime) -> Unit | None:
        """Who has what the unit had: itself, or its heir once it has closed; itself where it has no heir."""
        return self.acting(unit, at) or unit

    def has_closed(self, reference: Any, at: datetime) -> bool:
        unit = self.unit(reference)
        return unit is not None and unit.ended is not None and unit.ended < at

    def took_over(self, unit: Unit | None, at: datetime) -> datetime | None:
        """Since when the heir has what the unit had; None where there is no heir."""
        if unit is None or unit.ended is None or unit.ended >= at:
            return None
        *_, (last, since) = self._line(unit, at)
        return since if last is not None else None

    def body(self, unit: Unit) -> Unit:
        """The body that answers for the unit: what stands above it, and above that."""
        for _ in range(5):
            if unit.above is None:
                break
            unit = self.by_key(unit.above)
        return unit

    def ends(self) -> Sequence[datetime]:
        """When the units close that do."""
        if self._ends is None:
            ended = (self._unit(one).ended for one in self._organisations)
            self._ends = tuple(end for end in ended if end is not None)
        return self._ends

    def closing(self) -> set[str]:
        """The ids of those that close."""
        return {str(one["id"]) for one in self._organisations if self._unit(one).ended is not None}

    def is_municipality(self, unit: Unit) -> bool:
        return self.is_of(unit, "kommun")

    def is_of(self, unit: Unit, huvudman: str) -> bool:
        """Whether this kind of body answers for the unit by law: `region`, `kommun` or `private`."""
        types = self._resources.get(unit.key, {}).get("type", ())
        codings = [coding for concept in types for coding in concept.get("coding", ())]
        return any(coding.get("system") == _HUVUDMAN and coding.get("code") == huvudman for coding in codings)

    def resource(self, key: str) -> Resource | None:
        return self._resources.get(key)

    def _unit(self, resource: Resource) -> Unit:
        id = str(resource["id"])
        unit = self._units.get(id) or self._shared.get(id)
        if unit is None:
            alike = _phone(resource)[0] is not None or "partOf" not in resource
            unit = (self._shared if alike else self._units)[id] = self._read(resource)
        return unit

    def _read(self, resource: Resource) -> Unit:
        phone, hours = _phone(resource)
        above: Resource | None = resource
        for _ in range(3):  # a unit without a number of its own answers on that of the unit above it
            if phone or above is None:
                break
            above = self._resources.get(reference_key(above.get("partOf")) or "")
            phone, hours = _phone(above or {})
        extensions = {extension.get("url"): extension for extension in resource.get("extension", ())}
        period: Mapping[str, Any] = extensions.get(_PERIOD, {}).get("valuePeriod", {})
        return Unit(
            key=next(_keys(resource)),
            name=resource.get("name", ""),
            phone=phone,
            id=str(resource["id"]),
            hours=hours,
            ended=due(period.get("end")),
            above=reference_key(resource.get("partOf")),
            heir=reference_key(extensions.get(_REPLACED_BY, {}).get("valueReference")),
        )


def _keys(organisation: Resource) -> Iterator[str]:
    # The organisation number is shared by all units of a body, and names none of them.
    identifiers = organisation.get("identifier", ())
    keys = [f"{i.get('system', '')}|{i['value']}" for i in identifiers if "value" in i]
    named = [key for key in keys if not key.startswith(f"{ORGANISATION_NUMBER}|")] or keys
    yield from sorted(named, key=lambda key: not key.startswith(f"{HSA_ID}|"))
    yield f"Organization/{organisation['id']}"


def _phone(organisation: Mapping[str, Any]) -> tuple[str | None, str | None]:
    for telecom in organisation.get("telecom", ()):
        if telecom.get("system") == "phone" and "value" in telecom:
            hours = next((x["valueString"] for x in telecom.get("extension", ()) if "valueString" in x), None)
            return str(telecom["value"]), hours
    return None, None
