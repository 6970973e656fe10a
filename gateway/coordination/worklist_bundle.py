"""Organization/$worklist as a collection Bundle: three Lists, and what they name.

https://hl7.org/fhir/R4/list.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from gateway.coordination.values import written
from gateway.coordination.words import LANGUAGES, Language, Words, phrase, spoken, words
from gateway.coordination.worklist import Line, Worklist
from gateway.definitions import CANONICAL
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource

SYSTEM: Final = f"{CANONICAL}/CodeSystem/worklist"
_NAMESPACE = uuid5(NAMESPACE_URL, f"{CANONICAL}/worklist")
_ORDER: Final = "http://terminology.hl7.org/CodeSystem/list-order"
_EMPTY: Final = "http://terminology.hl7.org/CodeSystem/list-empty-reason"


def bundle(
    organisation: Resource, found: Worklist, patients: Mapping[str, Resource], base: str, *, most: int
) -> Resource:
    """The Lists `waits`, `awaited` and `changed`, of so many entries at most; then the Tasks, and whom they name."""
    base = base.rstrip("/")
    lists = (("waits", found.waits), ("awaited", found.awaited), ("changed", found.changed))
    shown = [line for _, lines in lists for line in lines[:most]]
    cut = not found.whole or any(len(lines) > most for _, lines in lists)
    own = f"Organization/{organisation['id']}"
    resources = {own: organisation}
    resources |= {line.task.reference: line.task.resource for line in shown}
    named = {line.patient for line in shown if line.patient is not None}
    resources |= {reference: patients[reference] for reference in named if reference in patients}
    for line in shown:
        for unit in (line.task.owner, line.task.requester):
            if unit is not None and (resource := found.directory.resource(unit.key)) is not None:
                resources[f"Organization/{resource['id']}"] = resource
    entries: list[Resource] = []
    for code, lines in lists:
        made = _list(code, lines[:most], found, own, base)
        entries.append({"fullUrl": f"urn:uuid:{made['id']}", "resource": made})
    entries += [{"fullUrl": f"{base}/{reference}", "resource": one} for reference, one in _ordered(resources)]
    if cut:
        text = "More waits than is told here: of each list the most pressing. Give _count for more, at most 200."
        outcome = operation_outcome([Issue("warning", "incomplete", "worklist-cut", text)])
        entries.append({"fullUrl": f"urn:uuid:{uuid5(_NAMESPACE, 'cut')}", "resource": outcome})
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": written(found.at),
        "link": [{"relation": "self", "url": f"{base}/{own}/$worklist?since={_url(written(found.since))}"}],
        "entry": entries,
    }


def _ordered(resources: Mapping[str, Resource]) -> Iterator[tuple[str, Resource]]:
    """Tasks first, then the persons, then the organisations; each kind by id."""
    kinds = ("Task", "Patient", "Organization")
    yield from sorted(resources.items(), key=lambda one: (kinds.index(one[1]["resourceType"]), one[0]))


def _list(code: str, lines: Sequence[Line], found: Worklist, own: str, base: str) -> Resource:
    title = words("worklist", code)
    assert title is not None
    made: Resource = {
        "resourceType": "List",
        "id": str(uuid5(_NAMESPACE, f"{own}|{code}|{found.at.timestamp()}|{found.since.timestamp()}")),
        "language": "sv",
        "text": _narrative(title, lines),
        "status": "current",
        "mode": "working",
        "title": f"{title.sv} / {title.en}",
        "code": {"coding": [{"system": SYSTEM, "code": code, "display": title.en}], "text": title.sv},
        "date": written(found.at),
        "source": {"type": "Device", "display": "Samverka"},
        "orderedBy": {"coding": [{"system": _ORDER, "code": "event-date" if code == "changed" else "priority"}]},
    }
    if lines:
        made["entry"] = [_entry(line, base) for line in lines]
    else:
        made["emptyReason"] = {"coding": [{"system": _EMPTY, "code": "nilknown"}]}
    return made


def _entry(line: Line, base: str) -> Resource:
    made: Resource = {"item": {"reference": f"{base}/{line.task.reference}", "display": line.task.what.sv}}
    moment = line.since if line.why else line.changed
    if moment is not None:
        made = {"date": written(moment)} | made
    if line.why:
        name = words("why", line.why)
        assert name is not None
        flag = {"coding": [{"system": SYSTEM, "code": str(line.why), "display": name.en}], "text": name.sv}
        made = {"flag": flag} | made
    return made


def _narrative(title: Words, lines: Sequence[Line]) -> dict[str, str]:
    parts = []
    for language in LANGUAGES:
        told = "".join(f"<li>{escape(_said(line, language))}</li>" for line in lines)
        shown = f"<ul>{told}</ul>" if told else f"<p>{escape(phrase('nothing').in_language(language))}</p>"
        heading = f"<p><b>{escape(title.in_language(language))}</b></p>"
        parts.append(f'<div lang="{language}" xml:lang="{language}">{heading}{shown}</div>')
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(parts)}</div>'}


def _said(line: Line, language: Language) -> str:
    """`1177-uppdrag: ta ställning, 1177 på telefon, sedan …, senast …`. Whom it is about stands in the Task."""
    why = words("why", line.why) if line.why else words("statuses", line.task.status)
    said = f"{line.task.what.in_language(language)}: {why.in_language(language) if why else line.task.status}"
    parts = [said, line.other.name] if line.other else [said]
    if line.since:
        parts.append(f"{phrase('since').in_language(language)} {spoken(line.since, language)}")
    if line.due:
        parts.append(f"{phrase('due').in_language(language)} {spoken(line.due, language)}")
    return ", ".join(parts)


def _url(text: str) -> str:
    return text.replace("+", "%2B")
