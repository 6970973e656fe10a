"""What follows from the Tasks of a plan: its activities, and the CareTeam of those who have them in hand.

The plan and its team are one fold further than the Tasks: pure, and the same in any order of arrival. The team has the
plan's own id, `CareTeam/[id]` for `CarePlan/[id]`, so that whoever knows one knows the other.

https://hl7.org/fhir/R4/careplan.html
"""

from gateway.coordination.plans.basis import Basis, basis, coordinated, plans_of
from gateway.coordination.plans.follow import follow
from gateway.coordination.plans.team import TEAM_ROLE, active_members, custodian

__all__ = [
    "TEAM_ROLE",
    "Basis",
    "active_members",
    "basis",
    "coordinated",
    "custodian",
    "follow",
    "plans_of",
]
