"""Everything that is wrong with a resource, and with what it holds: structure, invariants, codes, references, profiles.

https://hl7.org/fhir/R4/validation.html

The structural check of every write comes first; what it finds wrong is not told again by another rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.fhir import check as structure
from gateway.issues import Issue
from gateway.validation import bindings, bundles, datatypes, invariants
from gateway.validation.bindings import Codes
from gateway.validation.findings import Enough, Findings
from gateway.validation.spots import Object, Primitive, Spot, members_of
from gateway.validation.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a resource is held to beyond R4: `profiles` by canonical. `at` is its FHIRPath in what was sent."""

    profiles: Sequence[str] = ()
    at: str | None = None


def validate(resource: Object, around: Surroundings, wanted: Wanted = Wanted()) -> list[Issue]:
    """The issues of a resource; none, where all is well."""
    return Validation(around).run(resource, wanted)


class Validation:
    """One run over one resource."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.findings = Findings()
        self.codes = Codes(around.terminology)
        self.members = members_of(around.definitions)
        self._invariants = invariants.invariants_of(around.definitions)
        self._broken = False

    def run(self, resource: Object, wanted: Wanted) -> list[Issue]:
        d = self.around.definitions
        at = wanted.at or structure.root_of(resource)
        with suppress(Enough):
            for issue in structure.check(resource, d, base=self.around.base, at=at):
                self._broken = True
                self.findings.put(issue)
            root = self.members.root(resource, at)
            for spot in self.members.walk(root):
                self.findings.tick()
                self._look(spot)
        return self.findings.issues

    def _look(self, spot: Spot) -> None:
        found = [*datatypes.told(spot)]
        if type(spot.value) is not Primitive:
            found += bindings.told(spot, self.codes)
            if spot.type == "Bundle":
                found += bundles.told(spot.value)
            elif spot.type == "Reference":
                found += bundles.lost(spot)
            self._rules(spot)
        for severity, code, rule, text, step in found:
            self.findings.add(severity, code, rule, text, f"{spot.path}.{step}" if step else spot.path)

    def _rules(self, spot: Spot) -> None:
        env = invariants.environment(spot, self.around, self._resolver(spot), None, self.codes.member)
        for rule, where, why in self._invariants.broken(spot, env):
            # A value that is not of its type's form makes rules fail that say nothing more than that.
            if why is None or not self._broken:
                invariants.tell(self.findings, rule, where, why)

    def _resolver(self, spot: Spot) -> Callable[[str], Object | None]:
        return lambda text: self.target(text, spot)

    def target(self, text: str, spot: Spot) -> Object | None:
        """The resource that a reference means: contained, in the Bundle, or outside."""
        frame = spot.frame
        if text.startswith("#"):
            root: Any = frame.root
            if text == "#":
                return root  # type: ignore[no-any-return]
            held = root.get("contained")
            for one in held if type(held) is list else ():
                if type(one) is dict and one.get("id") == text[1:]:
                    return one
            return None
        if frame.bundle is not None and (found := frame.bundle.find(text, frame.url)) is not None:
            return found
        return self.around.resolve(text)
