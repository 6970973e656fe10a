"""ActivityDefinition and PlanDefinition/$apply through the door: whoever may read what is named may have it applied.

Nothing is stored: the answer is a draft. What a definition refers to is looked up among the stored definitions.

https://hl7.org/fhir/R4/plandefinition-operation-apply.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.access.caller import Asking
from gateway.access.conformance import Canonicals
from gateway.coordination.applying import Context, apply_activity, apply_plan
from gateway.errors import Gone, Invalid, NotFound, Unprocessable
from gateway.fhir import reference
from gateway.fhir.check import check
from gateway.fhir.json import parse
from gateway.records import Resource


@dataclass(frozen=True, slots=True)
class Apply:
    """What is asked for: the definition by its id or as it was sent, references by the parameter, and concepts."""

    resource_type: str
    id: str | None
    sent: Resource | None
    references: Mapping[str, str]
    concepts: Mapping[str, Any] = field(default_factory=dict)


_APPLY = {"ActivityDefinition": apply_activity, "PlanDefinition": apply_plan}


class Applying(Canonicals):
    """apply."""

    def apply(self, asking: Asking, asked: Apply) -> Resource:
        """The request, or the plan. NotFound, Gone for the definition; Unprocessable where it cannot be carried out."""
        if asked.id is not None:
            definition = self.by_id(asking, asked.resource_type, asked.id)
        else:
            assert asked.sent is not None
            definition = asked.sent
        context = Context(
            definitions=self._rooms.definitions,
            now=self._rooms.clock(),
            references=asked.references,
            resources={name: self._named(asking, name, text) for name, text in asked.references.items()},
            concepts=asked.concepts,
            find=lambda kind, url: self._definition(asking, kind, url),
        )
        made = _APPLY[asked.resource_type](definition, context)
        wrong = [issue for issue in check(made, self._rooms.definitions) if issue.severity in ("fatal", "error")]
        if wrong:
            raise Invalid(issues=[replace(issue, rule="draft-invalid") for issue in wrong])
        return made

    def _named(self, asking: Asking, name: str, text: str) -> Resource:
        """What a parameter refers to. Unprocessable alike for what is not there and what the caller may not see."""
        found = reference.parse(text)
        try:
            if found.kind != "relative" or found.type is None or found.id is None:
                raise NotFound(rule="resource-unknown")
            return parse(self.read(asking, found.type, found.id).body)
        except (NotFound, Gone):
            refusal = f"{name} is a reference to what you may see here: Type/id."
            raise Unprocessable(refusal, rule="apply-reference-unknown", where=name) from None

    def _definition(self, asking: Asking, kind: str, canonical: str) -> Resource | None:
        """A definition by its canonical url, the newest of its version, else the shipped one; or by a reference."""
        found = reference.parse(canonical)
        if found.kind == "relative" and found.id is not None:
            if found.type != kind:
                return None
            try:
                return self.by_id(asking, kind, found.id)
            except (NotFound, Gone):
                return None
        url, _, version = canonical.partition("|")
        known = [one.resource() for one in self.stored(asking, kind, url)]
        if (shipped := self._rooms.definitions.resources.get(url)) is not None and shipped["resourceType"] == kind:
            known.append(shipped)
        return next((one for one in known if not version or one.get("version") == version), None)
