"""Who is asking, and in what act: the two things every decision starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["operator", "organisation"]
Plan = Literal["", "offer", "new", "none"]
PLANS: tuple[Plan, ...] = ("", "offer", "new", "none")


@dataclass(frozen=True, slots=True)
class Caller:
    """An operator (loopback without a token) or an organisation, by its unit's HSA-id.

    `controller` is the care provider who answers for the unit's look-ups (PDL, SVOD 4:1).
    """

    kind: Kind
    hsa_id: str = ""
    name: str = ""
    controller: str = ""

    @property
    def operator(self) -> bool:
        return self.kind == "operator"

    @property
    def organisations(self) -> tuple[str, ...]:
        """The HSA-ids under which this caller takes part in someone's care."""
        return tuple(hsa for hsa in (self.hsa_id, self.controller) if hsa)


OPERATOR = Caller("operator", name="Operator")


@dataclass(frozen=True, slots=True)
class Asking:
    """One request: the caller, the interaction's code (`read`, `search-type`, an operation's code), and its trace id.

    `purpose` is of http://terminology.hl7.org/CodeSystem/v3-ActReason.
    """

    caller: Caller
    interaction: str
    request_id: str = ""
    purpose: str = "TREAT"
    address: str = ""
    plan: Plan = ""
    """What is asked about the plan of new Tasks that name none: one unless there is one, a new one, none."""
