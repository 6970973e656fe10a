"""What transforms give: arguments, FHIRPath, ConceptMaps and the table of transforms, resolved and typed.

https://build.fhir.org/ig/HL7/mapping-language-ig/transforms.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.definitions import Definitions
from gateway.fhirpath import syntax as fhirpath
from gateway.fhirpath.environment import well_known
from gateway.mapping import ir, primitives, syntax, times
from gateway.mapping.conceptmap import OUTPUTS, ConceptTable
from gateway.mapping.expressions import compiled
from gateway.mapping.facts import ABOUT
from gateway.mapping.library import Library
from gateway.mapping.model import Model
from gateway.mapping.problems import Problems, did_you_mean, meant_or_known
from gateway.mapping.scope import Place, Scope
from gateway.mapping.syntax import Expression, Literal, Name, Span
from gateway.mapping.transforms import NAMES, TRANSFORMS

ENVIRONMENT = tuple(ABOUT)
"""FHIRPath variables that every expression has: `%source.hsaId`, `%record.kind`."""
_OF_FHIRPATH = ("resource", "rootResource", "context")
_LITERAL_TYPES = {bool: "boolean", int: "integer", str: "string"}
Typed = tuple[ir.Value | None, str | None]
"""A value and its type, where that is known; no value where a problem was noted."""


class Values:
    """Resolves what stands to the right of `=`, and in expressions."""

    def __init__(self, library: Library, definitions: Definitions, problems: Problems) -> None:
        self.library = library
        self.definitions = definitions
        self.model = Model(definitions, library.models)
        self.problems = problems
        self.tables: dict[str, ConceptTable] = {}

    def unknown(self, place: Place, name: str, span: Span, scope: Scope) -> None:
        known = [*scope, *(constant.name for constant in place.map.constants)]
        hint = did_you_mean(name, known) or f"known here: {', '.join(known)}"
        self.problems.add(place.map.text, span, f"there is no variable '{name}'", hint)

    def read(self, place: Place, expression: Expression, scope: Scope) -> ir.Read:
        constants = {constant.name: constant for constant in place.map.constants if constant.name not in scope}
        inlined = self._inline(expression, constants)
        path, used = compiled(inlined, [*scope, *ENVIRONMENT], self.definitions, place.map.text, self.problems)
        if path is not None:
            self._check_variables(place, inlined, path.syntax, scope)
        if path is not None and self.model.logical:
            self._check_elements(place, inlined, path.syntax, scope)
        variables = tuple((name, scope[name].code) for name in used if name in scope)
        return ir.Read(path, inlined.text, variables, expression.span)

    def _check_variables(self, place: Place, expression: Expression, tree: fhirpath.Syntax, scope: Scope) -> None:
        """Note variables, `%name`, that nobody gives."""
        nodes = list(fhirpath.walk(tree))
        known = {*scope, *ENVIRONMENT, *_OF_FHIRPATH}
        for node in nodes:
            match node:
                case fhirpath.Call(name="defineVariable", args=(fhirpath.Literal(value=str(name)), *_)):
                    known.add(name)
        for node in nodes:
            if isinstance(node, fhirpath.Variable) and node.name not in known and well_known(node.name) is None:
                start = expression.span.start + min(node.at, max(len(expression.text) - 1, 0))
                hint = did_you_mean(node.name, known) or f"known here: {', '.join(scope)}"
                text = f"there is no variable '%{node.name}'"
                self.problems.add(place.map.text, Span(start, start + len(node.name) + 1), text, hint)
            match node:
                case fhirpath.Member(
                    target=fhirpath.Variable(name=owner) | fhirpath.Member(target=None, name=owner), name=name, at=at
                ) if owner in ABOUT and owner not in scope and name not in ABOUT[owner]:
                    start = expression.span.start + min(at, max(len(expression.text) - 1, 0))
                    text, hint = f"%{owner} has no '{name}'", meant_or_known(name, ABOUT[owner])
                    self.problems.add(place.map.text, Span(start, start + len(name)), text, hint)

    def _check_elements(self, place: Place, expression: Expression, tree: fhirpath.Syntax, scope: Scope) -> None:
        """Note elements that a source's model does not have, where a path begins at a variable."""
        for node in fhirpath.walk(tree):
            match node:
                case fhirpath.Member(target=target, name=name, at=at) if target is not None:
                    owner = self._type_of(target, scope)
                    if owner is not None and self.model.source(owner, name) is None:
                        start = expression.span.start + min(at, max(len(expression.text) - 1, 0))
                        hint = meant_or_known(name, self.model.element_names(owner))
                        text = f"{self.model.shown(owner)} has no element '{name}'"
                        self.problems.add(place.map.text, Span(start, start + len(name)), text, hint)
                case _:
                    pass

    def _type_of(self, node: fhirpath.Syntax, scope: Scope) -> str | None:
        """The logical type that a path from a variable comes to; None where it is not known."""
        found: str | None = None
        match node:
            case fhirpath.Variable(name=name) | fhirpath.Member(target=None, name=name) if name in scope:
                found = scope[name].type
            case fhirpath.Member(target=target, name=name) if target is not None:
                owner = self._type_of(target, scope)
                step = self.model.source(owner, name) if owner is not None else None
                found = step.type if step else None
            case fhirpath.Call(target=target, name="first" | "last" | "where" | "single" | "skip" | "take" | "tail"):
                found = self._type_of(target, scope) if target is not None else None
            case _:
                pass
        return found if found in self.model.logical else None

    def _inline(self, expression: Expression, constants: Mapping[str, syntax.Constant]) -> Expression:
        """A `let` constant stands for its expression; constants may use others, not themselves."""
        text = expression.text
        for _ in constants:
            replaced = text
            for name, constant in constants.items():
                replaced = re.sub(rf"(?<![\w.'`])%?{re.escape(name)}(?![\w'`(])", f"({constant.value.text})", replaced)
            if replaced == text:
                break
            text = replaced
        return expression if text == expression.text else replace(expression, text=text)

    def argument(self, place: Place, argument: syntax.Argument, scope: Scope, focus: str) -> ir.Value:
        if isinstance(argument, Literal):
            return ir.Constant(argument.value)
        if isinstance(argument, Expression):
            return self.read(place, argument, scope)
        variable = scope.get(argument.text)
        if variable is not None:
            return ir.Variable(variable.code)
        constant = place.constant(argument.text)
        if constant is not None:
            return self.read(place, Expression(argument.text, argument.span), {})
        self.unknown(place, argument.text, argument.span, scope)
        return ir.Constant(None)

    def argument_type(self, argument: syntax.Argument | None, scope: Scope) -> str | None:
        if isinstance(argument, Name):
            variable = scope.get(argument.text)
            return variable.type if variable else None
        return _LITERAL_TYPES.get(type(argument.value), "decimal") if isinstance(argument, Literal) else None

    def value(
        self,
        place: Place,
        transform: syntax.Argument | syntax.Call | None,
        scope: Scope,
        last: ir.Source,
        element: ir.Element | None,
    ) -> Typed:
        """What a transform gives, and its type where that is known."""
        if transform is None:
            return ir.Make(None), None
        if not isinstance(transform, syntax.Call):
            return self.argument(place, transform, scope, last.variable), self.argument_type(transform, scope)
        special = _SPECIAL.get(transform.name)
        if special is not None:
            return special(self, place, transform, scope, last, element)
        definition = TRANSFORMS.get(transform.name)
        if definition is None:
            hint = did_you_mean(transform.name, NAMES) or f"known: {', '.join(NAMES)}"
            self.problems.add(place.map.text, transform.span, f"there is no transform '{transform.name}'", hint)
            return None, None
        if not self._counted(place, transform, definition.least, definition.most):
            return None, None
        arguments = tuple(self.argument(place, a, scope, last.variable) for a in transform.arguments)
        self._check_format(place, transform)
        return ir.Transform(transform.name, arguments), definition.type

    def _counted(self, place: Place, call: syntax.Call, least: int, most: int | None) -> bool:
        count = len(call.arguments)
        if count >= least and (most is None or count <= most):
            return True
        wanted = f"{least}" if most == least else f"{least} to {most}" if most else f"{least} or more"
        self.problems.add(place.map.text, call.span, f"{call.name} takes {wanted} arguments, not {count}")
        return False

    def _check_format(self, place: Place, call: syntax.Call) -> None:
        if call.name in ("toDate", "toDateTime", "toTime") and len(call.arguments) == 2:
            pattern = call.arguments[1]
            if isinstance(pattern, Literal):
                try:
                    times.regex(str(pattern.value))
                except times.Unfit as error:
                    self.problems.add(place.map.text, pattern.span, str(error), times.HOW)

    def _create(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        if not self._counted(place, call, 0 if element else 1, 1):
            return None, None
        if not call.arguments:
            return ir.Make(None), None
        argument = call.arguments[0]
        if not isinstance(argument, Literal):
            self.problems.add(place.map.text, argument.span, "create takes a type in quotes", "create('Patient')")
            return None, None
        name = str(argument.value)
        declared = next((uses for uses in place.map.uses if uses.alias == name), None)
        type_name = self.model.of_canonical(declared.url if declared else name)
        if type_name is None and not declared:
            hint = did_you_mean(name, self.model.names())
            self.problems.add(place.map.text, argument.span, f"there is no type '{name}'", hint)
            return None, None
        return ir.Make(type_name, self.model.is_resource(type_name)), type_name

    def _copy(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        if not self._counted(place, call, 1, 1):
            return None, None
        (argument,) = call.arguments
        return self.argument(place, argument, scope, last.variable), self.argument_type(argument, scope)

    def _cast(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        if not self._counted(place, call, 1, 2):
            return None, None
        type_name = element.type if element else None
        if len(call.arguments) == 2:
            wanted = call.arguments[1]
            type_name = str(wanted.value) if isinstance(wanted, Literal) else ""
            if type_name not in primitives.CONVERT:
                hint = did_you_mean(type_name, primitives.CONVERT)
                self.problems.add(place.map.text, wanted.span, f"there is no primitive type '{type_name}'", hint)
                return None, None
        if type_name not in primitives.CONVERT:
            self.problems.add(place.map.text, call.span, "cast has to say to which primitive type", "cast(v, 'string')")
            return None, None
        value = self.argument(place, call.arguments[0], scope, last.variable)
        return ir.Transform("cast", (value, ir.Constant(type_name))), type_name

    def _translate(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        if not self._counted(place, call, 2, 3):
            return None, None
        value, url, *rest = call.arguments
        output = rest[0].value if rest and isinstance(rest[0], Literal) else "code"
        if output not in OUTPUTS:
            hint = f"one of {', '.join(OUTPUTS)}"
            self.problems.add(place.map.text, rest[0].span, f"translate cannot give '{output}'", hint)
            return None, None
        table = self.library.table(place.map.url, str(url.value)) if isinstance(url, Literal) else None
        if table is None:
            shown = str(url.value) if isinstance(url, Literal) else ""
            hint = _meant_table(shown, self.library.table_names(place.map.url))
            self.problems.add(place.map.text, url.span, f"there is no ConceptMap '{shown}'", hint)
            return None, None
        self.tables[table.url] = table
        made = {"code": "code", "system": "uri", "display": "string"}.get(str(output), str(output))
        return ir.Translate(self.argument(place, value, scope, last.variable), table, str(output)), made

    def _evaluate(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        if not self._counted(place, call, 1, 2):
            return None, None
        expression = call.arguments[-1]
        if isinstance(expression, Literal) and isinstance(expression.value, str):
            expression = Expression(expression.value, expression.span)
        elif isinstance(expression, Literal | Name):
            source = place.map.text.content[expression.span.start : expression.span.end]
            expression = Expression(source, expression.span)
        read = self.read(place, expression, scope)
        if len(call.arguments) == 1:
            return read, None
        focus = self.argument(place, call.arguments[0], scope, last.variable)
        return ir.Transform("evaluate", (focus, read)), None

    def _uuid(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        return (ir.Transform("uuid", ()), "id") if self._counted(place, call, 0, 0) else (None, None)

    def _reference(
        self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source, element: ir.Element | None
    ) -> Typed:
        if not self._counted(place, call, 1, 1):
            return None, None
        value = self.argument(place, call.arguments[0], scope, last.variable)
        return ir.Transform("reference", (value,)), "string"


def _meant_table(shown: str, known: list[str]) -> str:
    """Which of the ConceptMaps is meant: the url is long, and what is remembered of it is its end."""
    end = shown.lstrip("#").lower()
    same = [name for name in known if end and name.lower().rpartition("/")[2].lstrip("#") == end]
    listed = "put it into the package's conceptmaps/, and name it by its url, or by its id behind #"
    if same:
        return f"did you mean {' or '.join(map(repr, same))}?"
    return did_you_mean(shown, known) or meant_or_known(shown, known) or listed


_Special = Callable[[Values, Place, syntax.Call, Scope, ir.Source, ir.Element | None], Typed]
_SPECIAL: Mapping[str, _Special] = {
    "create": Values._create,
    "copy": Values._copy,
    "cast": Values._cast,
    "translate": Values._translate,
    "evaluate": Values._evaluate,
    "uuid": Values._uuid,
    "reference": Values._reference,
    "pointer": Values._reference,
}
"""The transforms that need more than values: `transforms.NEED_MORE`."""
