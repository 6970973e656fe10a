"""Who may move a Task, and change what in it: tables, and decisions that are values. coordination.md B.1, B.2; ADR 38.

`roles` says what the caller is to the stored Task, `Rules.named` gives one profile of the rules, `decide` judges one
change, `next_steps` lists what would be allowed. Rules refuse commands, never facts: what a source reports has happened
and does not come here.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from gateway.coordination.negotiation.breach import Breach, Kind
from gateway.coordination.negotiation.circumstances import Circumstances, Move
from gateway.coordination.negotiation.profile import PROFILES, Profile
from gateway.coordination.negotiation.roles import Role, hsa_id_of, roles
from gateway.coordination.negotiation.rules import Rules
from gateway.coordination.negotiation.steps import Need, NextStep

__all__ = [
    "PROFILES",
    "Breach",
    "Circumstances",
    "Kind",
    "Move",
    "Need",
    "NextStep",
    "Profile",
    "Role",
    "Rules",
    "hsa_id_of",
    "roles",
]
