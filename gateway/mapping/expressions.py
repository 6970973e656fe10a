"""FHIRPath inside FML: a map's variables may be named there without `%`, and double quotes make strings.

https://build.fhir.org/ig/HL7/mapping-language-ig/transforms.html#fn-evaluate
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from gateway.definitions import Definitions
from gateway.fhirpath.errors import FHIRPathError
from gateway.mapping.lexer import tokens
from gateway.mapping.problems import Problems
from gateway.mapping.syntax import Expression, Span, Text


@dataclass(frozen=True, slots=True)
class Written:
    """The expression as FHIRPath proper: `used` are the variables it names, `shifts` where characters were put in."""

    text: str
    used: tuple[str, ...]
    shifts: tuple[int, ...]

    def original(self, offset: int) -> int:
        """The offset in the map's text for one in `text`."""
        return offset - sum(1 for shift in self.shifts if shift < offset)


def proper(text: str, variables: Collection[str]) -> Written:
    """`v.use = "x"` as `%v.use = 'x'`, for a variable v."""
    found, _ = tokens(Text(text, ""), Problems())
    built: list[str] = []
    used: dict[str, None] = {}
    shifts: list[int] = []
    length = at = 0
    for index, token in enumerate(found):
        before = found[index - 1].text if index else ""
        following = found[index + 1].text if index + 1 < len(found) else ""
        gap = text[at : token.start]
        shown = token.text
        name = token.value if token.kind == "delimited" else token.text
        if token.kind in ("name", "delimited") and name in variables and before != "." and following != "(":
            used[name] = None
            if before != "%":
                shifts.append(length + len(gap))
                shown = "%" + shown
        elif token.kind == "quoted":
            shown = "'" + token.text[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
        built += (gap, shown)
        length += len(gap) + len(shown)
        at = token.end
    return Written("".join(built), tuple(used), tuple(shifts))


def compiled(
    expression: Expression, variables: Collection[str], definitions: Definitions, text: Text, problems: Problems
) -> tuple[Any, tuple[str, ...]]:
    """The callable, and the variables to be given to it; None with a problem noted where it does not compile."""
    from gateway.fhirpath import compile as compile_path

    written = proper(expression.text, variables)
    try:
        return compile_path(written.text, definitions=definitions), written.used
    except FHIRPathError as error:
        for problem in error.problems:
            start = expression.span.start + min(written.original(problem.offset), len(expression.text) - 1)
            problems.add(text, Span(start, start + 1), problem.text, problem.hint)
        return None, written.used
