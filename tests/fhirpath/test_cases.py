"""The cases in `cases/`: what an expression gives, as text; nothing where it is refused.

A case is an expression and what it gives; `null` means that it is refused. `focus` is what all of a file are asked of.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.definitions import load
from gateway.fhirpath import Environment, FHIRPathError, compile

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FILES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def _cases() -> list[Any]:
    found = []
    for file in FILES:
        content = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        focus = content.get("focus", {})
        found += [pytest.param(focus, *case, id=f"{file.stem}: {case[0]}") for case in content["cases"]]
    return found


def shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("focus", "expression", "gives"), _cases())
def test_an_expression_gives_what_its_case_says(focus: Any, expression: str, gives: list[str] | None) -> None:
    def ask() -> list[str]:
        path = compile(expression, focus.get("resourceType"), load())
        return [shown(value) for value in path(focus, Environment(now=NOW))]

    if gives is None:
        with pytest.raises(FHIRPathError):
            ask()
    else:
        assert ask() == gives
