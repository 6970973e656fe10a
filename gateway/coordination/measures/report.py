"""A counted Measure as a MeasureReport, with what may not be told masked.

https://hl7.org/fhir/R4/measurereport.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from gateway.coordination.measures.cases import UNKNOWN, Value
from gateway.coordination.measures.definition import Group
from gateway.coordination.measures.suppress import Part, Told, suppress
from gateway.coordination.measures.tally import Cell, Table, Tally
from gateway.coordination.values import written
from gateway.records import Resource

ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
MASKED: Final = {"extension": [{"url": ABSENT, "valueCode": "masked"}]}
UCUM: Final = "http://unitsofmeasure.org"
QUANTILES: Final = {"median": 0.5, "p90": 0.9}


@dataclass(frozen=True, slots=True)
class Asked:
    """The days, both counted; when it was asked; and the one person, with whom nothing is masked."""

    first: date
    last: date
    now: datetime
    subject: str | None = None


def report(tally: Tally, asked: Asked) -> Resource:
    """What was counted."""
    measure = tally.definition.resource
    made: Resource = {"resourceType": "MeasureReport", "status": "complete"}
    made["type"] = "individual" if asked.subject else "summary"
    made["measure"] = tally.definition.canonical
    if asked.subject:
        made["subject"] = {"reference": asked.subject}
    made["date"] = written(asked.now)
    made["period"] = {"start": asked.first.isoformat(), "end": asked.last.isoformat()}
    if "improvementNotation" in measure:
        made["improvementNotation"] = measure["improvementNotation"]
    made["group"] = [_group(table, masking=asked.subject is None) for table in tally.tables]
    return made


def _group(table: Table, *, masking: bool) -> Resource:
    group = table.group
    made: Resource = {"code": group.concept}
    told = [suppressed(table, dimension) if masking else _all(table, dimension) for dimension in table.strata]
    alone: Told[Value] = suppress(_part(table.total, group), {}) if masking else Told(True, True, {}, frozenset())
    made |= _figures(table.total, group, every=alone.total, counted=alone.counted)
    stratifiers = [
        _stratifier(table, dimension, concept, one)
        for (concept, _, dimension), one in zip(
            (one for one in group.stratifiers if one[2] in table.strata), told, strict=True
        )
    ]
    if stratifiers:
        made["stratifier"] = stratifiers
    return made


def suppressed(table: Table, dimension: str) -> Told[Value]:
    """What may be told of a table divided by a dimension."""
    cells = table.strata[dimension]
    parts = {value: _part(cells[value], table.group) for value in sorted(cells)}
    return suppress(_part(table.total, table.group), parts)


def _all(table: Table, dimension: str) -> Told[Value]:
    cells = table.strata[dimension]
    return Told(True, True, dict.fromkeys(sorted(cells), True), frozenset(cells))


def _part(cell: Cell, group: Group) -> Part:
    """Where all that are told count, nothing can be said of those that do not."""
    return Part(cell.every, cell.counted) if group.statistic == "share" else Part(cell.every, cell.every)


def _stratifier(table: Table, dimension: str, concept: Resource, told: Told[Value]) -> Resource:
    made: Resource = {"code": [concept]}
    if told.strata is None:
        return MASKED | made
    cells = table.strata[dimension]
    strata = [
        {"value": _concept(value)}
        | _figures(cells[value], table.group, every=is_told, counted=is_told and value in told.shares)
        for value, is_told in told.strata.items()
    ]
    return made | ({"stratum": strata} if strata else {})


def _figures(cell: Cell, group: Group, *, every: bool, counted: bool) -> Resource:
    """The populations and the score of a cell; what is not told is masked."""
    populations = []
    for concept, name in group.populations:
        is_counted = name == group.counted and group.statistic == "share"
        is_told = counted if is_counted else every
        number = cell.counted if is_counted else cell.every
        populations.append({"code": concept, **({"count": number} if is_told else {"_count": MASKED})})
    made: dict[str, Any] = {"population": populations}
    if (score := _score(cell, group)) is not None and (counted if group.statistic == "share" else every):
        made["measureScore"] = score
    return made


def _score(cell: Cell, group: Group) -> Resource | None:
    if group.statistic == "count":
        return {"value": cell.every}
    if group.statistic == "share":
        if not cell.every:
            return None
        return {"value": round(100 * cell.counted / cell.every, 1), "unit": "%", "system": UCUM, "code": "%"}
    if not cell.counted:
        return None
    minutes = round(cell.quantile(QUANTILES[group.statistic]), 2)
    return {"value": minutes, "unit": "min", "system": UCUM, "code": "min"}


def _concept(value: Value) -> Resource:
    if value == UNKNOWN:
        return {"coding": [{"system": value.system, "code": value.code}], "text": "unknown"}
    coding = {"system": value.system} if value.system else {}
    return {"coding": [coding | {"code": value.code}], "text": value.display or value.code}
