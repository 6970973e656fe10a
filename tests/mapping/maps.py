"""Small maps for claims: a few rules from a JSON-like source to a Patient, an Encounter or a Bundle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from gateway.definitions import load
from gateway.formats import Node
from gateway.mapping import CompiledMap, CompileError, Library, Problem, Problems, compile_map, conceptmap, parse
from gateway.mapping.runtime import Run

DEFINITIONS = load()
STOCKHOLM = ZoneInfo("Europe/Stockholm")
URL = "http://example.org/StructureMap/example"


def node(value: Any, name: str = "") -> Node:
    """JSON as a source tree; the position of each node is its path."""

    def made(name: str, value: Any, path: str) -> Node:
        if isinstance(value, dict):
            kids: dict[str, list[Node]] = {}
            for key, item in value.items():
                items = item if isinstance(item, list) else [item]
                kids[key] = [made(key, one, f"{path}/{key}[{n}]") for n, one in enumerate(items)]
            return Node(name, None, kids, value.get("resourceType"), path)
        return Node(name, value, pos=path)

    return made(name, value, "")


def text_of(rules: str, *, target: str = "Patient", more: str = "", header: str = "") -> str:
    """A map with one group of these rules, in the R5 form; the rules begin on line 5."""
    return (
        f"/// url = '{URL}'\n/// name = 'example'\n{header}\n"
        f"group Example(source src, target tgt : {target}) {{\n{rules}\n}}\n{more}\n"
    )


def compiled(text: str, *, tables: Iterable[dict[str, Any]] = (), others: Iterable[str] = ()) -> CompiledMap:
    problems = Problems()
    maps = [parse(one, f"other{n}.fml", problems) for n, one in enumerate(others)]
    maps.append(parse(text, "example.fml", problems))
    problems.stop()
    found = [conceptmap.compiled(table, "table.json") for table in tables]
    library = Library(maps, found, problems)
    problems.stop()
    return compile_map(library, DEFINITIONS, maps[-1].url)


def mapped(rules: str, source: Any, *, target: str = "Patient", **more: Any) -> tuple[dict[str, Any], Run]:
    """What the rules make of a source, without the resource's type; and the run."""
    options = {key: more.pop(key) for key in ("traced", "seed", "steps", "variables", "field") if key in more}
    known = {"tables", "others"}
    program = compiled(
        text_of(rules, target=target, **{k: v for k, v in more.items() if k not in known}),
        **{k: v for k, v in more.items() if k in known},
    )
    made, run = program.run(source if isinstance(source, Node) else node(source), zone=STOCKHOLM, **options)
    made.pop("resourceType", None)
    return made, run


def made(rules: str, source: Any, **more: Any) -> dict[str, Any]:
    """What the rules make of a source, where nothing is found wrong."""
    found, run = mapped(rules, source, **more)
    assert [issue.text for issue in run.found] == []
    return found


def told(rules: str, source: Any, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """What the rules make of a source, and the rules of the issues."""
    found, run = mapped(rules, source, **more)
    return found, [issue.rule for issue in run.found]


def problems_of(text: str, **more: Any) -> list[Problem]:
    """What is wrong with a map; nothing where it compiles."""
    try:
        compiled(text, **more)
    except CompileError as error:
        return list(error.problems)
    return []


def problem(rules: str, **more: Any) -> Problem:
    """The one thing wrong with these rules."""
    known = {key: more.pop(key) for key in ("tables", "others") if key in more}
    (found,) = problems_of(text_of(rules, **more), **known)
    return found


def table(url: str, rows: dict[str, str], **group: Any) -> dict[str, Any]:
    """An R4 ConceptMap from code to code."""
    return {
        "resourceType": "ConceptMap",
        "id": url.rsplit("/", 1)[-1],
        "url": url,
        "group": [
            {
                "source": "http://example.org/source",
                "target": "http://example.org/target",
                "element": [
                    {"code": code, "target": [{"code": target, "display": target.title(), "equivalence": "equal"}]}
                    for code, target in rows.items()
                ],
                **group,
            }
        ],
    }
