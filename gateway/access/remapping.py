"""What older versions of a map have mapped, and what the version in use would make of it, before anything is done.

`samverka replay --map`. Messages are mapped with the archived version and with the one in use; nothing is kept of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.access.archive import unpacked
from gateway.access.caller import Asking
from gateway.access.messages import Messages
from gateway.errors import NotFound
from gateway.mapping import CompileError, Package, told
from gateway.mapping.compare import Comparison, compare
from gateway.mapping.problems import did_you_mean
from gateway.mapping.sound import checked
from gateway.mapping.unread import Message
from gateway.store import Entry, UnitOfWork

PAGE = 200
Progress = Callable[[int, int], None]
"""So many done, of so many."""


@dataclass(frozen=True, slots=True)
class OldVersion:
    """A version of a package that mapped messages and is not the one in use."""

    hash: str
    package: str
    version: str
    messages: int

    def to_json(self) -> dict[str, Any]:
        return {"package": self.package, "version": self.version, "hash": self.hash, "messages": self.messages}


@dataclass(slots=True)
class Remapping:
    """What a replay would do."""

    url: str
    versions: list[OldVersion]
    found: Comparison = field(default_factory=Comparison)
    unreadable: int = 0
    """Messages of which an older version cannot be compiled any more: they can be replayed, not compared."""

    @property
    def messages(self) -> int:
        return sum(one.messages for one in self.versions)

    def told(self) -> tuple[str, dict[str, Any]]:
        """For people, and for machines."""
        lines = [f"{one.messages} messages by {one.package} {one.version} ({one.hash[:12]})" for one in self.versions]
        text, data = told.compared(self.found)
        if self.unreadable:
            lines.append(f"{self.unreadable} of them cannot be compared: their version does not compile any more")
        versions = [one.to_json() for one in self.versions]
        return "\n".join([*lines, text]), {
            "map": self.url,
            "versions": versions,
            "messages": self.messages,
            "notCompared": self.unreadable,
            **data,
        }


class Remaps(Messages):
    """remapping and to_remap."""

    def remapping(
        self, asking: Asking, map: str, *, values: bool = False, progress: Progress = lambda done, total: None
    ) -> Remapping:
        """What replaying what older versions of this map (`URL`, `URL|VERSION`) mapped would change.

        NotFound where no map of this url is in use, or none of this version ever was.
        """
        self._operator(asking)
        packages = self._old(map)
        counts = self._rooms.store.read(lambda uow: uow.inbox.count_mapped())
        versions = [OldVersion(p.hash, p.id, p.version, counts[p.hash]) for p in packages if counts.get(p.hash)]
        result = Remapping(map, versions)
        by_hash = {one.hash: one for one in packages}
        for done, entry in enumerate(self._entries(set(by_hash))):
            progress(done, result.messages)
            self._compare(by_hash[entry.map_hash or ""], entry, result, values=values)
        progress(result.messages, result.messages)
        return result

    def to_remap(self, asking: Asking, map: str) -> Iterator[str]:
        """The inbox ids of the messages, in order of arrival; what has been replayed meanwhile is not among them."""
        self._operator(asking)
        hashes = {package.hash for package in self._old(map)}
        return (entry.id for entry in self._entries(hashes))

    def _entries(self, hashes: set[str]) -> Iterator[Entry]:
        after = 0
        while page := self._rooms.store.read(partial(_page, hashes, after)):
            after = page[-1].number
            yield from page

    def _compare(self, old: Package, entry: Entry, result: Remapping, *, values: bool) -> None:
        source = self._rooms.sources.get(entry.source)
        new = self._rooms.packages.get(source.package) if source else None
        message = self._rooms.store.read(lambda uow: uow.inbox.get(entry.id))
        if source is None or new is None or message is None:
            return
        definitions = self._rooms.definitions
        try:
            old.check()
        except CompileError:
            result.unreadable += 1
            return
        compare(
            old,
            new,
            [Message(entry.id, message.body, source, message.received)],
            values=values,
            found=result.found,
            finish=lambda record, made: checked(record, made, definitions),
        )

    def _old(self, map: str) -> list[Package]:
        """The archived versions with the map, but for what is in use."""
        url, _, version = map.partition("|")
        in_use = {package.hash for package in self._rooms.packages.values()}
        if not any(_speaks_of(package, url) and url in _versions(package) for package in self._rooms.packages.values()):
            known = {found for package in self._rooms.packages.values() for found in _versions(package)}
            hint = did_you_mean(url, sorted(known)) or f"there are {', '.join(sorted(known))}"
            raise NotFound(f"No map of this url is in use: {hint}", rule="map-unknown", where=url[:200])
        archived = self._rooms.store.read(lambda uow: uow.maps.all())
        every = [unpacked(one, self._rooms.definitions) for one in archived if one.package in self._rooms.packages]
        every = [package for package in every if _speaks_of(package, url)]
        held = [package for package in every if version in _versions(package).get(url, ()) or not version]
        held = [package for package in held if url in _versions(package)]
        if version and not held:
            there = sorted({one for package in every for one in _versions(package).get(url, ())})
            raise NotFound(
                f"This version of the map never mapped anything here. Versions: {', '.join(there) or 'none'}.",
                rule="map-version-unknown",
                where=map[:200],
            )
        return [package for package in held if package.hash not in in_use]


def _page(hashes: set[str], after: int, uow: UnitOfWork) -> Sequence[Entry]:
    return uow.inbox.mapped_by(hashes, after=after, limit=PAGE)


def _speaks_of(package: Package, url: str) -> bool:
    """Whether the url stands anywhere in it: most packages need not be read for more."""
    return any(url in text for text in package.files.values())


def _versions(package: Package) -> dict[str, set[str]]:
    """The urls of a package's maps, each with its versions: its own, where it says one, and the package's."""
    try:
        maps = package.library.maps
    except CompileError:
        return {}
    return {
        url: {package.version, *([str(said)] if (said := found.metadata.get("version")) else [])}
        for url, found in maps.items()
    }
