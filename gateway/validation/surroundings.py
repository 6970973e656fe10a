"""What validation asks the outside for: the caller passes it in, so that validating has no effects of its own.

https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.definitions import Definitions
from gateway.records import Resource
from gateway.terminology import Terminology


def nothing(_: str) -> Resource | None:
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is passed in.

    `structure` and `questionnaire` give the StructureDefinition and the Questionnaire of a canonical, `resolve` the
    resource of a reference that leads out of what is validated, as far as the caller may see it. `base` is this
    server's own address, `now` what `now()` tells.
    """

    definitions: Definitions
    terminology: Terminology
    now: datetime
    structure: Callable[[str], Resource | None] = nothing
    resolve: Callable[[str], Resource | None] = nothing
    base: str | None = None
    questionnaire: Callable[[str], Resource | None] = nothing
