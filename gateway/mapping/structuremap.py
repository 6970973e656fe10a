"""Maps as StructureMap resources of R4. What R4 has no place for goes into extensions, R5's own where R5 has a place.

The way back is `structuremap_reader`.

https://hl7.org/fhir/R4/structuremap.html
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from gateway.definitions import CANONICAL, load
from gateway.mapping import printer, syntax
from gateway.mapping.syntax import Argument, Call, Expression, Group, Literal, Map, Name, Rule, Source, Target

JSON = dict[str, Any]
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-StructureMap."
OURS = f"{CANONICAL}/StructureDefinition/fml-"
CONST, DEFAULT = R5 + "const", R5 + "group.rule.source.defaultValue"
LIST_MODE, EXPRESSION = R5 + "group.rule.target.listMode", OURS + "expression"
TRANSFORM, METADATA = OURS + "transform", OURS + "metadata"
_TYPE_MODES = {None: "none", "types": "types", "type+": "type-and-types"}
EQUIVALENCE = {
    "-": "relatedto",
    "==": "equivalent",
    "=": "equal",
    "<=": "wider",
    "<-": "subsumes",
    ">=": "narrower",
    ">-": "specializes",
    "~": "inexact",
    "!=": "disjoint",
    "--": "unmatched",
}


@cache
def _codes(value_set: str) -> frozenset[str]:
    """What R4 has codes for."""
    return frozenset(code for _, code in load().codes(f"http://hl7.org/fhir/ValueSet/{value_set}") or ())


def structure_map(found: Map) -> JSON:
    """The map as a StructureMap resource of R4."""
    resource: JSON = {"resourceType": "StructureMap"}
    concept_maps = [_contained(one) for one in found.concept_maps]
    if concept_maps:
        resource["contained"] = concept_maps
    extensions = [
        {"url": CONST, "extension": [_said("name", one.name), _said("value", one.value.text.strip())]}
        for one in found.constants
    ]
    known = load().types["StructureMap"].elements
    metadata: JSON = {"url": found.url, "name": found.name, **found.metadata}
    metadata.setdefault("status", "draft")  # R4 demands one.
    for key, value in metadata.items():
        element = known.get(key)
        if element is not None and not element.is_list and element.type in _PRIMITIVES and not isinstance(value, list):
            resource[key] = value
            continue
        for one in value if isinstance(value, list) else [value]:
            extensions.append({"url": METADATA, "extension": [_said("name", key), _said("value", one)]})
    if extensions:
        resource["extension"] = extensions
    resource["structure"] = [_structure(one) for one in found.uses]
    resource["import"] = [one.url for one in found.imports]
    resource["group"] = [_group(group) for group in found.groups]
    return {key: value for key, value in resource.items() if value != []}


_PRIMITIVES = frozenset(("id", "uri", "code", "string", "boolean", "dateTime", "markdown"))


def _said(url: str, value: object) -> JSON:
    return {"url": url, "valueBoolean" if isinstance(value, bool) else "valueString": value}


def _structure(uses: syntax.Uses) -> JSON:
    made = {"url": uses.url, "mode": uses.mode}
    if uses.alias != uses.url.rsplit("/", 1)[-1]:
        made["alias"] = uses.alias
    return _documented(made, uses.documentation)


def _documented(made: JSON, words: str | None) -> JSON:
    return {**made, "documentation": words} if words else made


def _group(group: Group) -> JSON:
    made: JSON = {"name": group.name}
    if group.extends:
        made["extends"] = group.extends
    made["typeMode"] = _TYPE_MODES[group.types]
    made["input"] = [
        {"name": one.name, **({"type": one.type} if one.type else {}), "mode": one.mode} for one in group.parameters
    ]
    made = _documented(made, group.documentation)
    made["rule"] = [_rule(rule, str(number)) for number, rule in enumerate(group.rules, 1)]
    return made


def _rule(rule: Rule, number: str) -> JSON:
    made: JSON = {"name": numbered(number) if rule.name is None else rule.name}
    made["source"] = [_source(source) for source in rule.sources]
    called = [call for target in rule.targets if (call := printer.group_call(target))]
    made["target"] = [_target(target) for target in rule.targets if not printer.group_call(target)]
    made["rule"] = [_rule(inner, f"{number}.{n}") for n, inner in enumerate(rule.rules, 1)]
    made["dependent"] = [_dependent(call) for call in (*called, *rule.calls)]
    made = _documented(made, rule.documentation)
    return {key: value for key, value in made.items() if value != []}


def numbered(number: str) -> str:
    """The name of a rule without one, which R4 demands: by its number, so that it is known when it comes back."""
    return f"rule-{number}"


def _source(source: Source) -> JSON:
    made: JSON = {}
    if isinstance(source.default, Expression):
        made["extension"] = [{"url": DEFAULT, "valueString": source.default.text.strip()}]
    made["context"] = source.context
    if source.cardinality:
        low, high = source.cardinality
        made["min"], made["max"] = low, "*" if high is None else str(high)
    if source.type:
        made["type"] = source.type
    if isinstance(source.default, Literal):
        made["defaultValueString"] = str(source.default.value)
    if source.path:
        made["element"] = _path(source.path)
    if source.mode:
        made["listMode"] = source.mode
    if source.alias:
        made["variable"] = source.alias
    for key, expression in (("condition", source.where), ("check", source.check), ("logMessage", source.log)):
        if expression:
            made[key] = expression.text.strip()
    return made


def _path(names: tuple[str, ...]) -> str:
    return ".".join(f"`{_escaped(name)}`" if "." in name or "`" in name else name for name in names)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


def _target(target: Target) -> JSON:
    made: JSON = {}
    if target.mode and target.mode not in _codes("map-target-list-mode"):
        made["extension"] = [{"url": LIST_MODE, "valueCode": target.mode}]
    if target.context is not None:
        made["context"], made["contextType"] = target.context, "variable"
    if target.path:
        made["element"] = _path(target.path)
    if target.alias:
        made["variable"] = target.alias
    if target.mode in _codes("map-target-list-mode"):
        made["listMode"] = [target.mode]
    if target.share:
        made["listRuleId"] = target.share
    made.update(_transform(target.transform))
    return made


def _transform(transform: Argument | Call | None) -> JSON:
    if transform is None or (isinstance(transform, Call) and transform.name == "create" and not transform.arguments):
        return {}  # An element that is named alone is created, and is read as such.
    if isinstance(transform, Expression):
        return {"transform": "evaluate", "parameter": [{"valueString": transform.text.strip()}]}
    if not isinstance(transform, Call):
        return {"transform": "copy", "parameter": [_parameter(transform)]}
    known = transform.name in _codes("map-transform")
    made: JSON = {"transform": transform.name}
    if not known:  # A code that R4 does not have.
        made = {"_transform": {"extension": [{"url": TRANSFORM, "valueCode": transform.name}]}}
    parameters = [_parameter(argument) for argument in transform.arguments]
    if transform.name == "evaluate" and parameters:
        parameters[-1] = {"valueString": printer.argument_text(transform.arguments[-1])}
    return {**made, "parameter": parameters} if parameters else made


def _parameter(argument: Argument) -> JSON:
    if isinstance(argument, Name):
        return {"valueId": argument.text}
    if isinstance(argument, Expression):
        return {"valueString": argument.text.strip(), "_valueString": _expression()}
    value = argument.value
    kind = {bool: "valueBoolean", int: "valueInteger", Decimal: "valueDecimal"}.get(type(value), "valueString")
    return {kind: value}


def _expression() -> JSON:
    return {"extension": [{"url": EXPRESSION, "valueBoolean": True}]}


def _dependent(call: Call) -> JSON:
    made: JSON = {"name": call.name, "variable": []}
    about = [None if isinstance(one, Name) else _expression() for one in call.arguments]
    made["variable"] = [one.text if isinstance(one, Name) else printer.argument_text(one) for one in call.arguments]
    if any(about):
        made["_variable"] = about
    return made


def _contained(found: syntax.EmbeddedConceptMap) -> JSON:
    groups: dict[tuple[str, str | None], JSON] = {}
    for row in found.rows:
        system = row.target[0] if row.target else None
        group = groups.get((row.source[0], system))
        if group is None:
            group = {"source": row.source[0], **({"target": system} if system else {}), "element": []}
            groups[(row.source[0], system)] = group
        code = {"code": row.target[1]} if row.target else {}
        equivalence = EQUIVALENCE.get(row.relation, "relatedto")
        group["element"].append({"code": row.source[1], "target": [{**code, "equivalence": equivalence}]})
    for system, said in found.unmapped:
        group = next((one for one in groups.values() if one["source"] == system), None)
        if group is not None:
            group["unmapped"] = {"mode": "provided"} if said == "provided" else {"mode": "fixed", "code": said}
    made: JSON = {"resourceType": "ConceptMap", "id": found.url, "status": "draft"}
    return {**made, "group": list(groups.values())} if groups else made
