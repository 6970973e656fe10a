"""A map, compiled: from texts to something that maps records, in a plain and a traced variant made when first needed.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html#executing-maps
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from threading import Lock
from traceback import extract_tb
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

from gateway.definitions import Definitions
from gateway.formats import Node
from gateway.issues import Severity
from gateway.mapping import build, ir, runtime, surroundings
from gateway.mapping.emit import Code, emit
from gateway.mapping.library import Library
from gateway.mapping.problems import Problems
from gateway.mapping.resolve import resolve
from gateway.mapping.runtime import Held, Run
from gateway.mapping.syntax import Span

UTC_ZONE = ZoneInfo("UTC")


class CompiledMap:
    """An entry group and all it reaches. Holds no state of a run: any number of threads may use it at once."""

    def __init__(self, program: ir.Program, definitions: Definitions) -> None:
        self.program = program
        self.definitions = definitions
        self._variants: dict[bool, Code] = {}
        self._lock = Lock()

    def variant(self, *, traced: bool) -> Code:
        """The code, made when it is first needed: tracing costs nothing where nobody asks for it."""
        code = self._variants.get(traced)
        if code is None:
            with self._lock:
                code = self._variants.get(traced)
                if code is None:
                    code = self._variants[traced] = emit(self.program, traced=traced)
        return code

    def traced_by(self, code: Code) -> CompiledMap:
        """The same map with other code for its traced variant: code that notes more."""
        other = CompiledMap(self.program, self.definitions)
        other._variants[True] = code
        return other

    def target(self) -> dict[str, Any]:
        """An empty instance of what the entry group fills."""
        type_name = self.program.types[-1] if self.program.types else None
        known = self.definitions.types.get(type_name or "")
        return {"resourceType": type_name} if known is not None and known.kind == "resource" else {}

    def run(
        self,
        source: Node,
        *,
        variables: Mapping[str, Any] | None = None,
        zone: tzinfo = UTC_ZONE,
        seed: str = "",
        traced: bool = False,
        field: Severity = "warning",
        steps: int = runtime.STEPS,
        now: datetime | None = None,
    ) -> tuple[dict[str, Any], Run]:
        """The target, and the run with what it found. Nothing a record holds makes this raise.

        `now` is what the clock says to the map's expressions: there is no other.
        """
        known = dict(variables or {})
        run = Run(
            self.program,
            self.definitions,
            zone=zone,
            variables=known,
            surroundings=lambda untold: surroundings.of(
                source, known, self.definitions, None if now is None else now.astimezone(zone), untold
            ),
            seed=seed,
            field=field,
            steps=steps,
        )
        target = self.target()
        arguments = [source if mode == "source" else target for mode in self.program.modes]
        try:
            function, run.copiers = self.variant(traced=traced)
            function(run, 0, *arguments)
        except Held:
            pass
        except (StopIteration, RecursionError):
            text = f"The map does more than {steps} steps for this record, or groups nest deeper than {runtime.DEPTH}."
            run.report("error", "too-costly", "map-too-costly", f"{text} The record is held.", -1, source)
        except build.PlainOwner as error:
            text = f"A rule at {map_line(self.program, error.__traceback__)} puts something into a plain value."
            run.report("error", "structure", "plain-value-filled", f"{text} The record is held.", -1, source)
        except Exception as error:  # A fault of map or engine must hold this record only, and say where it is.
            where = map_line(self.program, error.__traceback__)
            text = f"The map failed at {where} ({type(error).__name__}). The record is held; mend the map and replay."
            run.report("error", "exception", "map-failed", text, -1, source)
        build.finish(run)
        return target, run


def map_line(program: ir.Program, traceback: TracebackType | None) -> str:
    """The innermost line of a map file in a traceback."""
    files = {routine.text.path: routine.text.file for routine in program.routines}
    frames = [frame for frame in extract_tb(traceback) if frame.filename in files]
    return f"{files[frames[-1].filename]}:{frames[-1].lineno}" if frames else "an unknown line"


def compile_map(library: Library, definitions: Definitions, map_url: str, group: str | None = None) -> CompiledMap:
    """The compiled map, or a CompileError with every problem."""
    problems = Problems()
    try:
        program = resolve(library, definitions, problems, map_url, group)
    except RecursionError:
        found = library.maps[map_url]
        problems.add(
            found.text, Span(0, 1), "an expression or a list of groups is too deep to be compiled", "divide it"
        )
    problems.stop()
    return CompiledMap(program, definitions)
