"""$explain: each value of a resource, with who says it, by which line of which map, from which bytes of the message.

Nothing of this is stored: the statements account for the values (`coordination/accounts.py`), and the messages in which
they came are mapped again with the maps that were archived (`explain.py`). It is decided and audited like any read, and
tells of what the caller may hear. docs/api/explain.md
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.explain import Evidence, Explaining, Mapped, concerns, map_again
from gateway.access.spans import Span
from gateway.coordination.accounts import Account, accounts, leaves, plain, text
from gateway.coordination.plans.rules import PLAN, TEAM
from gateway.coordination.settling import apart
from gateway.errors import Gone
from gateway.fhir.json import MEDIA_TYPE, parse
from gateway.formats.json_places import starts
from gateway.mapping.explain import Explained
from gateway.records import Message, Position, Resource, Statement
from gateway.store import Stored, UnitOfWork

RECORDS: Final = 50
"""The most records that are mapped again for one answer; the places of values that others tell are left out."""
BYTES: Final = 16 * 2**20
"""The most bytes that are gone through for one answer, but for one record."""
SHOWN: Final = 200
"""How much of a source's text is told of one value."""
_BASED: Final = ("based-on", "focus")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class _Told:
    """What one statement came of, as far as the caller may see it."""

    evidence: Evidence
    shown: bool


@dataclass(frozen=True, slots=True)
class _Again:
    """A statement's record, mapped again; its message, and what that is written in."""

    mapped: Mapped
    message: Message | None
    encoding: str
    span: Span | None

    @property
    def record(self) -> Position | None:
        """Where the record as a whole stands."""
        place = self.mapped.record.position if self.mapped.record else None
        if place is None or place.end is not None or self.span is None:
            return place
        return replace(place, start=self.span[0], end=self.span[1])


class Accounting(Explaining):
    """explain."""

    def explain(self, asking: Asking, resource_type: str, id: str) -> Resource:
        """Where each value of the resource comes from, as Parameters. NotFound, Gone."""
        self.known_type(resource_type)

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision, list[Account], dict[str, _Told]]:
            stored = uow.resources.read(resource_type, id)
            decision = self.judge(uow, asking, stored)
            if stored is None or stored.deleted or not decision.allowed:
                return stored, decision, [], {}
            found = self._accounts(uow, asking, stored)
            wanted = {one.digest: one for account in found for one in account.statements}
            return stored, decision, found, dict(self._told_of(uow, asking, stored, wanted.values()))

        stored, decision, found, told = self._rooms.store.read(ask)
        if self.known(asking, stored, decision).deleted:
            raise Gone()
        assert stored is not None
        return self._parameters(stored, found, told)

    def _accounts(self, uow: UnitOfWork, asking: Asking, stored: Stored) -> list[Account]:
        thing = stored.resource_type, stored.id
        ties = [one for one in uow.links.of([stored.id]) if one.resource_type == stored.resource_type]
        joined = {(one.resource_type, id) for one in ties for id in (one.from_id, one.to_id)}
        said = self.audible(asking, uow.statements.of_resources({thing, *joined}))
        tasks: Sequence[Statement] = ()
        if stored.resource_type in (PLAN, TEAM):
            based = {(one.resource_type, one.id) for one in uow.resources.naming("Task", _BASED, PLAN, {stored.id})}
            tasks = self.audible(asking, uow.statements.of_resources(based)) if based else ()
        return accounts(stored.resource(), said, tasks)

    def _told_of(
        self, uow: UnitOfWork, asking: Asking, stored: Stored, said: Iterable[Statement]
    ) -> Iterator[tuple[str, _Told]]:
        """By statement, what was kept of its making: of so many, and of so many bytes."""
        messages: dict[str, Message | None] = {}
        left, size = RECORDS, 0
        for one in said:
            inbox_id, shown = one.inbox_id, False
            if left and size < BYTES and self._may_be_shown(uow, asking, stored, one):
                left, shown = left - 1, True
                if inbox_id is not None and inbox_id not in messages:
                    messages[inbox_id] = uow.inbox.get(inbox_id)
                if (message := messages.get(inbox_id or "")) is not None:
                    size += len(message.body)  # Each record is looked for in the whole of its message.
            yield one.digest, _Told(self.gathered(uow, one, messages.get(inbox_id or "") if shown else None), shown)

    def _may_be_shown(self, uow: UnitOfWork, asking: Asking, stored: Stored, one: Statement) -> bool:
        """Whether the record that a statement came of is about nobody else, and nothing of it is withheld."""
        if asking.caller.operator or one.inbox_id is None or one.item is None:
            return True
        beside = uow.statements.of_item(one.inbox_id, one.item)
        whole = len(self.audible(asking, beside)) == len(beside)
        return whole and concerns(uow, one, beside, stored.person or "")

    def _parameters(self, stored: Stored, found: Iterable[Account], told: Mapping[str, _Told]) -> Resource:
        mapped = self._mapped(told)
        parameters: list[Resource] = [
            {"name": "resource", "valueReference": {"reference": f"{stored.resource_type}/{stored.id}"}},
            {"name": "versionId", "valueId": stored.version},
        ]
        parameters += [
            {"name": "statement", "part": list(self._statement(one, mapped.get(digest)))}
            for digest, one in told.items()
        ]
        parameters += [{"name": "element", "part": list(_element(one, mapped))} for one in found]
        return {"resourceType": "Parameters", "parameter": parameters}

    def _mapped(self, told: Mapping[str, _Told]) -> dict[str, _Again]:
        """By statement, what its record gives when it is mapped again."""
        found: dict[str, _Again] = {}
        for digest, one in told.items():
            if one.shown:
                source, message = self._rooms.sources.get(one.evidence.statement.source), one.evidence.message
                mapped = map_again(one.evidence, source, self._rooms)
                found[digest] = _Again(
                    mapped, message, mapped.encoding(message.body) if message else "utf-8", one.evidence.span
                )
        return found

    def _statement(self, told: _Told, again: _Again | None) -> Iterator[Resource]:
        mapped = again.mapped if again else None
        said, message, names = told.evidence.statement, told.evidence.message, told.evidence.names
        source = self._rooms.sources.get(said.source)
        yield {"name": "id", "valueString": said.digest}
        yield {"name": "source", "valueString": said.source}
        yield {"name": "sourceName", "valueString": source.name if source else said.source}
        if said.party:
            yield {"name": "party", "valueString": names.get(said.party, said.party)}
        yield {"name": "kind", "valueCode": said.kind}
        yield {"name": "effective", "valueInstant": said.effective.isoformat()}
        yield {"name": "recorded", "valueInstant": said.recorded.isoformat()}
        for decision in apart([said])[0]:
            yield {"name": "by", "valueString": decision.by}
            yield {"name": "reason", "valueString": decision.reason}
        yield {"name": "outcome", "valueCode": mapped.outcome if mapped else "not-shown"}
        if message is not None and told.shown:
            yield {"name": "message", "valueString": message.id}
            yield {"name": "mediaType", "valueString": message.media_type}
            if said.item is not None:
                yield {"name": "item", "valueInteger": said.item}
        if mapped is not None and mapped.package is not None:
            yield {"name": "package", "valueString": f"{mapped.package.id} {mapped.package.version}"}


def _element(account: Account, again: Mapping[str, _Again]) -> Iterator[Resource]:
    yield {"name": "path", "valueString": account.path}
    yield {"name": "rule", "valueCode": account.rule}
    for one in account.statements:
        yield {"name": "statement", "valueString": one.digest}
    if account.rule not in ("stated", "decided"):
        return
    for one in account.statements:
        origin = list(_origin(account, one, again[one.digest])) if one.digest in again else []
        if origin:
            yield {"name": "origin", "part": [{"name": "statement", "valueString": one.digest}, *origin]}


def _origin(account: Account, said: Statement, again: _Again) -> Iterator[Resource]:
    """Which rule of the map wrote the value that a statement says, and where it read it."""
    mapped = again.mapped
    if mapped.outcome == "not-mapped":
        yield from _written(account, said, again)
        return
    made = origin_of(account, mapped.made)
    if made is None:
        return
    yield {"name": "map", "valueString": made.map_line}
    yield {"name": "mapRule", "valueString": made.rule.label.strip('"')}
    if made.row is not None:
        yield {"name": "conceptMap", "valueString": f"{made.row.table} row {made.row.number}"}
    place = made.position or again.record
    if place is not None:
        yield {"name": "scope", "valueCode": "value" if made.position else "record"}
        yield from _place(place, again)


def origin_of(account: Account, made: Collection[Explained]) -> Explained | None:
    """What explains a value best: the same at its place, the same elsewhere in the record, what wrote its place.

    What a record says of others by the way stands in it as a reference; identifiers are written by their register's
    rules, whatever the source wrote.
    """
    path, value = plain(account.path), text(account.value)
    here = [one for one in made if plain(one.path) == path]
    same = [one for one in made if not isinstance(one.value, dict) and text(one.value) == value]
    around = sorted(
        (one for one in made if path.startswith(f"{plain(one.path)}.")), key=lambda one: len(one.path), reverse=True
    )
    both = [one for one in here if one in same]
    read = [one for one in same if one.position is not None]
    return next(iter((*both, *read, *same, *here, *around)), None)


def _written(account: Account, said: Statement, again: _Again) -> Iterator[Resource]:
    """Where a value stands in what somebody wrote over REST; the whole of it where it is no resource in JSON."""
    message = again.message
    if message is None:
        return
    start = _starts(said, message).get((plain(account.path), text(account.value)))
    yield {"name": "scope", "valueCode": "record" if start is None else "value"}
    start, end = (0, len(message.body)) if start is None else (start, start)
    line, column = message.body.count(b"\n", 0, start) + 1, start - message.body.rfind(b"\n", 0, start)
    yield from _place(Position(line=line, column=column, start=start, end=end), again)


def _starts(said: Statement, message: Message) -> dict[tuple[str, str], int]:
    """By path and value, at which byte each value begins that a resource in JSON holds, alone or in a Bundle."""
    if message.media_type != MEDIA_TYPE:
        return {}
    decoded = message.body.decode("utf-8-sig", "replace")
    lead = len(message.body) - len(decoded.encode())
    within = ("entry", said.item, "resource") if said.item is not None and _is_bundle(message) else ()
    wanted = {(*within, *_steps(path)): (plain(path), text(value)) for path, value in leaves(said.body, "")}
    found = starts(decoded, wanted)
    return {
        (f"{said.resource_type}{wanted[steps][0]}", wanted[steps][1]): lead + len(decoded[:at].encode())
        for steps, at in found.items()
    }


def _is_bundle(message: Message) -> bool:
    return parse(message.body).get("resourceType") == "Bundle"


def _steps(path: str) -> Iterator[str | int]:
    for name, number in _STEP.findall(path):
        yield int(number) if number else name


def _place(place: Position, again: _Again) -> Iterator[Resource]:
    yield {"name": "place", "valueString": str(place)}
    for name, number in (("line", place.line), ("column", place.column), ("start", place.start), ("end", place.end)):
        if number is not None:
            yield {"name": name, "valueInteger": number}
    if again.message is not None and place.start is not None and place.end is not None and place.end > place.start:
        shown = again.message.body[place.start : min(place.end, place.start + SHOWN)]
        if told := shown.decode(again.encoding, "replace").strip():
            yield {"name": "text", "valueString": told}
