"""What integrators do with packages: check, test, run, explain, cover, alter. The command line calls these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway import formats
from gateway.errors import NotFound
from gateway.formats import Record
from gateway.issues import Issue, Issues
from gateway.mapping.cases import CaseReport, cases
from gateway.mapping.coverage import Coverage, coverage
from gateway.mapping.explain import Explained, explain
from gateway.mapping.faults import Fault, faults
from gateway.mapping.mutate import MutationReport, mutate
from gateway.mapping.package import MapResult, Package, Packages
from gateway.mapping.problems import CompileError, Problem, did_you_mean, meant_or_known
from gateway.records import Source


def chosen(packages: Packages, names: list[str] | None) -> list[Package]:
    """The named packages, or all."""
    for name in names or ():
        if name not in packages:
            hint = did_you_mean(name, packages.ids) or f"there are {', '.join(packages.ids)}"
            place = f" in {packages.folder}" if packages.folder else ""
            raise NotFound(f"There is no mapping package '{name}'{place}: {hint}", rule="unknown-package")
    return [packages[name] for name in names or packages.ids]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A package's maps, compiled."""

    package: str
    maps: int
    records: int
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems


def check(packages: list[Package]) -> Iterator[CheckReport]:
    """Compile every map of each package."""
    for package in packages:
        problems: tuple[Problem, ...] = ()
        try:
            package.check()
        except CompileError as error:
            problems = error.problems
        yield CheckReport(package.id, len(package.maps), len(package.manifest.records), problems)


def test(packages: list[Package], *, case: str | None = None, update: bool = False) -> Iterator[CaseReport]:
    """Run the cases; with `update`, what came is written as what is expected."""
    every = [found for package in packages for found in cases(package)]
    names = [found.folder.name for found in every]
    if case and case not in names:
        hint = meant_or_known(case, names)
        raise NotFound(f"There is no case '{case}'{f': {hint}' if hint else ''}", rule="unknown-case")
    for found in every:
        if case and found.folder.name != case:
            continue
        if update:
            found.update()
        yield CaseReport(found.name, found.title, found.check())


def cover(packages: list[Package]) -> Iterator[tuple[str, Coverage]]:
    """Which rules and ConceptMap rows the cases use."""
    for package in packages:
        yield package.id, coverage(package)


def alter(packages: list[Package], *, sample: int | None = None, seed: int = 1) -> Iterator[tuple[str, MutationReport]]:
    """Alter each rule and see whether a case notices."""
    for package in packages:
        yield package.id, mutate(package, sample=sample, seed=seed)


@dataclass(slots=True)
class RunReport:
    """A message, mapped and not kept."""

    package: str
    records: list[tuple[Record, MapResult]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    found: list[list[Fault]] = field(default_factory=list)
    """For each record, what its map found wrong in it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "package": self.package,
            "records": [
                {
                    "kind": record.kind,
                    "key": result.key,
                    "where": str(record.position),
                    "drafts": [draft.resource for draft in result.drafts],
                    "issues": [issue.to_json() for issue in result.issues],
                    "found": [fault.to_json() for fault in found],
                }
                for (record, result), found in zip(self.records, self.found, strict=True)
            ],
            "issues": [issue.to_json() for issue in self.issues],
        }


def run(package: Package, body: bytes, source: Source, received: datetime, *, values: bool = False) -> RunReport:
    """Map a message without keeping anything."""
    issues = Issues()
    report = RunReport(package.id)
    for record, result in package.each(body, source, received, issues, traced=True):
        report.records.append((record, result))
        report.found.append([*faults(package, result, body, values=values)])
    report.issues = list(issues)
    return report


def explain_message(
    package: Package, body: bytes, source: Source, received: datetime, *, values: bool = False
) -> Iterator[tuple[Record, list[Explained]]]:
    """For each record of a message, where every value of its drafts comes from."""
    for record in formats.read(package.format, body, Issues()):
        yield record, explain(package, record, source, received, body=body, values=values)
