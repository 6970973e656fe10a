"""Reading a search parameter that is a criterion: its definition, its modifier, its values, its chain.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches

from gateway.definitions import Definitions, SearchParameter
from gateway.search import values
from gateway.search.alike import numbers, shared
from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Chain,
    Criterion,
    IdIs,
    Itself,
    Missing,
    Numbers,
    Own,
    RefersTo,
    ReverseChain,
    Together,
    Where,
)
from gateway.search.index import kind_of
from gateway.search.modifiers import UNMODIFIED, Modified
from gateway.search.numbers import contained_number, link_number, number
from gateway.search.parameters import Parameter, Refused, Types, served, unknown_modifier
from gateway.search.values import Reading
from gateway.terminology import Terminology

MAX_CHAIN = 4
MAX_WORK = 2000
"""Values and links of a search together. A chain over a parameter that leads to any type is one link for each."""
LINK = 10
"""How many values a link, or a parameter, is worth."""
OWN = frozenset({"_id", "_lastUpdated"})
LIST = "_list"
EVERYWHERE = OWN | {LIST, "_has"}
"""What every type can be searched by, without a search parameter of its own."""
_LISTED = ("List", "item")
"""The parameter that leads from a list to what it names."""
ITSELF = "{def}"
"""How a CompartmentDefinition says that the resource that it is named after is in the compartment."""


class Criteria:
    """Reads criteria by a snapshot of definitions."""

    def __init__(
        self,
        definitions: Definitions,
        reading: Reading,
        terminology: Terminology | None = None,
        progress: Mapping[str, int] | None = None,
    ) -> None:
        self.definitions = definitions
        self.reading = reading
        self.progress = progress or {}
        self._work = 0
        self.modified = Modified(definitions, reading, terminology or Terminology(definitions), self.spend)

    def criterion(self, types: Types, name: str, value: str, depth: int = 0) -> Criterion:
        if depth > MAX_CHAIN:
            raise Refused("chain-too-long", f"A chain has at most {MAX_CHAIN} links.")
        self.spend(LINK)
        if name.startswith("_has:"):
            return self._has(types, name, value, depth)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if dot:
            return self._chain(types, code, modifier, rest, value, depth)
        if code in OWN:
            return self._own(code, modifier, value)
        if code == LIST:
            return self._listed(types, modifier, value)
        parameter = self.parameter(types, code)
        if modifier == "missing" and parameter.kind not in UNMODIFIED:
            return self._missing(parameter, value)
        return self.where(parameter, modifier, value)

    def parameter(self, types: Types, code: str) -> Parameter:
        """The parameter of this code, which all the types must have, and alike."""
        found = [self._of_type(one, code) for one in types]
        kinds = {kind_of(one) or one.type for one in found}
        if len(kinds) > 1:
            text = f"This is not the same in all of these types: {', '.join(sorted(kinds))}. Search in one of them."
            raise Refused("parameter-not-common", text)
        targets = (
            {} if any(_leads_anywhere(one) for one in found) else {name: None for one in found for name in one.target}
        )
        more = shared(self.definitions, types, code)
        return Parameter(code, kinds.pop(), types, tuple(targets), found[0], shared=more)

    def _of_type(self, resource_type: str, code: str) -> SearchParameter:
        there = self.definitions.search_parameters(resource_type).get(code)
        if there is not None and kind_of(there) is not None:
            return there
        for url, one in self.definitions.preparing.items():
            if one.code == code and self.definitions.applies(one, resource_type):
                percent = self.progress.get(url, 0)
                text = f"This is being prepared: {percent} % is indexed. /metadata names it when it can be used."
                raise Refused("parameter-in-preparation", text, unknown=True)
        usable = served(self.definitions, resource_type)
        close = get_close_matches(code, [*usable, *OWN], n=3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        what = "is not served here" if there is not None else f"is no search parameter of {resource_type}"
        text = f"This {what}.{hint} There are: {', '.join(sorted(usable))}."
        raise Refused("unknown-search-parameter", text, unknown=True)

    def spend(self, work: int) -> None:
        self._work += work
        if self._work > MAX_WORK:
            text = (
                "The search asks for too much at once. Name the types that a chain leads to (item:Task), or ask twice."
            )
            raise Refused("too-costly", text)

    def where(self, parameter: Parameter, modifier: str, value: str) -> Criterion:
        return self.modified.criterion(parameter, modifier, value)

    def targets(self, parameter: Parameter) -> tuple[str, ...]:
        """The types that a reference parameter may lead to."""
        return self.modified.targets(parameter)

    def _own(self, code: str, modifier: str, value: str) -> Criterion:
        if modifier == "missing":
            return AnyOf(()) if self._is_true(value) else AllOf(())
        if modifier and not (code == "_id" and modifier == "not"):
            raise unknown_modifier(modifier, ["not", "missing"] if code == "_id" else ["missing"])
        if code == "_id":
            return Own(
                "_id", self.modified.values(value, lambda text, _: IdIs(values.unescaped(text))), modifier == "not"
            )
        return Own("_lastUpdated", self.modified.values(value, values.date))

    def _listed(self, types: Types, modifier: str, value: str) -> Criterion:
        """What a List names: https://hl7.org/fhir/R4/search.html#list"""
        if modifier:
            raise unknown_modifier(modifier, [])
        if value.startswith("$"):
            raise Refused("functional-list", "Functional lists are not kept here. Name a List by its id.", unknown=True)
        source, code = _LISTED
        ids = self.modified.values(value.replace(f"{source}/", ""), lambda text, _: IdIs(values.unescaped(text)))
        return ReverseChain(source, (number(source, code),), types, (Own("_id", ids),))

    def within(self, types: Types, compartment: str, id: str) -> Criterion:
        """What belongs to a resource, by its CompartmentDefinition."""
        members = self.definitions.compartments[compartment]
        named = [(one, code) for one in types for code in members.get(one, ())]
        if missing := [one for one in types if not members.get(one)]:
            text = f"The compartment of a {compartment} holds no {missing[0]}. It holds: {', '.join(members)}."
            raise Refused("not-in-compartment", text)
        found_by = numbers(self.definitions, [each for each in named if each[1] != ITSELF])
        found: list[Criterion] = [Where("reference", found_by, (RefersTo(compartment, id),))] if found_by else []
        if any(code == ITSELF for _, code in named):
            found.append(Itself(compartment, id))
        return found[0] if len(found) == 1 else AnyOf(tuple(found))

    def _missing(self, parameter: Parameter, value: str) -> Criterion:
        return Missing(parameter.places, self._is_true(value))

    @staticmethod
    def _is_true(value: str) -> bool:
        if value not in ("true", "false"):
            raise Refused("malformed-search-value", "With :missing it is true or false.")
        return value == "true"

    def _chain(self, types: Types, code: str, modifier: str, rest: str, value: str, depth: int) -> Criterion:
        parameter = self.parameter(types, code)
        able = self.chained(parameter, modifier, rest.partition(".")[0].partition(":")[0])
        chains: list[Criterion] = []
        for target in able:
            inner = self.criterion((target,), rest, value, depth + 1)
            chains.append(Chain(parameter.numbers, target, (inner,), self._url(target)))
            if (held := self.contained(target, rest, value)) is not None:
                link = ("reference", parameter.numbered(link_number), ())
                chains.append(Together((link, (held.kind, held.numbers, held.conditions))))
        return chains[0] if len(chains) == 1 else AnyOf(tuple(chains))

    def contained(self, resource_type: str, name: str, value: str) -> Where | None:
        """The same for resources that are contained in others; None for what is not looked for there.

        That is whatever leads further (chains, lists), or asks for what is not there.
        """
        code, _, modifier = name.partition(":")
        if name == "_id":
            return Where("token", (contained_number(resource_type, "_id"),), self.modified.values(value, values.token))
        if "." in name or code in EVERYWHERE or modifier == "missing" or not self._knows(resource_type, code):
            return None
        parameter = self.parameter((resource_type,), code)
        if parameter.kind in UNMODIFIED:
            return None
        found = self.where(replace(parameter, within=True), modifier, value)
        return found if isinstance(found, Where) and not found.negated else None

    def _url(self, resource_type: str) -> int | None:
        """The number of the urls by which canonicals name resources of a type."""
        known = self.definitions.search_parameters(resource_type).get("url")
        return number(resource_type, "url") if known is not None and known.type == "uri" else None

    def urls(self, types: Types) -> Numbers:
        """The numbers of the urls by which canonicals name resources of the types."""
        return tuple(found for one in types if (found := self._url(one)) is not None)

    def chained(self, parameter: Parameter, modifier: str, first: str) -> tuple[str, ...]:
        """The types that a chain goes on in: those that the parameter leads to and that can be searched by `first`."""
        if parameter.kind != "reference":
            raise Refused("malformed-chain", f"{parameter.code} is no reference, nothing can be chained to it.")
        targets = self.targets(parameter)
        if modifier:
            if modifier not in targets:
                raise unknown_modifier(modifier, targets)
            targets = (modifier,)
        able = tuple(one for one in targets if first in EVERYWHERE or self._knows(one, first))
        if not able:
            known = ", ".join(targets[:20])
            raise Refused("unknown-search-parameter", f"{first} is no search parameter of {known}.", unknown=True)
        return able

    def _knows(self, resource_type: str, code: str) -> bool:
        found = self.definitions.search_parameters(resource_type).get(code)
        return found is not None and kind_of(found) is not None

    def _has(self, types: Types, name: str, value: str, depth: int) -> Criterion:
        parts = name.split(":", 3)
        if len(parts) < 4:
            raise Refused("malformed-chain", "It is written as _has:Type:reference-parameter:parameter.")
        _, source, code, rest = parts
        if source not in self.definitions.resource_types:
            raise Refused("unknown-resource-type", "R4 has no resource type of this name.")
        parameter = self.parameter((source,), code)
        able = self.targets(parameter)
        targets = tuple(one for one in types if one in able)
        if parameter.kind != "reference" or not targets:
            raise Refused("malformed-chain", f"{source} does not refer to a {', '.join(types[:20])} by {code}.")
        inner = self.criterion((source,), rest, value, depth + 1)
        return ReverseChain(source, parameter.numbers, targets, (inner,), self.urls(targets))


def _leads_anywhere(parameter: SearchParameter) -> bool:
    return not parameter.target or "Resource" in parameter.target
