"""What the commands share: a wired gateway, and output for people or machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import typer
from rich.console import Console

from gateway.settings import Settings
from gateway.wiring import MADE, Gateway, wire

# Without markup: what stands in square brackets, as rules and list positions do, is text.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)


@contextmanager
def gateway(settings: Settings, *, new: bool = False) -> Iterator[Gateway]:
    """A wired gateway, closed at the end. `new`: a database that is not there is made, and told; else it is refused."""
    wired = wire(settings, new=new)
    if wired.store.made:
        typer.echo(f"samverka: {wired.store.address}: {MADE}", err=True)
    try:
        yield wired
    finally:
        wired.close()


def print_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
