"""The workbench through the door: packages to open, a try, the cases' verdict, and keeping an edit that they pass.

The operator's. A try keeps nothing, and what is kept reaches the running gateway only as a changed package does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.reading import Reading
from gateway.access.spans import encoding_of
from gateway.errors import Conflict, NotFound, Unprocessable
from gateway.formats import Kind
from gateway.mapping import Package
from gateway.mapping.cases import RECEIVED, Case, CaseReport, cases, own_source
from gateway.mapping.problems import CompileError, Problem
from gateway.mapping.workbench import Tried, as_edited, attempt, changes, verdict
from gateway.records import Source


@dataclass(frozen=True, slots=True)
class Sample:
    """A message to try: of a case of the package, or one that was kept; as whose and of when it is read."""

    body: bytes
    encoding: str
    source: Source
    received: datetime
    case: str = ""
    message: str = ""

    @property
    def text(self) -> str:
        return self.body.decode(self.encoding, "replace")

    def saying(self, text: str, kind: Kind) -> bytes:
        """Another text in the sample's encoding; what it cannot say there is replaced, as its sender's system would."""
        ends = "\r" if kind == "er7" else "\n"
        return text.replace("\r\n", "\n").replace("\n", ends).encode(self.encoding, "replace")


@dataclass(frozen=True, slots=True)
class Bench:
    """A package on the bench with a sample. With `problems` the texts do not compile, and nothing was tried."""

    package: Package
    cases: Sequence[Case]
    sample: Sample
    body: bytes
    edited: Mapping[str, str]
    """The texts that differ from those in force."""
    tried: Tried | None = None
    verdict: Sequence[CaseReport] = ()
    problems: Sequence[Problem] = ()

    @property
    def passed(self) -> bool:
        return self.tried is not None and all(report.passed for report in self.verdict)


class Benching(Reading):
    """bench_packages, bench_try, bench_keep, package_of."""

    def bench_packages(self, asking: Asking) -> list[Package]:
        """Every mapping package. NotFound for all but the operator."""
        self._at_the_bench(asking)
        return list(self._rooms.packages.values())

    def package_of(self, source_id: str) -> str | None:
        """The mapping package of a source instance; None where neither is configured any more."""
        source = self._rooms.sources.get(source_id)
        return source.package if source and source.package in self._rooms.packages else None

    def bench_try(
        self,
        asking: Asking,
        package_id: str,
        *,
        case: str = "",
        message: str = "",
        text: str | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> Bench:
        """Map a case's source, a kept message or the text in its place, by the package with the edited texts."""
        self._at_the_bench(asking)
        package = self._package(package_id)
        known = list(cases(package))
        sample = self._kept(package, message) if message else _of_case(package, known, case)
        body = sample.body if text is None else sample.saying(text, package.format.kind)
        edited = changes(package, texts or {})
        try:
            tried = as_edited(package, edited)
        except CompileError as error:
            return Bench(package, known, sample, body, edited, problems=error.problems)
        found = attempt(tried, body, sample.source, sample.received)
        return Bench(package, known, sample, body, edited, found, verdict(tried))

    def bench_keep(self, asking: Asking, package_id: str, texts: Mapping[str, str]) -> list[str]:
        """Write the edited texts into the installation's own mappings; the names of the files.

        Unprocessable where they do not compile or a case fails, Conflict where the mappings are the shipped ones.
        """
        self._at_the_bench(asking)
        package = self._package(package_id)
        folder = self._rooms.own_mappings
        if folder is None:
            raise Conflict(
                "These mappings came with the gateway. Copy them to a folder of your own, name it in "
                "SAMVERKA_MAPPINGS, and keep the edit there.",
                rule="mappings-not-own",
            )
        edited = changes(package, texts)
        failing = [report.name for report in verdict(as_edited(package, edited)) if not report.passed]
        if failing:
            raise Unprocessable(f"The cases must pass first; failing: {', '.join(failing[:10])}.", rule="cases-fail")
        for name, text in edited.items():
            _write(folder / name, text)
        return sorted(edited)

    def _package(self, package_id: str) -> Package:
        package = self._rooms.packages.get(package_id)
        if package is None:
            raise NotFound("There is no such mapping package.", rule="unknown-package")
        return package

    def _kept(self, package: Package, id: str) -> Sample:
        message = self._rooms.store.read(lambda uow: uow.inbox.get(id))
        source = self._rooms.sources.get(message.source) if message else None
        if message is None or source is None or source.package != package.id:
            raise NotFound("The inbox has no message of this id for this package.", rule="inbox-unknown")
        encoding = encoding_of(package.format.kind, message.body, package.format.options)
        return Sample(message.body, encoding, source, message.received, message=id)

    def _at_the_bench(self, asking: Asking) -> None:
        allowed = asking.caller.operator
        self.audit(asking, Decision(allowed, "operator" if allowed else "operator-only"))
        if not allowed:
            raise NotFound()


def _of_case(package: Package, known: Sequence[Case], name: str) -> Sample:
    case = next((one for one in known if one.folder.name == name), None) or next(iter(known), None)
    if case is None:  # A package that has just been begun: its first message is yet to be written on the bench.
        return Sample(b"", "utf-8", own_source(package), datetime.fromisoformat(RECEIVED))
    body = case.body
    encoding = encoding_of(package.format.kind, body, package.format.options)
    return Sample(body, encoding, case.source, case.received, case=case.folder.name)


def _write(path: Path, text: str) -> None:
    """The whole text or none of it: a reader meets the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(path.stat().st_mode & 0o777)
    Path(name).replace(path)
