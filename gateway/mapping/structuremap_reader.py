"""StructureMap resources to maps: what R4 writes, what R5 writes, with or without names of rules.

The way goes through text, so that every place in what is read can be shown, in an editor too.

https://hl7.org/fhir/R4/structuremap.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from gateway.definitions import load
from gateway.mapping import printer, syntax
from gateway.mapping.lexer import unescape
from gateway.mapping.parser import parse
from gateway.mapping.problems import CompileError, Problem
from gateway.mapping.structuremap import (
    CONST,
    DEFAULT,
    EQUIVALENCE,
    EXPRESSION,
    LIST_MODE,
    METADATA,
    TRANSFORM,
    numbered,
)
from gateway.mapping.syntax import Argument, Call, Expression, Group, Literal, Map, Name, Rule, Source, Span, Target

_MODE_TYPES = {"types": "types", "type-and-types": "type+", "type+": "type+"}
_RELATION = {
    **{code: sign for sign, code in EQUIVALENCE.items()},
    "related-to": "-",
    "source-is-narrower-than-target": "<=",
    "source-is-broader-than-target": ">=",
    "not-related-to": "!=",
}
_VALUES = ("valueId", "valueString", "valueBoolean", "valueInteger", "valueDecimal", "valueDate", "valueDateTime")
_STEP = re.compile(r"`((?:\\.|[^`\\])*)`|([^.`]+)")
_NOWHERE = Span(0, 0)


def text_of(resource: Mapping[str, Any], file: str = "StructureMap") -> str:
    """A StructureMap's map as text; for `parse`. A CompileError where it lacks what every map has."""
    try:
        return printer.fml(_map(resource))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, StopIteration) as error:
        text = f"this is no StructureMap that can be read ({type(error).__name__}: {error})"
        raise CompileError([Problem(file, 1, 1, text)]) from None


def read(resource: Mapping[str, Any], file: str) -> Map:
    """The map of a StructureMap; its places are those of its text. A CompileError where that cannot be read."""
    return parse(text_of(resource, file), file)


def _map(resource: Mapping[str, Any]) -> Map:
    known = load().types["StructureMap"].elements
    metadata: dict[str, object] = {
        key: value for key, value in resource.items() if key in known and isinstance(value, str | bool)
    }
    constants: list[syntax.Constant] = []
    for one in _all(resource, "extension"):
        said = {part["url"]: part.get("valueString", part.get("valueBoolean")) for part in _all(one, "extension")}
        if one["url"] == CONST:
            constants.append(syntax.Constant(str(said["name"]), _read(said["value"]), _NOWHERE))
        elif one["url"] == METADATA:
            name, before = str(said["name"]), metadata.get(str(said["name"]))
            several = [*before, said["value"]] if isinstance(before, list) else [before, said["value"]]
            metadata[name] = said["value"] if before is None else several
    constants += [syntax.Constant(one["name"], _read(one["value"]), _NOWHERE) for one in _all(resource, "const")]
    return Map(
        url=str(resource.get("url", "")),
        name=str(resource.get("name", "")),
        text=syntax.Text("", ""),
        metadata=metadata,
        uses=tuple(
            syntax.Uses(
                one["url"], one.get("alias") or one["url"].rsplit("/", 1)[-1], one["mode"], _NOWHERE, _words(one)
            )
            for one in _all(resource, "structure")
        ),
        imports=tuple(syntax.Imports(url, _NOWHERE) for url in _all(resource, "import")),
        constants=tuple(constants),
        concept_maps=tuple(
            _embedded(one) for one in _all(resource, "contained") if one.get("resourceType") == "ConceptMap"
        ),
        groups=tuple(_read_group(group) for group in _all(resource, "group")),
    )


def _all(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _read(text: object) -> Expression:
    return Expression(str(text), _NOWHERE)


def _extension(value: Mapping[str, Any] | None, url: str) -> Any:
    """The value of an extension, None where there is none."""
    for one in _all(value or {}, "extension"):
        if one.get("url") == url:
            return next((found for key, found in one.items() if key.startswith("value")), None)
    return None


def _read_group(group: Mapping[str, Any]) -> Group:
    parameters = tuple(
        syntax.Parameter(one["mode"], one["name"], one.get("type"), _NOWHERE) for one in _all(group, "input")
    )
    rules = tuple(_read_rules(group, ""))
    types = _MODE_TYPES.get(group.get("typeMode", ""))
    extends = group.get("extends")
    return Group(group["name"], parameters, rules, _NOWHERE, extends, None, types, _words(group))  # type: ignore[arg-type]


def _words(one: Mapping[str, Any]) -> str | None:
    """What it says for people, as lines without blanks at their ends."""
    lines = (line.strip() for line in str(one.get("documentation") or "").splitlines())
    return "\n".join(line for line in lines if line) or None


def _read_rules(owner: Mapping[str, Any], number: str) -> Iterator[Rule]:
    for position, rule in enumerate(_all(owner, "rule"), 1):
        here = f"{number}.{position}" if number else str(position)
        name = rule.get("name")
        yield Rule(
            tuple(_read_source(source) for source in _all(rule, "source")),
            tuple(_read_target(target) for target in _all(rule, "target")),
            _NOWHERE,
            tuple(_read_dependent(call) for call in _all(rule, "dependent")),
            tuple(_read_rules(rule, here)),
            None if name == numbered(here) else name,
            _words(rule),
        )


def _read_source(source: Mapping[str, Any]) -> Source:
    cardinality = None
    if "min" in source or "max" in source:
        most = source.get("max", "*")
        cardinality = int(source.get("min", 0)), None if most == "*" else int(most)
    default: Argument | None = None
    expression = _extension(source, DEFAULT) or source.get("defaultValue")
    given = next((value for key, value in source.items() if key.startswith("defaultValue") and key[12:]), None)
    if expression is not None:
        default = _read(expression)
    elif isinstance(given, str | int | Decimal):
        default = Literal(given, _NOWHERE)
    clauses = [_read(source[key]) if key in source else None for key in ("condition", "check", "logMessage")]
    return Source(
        source["context"],
        _read_path(source.get("element")),
        _NOWHERE,
        source.get("type"),
        cardinality,
        default,
        source.get("listMode"),
        source.get("variable"),
        *clauses,
    )


def _read_path(text: str | None) -> tuple[str, ...]:
    return tuple(unescape(quoted) if quoted else plain for quoted, plain in _STEP.findall(text or ""))


def _read_target(target: Mapping[str, Any]) -> Target:
    mode = _extension(target, LIST_MODE) or next(iter(_all(target, "listMode")), None)
    return Target(
        target.get("context"),
        _read_path(target.get("element")),
        _NOWHERE,
        _read_transform(target),
        target.get("variable"),
        mode,
        target.get("listRuleId"),
    )


def _read_transform(target: Mapping[str, Any]) -> Argument | Call | None:
    name = _extension(target.get("_transform"), TRANSFORM) or target.get("transform")
    parameters = _all(target, "parameter")
    arguments = tuple(_read_parameter(one) for one in parameters)
    if not name or (name == "create" and not arguments):
        return None
    if name == "copy" and len(arguments) == 1:
        return arguments[0]
    if name == "evaluate" and parameters:
        expression = _read(str(_value(parameters[-1])))
        return expression if len(arguments) == 1 else Call(name, (*arguments[:-1], expression), _NOWHERE)
    return Call(name, arguments, _NOWHERE)


def _value(parameter: Mapping[str, Any]) -> Any:
    return parameter[next((key for key in _VALUES if key in parameter), "value[x]")]


def _read_parameter(parameter: Mapping[str, Any]) -> Argument:
    value = _value(parameter)
    if "valueId" in parameter:
        return Name(str(value), _NOWHERE)
    if _extension(parameter.get("_valueString"), EXPRESSION):
        return _read(value)
    return Literal(Decimal(str(value)) if isinstance(value, float) else value, _NOWHERE)


def _read_dependent(call: Mapping[str, Any]) -> Call:
    arguments: list[Argument] = [_read_parameter(one) for one in _all(call, "parameter")]
    about = _all(call, "_variable")
    for number, text in enumerate(_all(call, "variable")):
        marked = number < len(about) and _extension(about[number], EXPRESSION)
        arguments.append(_read(text) if marked else Name(text, _NOWHERE))
    return Call(call["name"], tuple(arguments), _NOWHERE)


def _embedded(found: Mapping[str, Any]) -> syntax.EmbeddedConceptMap:
    unmapped = []
    for group in _all(found, "group"):
        policy = group.get("unmapped")
        if policy:
            said = policy.get("code", "") if policy["mode"] == "fixed" else "provided"
            unmapped.append((group.get("source", ""), said))
    name = found.get("id") or found.get("name") or "map"
    return syntax.EmbeddedConceptMap(name, tuple(_code_rows(_all(found, "group"))), tuple(unmapped), _NOWHERE)


def _code_rows(groups: Iterable[Mapping[str, Any]]) -> Iterator[syntax.CodeRow]:
    for group in groups:
        for element in _all(group, "element"):
            for target in _all(element, "target") or [{"equivalence": "unmatched"}]:
                said = target.get("equivalence") or target.get("relationship") or "relatedto"
                to = (group.get("target", ""), target["code"]) if "code" in target else None
                relation = _RELATION.get(said, "-") if to else "--"
                yield syntax.CodeRow((group.get("source", ""), element["code"]), relation, to, _NOWHERE)
