"""From the Bundle that a map has filled to drafts: who states each, as of when, and whether it can be used at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from gateway.definitions import Definitions, TypeDef
from gateway.mapping import times
from gateway.mapping.facts import Facts
from gateway.records import Draft, Resource


class Drafting:
    """Makes drafts; keeps for each type what it demands."""

    def __init__(self, definitions: Definitions) -> None:
        self._types = definitions.types
        self._required: dict[str, tuple[str, ...]] = {}

    def drafts(self, target: Resource, facts: Facts, received: datetime) -> Iterator[Draft]:
        """The drafts of one record. An entry whose `request.method` is DELETE withdraws what the source has stated."""
        entries = list(_entries(target))
        if not entries:
            return
        effective = facts.moment() or received
        version = facts.text("version")
        party = facts.text("party") or str(facts.source["hsaId"])
        provider = facts.text("provider") or str(facts.source["controller"])
        for resource, withdrawn in entries:
            known = self._types.get(str(resource["resourceType"]))
            if known is not None:
                self._check(resource, known, facts, withdrawn=withdrawn)
            moment = _modified(resource, facts) or effective
            yield Draft(resource, moment, version, party, provider, withdrawn)

    def _check(self, resource: Resource, known: TypeDef, facts: Facts, *, withdrawn: bool) -> None:
        given = _identifier(resource)
        if "identifier" in known.elements and not (given.get("system") and given.get("value")):
            text = (
                f"The {known.name} of this record has no identifier with system and value, so nobody could find it "
                "again. Send the identifier, or make it in the map; the record is held."
            )
            facts.issues.error("required", "draft-without-identifier", text, facts.where())
        # What is withdrawn need only say which it is.
        for name in () if withdrawn else self._demanded(known):
            if name not in resource:
                text = f"{known.name}.{name} must be said and could not be made from this record, which is held."
                facts.issues.error("required", "required-element-missing", text, facts.where())

    def _demanded(self, known: TypeDef) -> tuple[str, ...]:
        """A resource without what its type demands says nothing: a Task without status would be nobody's."""
        found = self._required.get(known.name)
        if found is None:
            found = tuple(name for name, e in known.elements.items() if e.min and e.choice_of is None)
            self._required[known.name] = found
        return found


def first_identifier(found: list[Draft]) -> str:
    """The key of a record whose manifest names none."""
    for draft in found:
        given = _identifier(draft.resource)
        if given:
            return f"{given.get('system', '')}|{given.get('value', '')}"
    return ""


def drop_hollow_extensions(value: Any) -> None:
    """Take away extensions whose value was left out because it did not fit: R4 knows none without a value."""
    if isinstance(value, list):
        for item in value:
            drop_hollow_extensions(item)
    elif isinstance(value, dict):
        for name in ("extension", "modifierExtension"):
            if name in value:
                value[name] = [one for one in value[name] if not one.keys() <= {"url", "id"}]
                if not value[name]:
                    del value[name]
        for child in value.values():
            drop_hollow_extensions(child)


def _entries(target: Resource) -> Iterator[tuple[Resource, bool]]:
    """Resources that say something, and whether they are withdrawn."""
    if target.get("resourceType") != "Bundle":
        if len(target) > 1:
            yield target, False
        return
    for entry in target.get("entry", ()):
        resource = entry.get("resource")
        if resource is not None and len(resource) > 1:
            resource.pop("id", None)  # A copied resource brings its id with it, which means nothing here.
            yield resource, entry.get("request", {}).get("method") == "DELETE"


def _identifier(resource: Resource) -> dict[str, str]:
    given = resource.get("identifier")
    first = given[0] if isinstance(given, list) and given else given
    return first if isinstance(first, dict) else {}


def _modified(resource: Resource, facts: Facts) -> datetime | None:
    """Of when a Task itself says that it is; None where it does not, or says a time that cannot be meant."""
    modified = resource.get("lastModified") if resource["resourceType"] == "Task" else None
    if not modified:
        return None
    try:
        return times.instant(times.parts(str(modified)), facts.zone, _marked_already)
    except times.Unfit as error:
        text = f"The Task's time is {error}; the record's time stands in. Mend it in the source."
        facts.issues.warning("value", "as-of-not-valid", text, facts.where())
        return None


def _marked_already() -> None:
    """The map has marked the ambiguous hour where it made the time."""
