"""The secrets of the installation through the door: what each is for, and which of them may be made anew.

A secret that was seen by somebody else, in a backup or a copy of the database, is worth nothing once it is made anew.
docs/guides/operate.md says when, and what follows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.trail import Trail
from gateway.errors import Conflict, NotFound
from gateway.store import UnitOfWork


@dataclass(frozen=True, slots=True)
class Secret:
    """One row of the table `meta`, by its name there after `secret:`."""

    name: str
    use: str
    then: str
    """What is no longer good when it is made anew; of one that never is, why not."""
    rotates: bool = True


SECRETS: Final = (
    Secret("forms", "guards the forms of the page", "forms that lie open are refused: open the page again"),
    Secret(
        "page-links", "seals links to further pages", "links that were given out are refused: begin the search again"
    ),
    Secret(
        "test-identities",
        "signs the tokens of test identities",
        "all their tokens are refused: `samverka demo identities` lists the new ones",
    ),
    Secret(
        "namespace",
        "gives persons and resources their ids",
        "never: what comes afterwards would get other ids than what is here, and each person be there twice",
        rotates=False,
    ),
)


class Rotating(Trail):
    """secrets and rotate."""

    def secrets(self, asking: Asking) -> tuple[Secret, ...]:
        """What secrets there are; what they are is told to nobody."""
        self._operator(asking)
        return SECRETS

    def rotate(self, asking: Asking, names: Collection[str]) -> None:
        """Make secrets anew, all or none, each with an AuditEvent. Processes go on with the old ones until they end.

        NotFound where there is no such secret, Conflict where it is never made anew.
        """
        self._operator(asking)
        wanted = [rotating(name) for name in dict.fromkeys(names)]

        def work(uow: UnitOfWork) -> None:
            for one in wanted:
                uow.meta.rotate(one.name)
                about = replace(asking, interaction=f"{asking.interaction}-{one.name}")
                uow.audit.add_about(self.events(about, Decision(True, "operator")))

        self._rooms.store.write(work, now=self._rooms.clock)


def rotating(name: str) -> Secret:
    """The secret of this name, which may be made anew. NotFound, Conflict."""
    found = next((one for one in SECRETS if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in SECRETS if one.rotates)
        raise NotFound(f"There is no secret of this name. Those that may be made anew: {known}.", rule="secret-unknown")
    if not found.rotates:
        raise Conflict(f"The secret {name} is made anew {found.then}.", rule="secret-kept")
    return found
