"""A try at the workbench: a message, a package whose texts are being edited, and all there is to say of what comes out.

Pure: nothing is kept, and nothing of it reaches the running gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from gateway import formats
from gateway.formats import Node, Record
from gateway.issues import Issue, Issues
from gateway.mapping import ir
from gateway.mapping.cases import Case, CaseReport, cases
from gateway.mapping.explain import Explained, of_trace
from gateway.mapping.ir import RuleId
from gateway.mapping.package import MapResult, Package, Trace
from gateway.mapping.unread import Message, unread_nodes
from gateway.records import Position, Resource, Source

MOST_RECORDS = 20
"""A workbench shows a sample, not a delivery."""
Lines = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that fired, in the order of the run; `written` where it put a value that is still there."""

    rule: RuleId
    lines: Lines
    """The first and last line of the rule's own text in its file."""
    node: str
    place: Position | None
    written: Explained | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """An issue with the places it is about, where it has them."""

    issue: Issue
    rule: RuleId | None = None
    place: Position | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    """One record of the message and what became of it."""

    record: Record
    drafts: tuple[Resource, ...]
    steps: tuple[Step, ...]
    troubles: tuple[Trouble, ...]
    unread: tuple[Position, ...]
    logged: tuple[tuple[str, str], ...]

    def writer(self, draft: int, path: str) -> int | None:
        """The step that wrote a value, or what holds it, by the draft's number and the path in it."""
        written = ((index, step.written) for index, step in enumerate(self.steps))
        by_path = {one.path: index for index, one in written if one is not None and one.draft == draft}
        while path:
            if path in by_path:
                return by_path[path]
            path = path[: max(path.rfind("."), path.rfind("["))] if "." in path else ""
        return None


@dataclass(frozen=True, slots=True)
class Tried:
    """The whole try: the message's records, and what could not be read of it."""

    records: tuple[Worked, ...] = ()
    issues: tuple[Issue, ...] = ()
    more: bool = False
    """The message has more records than a workbench shows."""


def attempt(package: Package, body: bytes, source: Source, received: datetime) -> Tried:
    """Map the message and explain every step."""
    issues = Issues()
    records = list(islice(formats.read(package.format, body, issues), MOST_RECORDS + 1))
    message = Message("", body, source, received)
    worked = tuple(_worked(package, record, message) for record in records[:MOST_RECORDS])
    return Tried(worked, tuple(issues), more=len(records) > MOST_RECORDS)


def as_edited(package: Package, texts: Mapping[str, str]) -> Package:
    """The package with the edited texts, compiled; itself where none differs from what it has.

    CompileError with every problem. Names that the package does not have are left out.
    """
    changed = changes(package, texts)
    edited = package.edited(changed) if changed else package
    edited.check()
    return edited


def changes(package: Package, texts: Mapping[str, str]) -> dict[str, str]:
    """Those of the texts that differ from the package's own files."""
    own = package.own_files
    return {name: text for name, text in texts.items() if name in own and own[name] != text}


def verdict(package: Package) -> list[CaseReport]:
    """What the package's cases say, those that fail first."""
    reports = [CaseReport(case.name, case.title, _differences(case)) for case in cases(package)]
    return sorted(reports, key=lambda report: (report.passed, report.name))


def _differences(case: Case) -> list[str]:
    try:
        return case.check()
    except (ValueError, OSError) as error:
        return [f"the case cannot be run ({type(error).__name__})"]


def _worked(package: Package, record: Record, message: Message) -> Worked:
    result = package.apply(record, message.source, message.received, body=message.body, traced=True)
    drafts = tuple(draft.resource for draft in result.drafts)
    nodes = unread_nodes(package, record, message) if result.trace else ()
    return Worked(
        record,
        drafts,
        tuple(_steps(result.trace, drafts, package, message.body)) if result.trace else (),
        tuple(_troubles(result, package, message.body)),
        tuple(formats.position(package.format.kind, node, message.body) for node in nodes),
        tuple(result.logged),
    )


def _steps(trace: Trace, drafts: Sequence[Resource], package: Package, body: bytes) -> Iterator[Step]:
    program = trace.compiled.program
    spans = _own_lines(program)
    written = {one.step: one for one in of_trace(trace, list(drafts), package, body, values=True)}
    for index, (rule, node, _, _, _, _) in enumerate(trace.entries):
        is_node = isinstance(node, Node)
        place = formats.position(package.format.kind, node, body) if is_node and body else None
        yield Step(program.rules[rule], spans[rule], node.name if is_node else "", place, written.get(index))


def _own_lines(program: ir.Program) -> dict[int, Lines]:
    """Of each rule the lines of its own text, up to where its dependent rules begin."""
    found: dict[int, Lines] = {}

    def walk(rules: Sequence[ir.Rule], routine: ir.Routine) -> None:
        for rule in rules:
            end = min((below.span.start for below in rule.rules), default=rule.span.end)
            own = routine.text.content[rule.span.start : end].rstrip()
            first, _ = routine.text.place(rule.span.start)
            last, _ = routine.text.place(rule.span.start + max(len(own) - 1, 0))
            found[rule.id] = (first, last)
            walk(rule.rules, routine)

    for routine in program.routines:
        walk(routine.rules, routine)
    return found


def _troubles(result: MapResult, package: Package, body: bytes) -> Iterator[Trouble]:
    """The record's issues; those that a rule met have its place and the source's."""
    program = result.trace.compiled.program if result.trace else None
    met: dict[tuple[str, str], tuple[RuleId, Position | None]] = {}
    for found in result.trace.found if result.trace else ():
        if program is not None and found.site >= 0:
            rule = program.rules[program.sites[found.site].rule]
            is_node = isinstance(found.at, Node)
            place = formats.position(package.format.kind, found.at, body) if is_node and body else None
            met[(found.rule, f"{found.text} [{rule}]")] = (rule, place)
    for issue in result.issues:
        rule_id, where = met.get((issue.rule, issue.text), (None, None))
        yield Trouble(issue, rule_id, where)
