"""The references of the languages run: each example of a construct or a function gives what it says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import formats
from gateway.definitions import load
from gateway.fhirpath import Environment, compile
from gateway.fhirpath.codegen.calls import PIPES, WHOLES
from gateway.fhirpath.functions import FUNCTIONS
from gateway.fhirpath.operators import ARITHMETIC, EQUALITY, EQUIVALENCE, LOGIC, ORDERING
from gateway.formats import Format, Node, RecordKind
from gateway.issues import Issues
from gateway.mapping.syntax import SOURCE_MODES, TARGET_MODES
from gateway.mapping.transforms import NAMES
from tests.mapping.maps import STOCKHOLM, compiled, node, text_of

DOCS = Path(__file__).parents[1] / "docs"
LANGUAGE = (DOCS / "mapping-language.md").read_text(encoding="utf-8")
PATHS = (DOCS / "fhirpath.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```fml ?(\w*)\n(.*?)```\n+```json\n(.*?)```\n+```json\n(.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(LANGUAGE)
COMMON = "/// url = 'http://example.org/StructureMap/common-1'\ngroup Common(source s, target t) { s -> t.x; }"


def source(value: dict[str, Any]) -> Node:
    if "resourceType" not in value:
        return node(value)
    form = Format("fhir", {}, (RecordKind("r", "*"),))
    (record,) = formats.read(form, json.dumps(value).encode(), Issues())
    return record.node.kids["resource"][0]


@pytest.mark.parametrize(("kind", "rules", "given", "expected"), EXAMPLES, ids=[e[1].strip()[:60] for e in EXAMPLES])
def test_an_example_of_the_mapping_language_gives_what_it_says(
    kind: str, rules: str, given: str, expected: str
) -> None:
    text = rules if kind == "map" else text_of(rules, target=kind or "Patient")
    others = [COMMON] if "imports" in rules else []
    found, run = compiled(text, others=others).run(source(json.loads(given)), zone=STOCKHOLM)
    assert [issue.text for issue in run.found] == []
    found.pop("resourceType")
    assert json.loads(json.dumps(found, default=float)) == json.loads(expected)


def test_the_reference_names_every_word_of_the_language() -> None:
    examples = " ".join(rules for _, rules, _, _ in EXAMPLES)
    words = {*NAMES, *SOURCE_MODES, *TARGET_MODES, "where", "check", "log", "default", "then", "extends", "imports"}
    words |= {"uses", "alias", "let", "conceptmap", "prefix", "map", "types", "share"}
    missing = {word for word in words - {"collate"} if not re.search(rf"\b{word}\b", examples)}
    assert missing == set()


ROW = re.compile(r"^\| `(.+?)` \| (.*?) \|$", re.MULTILINE)
ROWS = [(text.replace("\\|", "|"), result) for text, result in ROW.findall(PATHS)]
FOCUS = json.loads(re.findall(r"```json\n(.*?)```", PATHS, re.DOTALL)[0], parse_float=Decimal)
ENVIRONMENT = Environment(
    variables={"who": "me"},
    resolve=lambda text: (
        {"resourceType": "Organization", "id": "1", "name": "Unit"} if text == "Organization/1" else None
    ),
    member_of=lambda item, url: item == "male" if url.endswith("administrative-gender") else None,
    structure={
        "urn:profile": {
            "differential": {
                "element": [
                    {"id": "Patient.extension:e", "path": "Patient.extension", "sliceName": "e"},
                    {"id": "Patient.extension:e.url", "path": "Patient.extension.url", "fixedUri": "urn:e"},
                ]
            }
        }
    }.get,
    now=datetime(2026, 11, 22, 12, 30, tzinfo=UTC),
)


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)


@pytest.mark.parametrize(("expression", "result"), ROWS, ids=[text for text, _ in ROWS])
def test_an_example_of_fhirpath_gives_what_it_says(expression: str, result: str) -> None:
    found = [shown(value) for value in compile(expression, "Patient", load())(FOCUS, ENVIRONMENT)]
    assert ", ".join(found) == (result.strip("`").replace("\\|", "|") if result != "nothing" else "")


def test_the_reference_names_every_function_and_operator() -> None:
    examples = " ".join(text for text, _ in ROWS)
    functions = {*FUNCTIONS, *PIPES, *WHOLES}
    assert {name for name in functions if f"{name}(" not in examples} == set()
    operators = {*ARITHMETIC, *ORDERING, *LOGIC, *EQUALITY, *EQUIVALENCE, "is", "as", "in", "contains", "|"}
    assert {name for name in operators if f" {name} " not in examples} == set()
