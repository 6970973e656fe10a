"""Commands performed within one unit of work: held, decided, stated, agreed, saved and audited, as many as there are.

Each command is decided on by itself, and one that is refused stops the whole. What they state is recorded at once.
What the operator writes is plain R4: his word replaces everybody's earlier ones.
"""

from gateway.access.performing.negotiating import NEGOTIATED as NEGOTIATED
from gateway.access.performing.performance import Performance as Performance
from gateway.access.performing.steps import Act as Act
from gateway.access.performing.steps import Kept as Kept
from gateway.access.performing.steps import Links as Links
from gateway.access.performing.steps import Refusal as Refusal
from gateway.access.performing.steps import Step as Step
from gateway.access.performing.steps import Thing as Thing
from gateway.access.performing.steps import Trial as Trial
from gateway.access.performing.steps import refusing as refusing
