"""`samverka inbox`: what came, what was held and why, and trying it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Column, Table

from gateway.access.caller import OPERATOR, Asking
from gateway.cli.answer import ZONE
from gateway.cli.common import gateway, out, print_json
from gateway.cli.options import DatabaseOption, JsonOption, SourcesOption, settings_from
from gateway.ingest.pipeline import UNMAPPED

app = typer.Typer(no_args_is_help=True, help="Messages as they came: list, show, replay, discard.")
ASKING = Asking(OPERATOR, "inbox", request_id="cli")


@app.command("list")
def list_messages(
    state: Annotated[str | None, typer.Option(help="received, done or held.")] = None,
    source: Annotated[str | None, typer.Option(help="Of this source instance only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest messages, with how many of their items were held; times are Swedish.

    Example: `samverka inbox list --state held`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        rows = wired.door.inbox_list(ASKING, state=state, source=source, limit=limit)
    if as_json:
        print_json(rows)
        return
    # The id is for copying: it is never cut.
    source_column = Column("source", overflow="fold")
    table = Table(Column("id", no_wrap=True), source_column, "received", "state", "held", box=None)
    for row in rows:
        received = datetime.fromisoformat(row["received"]).astimezone(ZONE)
        table.add_row(
            row["id"], row["source"], f"{received:%Y-%m-%d %H:%M}", row["state"], f"{row['held']}/{row['items']}"
        )
    out.print(table)


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(help="The message's inbox id.")],
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """One message: its items, their states, and the issues with their places.

    Example: `samverka inbox show 0f6d9a52-4d0e-4c1b-9a70-3f3a9a0b6c11`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        found = wired.door.inbox_show(ASKING, id)
    if as_json:
        print_json(found)
        return
    out.print(f"{found['id']}  {found['source']}  {found['state']}  received {found['received']}")
    for issue in found["issues"]:
        out.print(f"  {issue['severity']}: {issue['text']}  [{issue['rule']}] {issue.get('where', '')}")
    table = Table("item", "record", "bytes", "state", "issues", box=None)
    for item in found["items"]:
        lines = [f"{i['severity']}: {i['text']} [{i['rule']}] {i.get('where', '')}" for i in item["issues"]]
        table.add_row(
            str(item["seq"]), item["kind"] or "", f"{item['start']}-{item['end']}", item["state"], "\n".join(lines)
        )
    out.print(table)


@app.command("discard")
def discard(
    id: Annotated[str, typer.Argument(help="The message's inbox id.")],
    reason: Annotated[str, typer.Option(help="Why; it stands beside the decision.")],
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set aside what a message holds. The bytes stay, and a replay tries them anew.

    Example: `samverka inbox discard 0f6d9a52-4d0e-4c1b-9a70-3f3a9a0b6c11 --reason "A test message"`
    """
    with gateway(settings_from(database_url=database_url)) as wired:
        count = wired.door.discard(ASKING, id, reason)
    if as_json:
        print_json({"id": id, "discarded": count})
    else:
        out.print(f"{id}: {count} set aside")


@app.command("replay")
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Inbox ids; without any, everything that is held.")] = None,
    database_url: DatabaseOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try held items again, with the maps as they are now.

    Exit code 0 when nothing is held any more, 3 when something still is.

    Example: `samverka inbox replay`
    """
    with gateway(settings_from(database_url=database_url, sources=sources)) as wired:
        held = wired.door.inbox_list(ASKING, state="held", source=None, limit=10_000) if not ids else ()
        chosen = ids or [row["id"] for row in held if row["transport"] not in UNMAPPED]
        outcomes = [wired.ingest.replay(inbox_id) for inbox_id in chosen]
    if as_json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        for outcome in outcomes:
            out.print(f"{outcome.inbox_id}: {outcome.state}, {outcome.items} tried, {outcome.held} still held")
    if any(outcome.held or outcome.state == "held" for outcome in outcomes):
        raise typer.Exit(3)
