"""The request that an ActivityDefinition describes, for one subject: a draft of the type that the definition names.

Where what it says of a request stands in which type is a table, `conformance/agreements/requests.json`.

https://hl7.org/fhir/R4/activitydefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.coordination import agreements
from gateway.coordination.applying.assigning import assign, element_of, put
from gateway.coordination.applying.context import Context
from gateway.coordination.applying.timing import timed
from gateway.coordination.values import written
from gateway.definitions import ElementDef
from gateway.errors import Unprocessable
from gateway.records import Resource

_TRANSFORM: Final = "transform"
_INTENT: Final = "proposal"
_TEXTS: Final = frozenset({"string", "markdown", "code", "uri", "canonical", "date", "dateTime", "instant"})
MOST_CARRIED: Final = 50


def apply_activity(definition: Resource, context: Context) -> Resource:
    """The request that a definition by itself leads to, with what it refers to within it. Unprocessable."""
    made = request(definition, context, definition.get("resourceType", ""))
    contained = carried(made, definition.get("contained", ()))
    return {"resourceType": made.pop("resourceType")} | ({"contained": contained} if contained else {}) | made


def request(definition: Resource, context: Context, where: str) -> Resource:
    """The request, without what it refers to within the definition."""
    kind = definition.get("kind")
    if kind is None:
        text = "The definition says of no kind of request what it defines."
        raise Unprocessable(text, rule="definition-without-kind", expression=f"{where}.kind")
    if _TRANSFORM in definition:
        text = "Definitions by a StructureMap are not applied: call StructureMap/$transform."
        raise Unprocessable(text, rule="definition-by-transform", expression=f"{where}.transform")
    writer = Writer(kind, context)
    writer.begin(intent=definition.get("intent"))
    if canonical := canonical_of(definition):
        writer.say("instantiates", canonical)
    for said, name in (
        ("code", "code"),
        ("priority", "priority"),
        ("doNotPerform", "doNotPerform"),
        ("bodySite", "bodySite"),
        ("quantity", "quantity"),
        ("dosage", "dosage"),
        ("location", "location"),
    ):
        if name in definition and not writer.say(said, definition[name]):
            raise _no_place(kind, f"{where}.{name}")
    for name in ("productReference", "productCodeableConcept"):
        if name in definition and not writer.say("product", definition[name], type=name.removeprefix("product")):
            raise _no_place(kind, f"{where}.product")
    if told := definition.get("description"):
        writer.describe(told)
    if profile := definition.get("profile"):
        writer.made["meta"] = {"profile": [profile]}
    writer.timing(definition, where)
    writer.participants(definition.get("participant", ()))
    dynamic(writer.made, definition, context, where, {"definition": definition})
    return writer.made


class Writer:
    """A request that is being made: says things where its type has a place for them."""

    def __init__(self, kind: str, context: Context) -> None:
        self.made: Resource = {"resourceType": kind}
        self._type, self._context = context.definitions.types[kind], context
        self._table: Mapping[str, Any] = agreements.read("requests")

    def begin(self, *, intent: str | None = None) -> None:
        """What every request has: for whom, by whom, when, and that it is a draft."""
        states = self._table["status"]
        if "status" in self._type.elements:
            self.made["status"] = states.get(self._type.name, states["default"])
        if "intent" in self._type.elements:
            self.made["intent"] = intent or _INTENT
        for name in ("subject", "encounter"):
            if reference := self._context.reference(name):
                self.say(name, reference)
        asker = self._context.reference("practitioner") or self._context.reference("organization")
        if asker is not None:
            self.say("requester", asker)
        self.say("authored", written(self._context.now))

    def say(self, what: str, value: Any, *, type: str | None = None) -> bool:
        """Put it into the first element that the type has for it; whether it has one."""
        for name in self._table["elements"][what]:
            element = element_of(self._type, name, type)
            if element is not None and _fits(element, value):
                if element.name not in self.made:
                    put(self.made, element, _as(element, value))
                return True
        return False

    def describe(self, text: str) -> None:
        for name in self._table["elements"]["description"]:
            element = self._type.elements.get(name)
            if element is not None:
                put(self.made, element, text if element.type != "Annotation" else {"text": text})
                return

    def timing(self, said: Mapping[str, Any], where: str) -> None:
        """When it is to be done, in the terms that its type has."""
        found = next(((name, value) for name, value in said.items() if name.startswith(("timing", "_timing"))), None)
        if found is None:
            return
        name, value = found
        if name.startswith("_") or (isinstance(value, dict) and any(one.startswith("_") for one in value)):
            text = "When it is to be done is given by an extension: give it as a value, or as a dynamicValue."
            raise Unprocessable(text, rule="timing-by-extension", expression=f"{where}.timing")
        timing = timed(name.removeprefix("timing"), value, self._context, where)
        choice = self._table["elements"]["timing"][0]
        for type, told in timing.choices():
            element = element_of(self._type, choice, type)
            if element is not None:
                self.made.pop(element.name, None)
                put(self.made, element, told)
                return
        for name in self._table["elements"]["period"]:
            element = self._type.elements.get(name)
            if element is not None and timing.period:
                put(self.made, element, timing.period)
                return
        dosage = self._type.elements.get("dosageInstruction")
        if dosage is not None and timing.timing:
            instructions = self.made.setdefault(dosage.name, [{}])
            instructions[0] = {"timing": timing.timing, **instructions[0]}

    def participants(self, said: Iterable[Mapping[str, Any]]) -> None:
        """Who is to do it: the roles, and whom the operation was given of that type."""
        for one in said:
            if "role" in one:
                element = self._type.elements.get("performerType")
                if element is not None:
                    put(self.made, element, one["role"])
            who = {"patient": "subject", "practitioner": "practitioner"}.get(one.get("type", ""))
            if who and (reference := self._context.reference(who)):
                self.say("performer", reference)


def dynamic(
    made: Resource, said: Mapping[str, Any], context: Context, where: str, variables: Mapping[str, Any]
) -> None:
    """The values that are evaluated, in the order in which they stand. Unprocessable."""
    for number, one in enumerate(said.get("dynamicValue", ())):
        here = f"{where}.dynamicValue[{number}]"
        if "expression" not in one:
            continue
        values = context.evaluate(one["expression"], f"{here}.expression", {**variables, "request": made})
        if "path" in one:
            assign(made, one["path"], values, context.definitions, here)


def canonical_of(definition: Resource) -> str | None:
    """How a definition is referred to; None for one that is contained, or was only sent."""
    if "url" in definition:
        version = f"|{definition['version']}" if "version" in definition else ""
        return f"{definition['url']}{version}"
    return None


def carried(made: Resource, contained: Sequence[Resource]) -> list[Resource]:
    """The contained resources that something refers to, and those that they refer to."""
    there = {f"#{one.get('id')}": one for one in contained}
    found: dict[str, Resource] = {}
    waiting = [made]
    while waiting:
        for link in _links(waiting.pop()):
            if link in there and link not in found and len(found) < MOST_CARRIED:
                found[link] = there[link]
                waiting.append(there[link])
    return list(found.values())


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        literal = value.get("reference")
        if isinstance(literal, str) and literal.startswith("#"):
            yield literal
        for child in value.values():
            yield from _links(child)
    elif isinstance(value, list):
        for child in value:
            yield from _links(child)


def _no_place(kind: str, where: str) -> Unprocessable:
    text = f"A {kind} has no place for this: leave it out, or define another kind of request."
    return Unprocessable(text, rule="definition-without-place", expression=where)


def _fits(element: ElementDef, value: Any) -> bool:
    """Whether a value may stand there: references by what they lead to, others by their form."""
    if isinstance(value, list):
        return all(_fits(element, one) for one in value)
    if element.type == "Reference":
        if not isinstance(value, dict) or "reference" not in value:
            return False
        kind = value["reference"].partition("/")[0]
        return (
            value["reference"].startswith("#")
            or not element.targets
            or kind in element.targets
            or "Resource" in element.targets
        )
    if isinstance(value, dict) and "value" in value:
        return element.type == "Quantity"
    if isinstance(value, dict) and element.type == "Dosage":
        return True
    if isinstance(value, dict):
        concept = "coding" in value or ("text" in value and value.keys() <= {"text", "coding", "id", "extension"})
        return element.type == "CodeableConcept" and concept and "reference" not in value
    return element.type == "boolean" if isinstance(value, bool) else element.type in _TEXTS


def _as(element: ElementDef, value: Any) -> Any:
    """The value as the element has it: one of a list where only one may be."""
    if isinstance(value, list) and not element.is_list:
        return value[0]
    return value
