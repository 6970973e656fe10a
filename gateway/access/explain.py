"""The source record behind a statement: what came, and which rule made each value of it.

Nothing of this is stored. The bytes that were kept are mapped again with the maps that were archived, and the answer
says whether the same statement came out (docs/adr/0003). It is decided and audited like any read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Literal

from gateway import formats
from gateway.access.archive import unpacked
from gateway.access.caller import Asking
from gateway.access.decision import DIRECTORY, Decision
from gateway.access.facts import Fact, facts_of
from gateway.access.reading import Reading, Rooms
from gateway.access.spans import Line, Span, encoding_of, lines
from gateway.coordination.statements import GATEWAY_SOURCE, Origin, order, place, statement
from gateway.errors import NotFound
from gateway.fhir import json
from gateway.formats import Record
from gateway.formats.json_places import locate
from gateway.identity import resolve
from gateway.identity.resolve import MENTION
from gateway.identity.systems import HSA_ID
from gateway.issues import Issue, Issues
from gateway.mapping import Package
from gateway.mapping.copies import copied
from gateway.mapping.explain import Explained, of_trace
from gateway.records import Message, Position, Source, Statement
from gateway.store import ArchivedMap, Stored, UnitOfWork

SHOWN = 256 * 1024
"""How much of a record is shown; a page must not become as large as what somebody sends."""

Outcome = Literal["same", "differs", "not-replayed", "not-mapped", "absent", "retracted", "by-rule"]
"""Mapped again to the same statement; to another one; its source or maps are gone; written over REST, so no map was
used; stated by a complete snapshot that no longer held the record; a replay, which gave nothing of the kind; or what
the gateway states itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement in a list of those about the same thing."""

    digest: str
    source: str
    effective: datetime
    recorded: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """Everything about one statement's origin."""

    statement: Statement
    source: str
    party: str
    provider: str
    outcome: Outcome
    media_type: str = ""
    transport: str = ""
    received: datetime | None = None
    kind: str = ""
    place: Position | None = None
    header: str = ""
    """The line that names a table's columns."""
    lines: tuple[Line, ...] = ()
    cut: bool = False
    facts: tuple[Fact, ...] = ()
    issues: tuple[Issue, ...] = ()
    package: str = ""
    others: tuple[Said, ...] = ()


class Explaining(Reading):
    """source_record."""

    def source_record(self, asking: Asking, patient: str, digest: str) -> SourceRecord:
        """The record behind one statement that concerns this person. NotFound alike for unknown and not allowed."""
        evidence, decision = self._rooms.store.read(lambda uow: self._evidence(uow, asking, patient, digest))
        self.audit(asking, decision, *(evidence.stored if evidence else ()))
        if evidence is None or not decision.allowed:
            raise NotFound(rule="source-record-unknown")
        return _replay(evidence, self._rooms)

    def _evidence(self, uow: UnitOfWork, asking: Asking, patient: str, digest: str) -> tuple[Evidence | None, Decision]:
        found = next(iter(uow.statements.get([digest])), None)
        subject = uow.resources.read("Patient", patient)
        if found is None or subject is None:
            return None, Decision(True, "nothing-there")
        decision = self.may_see(uow, asking, subject)
        beside = [found]
        if found.inbox_id is not None and found.item is not None:
            beside = uow.statements.of_item(found.inbox_id, found.item)
        person = uow.persons.of_patients([patient]).get(patient, patient)
        if not decision.allowed:
            return None, decision
        if not concerns(uow, found, beside, person):
            return None, Decision(False, "record-of-another-person")
        if len(self.audible(asking, beside)) < len(beside):  # The record shows all of them at once.
            return None, Decision(False, "withheld-from-other-providers")
        stored = uow.resources.read_many({(one.resource_type, one.resource_id) for one in beside if one.person})
        if not asking.caller.operator and any(self.withheld(uow, asking.caller, one) for one in stored.values()):
            return None, Decision(False, "withheld-from-other-providers")
        about = self.audible(asking, uow.statements.of_resources([(found.resource_type, found.resource_id)]))
        return self.gather(uow, found, about, [subject, *stored.values()]), decision

    def gather(
        self, uow: UnitOfWork, found: Statement, about: Iterable[Statement], stored: Sequence[Stored]
    ) -> Evidence:
        """What was kept of a statement's making; `about` are all statements about the same thing."""
        return self.gathered(uow, found, uow.inbox.get(found.inbox_id) if found.inbox_id else None, about, stored)

    def gathered(
        self,
        uow: UnitOfWork,
        found: Statement,
        message: Message | None,
        about: Iterable[Statement] = (),
        stored: Sequence[Stored] = (),
    ) -> Evidence:
        """The same with the message at hand."""
        item = None
        if found.inbox_id is not None and found.item is not None:
            item = uow.inbox.item(found.inbox_id, found.item)
        return Evidence(
            statement=found,
            message=message,
            archived=uow.maps.get(found.map_hash) if found.map_hash else None,
            issues=item.issues if item else (),
            span=item.span if item else _of_entry(message, found.item),
            kind=item.kind if item else "",
            names=_names(uow, (found.party, found.provider)),
            others=[one for one in about if not one.record_key.startswith(MENTION) and one.digest != found.digest],
            stored=stored,
        )


def _of_entry(message: Message | None, item: int | None) -> Span | None:
    """Where in a batch or transaction an entry stands: the others may be about other persons, and are not shown."""
    if message is None or item is None or message.transport != "rest":
        return None
    media_type, text = message.media_type, message.body.decode("utf-8-sig", "replace")
    if media_type != json.MEDIA_TYPE:
        return (0, 0) if b"<Bundle" in message.body else None
    if json.parse(message.body).get("type") not in ("batch", "transaction"):
        return None
    start, end = locate(text, ["entry", item])
    lead = len(message.body) - len(text.encode())
    return lead + len(text[:start].encode()), lead + len(text[:end].encode())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was kept of a statement's making."""

    statement: Statement
    message: Message | None
    archived: ArchivedMap | None
    issues: tuple[Issue, ...]
    span: Span | None
    kind: str
    names: Mapping[str, str]
    others: Sequence[Statement]
    stored: Sequence[Stored]


@dataclass(slots=True)
class Mapped:
    """The record, mapped again."""

    outcome: Outcome = "not-replayed"
    record: Record | None = None
    package: Package | None = None
    made: list[Explained] = field(default_factory=list)

    def encoding(self, body: bytes) -> str:
        """What the message is written in."""
        kind, options = (self.package.format.kind, self.package.format.options) if self.package else ("json", {})
        return encoding_of(kind, body, options)


def concerns(uow: UnitOfWork, found: Statement, beside: Sequence[Statement], person: str) -> bool:
    """Whether a record is about this person and nobody else, or about units alone."""
    named = {one.person for one in beside if one.person}
    persons = uow.persons.of_patients(named)
    others = {persons.get(one, one) for one in named} - {person}
    return not others and (bool(named) or found.resource_type in DIRECTORY)


def _names(uow: UnitOfWork, hsa_ids: Iterable[str]) -> dict[str, str]:
    keys = {("Organization", HSA_ID, hsa_id) for hsa_id in hsa_ids if hsa_id}
    known = uow.identifiers.find(keys)
    stored = uow.resources.read_many({("Organization", id) for id in known.values()})
    names = {}
    for (_, _, hsa_id), id in known.items():
        unit = stored.get(("Organization", id))
        if unit is not None and not unit.deleted and (name := unit.resource().get("name")):
            names[hsa_id] = str(name)
    return names


def _replay(evidence: Evidence, rooms: Rooms) -> SourceRecord:
    said, message = evidence.statement, evidence.message
    source = rooms.sources.get(said.source)
    mapped = map_again(evidence, source, rooms)
    kind = mapped.package.format.kind if mapped.package else "json"
    options = mapped.package.format.options if mapped.package else {}
    body = message.body if message else b""
    span = evidence.span or (0, len(body))
    facts: tuple[Fact, ...] = ()
    marks: dict[Span, int] = {}
    if mapped.package is not None:
        facts, marks = facts_of(mapped.made, mapped.package, body, span)
    encoding = encoding_of(kind, body, options)
    shown = (span[0], min(span[1], span[0] + SHOWN))
    header = body[: span[0]].splitlines()[0] if kind == "csv" and span[0] else b""
    return SourceRecord(
        statement=said,
        source=source.name if source else said.source,
        party=evidence.names.get(said.party, said.party),
        provider=evidence.names.get(said.provider, said.provider),
        outcome=mapped.outcome,
        media_type=message.media_type if message else "",
        transport=message.transport if message else "",
        received=message.received if message else None,
        kind=evidence.kind,
        place=mapped.record.position if mapped.record else None,
        header=header.decode(encoding, "replace"),
        lines=() if mapped.outcome == "absent" else tuple(lines(body, shown, marks, encoding)),
        cut=shown != span,
        facts=facts,
        issues=evidence.issues,
        package=f"{mapped.package.id} {mapped.package.version}" if mapped.package else "",
        others=tuple(_said(one, rooms.sources) for one in sorted(evidence.others, key=order, reverse=True)),
    )


def _said(one: Statement, sources: Mapping[str, Source]) -> Said:
    known = sources.get(one.source)
    return Said(one.digest, known.name if known else one.source, one.effective, one.recorded, one.kind)


def map_again(evidence: Evidence, source: Source | None, rooms: Rooms) -> Mapped:
    said, message = evidence.statement, evidence.message
    if said.item is None and said.map_hash is not None:
        return Mapped("absent")
    if said.source == GATEWAY_SOURCE:
        return Mapped("by-rule")
    if said.map_hash is None:
        return Mapped("not-mapped")
    current = rooms.packages.get(source.package) if source else None
    package = current if current and current.hash == said.map_hash else None
    if package is None and evidence.archived is not None:
        package = unpacked(evidence.archived, rooms.definitions)
    if package is None:
        package = current
    if source is None or package is None or message is None:
        return Mapped()
    record = next(islice(formats.read(package.format, message.body, Issues()), said.item, None), None)
    if record is None:
        return Mapped(package=package)
    result = package.apply(record, source, message.received, body=message.body, traced=True)
    resolved = rooms.store.read(
        lambda uow: resolve([result.drafts], source, uow.meta.namespace(), uow.identifiers.find, said.recorded)
    )[0].resolved
    key = result.key or f"item-{said.item}"
    origin = Origin(source.id, message.id, said.item, said.map_hash)
    made_again = [statement(o, origin=origin, record_key=key, recorded=said.recorded, turn=said.turn) for o in resolved]
    digests = [one.digest for one in made_again]
    drafts = [draft.resource for draft in result.drafts]
    outcome: Outcome = "differs"
    wanted = [draft for draft in drafts if draft["resourceType"] == said.resource_type]
    if said.kind == "retract" and not any(place(one) == place(said) for one in made_again):
        outcome = "retracted"
    elif said.digest in digests:
        number = digests.index(said.digest)
        # Mentions come after the drafts: what is said in passing may stand in any of them.
        outcome, wanted = "same", drafts[number : number + 1] or drafts
    made: list[Explained] = []
    if result.trace is not None:
        made += of_trace(result.trace, wanted, package, message.body, values=True)
        told = [(one.draft, one.path) for one in made]
        made += copied(result.trace, wanted, package, message.body, told)
    return Mapped(outcome, record, package, made)
