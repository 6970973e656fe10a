"""One SIP for those who draw it up, and for those who take part: shown, saved, its meeting called, settled, ended.

What is written goes by the same commands as REST's and is held to the same rules; each part is written at the version
that was shown. What a form sends twice is written once, for what is stored already says the same.

docs/sip.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

from gateway.access import sheets
from gateway.access.caller import Asking
from gateway.access.commands import ANY_VERSION, Body, Command, Create, Delete, Done, Patch, Update
from gateway.access.decision import Decision
from gateway.access.performing import Act, Performance
from gateway.access.performing.sips import Sips
from gateway.access.sheets import Line, Sheet, hsa_id_of, organisation
from gateway.access.standing import Standings
from gateway.access.tasking import Tasking
from gateway.coordination import sip
from gateway.coordination.consenting import is_drawn_up, is_sip
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.plans import custodian
from gateway.coordination.plans.rules import PLAN
from gateway.coordination.sip import Question
from gateway.coordination.values import instant
from gateway.coordination.words import Words
from gateway.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from gateway.fhir.json import dump
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

MOST_LINES: Final = 100
"""Activities of one plan that a form shows."""
TASK, CONSENT = "Task", "Consent"
_CALL: Final = "sip-call"
_CALLED: Final = ("accepted", "in-progress", "completed")
_MOVED: Final = {"text": "Ny dag för uppföljning"}


@dataclass(frozen=True, slots=True)
class Part:
    """An activity or an invitation as people read it."""

    id: str
    what: str
    status: str
    unit: Unit | None
    """Who does it."""
    name: str
    """The same in words, a relative's too."""
    body: str
    """Who answers for it by law."""
    start: str
    own: bool
    """Whether the caller is its owner, or asked for it: he has its page."""


@dataclass(frozen=True, slots=True)
class SipView:
    """A SIP as the caller sees it; `plan` is None for one that is yet to be begun."""

    patient: Resource
    plan: Resource | None
    sheet: Sheet
    editable: bool
    parts: tuple[Part, ...]
    invitations: tuple[Part, ...]
    open: tuple[Words, ...]
    """What the law asks, and the plan does not say."""
    overall: str
    """The name of who has the overall responsibility."""
    keeper: Unit | None
    """Who keeps the plan, and can be called about it."""
    others: tuple[tuple[str, str, str], ...]
    """The person's SIPs: id, status, when it was drawn up."""
    may_begin: bool
    """Whether the caller may draw up a new one."""

    def blank(self, id: str) -> SipView:
        """A new plan for the same person."""
        return SipView(self.patient, None, Sheet(id), self.may_begin, (), (), (), "", None, self.others, self.may_begin)

    @property
    def status(self) -> str:
        return str(self.plan["status"]) if self.plan else "draft"

    @property
    def settled(self) -> bool:
        return self.plan is not None and sip.is_settled(self.plan)


@dataclass(frozen=True, slots=True)
class _There:
    """What is stored of one plan, as far as the caller may see it."""

    plan: Stored | None
    consent: Stored | None
    tasks: tuple[Stored, ...]

    def task(self, id: str) -> Stored | None:
        return next((one for one in self.tasks if one.id == id), None)


class DrawingUp(Tasking):
    """sip, save_sip, call_sip, settle_sip, end_sip and discard_sip."""

    def sip(self, asking: Asking, patient_id: str, plan_id: str | None, *, fresh: str) -> SipView:
        """A person's SIP: the one that is named, else the latest that goes on, else a new one under the id `fresh`.

        NotFound for a person, or a plan, whom the caller may not know of.
        """
        patient = self.patient(asking, patient_id)

        def ask(uow: UnitOfWork) -> tuple[SipView | None, list[Stored]]:
            found = self._sips(uow, asking, patient_id)
            going_on = [one for one in found if one.resource().get("status") in ("draft", "active", "on-hold")]
            wanted = [one for one in found if one.id == plan_id] if plan_id else going_on[-1:]
            if plan_id and not wanted:
                return None, []
            there = self._there(uow, asking, wanted[0]) if wanted else _There(None, None, ())
            view = self._view(uow, asking, patient, there, fresh, found)
            shown = [one for one in (there.plan, there.consent, *there.tasks) if one is not None]
            return view, shown

        view, shown = self._rooms.store.read(ask)
        self.audit(asking, Decision(True, "takes-part-in-the-care"), *shown)
        if view is None:
            raise NotFound(rule="resource-unknown")
        return view

    def bodies(self) -> list[tuple[str, str]]:
        """HSA-id and name of each region and municipality of the directory, by name."""
        directory, units = self._directory()
        return [(id, name) for id, name in units if sip.huvudman(directory.by_hsa_id(id), directory) is not None]

    def save_sip(self, asking: Asking, patient_id: str, sheet: Sheet) -> None:
        """Write what differs from what is stored. BadRequest, PreconditionFailed; what the rules refuse."""
        self.patient(asking, patient_id)
        sheet = self._checked(sheet)

        def work(uow: UnitOfWork) -> None:
            self.hold(uow, patient_id, sheet.id)
            plan = next((one for one in self._sips(uow, asking, patient_id) if one.id == sheet.id), None)
            if plan is None and uow.resources.read(PLAN, sheet.id) is not None:
                raise NotFound(rule="resource-unknown")  # Another's plan, or no SIP: none of this person's.
            there = self._there(uow, asking, plan) if plan is not None else _There(None, None, ())
            commands = list(self._commands(asking, f"Patient/{patient_id}", sheet, there))
            if len(commands) > MOST_LINES:
                raise BadRequest(f"A plan has {MOST_LINES} activities at most.", rule="too-many-lines")
            self._perform(uow, asking, commands)

        self.attempt(asking, work)

    def call_sip(self, asking: Asking, patient_id: str, plan_id: str) -> None:
        """Send the invitations to the meeting, and have done the duty to call to it. BadRequest; what rules refuse."""

        def work(uow: UnitOfWork) -> None:
            there = self._known_sip(uow, asking, patient_id, plan_id)
            invitations = [one for one in there.tasks if _stands(one, sheets.INVITATION)]
            drafts = [one for one in invitations if one.resource()["status"] == "draft"]
            if not drafts or not all("executionPeriod" in one.resource() for one in drafts):
                raise BadRequest("Say when the meeting is, and who is invited.", rule="meeting-missing")
            own = asking.caller.hsa_id
            self._perform(uow, asking, [_move(one.id, "requested") for one in drafts])
            mine = [one.id for one in drafts if hsa_id_of(one.resource().get("owner")) == own]
            self._perform(uow, asking, [_move(id, "accepted") for id in mine])
            self._have_called(uow, asking, there, drafts[0].resource()["executionPeriod"])

        self.attempt(asking, work)

    def settle_sip(self, asking: Asking, patient_id: str, plan_id: str) -> None:
        """Settle the plan: its parties are asked, and who settles it is to follow it up. What the rules refuse."""

        def work(uow: UnitOfWork) -> None:
            there = self._known_sip(uow, asking, patient_id, plan_id)
            assert there.plan is not None
            self._perform(uow, asking, [_move(plan_id, "active", PLAN)])
            plan = there.plan.resource() | {"status": "active"}
            self._perform(uow, asking, list(self._follow_up(asking, plan, there)))

        self.attempt(asking, work)

    def end_sip(self, asking: Asking, patient_id: str, plan_id: str) -> None:
        """The plan is completed; what was asked within it goes on until it is done."""

        def work(uow: UnitOfWork) -> None:
            self._known_sip(uow, asking, patient_id, plan_id)
            self._perform(uow, asking, [_move(plan_id, "completed", PLAN)])

        self.attempt(asking, work)

    def discard_sip(self, asking: Asking, patient_id: str, plan_id: str) -> None:
        """Take a draft back, with the Tasks that nobody was asked for. Conflict for what is no draft any more."""

        def work(uow: UnitOfWork) -> None:
            there = self._known_sip(uow, asking, patient_id, plan_id)
            if there.plan is None or not is_drawn_up(there.plan.resource()):
                raise Conflict("The plan is settled: end it instead.", rule="plan-settled")
            drafts = [one for one in there.tasks if one.resource()["status"] == "draft"]
            self._perform(uow, asking, [_delete(TASK, one.id) for one in drafts])
            self._perform(uow, asking, [_delete(PLAN, plan_id)])

        self.attempt(asking, work)

    def _perform(self, uow: UnitOfWork, asking: Asking, commands: Sequence[Command]) -> list[Done]:
        if not commands:
            return []
        bodies = [Body(dump(one.resource)) if isinstance(one, Create | Update) else None for one in commands]
        kept = self.keep_bodies(uow, asking, bodies)
        return Performance(Act(self, self._rooms, uow, asking, kept)).perform(commands)

    def _known_sip(self, uow: UnitOfWork, asking: Asking, patient_id: str, plan_id: str) -> _There:
        """What is stored of a SIP of the person. NotFound."""
        self.hold(uow, patient_id, plan_id)
        plan = next((one for one in self._sips(uow, asking, patient_id) if one.id == plan_id), None)
        if plan is None:
            raise NotFound(rule="resource-unknown")
        return self._there(uow, asking, plan)

    def _commands(self, asking: Asking, patient: str, sheet: Sheet, there: _There) -> Iterator[Command]:
        """What differs from what is stored. PreconditionFailed where somebody else has changed it meanwhile."""
        own, now = organisation(asking.caller.hsa_id, {asking.caller.hsa_id: asking.caller.name}), self._rooms.clock()
        directory, units = self._directory()
        named = dict(units)
        was = _sheet(there, asking.caller.hsa_id) if there.plan is not None else Sheet(sheet.id)
        before = there.plan.resource() if there.plan is not None else None
        consents = (was.consent, was.consent_date) != (sheet.consent, sheet.consent_date)
        asked = bool(sheet.consent or there.consent)
        if consents and asked:
            old = there.consent.resource() if there.consent is not None else None
            made = sheets.consent_of(sheet, old, patient, own, now)
            yield self._put(made, there.consent, sheet.consent_version)
        plan = sheets.plan_of(sheet, before, patient, named, now)
        if sheet.follow_up and sheet.follow_up < plan["period"].get("start", ""):
            raise BadRequest("A plan is followed up after it has begun.", rule="follow-up-early")
        if before is None or consents or was.bare() != sheet.bare():
            yield self._put(plan, there.plan, sheet.version)
        for one in sheet.lines:
            stored = there.task(one.id)
            if stored is not None and replace(sheets.line(stored.resource()), version="") == replace(one, version=""):
                continue
            old = stored.resource() if stored is not None else None
            made = sheets.task_of(one, old, plan, own, named, directory)
            yield self._put(made, stored, one.version)
        for id in sorted(sheet.removed):
            if (stored := there.task(id)) is not None:
                yield from self._removed(stored)
        yield from self._invitations(asking, sheet, was, there, plan, own, named)
        if before is not None and sip.is_settled(before):
            yield from self._follow_up(asking, plan, there)

    @staticmethod
    def hold(uow: UnitOfWork, patient_id: str, *ids: str) -> None:
        """Hold the person, whichever of his Patients is named, and what has these ids, until the work is done."""
        patient = uow.resources.read("Patient", patient_id)
        uow.lock({(patient.person if patient is not None else None) or patient_id, *ids})

    def _put(self, made: Resource, stored: Stored | None, version: str) -> Command:
        if stored is not None and stored.version != version:
            raise PreconditionFailed("It has changed since it was shown.", rule="version-differs")
        if stored is None and version:
            raise PreconditionFailed("It is gone since it was shown.", rule="version-differs")
        kind = str(made["resourceType"])
        self.whole(kind, made)
        seen = (stored.version,) if stored is not None else None
        # A form says the ids of what it adds: nothing else that is stored is written over.
        new = (ANY_VERSION,) if stored is None else None
        return Update(resource_type=kind, target=str(made["id"]), resource=made, if_match=seen, if_none_match=new)

    def _removed(self, stored: Stored) -> Iterator[Command]:
        """A draft is taken away; what was asked is called off on its own page, with a reason."""
        if stored.resource()["status"] == "draft":
            yield _delete(TASK, stored.id)

    def _invitations(
        self,
        asking: Asking,
        sheet: Sheet,
        was: Sheet,
        there: _There,
        plan: Resource,
        own: Resource,
        named: Mapping[str, str],
    ) -> Iterator[Command]:
        """The invitations as drafts. What was sent stays as it was sent; whoever is invited later hears the same."""
        sent = {hsa_id_of(one.resource().get("owner")): one for one in there.tasks if _stands(one, sheets.INVITATION)}
        same = (was.meeting, was.place) == (sheet.meeting, sheet.place)
        wanted = {asking.caller.hsa_id, *sheet.invited} if sheet.meets else set()
        for to in sorted(wanted):
            stored = sent.get(to)
            if stored is not None and (same or stored.resource()["status"] != "draft"):
                continue
            made = sheets.invitation_of(sheet, to, stored.resource() if stored else None, plan, own, named)
            yield self._put(made, stored, stored.version if stored else "")
        for to, stored in sorted(sent.items()):
            if to not in wanted:
                yield from self._removed(stored)

    def _follow_up(self, asking: Asking, plan: Resource, there: _There) -> Iterator[Command]:
        """The duty to follow the plan up, on the day that it names."""
        day = str(plan.get("period", {}).get("end", ""))[:10]
        own = organisation(asking.caller.hsa_id, {asking.caller.hsa_id: asking.caller.name})
        duties = [one for one in there.tasks if _stands(one, sheets.FOLLOW_UP)]
        held = [one for one in duties if one.resource().get("restriction", {}).get("period", {}).get("end") == day]
        for one in duties:
            if one not in held and one.resource()["status"] == "ready":
                yield _move(one.id, "cancelled", reason=_MOVED)
        if day and not held:
            made = sheets.new_task(str(uuid4()), sheets.FOLLOW_UP, plan, own, "ready") | {"owner": own}
            made |= {"description": plan.get("title", ""), "restriction": {"period": {"end": day}}}
            made |= {"executionPeriod": {"start": day, "end": day}}
            yield Update(resource_type=TASK, target=made["id"], resource=made)

    def _have_called(self, uow: UnitOfWork, asking: Asking, there: _There, meeting: Resource) -> None:
        """The caller's duty to call to the planning (2017:612 4 kap. 3 §) is done by this call."""
        assert there.plan is not None
        standings = Standings(self._rooms, uow, asking.caller)
        for one in uow.resources.of_person(there.plan.person or "", resource_types=[TASK]):
            task = one.resource()
            mine = standings.named(task.get("owner")) == asking.caller.hsa_id
            if not (mine and sheets.is_of(task, _CALL) and task["status"] in ("requested", "received", *_CALLED[:2])):
                continue
            left = _CALLED[_CALLED.index(task["status"]) + 1 :] if task["status"] in _CALLED else _CALLED
            output = [{"type": {"text": "Möte"}, "valuePeriod": {"start": meeting["start"]}}]
            for status in left:
                told = [*task.get("output", ()), *output] if status == "completed" else None
                self._perform(uow, asking, [_move(one.id, status, output=told)])

    def _checked(self, sheet: Sheet) -> Sheet:
        """The sheet with what can be told from the directory; BadRequest for what cannot be so."""
        try:
            UUID(sheet.id)
            for one in sheet.lines:
                UUID(one.id)
        except ValueError:
            raise BadRequest("A form has a UUID: open the page again.", rule="form-unknown") from None
        days = (sheet.consent_date, sheet.follow_up, *(one.start for one in sheet.lines))
        if not all(sheets.is_day(day) for day in days if day):
            raise BadRequest("Write a day as 2026-03-12.", rule="day-malformed")
        if sheet.meeting and instant(sheet.meeting) is None:
            raise BadRequest("Write a time as 2026-03-12T13:00.", rule="time-malformed")
        directory, units = self._directory()
        known = {id for id, _ in units}
        if any(one not in known for one in sheets.relations(sheet)):
            raise BadRequest("The directory has no unit of this HSA-id.", rule="unit-unknown")
        lines = tuple(_with_body(one, directory) for one in sheet.lines if not one.is_blank)
        return replace(sheet, lines=lines, invited=tuple(sorted(set(sheet.invited))))

    def _sips(self, uow: UnitOfWork, asking: Asking, patient_id: str) -> list[Stored]:
        """The person's SIPs that the caller may see, the earliest first."""
        patient = uow.resources.read("Patient", patient_id)
        person = (patient.person if patient is not None else None) or patient_id
        found = [one for one in uow.resources.of_person(person, resource_types=[PLAN]) if is_sip(one.resource())]
        seen = [one for one in found if self.may_see(uow, asking, one).allowed]
        return sorted(seen, key=lambda one: (str(one.resource().get("created", "")), one.id))

    def _there(self, uow: UnitOfWork, asking: Asking, plan: Stored) -> _There:
        tasks = uow.resources.naming(TASK, ("based-on",), PLAN, [plan.id])[: 2 * MOST_LINES]
        seen = [one for one in tasks if self.may_see(uow, asking, one).allowed]
        named = [str(one.get("reference", "")) for one in plan.resource().get("supportingInfo", ())]
        ids = [literal.partition("/")[2] for literal in named if literal.startswith(f"{CONSENT}/")]
        there = uow.resources.read_many([(CONSENT, id) for id in ids]).values()
        consents = [one for one in there if not one.deleted and self.may_see(uow, asking, one).allowed]
        return _There(plan, consents[0] if consents else None, tuple(seen))

    def _view(
        self,
        uow: UnitOfWork,
        asking: Asking,
        patient: Resource,
        there: _There,
        fresh: str,
        found: Iterable[Stored],
    ) -> SipView:
        directory, own = _units(uow), asking.caller.hsa_id
        others = tuple((one.id, str(one.resource()["status"]), str(one.resource().get("created", ""))) for one in found)
        may_begin = not asking.caller.operator  # The operator's word is plain R4.
        if there.plan is None:
            return SipView(patient, None, Sheet(fresh), may_begin, (), (), (), "", None, others, may_begin)
        plan = there.plan.resource()
        mine = Standings(self._rooms, uow, asking.caller).own
        named = Standings(self._rooms, uow, asking.caller).named
        here = all(source.startswith("organisation:") for source in there.plan.contributors)
        goes_on = is_drawn_up(plan) or sip.is_settled(plan)
        editable = mine(named(custodian(plan))) and here and goes_on and plan["status"] != "completed"
        sips = Sips(Act(self, self._rooms, uow, asking))
        questions: list[Question] = sips.open_questions(plan, there.plan.person) if goes_on else []
        tasks = [one.resource() for one in there.tasks]
        activities = [one for one in tasks if sip.is_activity(one)]
        calls = [one for one in tasks if sheets.is_of(one, sheets.INVITATION) and one["status"] not in sip.GONE]
        overall = directory.unit(sip.overall_of(plan))
        part = _reader(directory, own_of=asking.caller.organisations)
        return SipView(
            patient,
            plan,
            _sheet(there, own),
            editable and may_begin,
            tuple(map(part, activities)),
            tuple(part(one) for one in calls if hsa_id_of(one.get("owner")) != own),
            tuple(one.words for one in questions),
            overall.name if overall else "",
            directory.unit(custodian(plan)),
            others,
            may_begin,
        )

    def _directory(self) -> tuple[Directory, list[tuple[str, str]]]:
        return self._rooms.store.read(_units), self.units()


def _stands(stored: Stored, code: str) -> bool:
    """Whether it is a Task of this code that was not taken back."""
    task = stored.resource()
    return sheets.is_of(task, code) and task["status"] not in sip.GONE


def _sheet(there: _There, own: str) -> Sheet:
    assert there.plan is not None
    consent = there.consent.resource() if there.consent is not None else None
    return sheets.read(there.plan.resource(), consent, [one.resource() for one in there.tasks], own)


def _units(uow: UnitOfWork) -> Directory:
    return Directory([one.resource() for one in uow.resources.all(resource_type="Organization") if not one.deleted])


def _with_body(one: Line, directory: Directory) -> Line:
    """Who answers by law for what a unit does: the body that it is part of, where the form leaves that open."""
    if one.body or not one.unit:
        return one
    above = directory.body(directory.by_hsa_id(one.unit))
    return replace(one, body=above.hsa_id) if sip.huvudman(above, directory) is not None else one


def _reader(directory: Directory, *, own_of: Collection[str]) -> Callable[[Resource], Part]:
    def part(task: Resource) -> Part:
        kind, body = sip.accountable(task)
        unit = directory.unit(task.get("owner")) if hsa_id_of(task.get("owner")) else None
        answers = directory.unit(body)
        sides = {hsa_id_of(task.get(name)) for name in ("owner", "requester")}
        return Part(
            str(task["id"]),
            str(task.get("description", "")),
            str(task["status"]),
            unit,
            unit.name if unit else str(task.get("owner", {}).get("display", "")),
            "" if kind == sip.OTHER or answers is None else answers.name,
            str(task.get("executionPeriod", {}).get("start", "")),
            bool(sides & set(own_of)) and task["status"] != "draft",
        )

    return part


def _move(
    id: str, status: str, kind: str = TASK, *, reason: Resource | None = None, output: list[Resource] | None = None
) -> Patch:
    """To another status, whatever the version: the person is held, and it was read meanwhile."""
    given: Resource = {"status": status} | ({"statusReason": reason} if reason else {})
    given |= {"output": output} if output else {}
    return Patch(resource_type=kind, target=id, change=lambda before: before | given, if_match=(ANY_VERSION,))


def _delete(kind: str, id: str) -> Delete:
    return Delete(resource_type=kind, target=id, if_match=(ANY_VERSION,))
