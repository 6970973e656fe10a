"""ConceptMap/$translate through the door: which ConceptMaps are looked in, and what they say of a code.

Stored ConceptMaps and those of the mapping packages in use are one collection. A ConceptMap says nothing of persons, so
whoever is known may ask; the question is recorded all the same.

https://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.caller import Asking
from gateway.access.conformance import Canonicals, of_version
from gateway.access.decision import decide
from gateway.errors import NotFound
from gateway.mapping.translation import Asked, parameters, translate
from gateway.records import Resource
from gateway.store import Stored

CONCEPT_MAP = "ConceptMap"


@dataclass(frozen=True, slots=True)
class Which:
    """Which ConceptMaps: one by id, one that was sent, those of a url (and version), or all that fit the question."""

    id: str | None = None
    sent: Resource | None = None
    url: str | None = None
    version: str | None = None


class Translating(Canonicals):
    """translate."""

    def translate(self, asking: Asking, which: Which, asked: Asked) -> Resource:
        """The answer as Parameters. NotFound where the ConceptMap that is named is not known."""
        if which.id is not None:
            maps = [self.by_id(asking, CONCEPT_MAP, which.id)]
        elif which.sent is not None:
            maps = [which.sent]
            self.audit(asking, decide(asking.caller, CONCEPT_MAP, takes_part=None))
        else:
            maps = self._concept_maps(asking, which)

        def find(canonical: str) -> Resource | None:
            url, _, version = canonical.partition("|")
            return next(iter(self._known_concept_maps(asking, url, version or None)[0]), None)

        return parameters(translate(maps, asked, find))

    def _concept_maps(self, asking: Asking, which: Which) -> list[Resource]:
        url, _, version = (which.url or "").partition("|")
        found, stored = self._known_concept_maps(asking, url or None, which.version or version or None)
        self.audit(asking, decide(asking.caller, CONCEPT_MAP, takes_part=None), *stored)
        if url and not found:
            text = (
                "No ConceptMap of this url, or not of this version, is known here. Send it as conceptMap, or store it."
            )
            raise NotFound(text, rule="concept-map-unknown", where=url[:200])
        return found

    def _known_concept_maps(
        self, asking: Asking, url: str | None, version: str | None
    ) -> tuple[list[Resource], list[Stored]]:
        stored = self.stored(asking, CONCEPT_MAP, url)
        found = [one.resource() for one in stored]
        found += [one for one in self.packaged("conceptmaps") if url is None or one.get("url") == url]
        # What is shipped says what the gateway does, not what a code is called elsewhere: it is asked for by its name.
        found += [one for one in self._rooms.definitions.of(CONCEPT_MAP) if url is not None and one.get("url") == url]
        return of_version(found, version), stored
