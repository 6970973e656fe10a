"""Drafts, which name things by identifier, become resources under the gateway's own ids.

A reference is literal only where its target is sure to exist: persons, organisations and practitioners, which a
mention brings into being. Any other target stays logical in the statement and is made literal when the statements
are agreed, from the identifiers known by then. So what a statement says does not depend on who spoke first.

https://hl7.org/fhir/R4/references.html#logical
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from orjson import OPT_SORT_KEYS, dumps

from gateway.frozen import dataclass
from gateway.identity import identifiers, systems
from gateway.identity.identifiers import Named, canonical, is_logical, key_of, normalise
from gateway.identity.numbers import Reading
from gateway.issues import Issues
from gateway.records import Draft, Link, Resource, Source

Key = identifiers.Key
Find = Callable[[Collection[Key]], Mapping[Key, str]]
"""The ids that identifiers are known under; asked once for a whole batch."""

MENTIONED = ("Patient", "Organization", "Practitioner")
"""To name one of these by identifier is to say that it exists; R4 asks no more of them than the identifier."""
MENTION = "mention|"
"""How the record key of a mention begins. What is only mentioned never contradicts what is stated."""
MENTIONED_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
"""A mention holds always: the same mention is the same statement, however often it is made."""
DIRECTORY = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService"})
"""What a record of something else says of one of these by the way is one statement for each day and wording: a unit
would else have as many statements as it has visits."""
ABOUT = "about|"
SWEDEN: Final = ZoneInfo("Europe/Stockholm")
_VERSION_5: Final = 5 << 76 | 2 << 62
_NAMED: Final = ~(15 << 76 | 3 << 62)
"""The bits of a UUID that are its version and variant (RFC 4122, 4.1), and those that a name gives."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A draft whose resource has its id."""

    draft: Draft
    resource: Resource
    id: str
    person: str | None
    """The Patient whom it is about, by id: the key of the person until a link says who else it is."""
    record_key: str | None = None
    """A key that takes the record's place, when what is said is not peculiar to the record."""
    moment: str = ""
    """Tells apart what one record says of one thing as of several times; each is as good as a record of its own."""
    wording: bytes | None = None
    """The resource as canonical JSON without the ids that we gave, where its making had it at hand."""
    named: Sequence[Named] = ()
    """Every reference by identifier in the resource that names something, as `logical_references` finds them."""


@dataclass(slots=True)
class ResolvedItem:
    """What became of one item of a message. When `issues.bad`, nothing of it may be used."""

    resolved: list[Resolved] = field(default_factory=list)
    identifiers: dict[Key, str] = field(default_factory=dict)
    """To be kept as known. Two items may carry the same one: what is kept first stays."""
    links: list[Link] = field(default_factory=list)
    issues: Issues = field(default_factory=Issues)


def mint(namespace: UUID, resource_type: str, system: str, value: str) -> str:
    """The id of the thing that has this identifier; without the installation's namespace it tells nothing."""
    name = f"{resource_type}|{system}|{value}".encode()
    number = int.from_bytes(sha1(namespace.bytes + name, usedforsecurity=False).digest()[:16], "big")
    made = f"{number & _NAMED | _VERSION_5:032x}"  # uuid.uuid5, without an object for each.
    return f"{made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:]}"


def resolve(
    items: Sequence[Sequence[Draft]], source: Source, namespace: UUID, find: Find, recorded: datetime
) -> list[ResolvedItem]:
    """Each item's drafts with ids, persons and references, the identifiers to keep and the links that they show."""
    own_system = systems.record_system(source.hsa_id)
    read = [_Item(drafts, own_system) for drafts in items]
    found = find({key for item in read for key in item.every_key()})
    known = dict(found)
    resolved = [item.resolve(source, namespace, known, recorded) for item in read]
    for item in resolved:
        item.identifiers = {key: id for key, id in item.identifiers.items() if key not in found}
    return resolved


@dataclass(slots=True)
class _Entry:
    draft: Draft
    resource: Resource
    readings: list[Reading]
    references: list[Named]
    keys: list[Key]
    wording: bytes | None


class _Item:
    def __init__(self, drafts: Sequence[Draft], own_system: str) -> None:
        self.issues = Issues()
        self.entries: list[_Entry] = []
        for draft in drafts:
            # Written out now, before references are filled in: what follows need not take them out again.
            wording: bytes | None = canonical(draft.resource)
            read = normalise(draft.resource, own_system, self.issues, wording)
            kind = read.resource["resourceType"]
            keys = _identifying(kind, read.readings)
            if not keys:
                text = "Without an identifier nobody can say it again: give the record's own id in the map."
                self.issues.error("required", "identifier-missing", text, expression=kind)
            if read.literal or "id" in read.resource:
                wording = None
            elif read.respelled:
                wording = canonical(read.resource)
            self.entries.append(_Entry(draft, read.resource, read.readings, read.references, keys, wording))

    def every_key(self) -> Iterator[Key]:
        for entry in self.entries:
            yield from entry.keys
            for _, key in entry.references:
                yield key

    def resolve(self, source: Source, namespace: UUID, known: dict[Key, str], recorded: datetime) -> ResolvedItem:
        item = ResolvedItem(issues=self.issues)
        if self.issues.bad:
            return item
        here: dict[Key, str] = {}  # what this item's references mean, before what is known elsewhere
        ids: list[str] = []
        for entry in self.entries:
            kind = entry.resource["resourceType"]
            if kind == "Patient" and (apart := _contradiction(entry)):
                id = mint(namespace, kind, entry.keys[0][1], "|".join((entry.keys[0][2], source.id, apart)))
                self._propose(item, entry, id, known.get(entry.keys[0]) or mint(namespace, *entry.keys[0]), recorded)
                here.update(dict.fromkeys(entry.keys, id))
            else:
                id = _id(entry.keys, known, namespace, item, recorded)
                for key in entry.keys:
                    here[key] = id
                    item.identifiers[key] = known.setdefault(key, id)
            ids.append(id)
        kinds = {entry.resource["resourceType"] for entry in self.entries}
        mentions: dict[str, Resolved] = {}
        for entry, id in zip(self.entries, ids, strict=True):
            resource = {"resourceType": entry.resource["resourceType"], "id": id, **entry.resource}
            for reference, key in entry.references:
                if key[0] in MENTIONED:
                    target = here.get(key) or known.get(key) or mint(namespace, *key)
                    reference["reference"] = f"{key[0]}/{target}"
                    if key not in here:
                        here[key] = item.identifiers[key] = known.setdefault(key, target)
                        mention = _mention(source.controller, key, target, reference.get("display"))
                        mentions[mention.record_key or ""] = mention
            by_the_way = kinds > {resource["resourceType"]} and resource["resourceType"] in DIRECTORY
            item.resolved.append(
                _by_the_way(entry, resource, id)
                if by_the_way
                else Resolved(
                    entry.draft, resource, id, person_of(resource), wording=entry.wording, named=entry.references
                )
            )
            if resource["resourceType"] == "Patient":
                item.links += _stated_links(resource, known, here, namespace, recorded)
        item.resolved = [*_moments(item.resolved), *mentions.values()]
        return item

    def _propose(self, item: ResolvedItem, entry: _Entry, id: str, other: str, recorded: datetime) -> None:
        text = "Birth date or sex contradict the number: kept apart and proposed. Check number and demographics."
        self.issues.warning("conflict", "personnummer-contradicted", text, expression="Patient.identifier")
        item.links.append(Link("Patient", id, other, "proposed", "demographics contradict the number", recorded))


def logical_references(value: Any) -> list[Named]:
    """Every reference by identifier, with the key that it names; those without a type name nothing."""
    found: list[Named] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[Named]) -> None:
    children = value
    if type(value) is dict:
        if "identifier" in value and is_logical(value):
            if key := key_of(value):
                found.append((value, key))
            return
        children = value.values()
    for child in children:
        if type(child) is dict or type(child) is list:
            _collect(child, found)


def person_of(resource: Resource) -> str | None:
    """The id of the Patient that a resource is about."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    for element in ("subject", "patient", "for", "beneficiary", "individual", "securityContext"):
        if element in resource and isinstance(reference := resource[element], dict):
            kind, _, id = str(reference.get("reference", "")).rpartition("/")
            if kind == "Patient":
                return id
    return None


def _identifying(resource_type: str, readings: Sequence[Reading]) -> list[Key]:
    """The identifiers that tell this thing from others, those that all parties share first."""
    if len(readings) == 1:  # As most drafts have.
        return [(resource_type, readings[0].system, readings[0].value)]
    several = len({reading.system for reading in readings} - systems.SHARED_BY_MANY) > 0
    keys = [
        (resource_type, reading.system, reading.value)
        for reading in sorted(readings, key=lambda reading: systems.RANK.get(reading.system, len(systems.RANK)))
        if not (several and reading.system in systems.SHARED_BY_MANY)
    ]
    # One person has one personnummer. A second one may be a new identity, which must never be tied to the old one.
    first = {system: value for _, system, value in reversed(keys)}
    return [key for key in dict.fromkeys(keys) if key[1] != systems.PERSONNUMMER or key[2] == first[key[1]]]


def _id(keys: Sequence[Key], known: Mapping[Key, str], namespace: UUID, item: ResolvedItem, recorded: datetime) -> str:
    """The id known of the first identifier that is known at all; others known to be something else are linked to it."""
    if len(keys) == 1:
        return known.get(keys[0]) or mint(namespace, *keys[0])
    ids = list(dict.fromkeys(known[key] for key in keys if key in known))
    if not ids:
        return mint(namespace, *keys[0])
    for other in ids[1:]:
        item.links.append(
            Link(keys[0][0], other, ids[0], "same", "one record carries the identifiers of both", recorded)
        )
    return ids[0]


def _contradiction(entry: _Entry) -> str | None:
    """How a Patient contradicts its own number, as a mark that tells contradictions apart."""
    numbers = [reading for reading in entry.readings if reading.birth_date or reading.gender]
    born, gender = entry.resource.get("birthDate"), entry.resource.get("gender")
    for number in numbers:
        dates = (number.birth_date, str(born)) if number.birth_date and born else None
        differs_in_date = dates is not None and dates[0][: len(dates[1])] != dates[1][:10]
        differs_in_sex = number.gender is not None and gender in ("male", "female") and gender != number.gender
        if differs_in_date or differs_in_sex:
            return f"{born or ''}|{gender or ''}"
    return None


def _moments(resolved: Sequence[Resolved]) -> Sequence[Resolved]:
    things = [(one.resource["resourceType"], one.id) for one in resolved]
    if len(set(things)) == len(things):
        return resolved
    said = Counter(things)
    return [
        replace(one, moment=one.draft.effective.astimezone(UTC).isoformat())
        if said[one.resource["resourceType"], one.id] > 1 and one.record_key is None
        else one
        for one in resolved
    ]


def _by_the_way(entry: _Entry, resource: Resource, id: str) -> Resolved:
    day = entry.draft.effective.astimezone(SWEDEN).replace(hour=0, minute=0, second=0, microsecond=0)
    wording = sha256(dumps(entry.resource, option=OPT_SORT_KEYS, default=str)).hexdigest()[:16]
    draft = replace(entry.draft, effective=day, version="", party="")
    record_key = f"{ABOUT}{'|'.join(entry.keys[0])}|{wording}"
    return Resolved(draft, resource, id, None, record_key, wording=entry.wording, named=entry.references)


@lru_cache(maxsize=4096)  # Units and staff are mentioned over and over, in the same words.
def _mention(controller: str, key: Key, target: str, display: str | None) -> Resolved:
    kind, system, value = key
    resource: Resource = {"resourceType": kind, "id": target, "identifier": [{"system": system, "value": value}]}
    if display:
        resource["name"] = display if kind == "Organization" else [{"text": display}]
    draft = Draft(resource, MENTIONED_SINCE, party="", provider=controller)
    person = target if kind == "Patient" else None
    return Resolved(draft, resource, target, person, f"{MENTION}{kind}|{system}|{value}")


def _stated_links(
    resource: Resource, known: Mapping[Key, str], here: Mapping[Key, str], namespace: UUID, recorded: datetime
) -> Iterator[Link]:
    """A source's own merge: two of its Patients are one. Two personnummer are only proposed, and left to a person."""
    numbers = {i.get("value") for i in resource.get("identifier", ()) if i.get("system") == systems.PERSONNUMMER}
    for link in resource.get("link", ()):
        if link.get("type") not in ("replaces", "replaced-by"):
            continue
        for _, key in logical_references(link.get("other")):
            other = here.get(key) or known.get(key) or mint(namespace, *key)
            if other == resource["id"]:
                continue
            if key[1] == systems.PERSONNUMMER and numbers and key[2] not in numbers:
                yield Link(
                    "Patient", other, resource["id"], "proposed", "two personnummer merged by a source", recorded
                )
            else:
                yield Link("Patient", other, resource["id"], "same", "merged by a source", recorded)
