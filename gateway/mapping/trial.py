"""Whether a version of a package may be taken into use: everything compiles, and every case comes out as expected.

What is said of a case that does not hold is where it differs; the values are left to `samverka map test`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.definitions import Definitions
from gateway.mapping.cases import cases
from gateway.mapping.files import Files
from gateway.mapping.package import COMMON, Package
from gateway.mapping.problems import CompileError

MOST = 20
"""Problems of a package that are told."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A version of a package, and what keeps it from being taken into use."""

    id: str
    package: Package | None = None
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.package is not None and not self.problems


def trial(package: Package, *, needs_case: bool = True) -> list[str]:
    """What is wrong with it; empty where nothing is. Where no other version stays in use, it may be without a case."""
    try:
        package.check()
    except CompileError as error:
        return [str(problem).partition("\n")[0] for problem in error.problems][:MOST]
    problems: list[str] = []
    count = 0
    for case in cases(package):
        count += 1
        try:
            differing = case.check()
        except (CompileError, ValueError, OSError) as error:
            problems.append(f"case {case.name} cannot be run ({type(error).__name__})")
            continue
        if differing:
            where = differing[0].partition(":")[0]
            more = f" and {len(differing) - 1} more places" if len(differing) > 1 else ""
            problems.append(f"case {case.name} fails at {where}{more}")
    if needs_case and not count:
        problems.append(f"{package.id} has no case: nothing shows that it does what it should; add one")
    return problems[:MOST]


def tried(folder: Path, in_use: Mapping[str, Package], definitions: Definitions) -> Iterator[Tried]:
    """Every package of a mappings folder that is another than the version in use, tried."""
    common = Files(folder / COMMON)
    for path in sorted(folder.glob("*/map.yaml")):
        name = path.parent.name
        try:
            package = Package(Files(path.parent), common, definitions)
            hash = package.hash
        except CompileError as error:
            yield Tried(name, None, tuple(str(problem).partition("\n")[0] for problem in error.problems[:MOST]))
        except (OSError, UnicodeDecodeError) as error:
            yield Tried(name, None, (f"{name} cannot be read ({type(error).__name__})",))
        else:
            known = in_use.get(package.id)
            if known is None or known.hash != hash:
                yield Tried(package.id, package, tuple(trial(package)))
    for id in sorted(set(in_use) - {path.parent.name for path in folder.glob("*/map.yaml")}):
        yield Tried(id, None, (f"the folder of {id} is gone",))
