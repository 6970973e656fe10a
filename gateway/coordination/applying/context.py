"""To whom and by whom a definition is applied, and the expressions that ask about it.

The parameters of the operation are variables in expressions, by their names; expressions start from the subject.

https://hl7.org/fhir/R4/activitydefinition-operation-apply.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway import fhirpath
from gateway.definitions import Definitions
from gateway.errors import Unprocessable
from gateway.fhirpath import Environment, FHIRPathError
from gateway.records import Resource

LANGUAGES: Final = ("text/fhirpath", "text/FHIRPath")
LONGEST: Final = 4000
TURNS: Final = 100_000
"""Turns of all expressions of one plan together."""


def _turns() -> Iterator[None]:
    return iter([None] * TURNS)


@dataclass(frozen=True, slots=True)
class Context:
    """What a definition is applied to. References are texts (`Patient/1`), resources by the parameter's name."""

    definitions: Definitions
    now: datetime
    references: Mapping[str, str]
    """subject, and where given encounter, practitioner and organization."""
    resources: Mapping[str, Resource]
    concepts: Mapping[str, Any] = field(default_factory=dict)
    """userType, userLanguage, userTaskContext, setting and settingContext."""
    find: Callable[[str, str], Resource | None] = lambda kind, url: None
    """A definition of this type by its canonical url, or by its relative reference."""
    turns: Iterator[None] = field(default_factory=_turns)

    def reference(self, name: str) -> dict[str, Any] | None:
        """A Reference to what a parameter names."""
        text = self.references.get(name)
        return None if text is None else {"reference": text}

    def evaluate(self, expression: Mapping[str, Any], path: str, variables: Mapping[str, Any]) -> list[Any]:
        """The values of an Expression, as elements where they come out of resources. Unprocessable."""
        if expression.get("language") not in LANGUAGES:
            text = "Expressions in text/fhirpath are evaluated; write this one so."
            raise Unprocessable(text, rule="expression-language", expression=f"{path}.language")
        source = expression.get("expression")
        if source is None or len(source) > LONGEST:
            text = f"The expression stands in the definition itself, in {LONGEST} characters at most."
            raise Unprocessable(text, rule="expression-missing", expression=f"{path}.expression")
        known = {**self.concepts, **self.resources, **variables}
        environment = Environment(variables=known, resolve=self._resolve, now=self.now, turns=self.turns)
        try:
            found = fhirpath.compile(source, None, self.definitions).elements(self.resources["subject"], environment)
        except FHIRPathError as error:
            problem = error.problems[0] if getattr(error, "problems", ()) else None
            said = f" {problem.text} {problem.hint}" if problem else ""
            text = f"The expression cannot be evaluated.{said}".strip()
            raise Unprocessable(text, rule="expression-failed", expression=f"{path}.expression") from None
        return list(found)

    def _resolve(self, reference: str) -> Resource | None:
        """What was given is known by its reference; nothing else is looked up."""
        named = (name for name, text in self.references.items() if text == reference)
        return next((self.resources[name] for name in named if name in self.resources), None)
