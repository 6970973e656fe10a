"""A value held to what a profile asks: cardinality, types, fixed and pattern values, bindings, rules, slices, targets.

https://hl7.org/fhir/R4/profiling.html, https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from gateway.fhir.json import dump
from gateway.fhirpath import Environment, FHIRPathError
from gateway.fhirpath import compile as compiled
from gateway.issues import Severity
from gateway.validation import aggregation, bindings, slicing
from gateway.validation.findings import Findings
from gateway.validation.invariants import focus_of, verdict
from gateway.validation.library import Library, Unusable
from gateway.validation.limits import beyond
from gateway.validation.slicing import at_root, is_one, named, raw_of, type_of
from gateway.validation.spots import Primitive, Spot
from gateway.validation.tree import CORE, Node, Rule, Tree, Use

DEEPEST: Final = 20
"""Profiles of types within one another."""
SHOWN: Final = 200
"""Characters of a value of the profile's own that are shown."""

BOUND: Final[Mapping[str, tuple[Severity, str, str]]] = {
    "required": ("error", "profile-binding", "The profile asks for a code of the value set {}."),
    "maximum": ("error", "profile-limit", "The profile allows no code but those of the value set {}."),
    "extensible": (
        "warning",
        "extensible-binding",
        "None of these codes is of the value set {}, which is to be used where it has a fitting one.",
    ),
}
"""What a strength makes of a code that is not of the value set; other strengths ask for nothing."""


class Around(slicing.Judge, Protocol):
    """What checking asks of the validation around it."""

    findings: Findings
    library: Library
    holding: set[tuple[int, str]]
    """The values that are being held to a profile of their type, with that profile."""

    def environment(self, spot: Spot) -> Environment:
        """What the expressions about a value may ask."""


class Held:
    """One profile on one value."""

    def __init__(self, around: Around, tree: Tree, findings: Findings, depth: int) -> None:
        self._around = around
        self._tree = tree
        self._findings = findings
        self._depth = depth
        self._name = tree.url

    def root(self, spot: Spot) -> None:
        """Hold a resource, or a value of a type, to the whole profile."""
        d = self._around.members.d
        if spot.type != self._tree.type and not (spot.type in d.types and d.is_a(spot.type, self._tree.type)):
            text = f"The profile {self._name} is about {self._tree.type}, and this is none."
            self._findings.add("error", "structure", "profile-type", text, spot.path)
            return
        self._value(spot, self._tree.root)

    def _tell(self, severity: Severity, code: str, rule: str, text: str, path: str) -> None:
        self._findings.add(severity, code, rule, f"{text} ({self._name})", path)

    def _value(self, spot: Spot, node: Node) -> None:
        self._findings.tick()
        if node.types is not None:
            self._types(spot, node.types)
        self._is(spot, node)
        for rule in node.rules:
            self._rule(spot, rule)
        if type(spot.value) is Primitive:
            if (own := node.children.get("value")) is not None:
                self._own(spot, own)
            self._children(spot, node, list(self._around.members.extensions(spot)))
        elif node.children or "." in spot.type:
            self._children(spot, node, list(self._around.members.children(spot)))

    def _own(self, spot: Spot, node: Node) -> None:
        """What a profile of a primitive type says of the value itself."""
        if spot.value.value is None:
            if node.min:
                text = "The profile asks for a value here, not for extensions alone."
                self._tell("error", "required", "profile-min", text, spot.path)
            return
        self._is(spot, node)
        for rule in node.rules:
            self._rule(spot, rule)

    def _children(self, spot: Spot, node: Node, below: Sequence[Spot]) -> None:
        groups: dict[str, list[Spot]] = defaultdict(list)
        for child in below:
            groups[named(child)].append(child)
        for name, child_node in node.children.items():
            if type(spot.value) is not Primitive or name == "extension":
                self._element(spot, child_node, groups.get(name, []))
        for name, items in groups.items():
            if name not in node.children and "." in items[0].type:
                self._referred(items)

    def _referred(self, items: Iterable[Spot]) -> None:
        """Items that are defined by reference to another element: https://hl7.org/fhir/R4/elementdefinition.html#contentReference"""
        for item in items:
            element = item.element
            if element is not None and element.type != element.path:
                node = self._tree.of_kind(element.type)
                if node is not None:
                    self._value(item, node)

    def _element(self, spot: Spot, node: Node, items: Sequence[Spot]) -> None:
        path = f"{spot.path}.{node.name}"
        count = len(items)
        if node.min and count < node.min:
            few = "is required" if node.min == 1 else f"is given {node.min} times at least"
            self._tell("error", "required", "profile-min", f"The profile says that {node.name} {few}.", path)
        if node.max is not None and count > node.max:
            many = "is not to be given" if node.max == 0 else f"is given {node.max} times at most"
            where = items[node.max].path
            self._tell("error", "structure", "profile-max", f"The profile says that {node.name} {many}.", where)
            if node.max == 0:
                return
        for item in items:
            self._value(item, node)
        self._slices(path, node, items)

    # --- slices ----------------------------------------------------------------------------------------------------

    def _slices(self, path: str, node: Node, items: Sequence[Spot]) -> None:
        how = slicing.slicing_of(node)
        if how is None or not node.slices:
            return
        found: dict[str, list[Spot]] = {name: [] for name in node.slices}
        order = {name: place for place, name in enumerate(found)}
        last, open_end, sure = -1, False, True
        for item in items:
            try:
                one = slicing.slice_of(item, node, how, self._around)
            except slicing.Undecided:
                sure = False
                continue
            if one is None or one.slice is None:
                open_end = True
                if self._tree.type == "Extension" and _is_part(item):
                    text = "The definition of the extension has no part of this url."
                    self._tell("warning", "structure", "extension-part-unknown", text, f"{item.path}.url")
                if how.rules == "closed":
                    names = ", ".join(node.slices)
                    text = f"This is none of the slices, and there may be no others: {names}."
                    self._tell("error", "structure", "slice-closed", text, item.path)
                continue
            if open_end and how.rules == "openAtEnd":
                text = f"This is of the slice {one.slice}: what is of no slice comes behind all that is."
                self._tell("error", "structure", "slice-order", text, item.path)
            if how.ordered and order[one.slice] < last:
                text = f"This is of the slice {one.slice}, which comes too late: the slices have an order."
                self._tell("error", "structure", "slice-order", text, item.path)
            last = max(last, order[one.slice])
            found[one.slice].append(item)
        if not sure:
            text = "Of which slice some of these are cannot be told: what tells slices apart is not held or not read."
            self._tell("warning", "incomplete", "slicing-undecided", text, path)
        for name, mine in found.items():
            self._slice(path, node.slices[name], mine, sure=sure)

    def _slice(self, path: str, node: Node, items: Sequence[Spot], *, sure: bool) -> None:
        if sure and node.min and len(items) < node.min:
            text = f"The profile asks for {node.min} of the slice {node.slice}, and there {_are(len(items))}."
            self._tell("error", "required", "slice-min", text, path)
        if node.max is not None and len(items) > node.max:
            text = f"The profile allows {node.max} of the slice {node.slice}, and there {_are(len(items))}."
            self._tell("error", "structure", "slice-max", text, items[node.max].path)
        for item in items:
            self._value(item, node)
        self._slices(path, node, items)

    # --- types and targets -----------------------------------------------------------------------------------------

    def _types(self, spot: Spot, uses: tuple[Use, ...]) -> None:
        d = self._around.members.d
        fitting = [use for use in uses if is_one(d, spot.type, use.code)]
        backbone = "." in spot.type
        if not fitting and not backbone:
            names = ", ".join(dict.fromkeys(use.code for use in uses))
            self._tell("error", "structure", "profile-type", f"The profile allows {names} here.", spot.path)
            return
        profiles = [profile for use in fitting for profile in use.profiles]
        if profiles and all(use.profiles for use in fitting):
            self._profiles(spot, profiles)
        if spot.type == "Reference":
            if (why := aggregation.forbidden(spot, fitting)) is not None:
                self._tell("error", "value", "profile-aggregation", why, f"{spot.path}.reference")
            targets = [target for use in fitting for target in use.targets]
            if targets:
                self._targets(spot, targets)

    def _profiles(self, spot: Spot, profiles: Sequence[str]) -> None:
        """The value meets one of these profiles of its type."""
        known = [profile for profile in profiles if self._known(profile, spot)]
        if len(known) < len(profiles) or not known:
            return
        if len(known) == 1:
            self._around_hold(spot, known[0])
        elif not any(self._around.conforms(spot, one) for one in known):
            text = f"The value meets none of the profiles that it may be of: {', '.join(known)}."
            self._tell("error", "structure", "profile-none-met", text, spot.path)

    def _around_hold(self, spot: Spot, profile: str) -> None:
        if self._around.library.is_type(profile) is None:
            tree, key = self._around.library.find(profile), (id(spot.value), profile)
            # A profile whose root is of a type that is held to it, or to one that leads back to it.
            if key not in self._around.holding and self._depth < DEEPEST:
                self._around.holding.add(key)
                Held(self._around, tree, self._findings, self._depth + 1).root(spot)
                self._around.holding.discard(key)

    def _known(self, profile: str, spot: Spot) -> bool:
        if self._around.library.is_type(profile) is not None:
            return True
        try:
            self._around.library.find(profile)
        except Unusable as error:
            self._tell("warning", "not-found", error.rule, error.text, spot.path)
            return False
        return True

    def _targets(self, spot: Spot, targets: Sequence[str]) -> None:
        written = spot.value.get("reference")
        d = self._around.members.d
        target = self._around.target(written, spot) if type(written) is str else None
        kind = target.get("resourceType") if target is not None else type_of(spot.value)
        if type(kind) is not str or kind not in d.types:
            return
        types = {self._around.library.is_type(one) or self._type(one, spot) for one in targets}
        if None in types:
            return
        if not any(is_one(d, kind, str(one)) for one in types):
            names = ", ".join(sorted(str(one) for one in types))
            text = f"The profile lets this element refer to {names}."
            step = "reference" if type(written) is str else "type"
            self._tell("error", "value", "profile-target", text, f"{spot.path}.{step}")
            return
        fitting = [
            one for one in targets if is_one(d, kind, str(self._around.library.is_type(one) or self._type(one, spot)))
        ]
        if target is None or any(self._around.library.is_type(one) for one in fitting):
            return
        if self._depth < 8 and not any(
            self._around.conforms(at_root(target, spot, self._around.members), one) for one in fitting
        ):
            text = f"What is referred to does not meet the profile that is asked for: {', '.join(fitting)}."
            self._tell("error", "structure", "profile-target", text, f"{spot.path}.reference")

    def _type(self, profile: str, spot: Spot) -> str | None:
        try:
            return self._around.library.find(profile).type
        except Unusable as error:
            self._tell("warning", "not-found", error.rule, error.text, spot.path)
            return None

    # --- the value itself ------------------------------------------------------------------------------------------

    def _is(self, spot: Spot, node: Node) -> None:
        value = raw_of(spot)
        if node.fixed is not None and not (slicing.same(value, node.fixed) and _beside(spot) == node.beside):
            text = f"The profile fixes this to {_shown(node.fixed)}."
            self._tell("error", "value", "fixed-value", text, spot.path)
        if node.pattern is not None and not slicing.fits(value, node.pattern):
            text = f"The profile asks for at least {_shown(node.pattern)} here."
            self._tell("error", "value", "pattern-value", text, spot.path)
        if node.max_length is not None and type(value) is str and len(value) > node.max_length:
            text = f"The profile allows {node.max_length} characters."
            self._tell("error", "too-long", "profile-max-length", text, spot.path)
        for limit, sign, rule, words in (
            (node.low, -1, "min-value", "at least"),
            (node.high, 1, "max-value", "at most"),
        ):
            if limit is not None and beyond(value, limit[1]) == sign:
                text = f"The profile asks for {words} {_shown(limit[1])}."
                self._tell("error", "value", f"profile-{rule}", text, spot.path)
        if node.binding is not None:
            self._bound(spot, value, *node.binding)
        for strength, url in node.also:
            self._bound(spot, value, strength, url)
        if node.limit is not None:
            self._bound(spot, value, "maximum", node.limit)

    def _bound(self, spot: Spot, value: Any, strength: str, url: str) -> None:
        if strength not in BOUND or value is None:
            return
        if type(value) is dict and spot.type in ("CodeableConcept", "Coding", "Quantity"):
            given = [pair for pair in bindings.pairs(value) if pair[1] is not None]
            if not given and (strength == "extensible" or "extension" in value):
                return
        elif type(value) is not str:
            return
        told = self._around.member(value, url)
        if told is True:
            return
        if told is None:
            if strength == "required":
                text = (
                    f"Whether this is of the value set {url} cannot be told: it, or its code system, is not held here."
                )
                self._tell("warning", "not-found", "binding-undecided", text, spot.path)
            return
        severity, rule, text = BOUND[strength]
        self._tell(severity, "code-invalid", rule, text.format(url), spot.path)

    def _rule(self, spot: Spot, rule: Rule) -> None:
        env = self._around.environment(spot)
        try:
            path = compiled(rule.expression, None, self._around.members.d)
        except FHIRPathError as error:
            text = f"The rule {rule.key} of the profile cannot be read: {error.problems[0].text}"
            self._tell("warning", "incomplete", "invariant-undecided", text, spot.path)
            return
        # R4's own profiles take an empty result for kept, as R4's rules do; others are written for stricter validators.
        good, why = verdict(path, focus_of(spot), env, empty=self._name.startswith(CORE))
        if good:
            return
        if why is not None:
            text = f"The rule {rule.key} of the profile could not be decided here: {why}"
            self._tell("warning", "incomplete", "invariant-undecided", text, spot.path)
            return
        severity: Severity = "error" if rule.severity == "error" else "warning"
        self._tell(severity, "invariant", rule.key, f"{rule.human} ({rule.key})", spot.path)


def _is_part(item: Spot) -> bool:
    """Whether this is a part of a complex extension, which is named by a word."""
    url = item.value.get("url") if item.type == "Extension" else None
    return type(url) is str and ":" not in url


def _are(count: int) -> str:
    return "is one" if count == 1 else f"are {count or 'none'}"


def _shown(value: Any) -> str:
    """What the profile itself says, as JSON; it is nobody's data."""
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict | list):
        text = dump(value).decode()
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _beside(spot: Spot) -> Any:
    return spot.value.beside if type(spot.value) is Primitive else None
