"""Who does what, for a terminal: the same answer as the page gives, in Swedish."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.access.answers import Unit, View
from gateway.access.caller import Asking
from gateway.access.door import Door
from gateway.web.answer import Person, Responsible, by_part, by_unit
from gateway.web.render import identity_number, started
from gateway.web.texts import TEXTS
from gateway.web.times import Times

TEXT = TEXTS["sv"]
ZONE = ZoneInfo("Europe/Stockholm")
STYLES = {"high": "bold red", "moderate": "bold yellow", "low": "bold", "silent": "yellow", "not-connected": "dim"}


def print_answer(door: Door, asking: Asking, patient_id: str, console: Console, at: datetime | None = None) -> None:
    """Print who is responsible now, what comes next, what is missing, and on what it rests."""
    view = door.view(asking, patient_id, at=at)
    times = Times(ZONE, "sv", view.at)
    person = Person.of(view.patient)
    name = TEXT["protected-name"] if person.protected else person.name or TEXT["no-name"]
    console.print()
    console.print(Text.assemble((name, "bold"), "  ", "  ".join(identity_number(one) for one in person.numbers)))
    when = TEXT["as-of-then"] if at else TEXT["as-of"]
    console.print(f"{when} {times.full(view.at)}, {TEXT['known-by']} {times.full(view.known_at)}", style="dim")
    _section(console, TEXT["now"], _now(by_unit(view.now), times), TEXT["nobody-now"])
    _section(console, TEXT["next"], _next(view, times), TEXT["nothing-next"])
    _section(console, f"{TEXT['gaps']} ({len(view.gaps)})", _gaps(view), TEXT["nothing-missing"])
    _section(console, TEXT["awaited"], _awaited(view, times), TEXT["nothing-awaited"])
    _section(console, TEXT["sources"], _sources(view, times), TEXT["no-sources"])


def _section(console: Console, title: str, table: Table, otherwise: str) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))
    console.print(Padding(table if table.row_count else Text(otherwise, style="dim"), (0, 0, 0, 2)))


def _table(*columns: str) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for style in columns:
        table.add_column(style=style, overflow="fold")
    return table


def _phone(unit: Unit | None) -> str:
    return (unit.phone if unit else None) or "–"


def _now(responsible: Iterable[Responsible], times: Times) -> Table:
    table = _table("bold", "cyan", "", "dim")
    for one in responsible:
        for number, task in enumerate(one.tasks):
            since = f" {TEXT['since']} {times.plain(task.since)}" if task.since else ""
            named = (one.unit.name, " / ".join(one.phones) or "–") if number == 0 else ("", "")
            table.add_row(*named, started(task.what.sv), f"{task.status.sv}{since}")
    return table


def _next(view: View, times: Times) -> Table:
    table = _table("bold", "", "", "cyan")
    for one in view.next:
        when = f"{TEXT['due']} {times.short(one.when)}" if one.is_due else times.short(one.when)
        who = one.unit.name if one.unit else TEXT["nobody-asked"]
        table.add_row(when, started(one.what.sv), who, _phone(one.unit))
    return table


def _gaps(view: View) -> Table:
    table = _table("", "")
    for gap in view.gaps:
        who = gap.who.name if gap.who else TEXT["unknown-unit"]
        table.add_row(
            Text(gap.title.sv, style=STYLES[gap.severity]),
            Text.assemble(f"{gap.text.sv}\n{TEXT['must-act']}: ", (who, "bold"), "  ", (_phone(gap.who), "cyan")),
        )
    return table


def _awaited(view: View, times: Times) -> Table:
    table = _table("", "", "cyan", "dim")
    for one in view.awaited:
        who = one.unit.name if one.unit else TEXT["nobody-asked"]
        due = f"{TEXT['due']} {times.plain(one.due)}" if one.due else ""
        table.add_row(started(one.what.sv), who, _phone(one.unit), due)
    return table


def _sources(view: View, times: Times) -> Table:
    table = _table("", "", "")
    for one in by_part(view.sources)[0]:
        last = times.plain(one.last) if one.last else TEXT["never-heard"]
        table.add_row(one.name, Text(TEXT[f"state-{one.state}"], style=STYLES.get(one.state, "green")), last)
    return table
