"""Syntax tree to map text, in R5's form and the layout of `samverka map fmt`. Comments are not part of the tree.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from gateway.mapping import syntax
from gateway.mapping.syntax import Argument, Call, Expression, Group, Literal, Map, Name, Rule, Source, Target
from gateway.mapping.transforms import NAMES

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
FIRST = ("url", "name")
"""Metadata that stands first; all else in the order of the tree."""


def fml(found: Map) -> str:
    """The map as text; parsed again it is the same map."""
    parts = ["\n".join(_metadata(found))]
    parts += [block for concept_map in found.concept_maps if (block := _concept_map(concept_map))]
    uses = [_uses(one) for one in found.uses]
    parts.append("\n".join(uses))
    parts.append("\n".join(f"imports {quoted(one.url)}" for one in found.imports))
    parts.append("\n".join(f"let {one.name} = {one.value.text.strip()};" for one in found.constants))
    parts += [_group(group) for group in found.groups]
    return "\n\n".join(part for part in parts if part) + "\n"


# Words


def string(value: str) -> str:
    """A string in single quotes."""
    return "'" + "".join(_ESCAPES.get(char, char) for char in value).replace("'", "\\'") + "'"


def quoted(value: str) -> str:
    """A string in double quotes: urls and names of rules."""
    return '"' + "".join(_ESCAPES.get(char, char) for char in value).replace('"', '\\"') + '"'


def word(name: str) -> str:
    """A name, in backquotes where it is no plain one."""
    if _PLAIN.match(name):
        return name
    return "`" + "".join(_ESCAPES.get(char, char) for char in name).replace("`", "\\`") + "`"


def dotted(names: Iterable[str]) -> str:
    return ".".join(word(name) for name in names)


def literal(value: str | int | Decimal | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):  # The language has no exponents.
        return format(value, "f")
    return string(value) if isinstance(value, str) else str(value)


# Declarations


def _metadata(found: Map) -> Iterator[str]:
    known = {"url": found.url, "name": found.name, **found.metadata}
    for key in sorted(known, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        value = known[key]
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool):
                yield f"/// {key} = {'true' if one else 'false'}"
            elif "\n" in str(one) and '"""' not in str(one):
                yield f'/// {key} = """\n{one}\n"""'
            else:
                yield f"/// {key} = {string(str(one))}"


def _uses(uses: syntax.Uses) -> str:
    alias = "" if uses.alias == uses.url.rsplit("/", 1)[-1] else f" alias {word(uses.alias)}"
    return f"{_words(uses.documentation, '')}uses {quoted(uses.url)}{alias} as {uses.mode}"


def _words(documentation: str | None, pad: str) -> str:
    """What is said for people, as comments on lines of their own."""
    return "".join(f"{pad}// {line}\n" for line in (documentation or "").splitlines())


def _concept_map(found: syntax.EmbeddedConceptMap) -> str:
    systems = [row.source[0] for row in found.rows] + [row.target[0] for row in found.rows if row.target]
    systems += [system for system, _ in found.unmapped]
    prefixes = {system: f"s{number}" for number, system in enumerate(dict.fromkeys(systems), 1)}
    lines = [f"conceptmap {quoted(found.url)} {{"]
    lines += [f"  prefix {prefix} = {quoted(system)}" for system, prefix in prefixes.items()]
    lines.append("")
    lines += [f"  unmapped for {prefixes[system]} = {_code(said)}" for system, said in found.unmapped]
    for row in found.rows:
        source = f"{prefixes[row.source[0]]}:{_code(row.source[1])}"
        target = f" {prefixes[row.target[0]]}:{_code(row.target[1])}" if row.target else ""
        lines.append(f"  {source} {row.relation}{target}")
    return "\n".join([*lines, "}"])


def _code(code: str) -> str:
    return code if _PLAIN.match(code) else quoted(code)


# Groups and rules


def _group(group: Group) -> str:
    parameters = ", ".join(
        f"{one.mode} {word(one.name)}" + (f" : {dotted(one.type.split('.'))}" if one.type else "")
        for one in group.parameters
    )
    extends = f" extends {word(group.extends)}" if group.extends else ""
    types = f" <<{group.types}>>" if group.types else ""
    rules = "".join(f"{line}\n" for rule in group.rules for line in _rule(rule, "  "))
    words = _words(group.documentation, "")
    return f"{words}group {word(group.name)}({parameters}){extends}{types} {{\n{rules}}}"


def _rule(rule: Rule, pad: str) -> Iterator[str]:
    head = _words(rule.documentation, pad) + pad
    head += ", ".join(source_text(source) for source in rule.sources)
    targets = [target for target in rule.targets if not group_call(target)]
    calls = [call for target in rule.targets if (call := group_call(target))] + list(rule.calls)
    if targets:
        head += " -> " + ", ".join(target_text(target) for target in targets)
    if calls or rule.rules:
        head += " then"
    if calls:
        head += " " + ", ".join(call_text(call) for call in calls)
    name = f" {quoted(rule.name)}" if rule.name is not None else ""
    if not rule.rules:
        yield f"{head}{name};"
        return
    yield f"{head} {{"
    for inner in rule.rules:
        yield from _rule(inner, pad + "  ")
    yield f"{pad}}}{name};"


def group_call(target: Target) -> Call | None:
    """The group that stands where a target could: `src -> Group(src, tgt)`."""
    called = target.transform
    bare = target.context is None and target.alias is None
    return called if bare and isinstance(called, Call) and called.name not in NAMES else None


def source_text(source: Source) -> str:
    parts = [dotted((source.context, *source.path))]
    if source.type:
        parts.append(f": {word(source.type)}")
    if source.cardinality:
        low, high = source.cardinality
        parts.append(f"{low}..{'*' if high is None else high}")
    if isinstance(source.default, Literal):
        parts.append(f"default {quoted(str(source.default.value))}")
    elif isinstance(source.default, Expression):
        parts.append(f"default ({source.default.text.strip()})")
    if source.mode:
        parts.append(source.mode)
    if source.alias:
        parts.append(f"as {word(source.alias)}")
    clauses = (("where", source.where), ("check", source.check), ("log", source.log))
    parts += [f"{name} ({expression.text.strip()})" for name, expression in clauses if expression]
    return " ".join(parts)


def target_text(target: Target) -> str:
    parts: list[str] = []
    if target.context is not None:
        parts.append(dotted((target.context, *target.path)))
    if target.transform is not None:
        parts.append(("= " if parts else "") + transform_text(target.transform))
    if target.alias:
        parts.append(f"as {word(target.alias)}")
    if target.mode:
        parts.append(f"share {word(target.share or '')}" if target.mode == "share" else target.mode)
    return " ".join(parts)


def transform_text(transform: Argument | Call) -> str:
    if isinstance(transform, Call):
        return call_text(transform)
    return f"({transform.text.strip()})" if isinstance(transform, Expression) else argument_text(transform)


def call_text(call: Call) -> str:
    return f"{word(call.name)}({', '.join(argument_text(argument) for argument in call.arguments)})"


def argument_text(argument: Argument) -> str:
    if isinstance(argument, Literal):
        return literal(argument.value)
    return word(argument.text) if isinstance(argument, Name) else argument.text.strip()
