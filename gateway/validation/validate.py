"""Everything that is wrong with a resource, and with what it holds: structure, invariants, codes, references, profiles.

https://hl7.org/fhir/R4/validation.html

The structural check of every write comes first; what it finds wrong is not told again by another rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from gateway.fhir import check as structure
from gateway.fhirpath import Element, Environment
from gateway.issues import Issue
from gateway.validation import bindings, bundles, datatypes, extensions, inside, invariants, published, questionnaires
from gateway.validation.bindings import Codes
from gateway.validation.findings import Enough, Findings
from gateway.validation.held import Held
from gateway.validation.library import Library, Unusable
from gateway.validation.spots import Frame, Object, Primitive, Spot, members_of
from gateway.validation.surroundings import Surroundings
from gateway.validation.tree import CORE, Tree

NARRATIVE: Final = "dom-6"
"""The rule that a resource should have a narrative."""
NESTED: Final = 8
"""How many resources, each held to a profile because another refers to it, are followed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a resource is held to beyond R4: `profiles` by canonical. `at` is its FHIRPath in what was sent."""

    profiles: Sequence[str] = ()
    at: str | None = None
    held: bool = True
    """Whether it is held to the profiles that it names, and its extensions to their definitions."""


def validate(resource: Object, around: Surroundings, wanted: Wanted = Wanted()) -> list[Issue]:
    """The issues of a resource; none, where all is well."""
    return Validation(around).run(resource, wanted)


class Validation:
    """One run over one resource."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.findings = Findings()
        self.library = Library(around)
        self.members = members_of(around.definitions)
        self._codes = Codes(around.terminology)
        self._known = published.Known(around.definitions, self._codes, self.profile)
        self._invariants = invariants.invariants_of(around.definitions)
        self._broken = False
        self._held = True
        self.holding: set[tuple[int, str]] = set()
        self._meets: dict[tuple[int, str], tuple[Any, bool]] = {}
        """With the value itself: what is kept here has its identity for itself."""
        self._resolved: dict[str, Object | None] = {}
        self._nested = 0

    def run(self, resource: Object, wanted: Wanted) -> list[Issue]:
        d = self.around.definitions
        self._held = wanted.held
        at = wanted.at or structure.root_of(resource)
        with suppress(Enough), self._bounded(at):
            for issue in structure.check(resource, d, base=self.around.base, at=at):
                self._broken = True
                self.findings.put(issue)
            root = self.members.root(resource, at)
            for spot in self.members.walk(root):
                self.findings.tick()
                self._look(spot)
                if spot.frame.resource is spot.value:
                    self._tell(spot, inside.told(spot.value, is_contained=spot.frame.container is not None))
                if spot.frame.resource is spot.value and self._held:
                    self._profiles(spot, wanted.profiles if spot is root else ())
        return self.findings.issues

    @contextmanager
    def _bounded(self, at: str) -> Iterator[None]:
        """Profiles may ask for one another without end."""
        try:
            yield
        except RecursionError:
            text = "The profiles lead into one another so deeply that not all of them could be looked at."
            self.findings.put(Issue("error", "too-costly", "validation-too-costly", text, at))

    def _look(self, spot: Spot) -> None:
        found = [*datatypes.told(spot), *inside.repeated(spot)]
        if type(spot.value) is Primitive:
            found += inside.unheld(spot)
        else:
            if spot.type in published.RULES:
                found += published.told(spot, self._known, sound=not self._broken)
            found += bindings.told(spot, self._codes)
            if spot.type == "Bundle":
                found += bundles.told(spot.value)
            elif spot.type == "Reference":
                found += bundles.lost(spot)
            elif spot.type == questionnaires.RESPONSE:
                found += self._answers(spot)
            elif spot.type == "Extension" and self._held:
                found += self._extension(spot)
            self._rules(spot)
            if spot.element is not None:
                for name in spot.element.profiles:
                    self._hold(spot, CORE + name)
        self._tell(spot, found)

    def _tell(self, spot: Spot, found: Iterable[datatypes.Told]) -> None:
        for severity, code, rule, text, step in found:
            self.findings.add(severity, code, rule, text, f"{spot.path}.{step}" if step else spot.path)

    def _rules(self, spot: Spot) -> None:
        for rule, where, why in self._invariants.broken(spot, self.environment(spot)):
            # A value that is not of its type's form makes rules fail that say nothing more than that.
            if rule.key == NARRATIVE and spot.frame.container is not None:
                continue  # The narrative of the container tells of what it contains.
            if why is None or not self._broken:
                invariants.tell(self.findings, rule, where, why)

    def _extension(self, spot: Spot) -> Iterator[datatypes.Told]:
        url = spot.value.get("url")
        known = self.library.structure(url) if type(url) is str and ":" in url else None
        yield from extensions.told(spot, known, self.around.definitions, lambda: self.environment(spot))
        if known is not None and known.get("type") == "Extension":
            self._hold(spot, str(url))

    def _answers(self, spot: Spot) -> Iterator[datatypes.Told]:
        canonical = spot.value.get("questionnaire")
        if type(canonical) is not str:
            return
        asked = self._questionnaire(canonical, spot)
        if asked is None:
            text = "The questionnaire is not held here, and the answers are not held to it: store it, or contain it."
            yield "warning", "not-found", "questionnaire-unknown", text, "questionnaire"
            return
        yield from questionnaires.told(spot.value, asked, self._codes, self.members.of(questionnaires.ANSWER))

    def _questionnaire(self, canonical: str, spot: Spot) -> Object | None:
        """The one that is contained, in the same Bundle, or held here."""
        if canonical.startswith("#"):
            return self.target(canonical, spot)
        url, _, version = canonical.partition("|")
        entries = spot.frame.bundle
        beside = None if entries is None else entries.by_canonical.get((questionnaires.ASKED, url))
        if beside is not None and version in ("", beside.get("version", "")):
            return beside
        return self.around.questionnaire(canonical)

    def _profiles(self, spot: Spot, asked: Sequence[str]) -> None:
        """The profiles that were asked for, and those that a resource itself says it meets."""
        meta = spot.value.get("meta")
        said = meta.get("profile") if type(meta) is dict else None
        named = {one: place for place, one in enumerate(said if type(said) is list else ()) if type(one) is str}
        # What a profile stands on is held with it.
        trees = [self.profile(one) for one in (*asked, *named)]
        below = {base for tree in trees if tree is not None for base in tree.bases}
        for profile in dict.fromkeys(asked):
            self._hold(spot, profile, unknown="error")
        for profile, place in named.items():
            if profile not in asked and profile.partition("|")[0] not in below:
                self._hold(spot, profile, unknown="warning", where=f"{spot.path}.meta.profile[{place}]")

    def _hold(self, spot: Spot, profile: str, *, unknown: str = "warning", where: str | None = None) -> None:
        kind = self.library.is_type(profile)
        if kind is not None:
            if not self.around.definitions.is_a(spot.type, kind) and spot.type in self.around.definitions.types:
                text = f"This is no {kind}, as the profile asks."
                self.findings.add("error", "structure", "profile-type", text, spot.path)
            return
        try:
            tree = self.library.find(profile)
        except Unusable as error:
            severity: Any = unknown if error.rule == "profile-unknown" else "error" if unknown == "error" else "warning"
            self.findings.add(severity, "not-found", error.rule, error.text, where or spot.path)
            return
        for path in tree.faults:
            text = f"The profile {profile} says something of {path}, which its type does not have."
            self.findings.add("warning", "not-found", "profile-element-unknown", text, where or spot.path)
        Held(self, tree, self.findings, 0).root(spot)

    # --- what profiles and expressions ask ---------------------------------------------------------------------------

    def environment(self, spot: Spot) -> Environment:
        """What the expressions about a value may ask."""
        frame = spot.frame
        if frame.environment is None:
            frame.environment = self._environment(spot, frame)
        return frame.environment

    def _environment(self, spot: Spot, frame: Frame) -> Environment:
        return Environment(
            variables={"resource": _element(frame.resource), "rootResource": _element(frame.root)},
            resolve=self._resolver(spot),
            member_of=self.member,
            conforms_to=lambda resource, profile: self._conforms_to(resource, profile, spot),
            structure=self.library.structure,
            now=self.around.now,
        )

    def _resolver(self, spot: Spot) -> Callable[[str], Object | None]:
        return lambda text: self.target(text, spot)

    def member(self, value: Any, value_set: str) -> bool | None:
        return self._codes.member(value, value_set)

    def profile(self, canonical: str) -> Tree | None:
        try:
            return self.library.find(canonical)
        except Unusable:
            return None

    def conforms(self, spot: Spot, profile: str) -> bool:
        kind = self.library.is_type(profile)
        d = self.around.definitions
        if kind is not None:
            return spot.type in d.types and d.is_a(spot.type, kind)
        key = (id(spot.value), profile)
        if key not in self._meets:
            if self._nested >= NESTED:
                return True  # So far away it is not looked at.
            self._meets[key] = spot.value, True  # Of what refers to itself, until it is known.
            tree = self.profile(profile)
            self._nested += 1
            try:
                self._meets[key] = spot.value, tree is not None and self._meets_all(spot, tree)
            finally:
                self._nested -= 1
        return self._meets[key][1]

    def _meets_all(self, spot: Spot, tree: Tree) -> bool:
        tried = self.findings.aside()
        whole, self.findings = self.findings, tried
        try:
            Held(self, tree, tried, 1).root(spot)
        except Enough:
            return False
        finally:
            self.findings = whole
        return not any(one.severity in ("fatal", "error") for one in tried.issues)

    def _conforms_to(self, resource: Object, profile: str, spot: Spot) -> bool | None:
        if self.library.is_type(profile) is None and self.profile(profile) is None:
            return None
        return self.conforms(self.members.root(resource, spot.path), profile)

    def target(self, text: str, spot: Spot) -> Object | None:
        """The resource that a reference means: contained, in the Bundle, or outside."""
        frame = spot.frame
        if text.startswith("#"):
            root: Object = frame.root
            if text == "#":
                return root
            held = root.get("contained")
            for one in held if type(held) is list else ():
                if type(one) is dict and one.get("id") == text[1:]:
                    found: Object = one
                    return found
            return None
        if frame.bundle is not None and (entry := frame.bundle.find(text, frame.url)) is not None:
            return entry
        if text not in self._resolved:
            self._resolved[text] = self.around.resolve(text)
        return self._resolved[text]


def _element(resource: Object) -> Element:
    kind = resource.get("resourceType")
    return Element(resource, kind if type(kind) is str else None)
