"""What a ward tells those who care for somebody at home, for a ward whose system cannot: by the law on discharge.

The same Tasks as a planning system's messages lead to (planning-json), with the same deadlines. What is sent twice by
one form is sent once. Lag (2017:612) om samverkan vid utskrivning, 2 to 5 kap.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from gateway.access import sheets
from gateway.access.caller import Asking
from gateway.access.commands import Body, Update
from gateway.access.decision import Decision
from gateway.access.drawing_up import DrawingUp
from gateway.access.performing import Act, Performance
from gateway.access.sheets import organisation
from gateway.access.standing import Standings
from gateway.coordination import agreements, sip
from gateway.coordination.directory import Directory
from gateway.coordination.discharge import ROLES, deadline
from gateway.coordination.gaps_of_stays import NOTICE_WITHIN
from gateway.coordination.plans.basis import TASK_CODES
from gateway.coordination.values import instant, written
from gateway.coordination.view import View
from gateway.coordination.words import due
from gateway.definitions import CANONICAL
from gateway.errors import BadRequest, Conflict
from gateway.fhir.json import dump
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

ADMITTED, READY, INFORMATION = "admission-notice", "discharge-ready", "information-transfer"
NOTICES: Final = (ADMITTED, READY, INFORMATION)
OPEN_CARE: Final = "open-care"
DUTIES: Final = {ADMITTED: "appoint-contact", READY: "sip-call"}
"""What open care is to do by a notice."""
_PRESENT: Final = ("in-progress", "arrived", "onleave")
_ROLE: Final = f"{CANONICAL}/CodeSystem/task-role"
_ESTIMATED: Final = "estimated-discharge"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of a ward, as a form has it."""

    form: str
    """The UUID of the form."""
    code: str
    to: tuple[tuple[str, str], ...]
    """HSA-id and role of each who is told."""
    estimated: str = ""
    """The day on which the person is expected to leave."""
    information: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message or a duty, and what became of it."""

    code: str
    to: str
    status: str
    asked: datetime | None
    due: datetime | None


@dataclass(frozen=True, slots=True)
class StayView:
    """A stay at the caller's ward, and what was told of it."""

    patient: Resource
    stay: Resource | None
    """None where the person is not in hospital at the caller's ward."""
    admitted: datetime | None
    notice_by: datetime | None
    """Until when the admission notice is to be sent."""
    late: bool
    sent: tuple[Sent, ...]


class Discharging(DrawingUp):
    """stay and notify."""

    def stay(self, asking: Asking, patient_id: str) -> StayView:
        """The person's stay at the caller's ward. NotFound for a person whom the caller may not know of."""
        patient = self.patient(asking, patient_id)

        def ask(uow: UnitOfWork) -> tuple[StayView, list[Stored]]:
            stay = self._stay(uow, asking, patient_id)
            if stay is None:
                return StayView(patient, None, None, None, False, ()), []
            tasks = self._of_stay(uow, asking, stay)
            units = Directory([one.resource() for one in uow.resources.all(resource_type="Organization")])
            start = instant(stay.resource().get("period", {}).get("start"))
            by = start + NOTICE_WITHIN if start is not None else None
            told = any(sheets.is_of(one.resource(), ADMITTED) for one in tasks)
            late = not told and by is not None and by < self._rooms.clock()
            sent = tuple(_sent(one.resource(), units) for one in tasks)
            return StayView(patient, stay.resource(), start, by, late, sent), [stay, *tasks]

        view, shown = self._rooms.store.read(ask)
        self.audit(asking, Decision(True, "takes-part-in-the-care"), *shown)
        return view

    @staticmethod
    def is_at_ward(asking: Asking, view: View) -> bool:
        """Whether the person is in hospital at the caller's ward, by an answer that he was given."""
        stays = (one.resource for one in view.agreed if one.resource_type == "Encounter" and _is_present(one.resource))
        units = (view.directory.unit(stay.get("serviceProvider")) for stay in stays)
        return any(unit is not None and unit.hsa_id == asking.caller.hsa_id for unit in units)

    def notify(self, asking: Asking, patient_id: str, notice: Notice) -> None:
        """Send a message about the stay. BadRequest, Conflict; what the rules refuse."""
        self.patient(asking, patient_id)
        known = dict(self.units())
        _check(notice, known)

        def work(uow: UnitOfWork) -> None:
            self.hold(uow, patient_id)
            stay = self._stay(uow, asking, patient_id)
            if stay is None:
                raise Conflict("The person is not in hospital at your ward.", rule="no-stay")
            commands = list(self._notices(uow, asking, patient_id, notice, stay, known))
            kept = self.keep_bodies(uow, asking, [Body(dump(one.resource)) for one in commands])
            if commands:
                Performance(Act(self, self._rooms, uow, asking, kept)).perform(commands)

        self.attempt(asking, work)

    def _notices(
        self, uow: UnitOfWork, asking: Asking, patient_id: str, notice: Notice, stay: Stored, known: dict[str, str]
    ) -> Iterator[Update]:
        """A Task for each who is told, and the duty that follows for open care, which a stay has once."""
        there = {one.id: one.resource() for one in self._of_stay(uow, asking, stay)}
        asked, rule = self._rooms.clock(), agreements.agreement()
        duty = DUTIES.get(notice.code)
        held = any(sheets.is_of(one, str(duty)) and one["status"] not in sip.GONE for one in there.values())
        for hsa_id, role in notice.to:
            codes = [notice.code, *([duty] if duty and role == OPEN_CARE and not held else [])]
            for code in codes:
                id = str(uuid5(UUID(notice.form), f"{code} {hsa_id}"))
                if id in there:
                    continue
                task: Resource = {
                    "resourceType": "Task",
                    "id": id,
                    "status": "requested",
                    "intent": "order",
                    "code": {"coding": [{"system": TASK_CODES, "code": code}]},
                    "for": {"reference": f"Patient/{patient_id}"},
                    "encounter": {"reference": f"Encounter/{stay.id}"},
                    "authoredOn": written(asked),
                    "requester": organisation(asking.caller.hsa_id, {asking.caller.hsa_id: asking.caller.name}),
                    "owner": organisation(hsa_id, known),
                    "performerType": [{"coding": [{"system": _ROLE, "code": role}]}],
                }
                until = deadline(code, role, asked, rule, estimated=notice.estimated or None)
                task |= {"restriction": {"period": {"end": until}}} if until else {}
                if code == ADMITTED:
                    kind = {"coding": [{"system": sheets.TASK_INPUT, "code": _ESTIMATED}]}
                    task["input"] = [{"type": kind, "valueDate": notice.estimated}]
                task |= {"description": notice.information} if code == INFORMATION else {}
                self.whole("Task", task)
                yield Update(resource_type="Task", target=id, resource=task)

    def _stay(self, uow: UnitOfWork, asking: Asking, patient_id: str) -> Stored | None:
        """The stay that the person is in, where the caller's ward has it."""
        patient = uow.resources.read("Patient", patient_id)
        person = (patient.person if patient is not None else None) or patient_id
        standings = Standings(self._rooms, uow, asking.caller)
        for one in uow.resources.of_person(person, resource_types=["Encounter"]):
            stay = one.resource()
            mine = standings.named(stay.get("serviceProvider")) == asking.caller.hsa_id
            if _is_present(stay) and mine and self.may_see(uow, asking, one).allowed:
                return one
        return None

    def _of_stay(self, uow: UnitOfWork, asking: Asking, stay: Stored) -> list[Stored]:
        """The messages and duties of a stay that the caller may see, the earliest first."""
        codes = (*NOTICES, *DUTIES.values())
        found = uow.resources.naming("Task", ("encounter",), "Encounter", [stay.id])
        found = [one for one in found if any(sheets.is_of(one.resource(), code) for code in codes)]
        seen = [one for one in found if self.may_see(uow, asking, one).allowed]
        return sorted(seen, key=lambda one: (str(one.resource().get("authoredOn", "")), one.id))


def _is_present(stay: Resource) -> bool:
    """Whether it is a stay in hospital that goes on."""
    admitted = agreements.agreement().codes["admitted"]
    return stay.get("class", {}).get("code") in admitted and stay.get("status") in _PRESENT


def _check(notice: Notice, known: dict[str, str]) -> None:
    """BadRequest for what is no message."""
    try:
        UUID(notice.form)
    except ValueError:
        raise BadRequest("A form has a UUID: open the page again.", rule="form-unknown") from None
    if notice.code not in NOTICES:
        raise BadRequest(f"A message is one of {', '.join(NOTICES)}.", rule="notice-unknown")
    if any(hsa_id not in known for hsa_id, _ in notice.to):
        raise BadRequest("The directory has no unit of this HSA-id.", rule="unit-unknown")
    if not notice.to or any(role not in ROLES for _, role in notice.to):
        raise BadRequest("Say who is told, each in one role.", rule="recipient-missing")
    if len({hsa_id for hsa_id, _ in notice.to}) < len(notice.to):
        raise BadRequest("Each unit is told once.", rule="recipient-twice")
    if notice.code in DUTIES and [role for _, role in notice.to].count(OPEN_CARE) != 1:
        raise BadRequest(
            "One of them is open care: it appoints the contact and calls to the SIP.", rule="open-care-one"
        )
    if notice.code == ADMITTED and not sheets.is_day(notice.estimated):
        raise BadRequest("Say on which day the person is expected to leave.", rule="estimate-missing")
    if notice.code == INFORMATION and not notice.information:
        raise BadRequest("Say what they need to know.", rule="information-missing")


def _sent(task: Resource, units: Directory) -> Sent:
    unit = units.unit(task.get("owner"))
    code = next((one["code"] for one in task["code"]["coding"] if one.get("system") == TASK_CODES), "")
    until = due(task.get("restriction", {}).get("period", {}).get("end"))
    asked = instant(task.get("authoredOn"))
    return Sent(code, unit.name if unit else "", str(task["status"]), asked, until)
