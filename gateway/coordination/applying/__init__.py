"""A definition applied to somebody: the request that an ActivityDefinition describes, the plan of a PlanDefinition.

Pure: definitions and what they are applied to come in, drafts go out; nothing is stored. What cannot be carried out is
refused, with its place in the definition: a plan that leaves out what it should hold would look whole.

https://hl7.org/fhir/R4/clinicalreasoning-module.html
"""

from gateway.coordination.applying.activity import apply_activity
from gateway.coordination.applying.context import Context
from gateway.coordination.applying.plan import apply_plan

__all__ = ["Context", "apply_activity", "apply_plan"]
