"""`samverka queue`: what needs a person, and deciding it; the page `/queue` does the same by buttons."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from rich.table import Column, Table

from gateway.access.caller import OPERATOR, Asking
from gateway.access.persons import name_of
from gateway.access.queue import Alike, Disputed, Pair, Part
from gateway.access.settling import Contradiction, Verdict
from gateway.cli.answer import ZONE
from gateway.cli.common import gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from
from gateway.errors import BadRequest, Conflict
from gateway.records import Link

app = typer.Typer(no_args_is_help=True, help="What needs a person: list, decide, link, match.")
ASKING = Asking(OPERATOR, "inbox", request_id="cli")
ReasonOption = Annotated[str, typer.Option(help="Why; it stands beside the decision.")]
KindOption = Literal["held", "proposals", "alike", "unmatched", "contradicted", "settled", "links"]


@app.command("list")
def list_waiting(
    kind: Annotated[
        KindOption | None, typer.Option(help="One kind; settled and links are what was decided, to be undone.")
    ] = None,
    after: Annotated[str, typer.Option(help="Go on behind this place of the kind, as `next` has it.")] = "",
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """What waits for a decision, 50 of each kind; without a kind, of each that waits.

    Example: `samverka queue list --kind contradicted`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        found = wired.door.queue(ASKING, kind, after)
    if as_json:
        print_json(
            {name: {"rows": [_row(one) for one in part.rows], "next": part.next} for name, part in found.items()}
        )
        return
    for name, part in found.items():
        out.print(_table(name, part))
        if part.next:
            out.print(f"more: samverka queue list --kind {name} --after {part.next}")


@app.command("decide")
def decide(
    resource: Annotated[str, typer.Argument(help="What is contradicted: a type and an id, as Task/t1.")],
    element: Annotated[str, typer.Option(help="The element, as Task.owner.")],
    reason: ReasonOption,
    decision: Annotated[
        Verdict, typer.Option(help="Whose word holds, leave it to the parties, or undo what was decided.")
    ] = "choose",
    chosen: Annotated[str | None, typer.Option(help="The statement that is right, as the list names it.")] = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide what sources contradict each other about. It holds until one of them says something new.

    Example: `samverka queue decide Task/t1 --element Task.owner --decision ask --reason "Called both"`
    """
    kind, _, id = resource.partition("/")
    with gateway(settings_from(database_url=database_url)) as wired:
        shown = {one.element: one for one in wired.door.contradictions(ASKING, kind, id).contradictions}
        if element not in shown:
            raise Conflict(f"Of {resource} sources differ on: {', '.join(shown) or 'nothing'}.", rule="nothing-differs")
        between = shown[element].statements
        if chosen is not None:
            chosen = _whole(chosen, between)
        found = wired.door.settle(ASKING, kind, id, element, between, decision, chosen=chosen, reason=reason)
    told = next((one for one in found.contradictions if one.element == element), None)
    if as_json:
        print_json({"resource": resource, "contradiction": _contradiction(told) if told else None})
    else:
        out.print(f"{resource} {element}: {told.shown.en if told else 'the sources agree'}")


@app.command("link")
def link(
    one: Annotated[str, typer.Argument(help="The id of a Patient, or a type and an id, as Encounter/e1.")],
    other: Annotated[str, typer.Argument(help="The id of the other.")],
    decision: Annotated[Literal["same", "two"], typer.Option(help="One person or thing, or two.")],
    reason: ReasonOption,
    undo: Annotated[bool, typer.Option("--undo", help="It was decided otherwise before: undo that.")] = False,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether two Patients that were proposed to be one person are, or two things one, or undo what was said.

    Example: `samverka queue link 0f6d9a52 7b1c2d3e --decision two --reason "Twins"`
    """
    verdict: Literal["same", "undone"] = "same" if decision == "same" else "undone"
    before: Literal["same", "undone"] | None = ("undone" if decision == "same" else "same") if undo else None
    kind, _, id = one.rpartition("/")
    its = other.removeprefix(f"{kind}/")
    with gateway(settings_from(database_url=database_url)) as wired:
        wired.door.decide_link(ASKING, id, its, verdict, reason, before=before, resource_type=kind or "Patient")
    if as_json:
        print_json({"one": one, "other": other, "decision": decision})
    else:
        what = ("one", "two") if kind else ("one person", "two persons")
        out.print(f"{one}, {other}: {what[decision == 'two']}")


@app.command("match")
def match(
    patient: Annotated[str, typer.Argument(help="The id of the Patient without a number.")],
    reason: ReasonOption,
    number: Annotated[
        str, typer.Option(prompt="Identity number", help="The person's number; asked for where it is not given.")
    ],
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a Patient without a national number is the person who has this one.

    Example: `samverka queue match 0f6d9a52 --reason "Showed an identity card"`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        found = wired.door.match_person(ASKING, patient, number, reason)
    if as_json:
        print_json({"patient": patient, "same": found})
    else:
        out.print(f"{patient}: one person with {found}")


def _whole(given: str, statements: tuple[str, ...]) -> str:
    """The statement that begins so."""
    found = [one for one in statements if given and one.startswith(given)]
    if len(found) != 1:
        raise BadRequest("Name one of the statements that differ, or how it begins.", rule="chosen-unknown")
    return found[0]


def _row(one: Any) -> Any:
    match one:
        case Pair():
            return {"one": one.one["id"], "other": one.other["id"], **_why(one.link)}
        case Alike():
            kind = one.link.resource_type
            ids = {"one": f"{kind}/{one.one.resource['id']}", "other": f"{kind}/{one.other.resource['id']}"}
            return ids | _why(one.link)
        case Disputed():
            named = f"{one.resource['resourceType']}/{one.resource['id']}"
            patient = {"patient": one.patient["id"]} if one.patient else {}
            return {
                "resource": named,
                **patient,
                "contradictions": [_contradiction(each) for each in one.contradictions],
            }
    return one if "state" in one else {"patient": one["id"]}


def _why(link: Link) -> dict[str, str]:
    decided = {} if link.kind == "proposed" else {"decision": "same" if link.kind == "same" else "two"}
    return {"reason": link.reason, "recorded": link.recorded.isoformat(), **decided}


def _contradiction(one: Contradiction) -> dict[str, Any]:
    sides = [
        {
            "statement": side.statement,
            "source": side.source,
            "party": side.unit.hsa_id if side.unit else None,
            "effective": side.effective.isoformat(),
            "recorded": side.recorded.isoformat(),
            "value": side.value,
            "followed": side.followed,
        }
        for side in one.sides
    ]
    told: dict[str, Any] = {
        "element": one.element,
        "value": one.value,
        "rule": one.rule,
        "open": one.open,
        "sides": sides,
    }
    if (decided := one.decided) is not None:
        made = {"chosen": decided.chosen, "by": decided.by, "reason": decided.reason, "at": decided.at.isoformat()}
        told["decision"] = made
    return told


def _table(name: str, part: Part) -> Table:
    table = Table(Column(name, no_wrap=True), Column("", overflow="fold"), box=None)
    for one in part.rows:
        table.add_row(*_cells(one))
    if not part.rows:
        table.add_row("none", "")
    return table


def _cells(one: Any) -> tuple[str, str]:
    match one:
        case Pair():
            return f"{one.one['id']}  {one.other['id']}", f"{one.link.kind}: {one.link.reason}"
        case Alike():
            pair = "  ".join(f"{one.link.resource_type}/{side.resource['id']}" for side in (one.one, one.other))
            told = "; ".join(", ".join((*side.sources, *side.units)) for side in (one.one, one.other))
            return pair, told if one.link.kind == "proposed" else f"{one.link.kind}: {one.link.reason} ({told})"
        case Disputed():
            lines = [line for each in one.contradictions for line in _lines(each)]
            return f"{one.resource['resourceType']}/{one.resource['id']}", "\n".join(lines)
    return (one["id"], f"{one['source']}, {one['held']} held") if "state" in one else (one["id"], name_of(one))


def _lines(one: Contradiction) -> list[str]:
    told = [f"{one.element} is {one.shown.en} ({one.rule})"]
    for side in one.sides:
        named = side.called
        when = side.effective.astimezone(ZONE)
        told.append(f"  {side.statement[:12]}  {named}: {side.shown.en}, as of {when:%Y-%m-%d %H:%M}")
    if one.decided:
        at = one.decided.at.astimezone(ZONE)
        what = f"chose {one.decided.chosen[:12]}" if one.decided.chosen else "asked the parties"
        told.append(f"  {one.decided.by} {what}, {at:%Y-%m-%d %H:%M}: {one.decided.reason}")
    return told
