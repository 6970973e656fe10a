"""The maps and ConceptMaps that know one another: groups by name through imports, type groups, translation tables.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html#map-imports
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from gateway.mapping import conceptmap
from gateway.mapping.conceptmap import ConceptTable
from gateway.mapping.logical import LogicalType
from gateway.mapping.problems import Problem, Problems, did_you_mean
from gateway.mapping.syntax import Group, Map, Span

Found = tuple[Map, Group]
_NO_MODELS: Mapping[str, LogicalType] = {}


class Library:
    """Maps by url, ConceptMaps by url and id. Does not change once it is made."""

    def __init__(
        self,
        maps: Iterable[Map],
        tables: Iterable[ConceptTable],
        problems: Problems,
        models: Mapping[str, LogicalType] = _NO_MODELS,
    ) -> None:
        self.maps: dict[str, Map] = {}
        self.models = models
        self._tables: dict[str, ConceptTable] = {}
        self._scopes: dict[str, Mapping[str, list[Found]]] = {}
        for found in maps:
            if found.url in self.maps:
                other = self.maps[found.url].text.file
                problems.add(found.text, Span(0, 1), f"another map has the url {found.url}: {other}")
            self.maps[found.url] = found
            self._unique_groups(found, problems)
        for table in tables:
            if table.url in self._tables:
                text = f"another ConceptMap has the url {table.url}: {self._tables[table.url].file}"
                problems.found.append(Problem(table.file, 1, 1, text))
            self._tables[table.url] = table
        for table in [table for table in self._tables.values() if table.id]:
            self._tables.setdefault("#" + table.id, table)
        self._embedded = {
            (url, "#" + embedded.url): conceptmap.embedded(embedded, found.text.file)
            for url, found in self.maps.items()
            for embedded in found.concept_maps
        }
        self._check_imports(problems)

    @staticmethod
    def _unique_groups(found: Map, problems: Problems) -> None:
        seen: set[str] = set()
        for group in found.groups:
            if group.name in seen:
                problems.add(found.text, group.span, f"there are two groups named '{group.name}' in this map")
            seen.add(group.name)

    def _check_imports(self, problems: Problems) -> None:
        for found in self.maps.values():
            for imported in found.imports:
                if not self._matching(imported.url):
                    hint = did_you_mean(imported.url, self.maps) or "the mappings folder has no map with such a url"
                    problems.add(found.text, imported.span, f"no map matches '{imported.url}'", hint)

    def _matching(self, url: str) -> list[Map]:
        if "*" not in url:
            return [self.maps[url]] if url in self.maps else []
        return [found for known, found in self.maps.items() if fnmatchcase(known, url)]

    def scope(self, map_url: str) -> Mapping[str, list[Found]]:
        """Groups by name that a map can invoke: its own before those it imports, directly or through others."""
        known = self._scopes.get(map_url)
        if known is not None:
            return known
        found: dict[str, list[Found]] = {}
        queue, seen = [self.maps[map_url]], {map_url}
        while queue:
            current = queue.pop(0)
            for group in current.groups:
                found.setdefault(group.name, []).append((current, group))
            for imported in current.imports:
                for other in self._matching(imported.url):
                    if other.url not in seen:
                        seen.add(other.url)
                        queue.append(other)
        self._scopes[map_url] = found
        return found

    def table(self, map_url: str, url: str) -> ConceptTable | None:
        """A ConceptMap as a rule names it: embedded (`#name`), by canonical url, or by id (`#id`)."""
        bare = url.partition("|")[0]
        fragment = "#" + bare.rpartition("#")[2] if "#" in bare else ""
        return self._embedded.get((map_url, fragment)) or self._tables.get(bare) or self._tables.get(fragment)

    def table_names(self, map_url: str) -> list[str]:
        return [*self._tables, *(name for owner, name in self._embedded if owner == map_url)]
