"""Bulk import: files of resources kept in parts, and written part by part in the name of who asked; it can be gone on
with wherever it was cut off.

A part is kept in the inbox before any of it is written. Some units of it are one unit of work with the progress that
they are: a process that is killed loses none and repeats none. What is refused is held, with where it stands and why;
the others are written.

https://github.com/smart-on-fhir/bulk-import
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import IO, Any, Final

from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision, source_of
from gateway.access.links import BundleLinks
from gateway.access.performing import Act, Performance, Refusal
from gateway.access.together import joining
from gateway.access.transaction import Transacting
from gateway.access.units import Reader, Unit
from gateway.errors import BadRequest, Conflict, GatewayError, NotFound, TooManyRequests, Unavailable
from gateway.fhir import json
from gateway.fhir.bulk import NDJSON, Part, parts
from gateway.fhir.entries import within
from gateway.issues import Issue
from gateway.logs import logger
from gateway.records import Message
from gateway.store import Item, Job, LeaseLost, UnitOfWork
from gateway.store.imports import Counts, Held, Import, ImportFile, ImportPart
from gateway.store.inbox import message_id

__all__ = ["Held", "Imported", "Importing", "Input"]

TOGETHER: Final = 100
"""Commands of one unit of work."""
TRANSPORT: Final = "import"
OWN: Final = Decision(True, "own-request")
PAGE: Final = 500
MOST_WAITING: Final = 5
MOST_PARTS: Final = 2**31 - 1
IMPORT: Final = "import"
"""The kind of job that does an import."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """One file: its name, what its resources are, and the hash of its bytes where they are at hand."""

    name: str
    type: str = ""
    lines: bool = True
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import, and of each of its files."""

    one: Import
    files: tuple[tuple[ImportFile, Counts], ...]

    @property
    def id(self) -> str:
        return self.one.id

    @property
    def ended(self) -> datetime | None:
        return self.one.ended

    @property
    def total(self) -> Counts:
        counts = [one for _, one in self.files]
        return Counts(*(sum(getattr(one, name) for one in counts) for name in Counts.__dataclass_fields__))


class Importing(Transacting):
    """Begin an import or find it again, read a file of it, end it, and tell what became of it."""

    def begin_import(self, asking: Asking, inputs: Sequence[Input], *, base: str = "", again: bool = False) -> Imported:
        """The import of just these files: the one that was begun already, unless it is to be done `again`."""
        owner, key = source_of(asking.caller), _key(inputs)
        self.audit(asking, OWN)
        fresh = _import(owner, key, asking, base, self._rooms.clock())
        files = [ImportFile(n, one.name, one.type, one.lines) for n, one in enumerate(inputs)]

        def work(uow: UnitOfWork) -> str:
            found = uow.imports.latest(owner, key)
            if found is not None and not (again and found.ended):
                return found.id
            uow.imports.put(fresh, files)
            return fresh.id

        return self._imported(self._rooms.store.write(work, now=self._rooms.clock))

    def order_import(
        self,
        asking: Asking,
        inputs: Sequence[Input],
        *,
        url: str,
        base: str,
        body: bytes | None = None,
        most: int | None = None,
    ) -> str:
        """The id under which an import that is done in the background is found. BadRequest, TooLarge, TooManyRequests.

        `body`: the one file, where it was sent, of `most` so many bytes unpacked; the others are fetched.
        """
        self.audit(asking, OWN)
        for one in inputs if body is None else ():
            self._rooms.fetcher.check(one.name)
        owner, now, kept = source_of(asking.caller), self._rooms.clock(), self._rooms.export_kept
        made = _import(owner, "", asking, base, now, url)
        files = [ImportFile(n, one.name, one.type, one.lines, is_kept=body is not None) for n, one in enumerate(inputs)]
        cut = parts(BytesIO(body), lines=True, most=most) if body is not None else ()
        messages = [self._new_part(asking, 0, n, part, part.count) for n, part in enumerate(cut)]

        def work(uow: UnitOfWork) -> None:
            for old in uow.imports.expired(now - kept):
                uow.imports.remove(old)
            uow.jobs.forget(IMPORT, now - kept)
            if uow.imports.waiting(owner) >= MOST_WAITING:
                text = f"{MOST_WAITING} of your imports are not done yet: let them come, or delete some."
                raise TooManyRequests(text, rule="too-many-imports")
            uow.imports.put(replace(made, job=uow.jobs.put(IMPORT, {"id": made.id})), files)
            for message, part in messages:
                uow.inbox.keep(message, state="done")
                uow.imports.add_part(made.id, part)

        self._rooms.store.write(work, now=now)
        return made.id

    def imported(self, asking: Asking, id: str) -> Imported:
        """What became of one's own import. NotFound; Unavailable where it came to nothing."""
        one = self._rooms.store.read(lambda uow: uow.imports.get(id))
        if one is None or one.owner != source_of(asking.caller) or one.job is None:
            self.audit(asking, Decision(True, "nothing-there"), failure="not-found")
            raise NotFound("There is no such import of yours, or it was too long ago.", rule="import-unknown")
        self.audit(asking, OWN)
        job = self._rooms.store.read(lambda uow: uow.jobs.get(one.job or 0))
        if one.ended is None and job is not None and job.state == "failed":
            text = "This import came to nothing, after what it has written: delete it, and ask again."
            raise Unavailable(text, rule="import-failed")
        return self._imported(id)

    def drop_import(self, asking: Asking, id: str) -> None:
        """What is not done of it will not be; what is written stays. NotFound."""
        one = self._rooms.store.read(lambda uow: uow.imports.get(id))
        if one is not None and one.owner == source_of(asking.caller) and one.job is not None:
            self.audit(asking, OWN)
        else:
            self.imported(asking, id)
        self._rooms.store.write(lambda uow: uow.imports.remove(id))

    def run_import(self, job: Job) -> None:
        """Do all of an import that is not done yet. Whoever has its job does so; another who was slow is refused."""
        id = str(job.input["id"])
        one = self._rooms.store.read(lambda uow: uow.imports.get(id))
        if one is None or one.ended is not None:  # Withdrawn, or ended by one who was slow.
            return
        asking = Asking(Caller(**one.request["caller"]), "import", one.request["request_id"])
        for file in self._rooms.store.read(lambda uow: uow.imports.files(id)):
            if file.is_kept:
                self.go_on_with_kept(asking, id, file.file)
                continue
            try:
                with self._rooms.fetcher.open(file.name) as stream:
                    self.import_file(asking, id, file.file, stream, most=self._rooms.fetcher.most_bytes)
            except GatewayError as error:
                self._keep_as_far(id, file.file, error)
        self.end_import(id)

    def import_file(
        self,
        asking: Asking,
        id: str,
        file: int,
        stream: IO[bytes],
        told: Callable[[], None] = lambda: None,
        *,
        most: int | None = None,
    ) -> None:
        """Keep and write what is not written yet. Conflict where it is not the file that it was, or another does it."""
        store = self._rooms.store
        one = store.read(lambda uow: uow.imports.files(id))[file]
        known = {part.part: part for part in store.read(lambda uow: uow.imports.parts(id, file))}
        try:
            for number, part in enumerate(parts(stream, lines=one.lines, most=most)):
                self._import_part(asking, id, one, number, part, known.get(number), told)
        except GatewayError as error:
            self._keep_as_far(id, file, error)
        else:
            store.write(lambda uow: uow.imports.kept(id, file))

    def go_on_with_kept(self, asking: Asking, id: str, file: int, told: Callable[[], None] = lambda: None) -> None:
        """Write what is kept of a file and not written yet."""
        store = self._rooms.store
        one = store.read(lambda uow: uow.imports.files(id))[file]
        for known in store.read(lambda uow: uow.imports.parts(id, file)):
            if known.next < known.units:
                part = Part(known.first, self._body_of(known.inbox_id))
                self._import_part(asking, id, one, known.part, part, known, told)

    def end_import(self, id: str) -> Imported:
        """All of it is dealt with."""
        self._rooms.store.write(lambda uow: uow.imports.end(id, self._rooms.clock()))
        return self._imported(id)

    def held_of_import(self, id: str, *, file: int = 0) -> Iterator[Held]:
        """What could not be written, in the order of the files from this one on, some read at a time."""
        after = (file - 1, MOST_PARTS, 0)
        while found := self._held_behind(id, after):
            yield from (one for _, one in found)
            after = found[-1][0]

    def _held_behind(self, id: str, after: tuple[int, int, int]) -> list[tuple[Any, Held]]:
        return self._rooms.store.read(lambda uow: uow.imports.held(id, after=after, limit=PAGE))

    def _body_of(self, inbox_id: str) -> bytes:
        message = self._rooms.store.read(lambda uow: uow.inbox.get(inbox_id))
        if message is None:
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown", where=inbox_id)
        return message.body

    def _imported(self, id: str) -> Imported:
        def ask(uow: UnitOfWork) -> Imported | None:
            one, counts = uow.imports.get(id), uow.imports.counts(id)
            if one is None:
                return None
            return Imported(one, tuple((file, counts.get(file.file, Counts())) for file in uow.imports.files(id)))

        found = self._rooms.store.read(ask)
        if found is None:
            raise NotFound("There is no such import of yours, or it was too long ago.", rule="import-unknown")
        return found

    def _import_part(
        self,
        asking: Asking,
        id: str,
        file: ImportFile,
        number: int,
        part: Part,
        known: ImportPart | None,
        told: Callable[[], None],
    ) -> None:
        """Keep a part, unless it is, and write what is not written of it."""
        if known is not None and known.next >= known.units and known.first == part.first:
            if known.hash != sha256(part.body).hexdigest():
                raise _changed(file)
            told()
            return
        reader = Reader(self._rooms, self._base_of(id), file.type)
        units, read_from = reader.units(part)
        if known is None:
            known = self._keep_part(asking, id, file, number, part, units)
        elif known.hash != sha256(part.body).hexdigest():
            raise _changed(file)
        start = known.next
        for batch in _batches(read_from(start), asking.caller):
            start = self._commit(asking, id, known, start, batch)
            told()

    def _keep_as_far(self, id: str, file: int, error: GatewayError) -> None:
        """A file that is not to be had, or cannot be read on: what was read of it counts, and the others are read.

        What is wrong with us, or is done by another, is not the file's, and raised on.
        """
        if isinstance(error, Conflict) or error.status >= 500:
            raise error
        self._rooms.store.write(lambda uow: uow.imports.kept(id, file, error.issues))

    def _base_of(self, id: str) -> str:
        found = self._rooms.store.read(lambda uow: uow.imports.get(id))
        return "" if found is None else str(found.request.get("base", ""))

    def _keep_part(self, asking: Asking, id: str, file: ImportFile, number: int, part: Part, units: int) -> ImportPart:
        message, made = self._new_part(asking, file.file, number, part, units)

        def work(uow: UnitOfWork) -> None:
            uow.inbox.keep(message, state="done")
            uow.imports.add_part(id, made)

        self._rooms.store.write(work, now=message.received)
        return made

    def _new_part(self, asking: Asking, file: int, number: int, part: Part, units: int) -> tuple[Message, ImportPart]:
        """A part as the inbox keeps it, and as the import counts it."""
        media_type = NDJSON if part.first else json.MEDIA_TYPE
        owner, now = source_of(asking.caller), self._rooms.clock()
        message = Message(message_id(now), owner, part.body, media_type, now, transport=TRANSPORT)
        return message, ImportPart(file, number, message.id, sha256(part.body).hexdigest(), part.first, units)

    def _commit(self, asking: Asking, id: str, part: ImportPart, start: int, units: Sequence[Unit]) -> int:
        """Write these together; where one is refused, in halves, until it stands alone. Up to where it is done."""
        wanted = [unit for unit in units if unit.commands]
        to = units[-1].seq + 1
        held = {unit.seq: (unit, unit.issues) for unit in units if unit.issues}
        try:
            self._once(asking, id, part, start, to, wanted, held)
        except Refusal as refusal:
            if len(wanted) == 1:
                unit = wanted[0]
                failure = refusal.answer.issues[0].rule if refusal.decision.allowed else None
                asked = replace(asking, interaction=refusal.command.interaction)
                self.audit(asked, refusal.decision, person=refusal.person, failure=failure)
                answer = refusal.answer if unit.entries is None else within(refusal.answer, unit.entries[refusal.place])
                held[unit.seq] = (unit, answer.issues)
                self._once(asking, id, part, start, to, (), held)
                return to
        except (LeaseLost, Unavailable):
            raise
        except Exception as error:
            if len(wanted) == 1:
                unit = wanted[0]
                log.error("import-failed", import_id=id, inbox_id=part.inbox_id, exc_info=error)
                held[unit.seq] = (unit, _why(error))
                self._once(asking, id, part, start, to, (), held)
                return to
            if not wanted:
                raise
        else:
            return to
        middle = len(units) // 2
        start = self._commit(asking, id, part, start, units[:middle])
        return self._commit(asking, id, part, start, units[middle:])

    def _once(
        self,
        asking: Asking,
        id: str,
        part: ImportPart,
        start: int,
        to: int,
        wanted: Sequence[Unit],
        held: Mapping[int, tuple[Unit, Sequence[Issue]]],
    ) -> None:
        """One unit of work: what is wanted is written, what is held is told, and so far it is."""
        rooms = replace(self._rooms, require_if_match=False)  # Who imports says what shall be there, whatever is.
        stored = sum(len(unit.commands) for unit in wanted)
        items = [
            Item(part.inbox_id, seq, unit.kind or "line", "held", unit.span, issues=_placed(issues, part, seq))
            for seq, (unit, issues) in sorted(held.items())
        ]
        base = self._base_of(id) if any(unit.entries for unit in wanted) else ""

        def work(uow: UnitOfWork) -> None:
            uow.imports.advance(id, part, start=start, to=to, stored=stored, held=len(items))
            places = [unit.seq for unit in wanted for _ in unit.commands]
            entries = wanted[0].entries if wanted else None
            links = None if entries is None else BundleLinks(entries, rooms.definitions, base)
            commands = [command for unit in wanted for command in unit.commands]
            if commands:
                kept = [(part.inbox_id, place) for place in places]
                Performance(Act(self, rooms, uow, asking, kept, links)).perform(commands)
            uow.inbox.save_items(items)

        self._rooms.store.write(work, now=self._rooms.clock)
        self._rooms.known.committed()


def _import(owner: str, key: str, asking: Asking, base: str, now: datetime, url: str = "") -> Import:
    request = {"caller": asdict(asking.caller), "request_id": asking.request_id, "base": base, "url": url}
    return Import(str(uuid.uuid4()), owner, key, request, now)


def _key(inputs: Iterable[Input]) -> str:
    """What is imported, whatever the files are called."""
    return sha256(json.dump([[one.hash, one.type, one.lines] for one in inputs])).hexdigest()


def _batches(units: Iterable[Unit], caller: Caller) -> Iterator[list[Unit]]:
    """Units that can be written together: no resource twice among them, a transaction by itself, and so what would not
    join others as a request."""
    batch: list[Unit] = []
    things: set[tuple[str, str]] = set()
    for unit in units:
        thing = unit.thing
        apart = unit.entries is not None or not all(joining(caller, one.resource_type) for one in unit.commands)
        if batch and (apart or thing in things or len(batch) >= TOGETHER):
            yield batch
            batch, things = [], set()
        batch.append(unit)
        if thing is not None:
            things.add(thing)
        if apart:
            yield batch
            batch, things = [], set()
    if batch:
        yield batch


def _placed(issues: Iterable[Issue], part: ImportPart, seq: int) -> tuple[Issue, ...]:
    """The issues, each with the line that it is about; in a document they say by FHIRPath where."""
    return tuple(one if one.where or not part.first else one.at(f"line {part.first + seq}") for one in issues)


def _changed(file: ImportFile) -> Conflict:
    text = "This is not the file that the import was begun with: what was read of it before is different now."
    return Conflict(text, rule="input-changed", where=file.name)


def _why(failure: Exception) -> tuple[Issue, ...]:
    if isinstance(failure, GatewayError):
        return failure.issues
    text = "This broke the gateway: a fault of ours. It is kept; import it again when the fault is mended."
    return BadRequest(text, issues=[Issue("error", "exception", "unforeseen", text)]).issues
