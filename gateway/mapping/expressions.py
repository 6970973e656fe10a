"""FHIRPath inside FML: a map's variables may be named there without `%`, and double quotes make strings.

https://build.fhir.org/ig/HL7/mapping-language-ig/transforms.html#fn-evaluate
"""

from __future__ import annotations

import re
from collections.abc import Collection

from gateway import fhirpath
from gateway.definitions import Definitions
from gateway.fhirpath import FHIRPathError, Path
from gateway.fhirpath.syntax import Call, Member, TypeOperation, Variable, walk
from gateway.mapping.problems import Problems
from gateway.mapping.syntax import Expression, Span, Text

_STRING = re.compile(r"""'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|"((?:\\.|[^"\\])*)\"""")


def proper(text: str) -> str:
    """Double-quoted strings as FHIRPath writes them; every character keeps its place."""

    def single(found: re.Match[str]) -> str:
        inner = found.group(1)
        if inner is None or "'" in inner or '\\"' in inner:
            return found.group()
        return f"'{inner}'"

    return _STRING.sub(single, text) if '"' in text else text


def names_in(text: str, variables: Collection[str]) -> tuple[str, ...]:
    """Which of the variables an expression names, with `%` or, where a path begins, without."""
    used: dict[str, None] = {}
    for node in walk(fhirpath.parse(text)):
        match node:
            case Variable(name=name) | Member(target=None, name=name) if name in variables:
                used[name] = None
            case _:
                pass
    return tuple(used)


def compiled(
    expression: Expression, variables: Collection[str], definitions: Definitions, text: Text, problems: Problems
) -> tuple[Path | None, tuple[str, ...]]:
    """The path, and the variables to be given to it; None with a problem noted where it does not compile."""
    source = proper(expression.text)
    try:
        used = names_in(source, variables)
        path = fhirpath.compile(source, definitions=definitions, names=used)
        if any(isinstance(node, Call | TypeOperation) for node in walk(path.syntax)):
            path.prepare()
        return path, used
    except FHIRPathError as error:
        for problem in error.problems:
            start = expression.span.start + min(problem.offset, max(len(expression.text) - 1, 0))
            problems.add(text, Span(start, start + 1), problem.text, problem.hint)
        return None, ()
