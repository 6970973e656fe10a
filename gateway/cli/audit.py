"""`samverka audit`: who did what with whose data, and whether the trail is whole."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from gateway.access.caller import OPERATOR, Asking
from gateway.cli.common import gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, settings_from

app = typer.Typer(no_args_is_help=True, help="The audit trail: list, verify.")
ASKING = Asking(OPERATOR, "audit", request_id="cli")


@app.command("list")
def list_events(
    patient: Annotated[str | None, typer.Option(help="Of one person's data only: the Patient's id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """The latest AuditEvents: who, what, by which rule, with what outcome.

    Example: `samverka audit list --limit 20 --json`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        events = wired.door.audit_list(ASKING, person=patient, limit=limit)
    if as_json:
        print_json(events)
        return
    table = Table("recorded", "who", "interaction", "outcome", "rule", "resources", box=None)
    for event in events:
        agent = event["agent"][0]["who"]
        table.add_row(
            event["recorded"],
            agent.get("display") or agent["identifier"]["value"],
            event["subtype"][0]["code"],
            "done" if event["outcome"] == "0" else "refused",
            event["outcomeDesc"],
            str(sum("reference" in entity["what"] for entity in event.get("entity", ()))),
        )
    out.print(table)


@app.command("verify")
def verify(database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Walk the trail's hash chains and seals. Exit code 0 when they hold, 1 when a row was changed or is missing.

    Example: `samverka audit verify`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        breaks = wired.door.audit_verify(ASKING)
    if as_json:
        print_json([dataclasses.asdict(one) for one in breaks])
    elif not breaks:
        out.print("The trail is whole.")
    else:
        for one in breaks:
            out.print(f"chain {one.chain}, row {one.number}: {one.what}")
    if breaks:
        raise typer.Exit(1)
