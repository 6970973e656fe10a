"""FHIR packages through the door: their definitions are kept as resources, each with a tag that says of which package.

So they are found, read, searched, replaced and recorded as all others are; validation and terminology use them at once.
A package itself is an ImplementationGuide. https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Final

from gateway.access.caller import Asking
from gateway.access.commands import Body
from gateway.access.conformance import Canonicals
from gateway.access.transaction import Transacting
from gateway.definitions.packages import FhirPackage
from gateway.errors import GatewayError, NotFound
from gateway.fhir.json import dump, parse
from gateway.fhir.primitives import ID
from gateway.records import Resource
from gateway.search.cursor import START, Cursor
from gateway.search.query import Limits, Query
from gateway.search.query import parse as parse_query
from gateway.store import Stored, UnitOfWork
from gateway.store.searching import SearchPage

GUIDE: Final = "ImplementationGuide"
KEPT: Final = ("StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "SearchParameter", "NamingSystem")
"""Types that validation, terminology and search go by; a package's examples and pages are not kept."""
TAG: Final = "https://samverka.example/fhir/CodeSystem/package"
AT_ONCE: Final = 500


@dataclass(slots=True)
class Added:
    """What became of a package's resources: how many are new, changed, the same; which were refused, and why."""

    name: str
    version: str
    created: int = 0
    changed: int = 0
    same: int = 0
    removed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Packages that it depends on and that are not here, or not of that version."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A package that is here."""

    name: str
    version: str
    title: str
    resources: int
    missing: tuple[str, ...]


class Packaging(Transacting, Canonicals):
    """add_package, packages, remove_package."""

    def add_package(
        self, asking: Asking, package: FhirPackage, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> Added:
        """Keep the package's definitions in the place of those of another version. What cannot be kept is told."""
        added = Added(package.name, package.version)
        added.refused += [(one.partition(": ")[0], one.partition(": ")[2]) for one in package.problems]
        before = {(one.resource_type, one.id): one for one in self._of_package(asking, package.name)}
        kept: set[tuple[str, str]] = set()
        for done, (file, body) in enumerate(package.files.items(), 1):
            progress(done, len(package.files))
            try:
                resource = parse(body)
                if resource.get("resourceType") in KEPT:
                    kept.add(self._keep(asking, package, resource, before, added))
            except GatewayError as error:
                issue = error.issues[0]
                added.refused.append((file, f"{issue.text} {issue.expression or issue.where or ''}".strip()))
        kept.add(self._keep(asking, package, _guide(package), before, added))
        for kind, id in before.keys() - kept:
            self.delete(asking, kind, id)
            added.removed += 1
        added.missing = self._missing(package.needed, {one.name: one.version for one in self.packages(asking)})
        return added

    def packages(self, asking: Asking) -> list[Listed]:
        """The packages that are here, by name."""
        guides = [one.resource() for one in self._tagged(asking, GUIDE, f"{TAG}|")]
        here = {str(one["packageId"]): str(one.get("version", "")) for one in guides}
        found = []
        for guide in guides:
            name = str(guide["packageId"])
            needed = {str(one.get("packageId")): str(one.get("version", "")) for one in guide.get("dependsOn", ())}
            count = sum(1 for _ in self._of_package(asking, name)) - 1
            missing = tuple(self._missing(needed, here))
            found.append(Listed(name, here[name], str(guide.get("title", name)), count, missing))
        return sorted(found, key=lambda one: one.name)

    def remove_package(self, asking: Asking, name: str) -> int:
        """Delete what a package brought; how many resources that was. NotFound."""
        found = list(self._of_package(asking, name))
        if not found:
            raise NotFound("There is no package of this name here.", rule="package-unknown", where=name[:64])
        for one in found:
            self.delete(asking, one.resource_type, one.id)
        return len(found) - 1

    def _keep(
        self,
        asking: Asking,
        package: FhirPackage,
        resource: Resource,
        before: Mapping[tuple[str, str], Stored],
        added: Added,
    ) -> tuple[str, str]:
        kind = str(resource["resourceType"])
        id = self._id(kind, resource, package, before)
        thing = (kind, id)
        resource["id"] = id
        meta = resource.setdefault("meta", {})
        tags = [one for one in meta.get("tag", ()) if one.get("system") != TAG]
        meta["tag"] = [*tags, {"system": TAG, "version": package.version, "code": package.name}]
        done = self.update(asking, kind, id, Body(dump(resource)))
        if done.what == "created":
            added.created += 1
        elif thing in before and done.version.version_id == before[thing].version:
            added.same += 1
        else:
            added.changed += 1
        return thing

    def _id(self, kind: str, resource: Resource, package: FhirPackage, before: Mapping[tuple[str, str], Stored]) -> str:
        """The resource's own id, unless somebody else's resource has it."""
        own = resource.get("id")
        if isinstance(own, str) and ID.fullmatch(own):
            there = self._rooms.store.read(lambda uow: uow.resources.read(kind, own))
            if there is None or there.deleted or (kind, own) in before:
                return own
        return sha256(f"{package.name}|{kind}|{own}|{resource.get('url')}".encode()).hexdigest()[:32]

    def _of_package(self, asking: Asking, name: str) -> Iterator[Stored]:
        for kind in (*KEPT, GUIDE):
            yield from self._tagged(asking, kind, f"{TAG}|{name}")

    def _tagged(self, asking: Asking, kind: str, tag: str) -> Iterator[Stored]:
        """The current resources of a type with a tag, however many."""
        query = parse_query(
            kind,
            [("_tag", tag), ("_count", str(AT_ONCE))],
            self._rooms.definitions,
            zone=self._rooms.zone,
            bases=(),
            now=self._rooms.clock(),
            limits=Limits(count=AT_ONCE),
        )
        after: Cursor | None = START
        while after is not None:
            page = self._rooms.store.read(partial(_page, query, after))
            yield from page.matches
            after = page.behind

    @staticmethod
    def _missing(needed: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
        return [
            f"{name}#{version}" + (f" (here: {here[name]})" if name in here else "")
            for name, version in sorted(needed.items())
            if not _fits(here.get(name), version)
        ]


def _page(query: Query, after: Cursor, uow: UnitOfWork) -> SearchPage[Stored]:
    return uow.searches.page(query, after=after)


def _fits(here: str | None, wanted: str) -> bool:
    """Whether a version is the one that is wanted: `4.0.x` is any of 4.0, and `current` or `latest` any at all."""
    if here is None:
        return False
    if wanted in ("", "current", "latest", "dev") or here == wanted:
        return True
    return wanted.endswith(".x") and here.startswith(wanted[:-1])


def _guide(package: FhirPackage) -> Resource:
    """The package as a resource, with what it depends on."""
    guide: Resource = {
        "resourceType": GUIDE,
        "id": package.name,
        "url": f"{package.canonical or 'http://fhir.org/packages/' + package.name}/ImplementationGuide/{package.name}",
        "version": package.version,
        "name": "".join(part.capitalize() for part in package.name.replace("-", ".").split(".")),
        "title": package.title,
        "status": "active",
        "packageId": package.name,
        "fhirVersion": ["4.0.1"],
    }
    if package.needed:
        guide["dependsOn"] = [
            {
                "uri": f"http://fhir.org/packages/{name}/ImplementationGuide/{name}",
                "packageId": name,
                "version": version,
            }
            for name, version in sorted(package.needed.items())
        ]
    return guide
