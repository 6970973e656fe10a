"""pytest runs the cases of mapping packages: `pytest mappings/`, in anybody's repository.

Each `map.yaml` that is collected is a package; each folder below its `cases/` is a test, and one more says that the
package compiles. The maps in common lie beside it, in `common/`. Registered as the entry point `pytest11`.

https://docs.pytest.org/en/stable/how-to/writing_plugins.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.mapping import Package

MANIFEST = "map.yaml"
SHOWN = 50


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A package, where there is one. Nothing of the gateway is loaded where there is none."""
    if file_path.name != MANIFEST or not any(file_path.parent.glob("*.fml")):
        return None
    return PackageFile.from_parent(parent, path=file_path)


class PackageFile(pytest.File):
    """A mapping package."""

    def collect(self) -> Iterator[pytest.Item]:
        from gateway.mapping import CompileError
        from gateway.mapping.cases import cases
        from gateway.mapping.compare import package_in

        try:
            package = package_in(self.path.parent)
        except CompileError as error:
            raise self.CollectError("\n".join(map(str, error.problems))) from None
        yield Compiles.from_parent(self, name="compiles", package=package)
        for case in cases(package):
            yield Holds.from_parent(self, name=case.folder.name, package=package)


class _Item(pytest.Item):
    def __init__(self, *, package: Package, **more: Any) -> None:
        super().__init__(**more)
        self.package = package

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.package.id}/{self.name}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What differs, without a traceback: the fault is in the map, not in Python."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class Failed(Exception):
    """The package is not as it should be; the message says how."""


class Compiles(_Item):
    def runtest(self) -> None:
        from gateway.mapping import CompileError

        try:
            self.package.check()
        except CompileError as error:
            raise Failed("\n".join(map(str, error.problems))) from None


class Holds(_Item):
    def runtest(self) -> None:
        from gateway.mapping import CompileError
        from gateway.mapping.cases import Case

        case = Case(self.package, self.package.folder / "cases" / self.name)
        try:
            found = case.check()
        except CompileError as error:
            raise Failed("\n".join(map(str, error.problems))) from None
        if found:
            more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            hint = f"samverka map test {self.package.id} --case {self.name} --update accepts this: read it first"
            raise Failed("\n".join([case.title, *found[:SHOWN], *more, hint]))
