"""Targets: the element that is written, its type and cardinality, and whether the value fits it.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html#target-transform
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from zoneinfo import ZoneInfo

from gateway.definitions import Definitions
from gateway.mapping import ir, primitives, syntax, times
from gateway.mapping.library import Library
from gateway.mapping.problems import Problems, did_you_mean, meant_or_known
from gateway.mapping.scope import Place, Scope, Variable
from gateway.mapping.transforms import NAMES
from gateway.mapping.values import Values

_ZONE = ZoneInfo("UTC")


class Targets(Values, ABC):
    """Resolves what stands between `->` and `then`."""

    def __init__(self, library: Library, definitions: Definitions, problems: Problems) -> None:
        super().__init__(library, definitions, problems)
        self.sites: list[ir.Site] = []
        self.writers: dict[tuple[str | None, str], set[tuple[int, str]]] = {}
        self.written_at: dict[int, tuple[str | None, str]] = {}

    @abstractmethod
    def invoke(self, place: Place, call: syntax.Call, scope: Scope, last: ir.Source) -> ir.Invoke | None:
        """A group that is invoked where a transform could stand."""

    def site(self, place: Place, path: str, codes: frozenset[str] | None = None) -> int:
        self.sites.append(ir.Site(place.rule, path, codes))
        return len(self.sites) - 1

    def target(
        self, place: Place, target: syntax.Target, scope: dict[str, Variable], last: ir.Source
    ) -> ir.Target | ir.Invoke | None:
        found = self._target(place, target, scope, last)
        if found is None and target.alias and target.alias not in scope:
            # What is wrong has been said once: the rules that use the name are looked at for what else is.
            scope[target.alias] = Variable(place.name(target.alias), "target", None)
        return found

    def _target(
        self, place: Place, target: syntax.Target, scope: dict[str, Variable], last: ir.Source
    ) -> ir.Target | ir.Invoke | None:
        transform = target.transform
        if target.context is None:
            if isinstance(transform, syntax.Call) and transform.name not in NAMES:
                return self.invoke(place, transform, scope, last)
            return self._variable_only(place, target, scope, last)
        context = scope.get(target.context)
        if context is None:
            self.unknown(place, target.context, target.span, scope)
            return None
        if not target.path and transform is not None and self.model.is_primitive(context.type):
            target = replace(target, path=("value",))
        if not target.path:
            return self._whole(place, target, scope, context, last)
        elements = self._elements(place, target, context)
        if elements is None:
            return None
        *_, element = elements
        shown = ".".join((context.type or context.code, *target.path))
        if context.shown:
            shown = context.shown if target.path == ("value",) else ".".join((context.shown, *target.path))
        value, type_name = self.value(place, transform, scope, last, element)
        if value is None:
            return None
        element, value = self._fitting(place, target, element, value, type_name, shown)
        owner = context.type if len(elements) == 1 else f"{context.type}.{'.'.join(target.path[:-1])}"
        site = self.site(place, shown, element.codes)
        if not element.many and not isinstance(value, ir.Make):
            self.written_at[site] = (owner, element.key)
            self.writers.setdefault((owner, element.key), set()).add((place.rule, shown))
        code = None
        if target.alias:
            code = place.name(target.alias)
            made = element.type
            if isinstance(value, ir.Make) and value.type:
                made = value.type
            elif element.type and self.model.is_abstract(element.type) and type_name:
                made = type_name
            scope[target.alias] = Variable(code, "target", made, shown if self.model.is_primitive(made) else "")
        return ir.Target(
            context.code, (*elements[:-1], element), value, site, target.span, code, target.mode, target.share
        )

    def _variable_only(
        self, place: Place, target: syntax.Target, scope: dict[str, Variable], last: ir.Source
    ) -> ir.Target | None:
        """`(expression) as x`, `create('Patient') as p`: nothing is written, a variable is made."""
        value, type_name = self.value(place, target.transform, scope, last, None)
        if value is None:
            return None
        if not target.alias:
            text = "what is made here is put nowhere"
            self.problems.add(place.map.text, target.span, text, "give it a name: ... as x")
            return None
        code = place.name(target.alias)
        scope[target.alias] = Variable(code, "target" if isinstance(value, ir.Make) else "source", type_name)
        return ir.Target(None, (), value, self.site(place, target.alias), target.span, code)

    def _whole(
        self,
        place: Place,
        target: syntax.Target,
        scope: dict[str, Variable],
        context: Variable,
        last: ir.Source,
    ) -> ir.Target | None:
        """`tgt as x`: another name for a variable. `tgt = v` would put a value in the place of a variable."""
        if target.transform is not None:
            text = f"'{target.context}' itself cannot be given a value"
            self.problems.add(place.map.text, target.span, text, f"name an element: {target.context}.element = ...")
            return None
        if target.alias:
            scope[target.alias] = context
        return None

    def _elements(self, place: Place, target: syntax.Target, context: Variable) -> list[ir.Element] | None:
        type_name = context.type
        elements: list[ir.Element] = []
        if context.mode == "source" and self.model.known(type_name):
            text = f"'{target.context}' is a source: rules write into targets"
            self.problems.add(place.map.text, target.span, text)
            return None
        for position, name in enumerate(target.path):
            element = self.model.target(type_name, name)
            if element is None:
                hint = meant_or_known(name, self.model.element_names(type_name or ""))
                text = f"{type_name} has no element '{name}'"
                if self.model.is_primitive(type_name):
                    shown = ".".join((context.type or context.code, *target.path[:position]))
                    text, hint = f"{shown} has no elements of its own", hint or "but value, id and extension"
                self.problems.add(place.map.text, target.span, text, hint)
                return None
            if position < len(target.path) - 1 and element.choices:
                self.problems.add(place.map.text, target.span, f"{type_name}.{name} has no elements of its own")
                return None
            elements.append(element)
            type_name = element.type
        return elements

    def _fitting(
        self,
        place: Place,
        target: syntax.Target,
        element: ir.Element,
        value: ir.Value,
        type_name: str | None,
        shown: str,
    ) -> tuple[ir.Element, ir.Value]:
        """The element as one type, and the value checked against it as far as both are known."""
        text, span = place.map.text, target.span
        if element.choices:
            fitting = self._choice(element.choices, type_name, value)
            if fitting is None and type_name is not None:
                self.problems.add(text, span, f"{shown} cannot be a {type_name}", f"it can be {_one_of(element)}")
            elif fitting is None and isinstance(value, ir.Make):
                hint = f"say which: create('{next(iter(element.choices))}'); it can be {_one_of(element)}"
                self.problems.add(text, span, f"{shown} can be of several types", hint)
            chosen = self.model.chosen(element, fitting) if fitting else None
            element = chosen or element
        elif isinstance(value, ir.Make):
            if element.primitive and target.alias is None:
                self.problems.add(text, span, f"{shown} is a {element.type} and needs a value", "write = value")
            elif value.type is None and self.model.is_abstract(element.type):
                self.problems.add(text, span, f"{shown} can be any {element.type}", "say which: create('Patient')")
            elif value.type and not self.model.fits(value.type, element.type):
                self.problems.add(text, span, f"{shown} is a {element.type}, not a {value.type}")
        elif element.type and type_name and self.model.known(type_name):
            complex_value = not self.model.is_primitive(type_name)
            if complex_value == element.primitive or (complex_value and not self.model.fits(type_name, element.type)):
                self.problems.add(text, span, f"{shown} is a {element.type}, not a {type_name}")
        if isinstance(value, ir.Constant):
            value = self._constant_for(place, target, element, value, shown)
        if isinstance(value, ir.Translate) and element.codes is not None:
            self._check_table(place, target, element, value, shown)
        return element, value

    def _choice(self, choices: dict[str, str], type_name: str | None, value: ir.Value) -> str | None:
        """Which of a choice's types a value of a known type is; None where only the value can tell."""
        if type_name is None or type_name in choices:
            return type_name
        if type_name == "string" and isinstance(value, ir.Constant | ir.Transform):
            return next((t for t in ("code", "uri") if t in choices), None)
        return next((t for t in choices if self.model.fits(type_name, t)), None)

    def _constant_for(
        self, place: Place, target: syntax.Target, element: ir.Element, value: ir.Constant, shown: str
    ) -> ir.Constant:
        span = target.transform.span if target.transform else target.span
        if value.value is None:  # A variable that is not there: told already.
            return value
        if element.codes is not None and value.value not in element.codes:
            hint = did_you_mean(str(value.value), element.codes) or f"one of {', '.join(sorted(element.codes)[:12])}"
            self.problems.add(place.map.text, span, f"{shown} cannot be {value.value!r}", hint)
        convert = primitives.CONVERT.get(element.type or "")
        if convert is None:
            return value
        try:
            return ir.Constant(convert(value.value, _ZONE, lambda: None))
        except times.Unfit as error:
            self.problems.add(place.map.text, span, f"{shown}: {error}")
            return value

    def _check_table(
        self, place: Place, target: syntax.Target, element: ir.Element, value: ir.Translate, shown: str
    ) -> None:
        allowed = element.codes or frozenset()
        for _, code in value.table.target_codes():
            if value.output == "code" and code not in allowed:
                hint = did_you_mean(code, allowed)
                text = f"{value.table.url} gives '{code}', which {shown} cannot be"
                self.problems.add(place.map.text, target.span, text, hint)


def _one_of(element: ir.Element) -> str:
    return ", ".join(element.choices or ())
