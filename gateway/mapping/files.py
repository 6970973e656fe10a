"""A mapping folder's texts, read once: manifest, maps and ConceptMaps, with the problems of reading them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from gateway.mapping import conceptmap, logical
from gateway.mapping.conceptmap import ConceptTable
from gateway.mapping.logical import LogicalType
from gateway.mapping.parser import parse
from gateway.mapping.problems import CompileError, Problem, Problems
from gateway.mapping.syntax import Map


class Files:
    """One folder. Names are as people read them: `rivta-logistics/GetCareContacts3.fml`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = f"{folder.name}/map.yaml"

    def edited(self, texts: Mapping[str, str]) -> Files:
        """The folder as it would be with other texts for some of its files; nothing is written."""
        other = Files(self.folder)
        other.__dict__["texts"] = {**self.texts, **texts}
        return other

    @cached_property
    def texts(self) -> dict[str, str]:
        """Everything that decides what is made of a record, by name and in order."""
        kinds = ("map.yaml", "*.fml", "conceptmaps/*.json", "models/*.json")
        paths = [path for kind in kinds for path in self.folder.glob(kind)]
        return {
            f"{self.folder.name}/{path.relative_to(self.folder).as_posix()}": path.read_text(encoding="utf-8")
            for path in sorted(paths)
        }

    @cached_property
    def parsed(self) -> tuple[list[Map], list[ConceptTable], list[Problem]]:
        problems = Problems()
        maps: list[Map] = []
        tables: list[ConceptTable] = []
        for name, text in self.texts.items():
            if name.endswith(".fml"):
                maps.append(parse(text, name, problems, path=str(self.folder.parent / name)))
            elif "/conceptmaps/" in name:
                try:
                    tables.append(conceptmap.read(text, name))
                except CompileError as error:
                    problems.found.extend(error.problems)
        return maps, tables, problems.found

    @cached_property
    def models(self) -> tuple[dict[str, LogicalType], list[Problem]]:
        """Logical types by url, and the problems of reading them."""
        found: dict[str, LogicalType] = {}
        problems: list[Problem] = []
        for name, text in self.texts.items():
            if "/models/" in name:
                try:
                    found.update(logical.read(text, name))
                except CompileError as error:
                    problems += error.problems
        return found, problems


def content_hash(files: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for name, text in sorted(dict(files).items()):
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()
