"""Our published JSON formats: what we show, send in the demo and prove our maps with is what the schemas say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.demo.schema import FOLDER, problems

ROOT = Path(__file__).parents[2]
FORMATS = ("advice-json", "dispatch-json", "planning-json")
WRONG_ON_PURPOSE = {"cannot-be-used", "sip-without-consent"}


def shown(name: str) -> list[Any]:
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.S)]


def cases(name: str) -> list[Path]:
    return sorted((ROOT / "mappings" / name / "cases").glob("*/source.json"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_example_of_the_guide_keeps_the_schema(name: str) -> None:
    examples = shown(name)
    assert examples
    assert [problems(example, f"{name}.schema.json") for example in examples] == [[]] * len(examples)


@pytest.mark.parametrize("name", FORMATS)
def test_the_guide_shows_every_kind_of_record(name: str) -> None:
    kinds = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))["$defs"].keys() - {"message"}
    assert {example["type"] for example in shown(name)} == kinds


@pytest.mark.parametrize("path", [path for name in FORMATS for path in cases(name)], ids=lambda p: p.parent.name)
def test_a_case_keeps_the_schema_unless_it_shows_what_does_not(path: Path) -> None:
    found = problems(json.loads(path.read_text(encoding="utf-8")), f"{path.parents[2].name}.schema.json")
    assert bool(found) == (path.parent.name in WRONG_ON_PURPOSE), found


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"candidat": {"hsaId": "SE2321000131-T0200"}}, "candidat is not known"),
        ({"time": "2026-02-24T19:18:00Z"}, "/time"),
        ({"time": "2026-02-24 19:18"}, "/time"),
        ({"person": {"id": "195009072553"}}, "idType is missing"),
        ({"priority": "now"}, "/priority"),
        ({"candidate": {"hsaId": "Ambulansen Tanum"}}, "/candidate/hsaId"),
    ],
)
def test_a_mistake_is_found_before_the_message_is_sent(change: dict[str, Any], where: str) -> None:
    request = next(example for example in shown("advice-json") if example["type"] == "mission-request")
    assert any(where in problem for problem in problems(request | change, "advice-json.schema.json"))
