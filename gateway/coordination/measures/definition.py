"""A Measure as it is evaluated here: which cases, which of them count, what is observed, and by what it is divided.

https://hl7.org/fhir/R4/measure.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.coordination.measures.cases import DIMENSIONS, OBSERVATIONS, POPULATIONS
from gateway.errors import Unprocessable
from gateway.records import Resource

LANGUAGE: Final = "text/x.samverka-fact"
STATISTICS: Final = ("median", "p90", "share", "count")


@dataclass(frozen=True, slots=True)
class Group:
    """One figure of a Measure."""

    statistic: str
    concept: Resource
    """Its code, as it is repeated in the report."""
    every: str
    """The cases: a key of POPULATIONS, or what holds of them."""
    counted: str | None
    """What holds of those that count; None where all do."""
    observation: str | None
    populations: tuple[tuple[Resource, str], ...]
    """The populations that are told, with what each counts."""
    stratifiers: tuple[tuple[Resource, str, str], ...]
    """Code, its code's text, and the dimension."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A Measure."""

    resource: Resource
    groups: tuple[Group, ...]

    @property
    def canonical(self) -> str:
        version = self.resource.get("version")
        return f"{self.resource.get('url', '')}" + (f"|{version}" if version else "")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """By what it can be divided, as a caller names it."""
        return tuple(dict.fromkeys(code for group in self.groups for _, code, _ in group.stratifiers))


def read_definition(measure: Resource) -> Definition:
    """The Measure, read; Unprocessable where it asks for what is not known here."""
    groups = tuple(_group(group, f"Measure.group[{place}]") for place, group in enumerate(measure.get("group", ())))
    if not groups:
        raise Unprocessable("The measure has no group.", rule="measure-not-evaluated", expression="Measure.group")
    return Definition(measure, groups)


def _group(group: Mapping[str, Any], where: str) -> Group:
    found: dict[str, str] = {}
    told: list[tuple[str, Resource, str]] = []
    for place, population in enumerate(group.get("population", ())):
        code = _code(population.get("code"))
        name = _name(population, f"{where}.population[{place}]")
        known = OBSERVATIONS if code == "measure-observation" else [one for of in POPULATIONS.values() for one in of]
        if name not in known:
            raise _unknown(name, f"{where}.population[{place}].criteria.expression")
        found[code] = name
        told.append((code, population["code"], name))
    statistic = _code(group.get("code"))
    every = found.get("denominator") or found.get("initial-population")
    if statistic not in STATISTICS or every is None:
        text = f"A group has a code of {', '.join(STATISTICS)}, and an initial population."
        raise Unprocessable(text, rule="measure-not-evaluated", expression=where)
    counted = found.get("numerator") or found.get("measure-population")
    observation = found.get("measure-observation")
    # Of times, only the cases that took one are told: how many have none would be a cell of its own.
    kept = ("measure-population",) if observation else ("initial-population", "denominator", "numerator")
    shown = [(concept, name) for code, concept, name in told if code in kept]
    return Group(statistic, group["code"], every, counted, observation, tuple(shown), tuple(_stratifiers(group, where)))


def _stratifiers(group: Mapping[str, Any], where: str) -> Iterator[tuple[Resource, str, str]]:
    for place, one in enumerate(group.get("stratifier", ())):
        name = _name(one, f"{where}.stratifier[{place}]")
        if name not in DIMENSIONS:
            raise _unknown(name, f"{where}.stratifier[{place}].criteria.expression")
        yield one["code"], _code(one["code"]), name


def _name(of: Mapping[str, Any], where: str) -> str:
    criteria = of.get("criteria", {})
    if criteria.get("language") != LANGUAGE:
        text = f"Criteria are told by name, in the language {LANGUAGE}: docs/measures.md lists the names."
        raise Unprocessable(text, rule="measure-not-evaluated", expression=f"{where}.criteria.language")
    return str(criteria.get("expression", ""))


def _code(concept: Any) -> str:
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    return str(next((one["code"] for one in codings if "code" in one), ""))


def _unknown(name: str, where: str) -> Unprocessable:
    text = "There is no fact of this name: docs/measures.md lists them."
    return Unprocessable(text, rule="measure-not-evaluated", expression=where, where=name[:64])
