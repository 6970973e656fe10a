"""The official RIV-TA test suites through ingest: each template with its placeholders filled, and what becomes of it.

`python -m tests.packages.rivta` prints the tables of docs/evidence-rivta.md. The placeholders and what they are filled
with: docs/rivta-templates.md. The templates lie outside the project and are read where they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from lxml import etree

from gateway.ingest.pipeline import Ingest
from gateway.ingest.sources import defaults
from gateway.mapping import Packages
from gateway.store import Store

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "../shared/data/rivta-samples"
SUITES = {"logistics-testsuite": "rivta-logistics", "activity-request": "rivta-request"}
"""Folder of the suite, and the source that its messages are sent to."""
VALIDATED = {
    "GetCareContactsResponse_3.0_MAVA.xml": "rivta-logistics",
    "GetCarePlansResponse_2.0_SIP.xml": "rivta-logistics",
}
NOW = datetime.fromisoformat("2026-03-02T15:05:00+01:00")

PLACEHOLDERS = {
    "careContactId": "K{number}-",
    "careGiverHSAId": "SE2321000131-E000000000001",
    "careUnitHSAId": "SE2321000131-E000000000210",
    "careUnitHSAid": "SE2321000131-E000000000210",
    "datePeriodEnd": "20121231",
    "datePeriodStart": "20120101",
    "documentId": "D{number}",
    "logicalAddress": "SE2321000131-S000000000101",
    "now": "20260302150000",
    "patientId": "191212121212",
    "patientIdType": "1.2.752.129.2.1.3.1",
    "personId": "191212121212",
    "personIdExtention": "191212121212",
    "personIdRoot": "1.2.752.129.2.1.3.1",
    "requestIdExtention": "SE2321000131-E000000000210#R-1",
    "sourceSystemHSAId": "SE2321000131-S000000000101",
    "sourceSystemHSAid": "SE2321000131-S000000000101",
    "timePeriodEnd": "20121231",
    "timePeriodStart": "20120101",
    "typeOfRequest": "4",
    "validationMessages": "text",
}
"""`number` is the template's own, so that templates that use one placeholder do not tell of the same record."""

EXPLAINED = {
    "soap-fault": "the template is a SOAP Fault: the message is held, for somebody to ask again",
    "rivta-error": "the template answers `resultCode` ERROR: the message is held",
    "no-known-record": "GetCareServices/Request 1 is in a namespace of an earlier draft, which no contract has",
    "placeholder": "`?` stands in the place of a value; the value is passed over and its place told",
    "withheld-from-others": "care unit and care provider are `?`: labelled, so that only their own provider sees them",
    "unit-local-id": "the HSA-id field holds a word (`careUnitId`): kept as the source's own number of the unit",
    "hsa-id-shape": "a professional's HSA-id is the word `id`",
    "value-not-valid": "plans carry `cid:675591582458`, a pointer to a MIME part, where base64 must stand",
    "as-of-not-valid": "one care contact was written on 31 June 2013",
    "as-of-missing": "requests and answers of which every value is `?`, the time too",
    "value-missing": "the same: whom the referral is about is `?`; held",
    "draft-without-identifier": "the same: without the referral's id nobody could find it again; held",
    "required-element-missing": "the same, and GetRequestStatus with the status `code`: a Task without status; held",
    "unmapped-code": "GetRequestStatus has the word `code` for a status",
    "personnummer-contradicted": "the date of birth, 2014, is not that of the person's number, 1912",
}
"""Every rule that an issue of the templates may have, and what in the templates causes it."""

_SOAPUI = "{http://eviware.com/soapui/config}"
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z]+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A message of a SoapUI project, as the project has it."""

    number: int
    source: str
    project: str
    name: str
    text: str

    @property
    def filled(self) -> bytes:
        """The message, its placeholders filled; one that the table does not have is an error."""
        return _PLACEHOLDER.sub(lambda found: PLACEHOLDERS[found[1]].format(number=self.number), self.text).encode()


def templates() -> Iterator[Template]:
    """Every message of the two suites: requests, answers of the mocks, faults."""
    number = 0
    for folder, source in SUITES.items():
        for project in sorted((SAMPLES / folder).glob("*/*-soapui-project.xml")):
            tree = etree.parse(project, etree.XMLParser(huge_tree=True))
            for element in tree.iter(_SOAPUI + "request", _SOAPUI + "responseContent"):
                text = (element.text or "").strip()
                if text.startswith("<"):
                    number += 1
                    yield Template(number, source, project.parent.name, _name(element), text)


def _name(element: etree._Element) -> str:
    """What the project calls the message: a mock response, a call, or the test case it is called in."""
    names = [name for parent in element.iterancestors() if (name := parent.get("name"))]
    return names[2] if names[0] == names[1] else names[0]


@dataclass(slots=True)
class Result:
    """What became of the messages."""

    states: Counter[str] = field(default_factory=Counter)
    items: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind of record, and done or held."""
    issues: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By severity and rule."""
    statements: Counter[str] = field(default_factory=Counter)
    """By type of resource."""
    resources: dict[str, int] = field(default_factory=dict)
    messages: list[tuple[str, str, str, Counter[str]]] = field(default_factory=list)
    """Source, name, state, and the rules of all issues."""


def run(messages: list[tuple[str, str, bytes]], database_url: str) -> Result:
    """Send (source, name, body) through ingest, one after the other, and count what is there afterwards."""
    result = Result()
    packages = Packages.shipped()
    with Store.open(database_url) as store:
        ingest = Ingest(store, packages, defaults(packages.instances), lambda: NOW)
        for source, name, body in messages:
            inbox_id = ingest.keep(defaults(packages.instances).get(source), body, "text/xml")
            outcome = ingest.process(inbox_id)
            entry = store.read(lambda unit, id=inbox_id: unit.inbox.entry(id))
            items = store.read(lambda unit, id=inbox_id: list(unit.inbox.items(id)))
            assert entry is not None
            found = [*entry.issues, *(issue for item in items for issue in item.issues)]
            result.states[outcome.state] += 1
            result.items.update((item.kind, item.state) for item in items)
            result.issues.update((issue.severity, issue.rule) for issue in found)
            result.messages.append((source, name, outcome.state, Counter(issue.rule for issue in found)))
        result.statements = store.read(
            lambda unit: Counter(statement.resource_type for statement in unit.statements.all())
        )
        result.resources = store.read(lambda unit: unit.resources.count())
    return result


def suite() -> list[tuple[str, str, bytes]]:
    return [(t.source, f"{t.project}/{t.name}", t.filled) for t in templates()]


def validated() -> list[tuple[str, str, bytes]]:
    return [(source, name, (SAMPLES / "synthetic-validated" / name).read_bytes()) for name, source in VALIDATED.items()]


def _table(title: str, head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


def _show(title: str, result: Result) -> None:
    print(f"\n## {title}: {sum(result.states.values())} messages, {sum(result.items.values())} items")
    _table("Messages", ("state", "count"), sorted(result.states.items()))
    _table("Items", ("record", "state", "count"), [(*key, n) for key, n in sorted(result.items.items())])
    types = sorted(result.statements)
    counts = [(name, result.statements[name], result.resources.get(name, 0)) for name in types]
    _table("Resources", ("type", "statements", "agreed resources"), counts)
    issues = [(*key, n, EXPLAINED.get(key[1], "")) for key, n in sorted(result.issues.items())]
    _table("Issues", ("severity", "rule", "count", "why"), issues)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with TemporaryDirectory() as folder:
        official = run(suite(), f"sqlite:///{folder}/suite.db")
        _show("The official test suites", official)
        rows = [
            (name, state, ", ".join(f"{r} x {n}" for r, n in rules.items()))
            for _, name, state, rules in official.messages
        ]
        _table("Each message", ("message", "state", "issues"), rows)
        _show("The validated synthetic messages", run(validated(), f"sqlite:///{folder}/validated.db"))
