"""Measure/$evaluate-measure: a MeasureReport over a period of whole Swedish days.

https://hl7.org/fhir/R4/measure-operation-evaluate-measure.html
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.measuring import Period
from gateway.definitions import Operation
from gateway.errors import BadRequest, Unprocessable
from gateway.fhir import reference
from gateway.fhir.json import dump
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.parameters import Given
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered

CODE: Final = "evaluate-measure"
START, END = "periodStart", "periodEnd"
_DATE: Final = re.compile(r"([12][0-9]{3})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


async def evaluate_measure(request: Request) -> Response:
    return await _answered(request, None, _asked(request))


async def evaluate_measure_by_post(request: Request) -> Response:
    return await _answered(request, None, await _sent(request))


async def evaluate_measure_instance(request: Request, id: str) -> Response:
    return await _answered(request, id, _asked(request))


async def evaluate_measure_instance_by_post(request: Request, id: str) -> Response:
    return await _answered(request, id, await _sent(request))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/fhir/Measure/$evaluate-measure", evaluate_measure),
    ("POST", "/fhir/Measure/$evaluate-measure", evaluate_measure_by_post),
    ("GET", "/fhir/Measure/{id}/$evaluate-measure", evaluate_measure_instance),
    ("POST", "/fhir/Measure/{id}/$evaluate-measure", evaluate_measure_instance_by_post),
)


def _operation(request: Request) -> Operation:
    """What is offered, for who is known. Unauthenticated."""
    negotiate(request)
    asking(request, CODE)
    return parameters.operation(door_of(request).definitions, "Measure", CODE)


def _asked(request: Request) -> Given:
    return parameters.asked(request, _operation(request))


async def _sent(request: Request) -> Given:
    return await parameters.sent(request, _operation(request), door_of(request).definitions)


async def _answered(request: Request, id: str | None, given: Given) -> Response:
    who, door = asking(request, CODE), door_of(request)
    named = given.one("measure")
    if (id is None) is (named is None):
        rule = "parameter-missing" if id is None else "parameter-repeated"
        raise BadRequest("Name the measure once: in the address, or as a parameter.", rule=rule, where="measure")
    period = Period(day(START, str(given.one(START))), day(END, str(given.one(END)), last=True))
    subject = _subject(given)
    by = [str(one) for one in given.all("group-by")]
    name = id if id is not None else str(named)

    def evaluate() -> bytes:
        measure = door.measure(who, name.removeprefix("Measure/"))
        (made,) = door.evaluate(who, [measure], period, by=by, subject=subject)
        return dump(made)

    return await answered(request, await in_thread(evaluate))


def _subject(given: Given) -> str | None:
    """The id of the one Patient that is asked about; None for everybody."""
    kind, subject = given.one("reportType") or "population", given.one("subject")
    if kind in ("subject-list", "patient-list"):
        text = "A list of persons is searched for, not measured. Report types: population, subject."
        raise Unprocessable(text, rule="report-type-not-offered", where="reportType")
    if kind not in ("population", "summary", "subject", "individual"):
        raise BadRequest("Report types: population, subject.", rule="parameter-malformed", where="reportType")
    if (kind in ("subject", "individual")) is (subject is None):
        text = "With the report type subject, and with no other, name the subject: Patient/id."
        raise BadRequest(text, rule="parameter-missing" if subject is None else "parameter-malformed", where="subject")
    if subject is None:
        return None
    found = reference.parse(str(subject))
    if found.kind != "relative" or found.type != "Patient" or found.id is None:
        raise BadRequest("The subject is Patient/id.", rule="parameter-malformed", where="subject")
    return found.id


def day(name: str, text: str, *, last: bool = False) -> date:
    """The first day of a date, or its last: a month and a year have several. BadRequest."""
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month = int(found[1]), int(found[2] or (12 if last else 1))
        return date(year, month, int(found[3] or (monthrange(year, month)[1] if last else 1)))
    except ValueError:
        text = f"{name} is a date: 2026-01-31, 2026-01 or 2026."
        raise BadRequest(text, rule="parameter-malformed", where=name) from None
