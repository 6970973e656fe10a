"""Steps along a path and casts to a type: where types are known, straight into the JSON."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.codegen.forms import Forms
from gateway.fhirpath.codegen.writer import Form, Value
from gateway.fhirpath.syntax import Member

_ON_META = frozenset({"extension", "id"})


class Paths(Forms):
    """A writer that knows the elements of types."""

    def step(self, item: Value, name: str, body: Callable[[Value], None]) -> None:
        """From one item to its children of a name."""
        if item.form is Form.NODE:
            if name == "value":
                found = py.call("own_value", item.code)
            else:
                found = py.method(py.attribute(item.code, "kids"), "get", py.const(name), py.name("E"))
            self.loop(found, lambda kid: body(Value(kid, Form.NODE, known=True)))
            return
        if item.form is not Form.RAW:
            self.needs_boxes = self.needs_boxes or (self.lossy and name in _ON_META)
            found = py.call("step", item.code, py.const(name), py.name("M"))
            self.loop(found, lambda kid: body(Value(kid, Form.ANY, known=True)))
            return
        assert item.type is not None
        if self.model.is_primitive(item.type) and name in _ON_META:
            self.needs_boxes = True
            body(Value(item.code, Form.ANY, known=True))
            return
        field = self.model.fields(item.type).get(name)
        if field is None and not self.checked:
            return
        if field is None:
            self.problem(f"{item.type} has no element {name}.", self.model.similar_field(item.type, name))
        elif len(field.keys) > 1:
            found = py.call("of_field", item.code, self.constant(field))
            self.loop(found, lambda kid: body(Value(kid, Form.ANY, known=True)))
        else:
            self.key(item, *field.keys[0], field.many, body)

    def key(self, item: Value, key: str, type: str, many: bool, body: Callable[[Value], None]) -> None:
        """From a JSON object to the value or values under a key."""
        found = self.let(py.method(item.code, "get", py.const(key)))
        primitive = self.model.is_primitive(type)
        extended = [py.effect(py.call("extended"))]

        def pass_on(code: ast.Name) -> None:
            if self.model.is_abstract(type):
                body(Value(self.let(py.call("resource", code)), Form.ANY, known=True))
            else:
                body(Value(code, Form.RAW, type, known=True))

        def visit_one(code: ast.Name) -> None:
            if primitive:
                self.add(py.when(py.is_none(code), extended))
            pass_on(code)

        def visit_all() -> None:
            if many:
                self.loop(found, visit_one)
            else:
                pass_on(found)

        def look_beside() -> None:
            if primitive:
                self.add(py.when(py.within(py.const("_" + key), item.code), extended))

        self.when(py.is_some(found), visit_all, look_beside)

    def named_type(self, name: str) -> str | None:
        found = self.model.resolve(name)
        if found is None:
            self.problem(f"There is no type {name}.", self.model.similar_type(name))
        return found

    def chosen(
        self,
        item: Value,
        member: Member,
        type: str,
        body: Callable[[Value], None],
        otherwise: Callable[[Value], None],
    ) -> None:
        if item.nothing:
            # The member itself was visited already: it is no element of a typed object.
            otherwise(replace(item, nothing=False))
            return
        field = None
        if item.form is Form.RAW and item.type is not None:
            field = self.model.fields(item.type).get(member.name)
        if field is None or len(field.keys) == 1:
            self.step(item, member.name, otherwise)
            return
        keys = [(key, kind) for key, kind in field.keys if kind == type]
        if keys:
            self.key(item, *keys[0], field.many, body)
        elif any(self.model.is_a(kind, type) for _, kind in field.keys):
            self.step(item, member.name, otherwise)
        elif self.strict:
            self.problem(f"{member.name} is never a {type}.", "It can be " + ", ".join(k for _, k in field.keys) + ".")

    def only(self, item: Value, type: str, body: Callable[[Value], None]) -> None:
        """Go on with the item if it is of the type."""
        if item.form is Form.RAW and item.type is not None:
            exact = self.model.is_primitive(item.type)
            if item.type == type if exact else self.model.is_a(item.type, type):
                body(item)
            return
        if item.form is Form.SYS and item.type is not None:
            if type == f"System.{item.type}":
                body(item)
            return
        arguments = (item.code, py.const(type), py.name("M"))
        definition = self.model.types.get(type)
        tells = definition is not None and definition.kind in ("resource", "complex") and not definition.abstract
        if item.form is Form.ANY and not self.boxed and tells:
            # From here on the type is known again.
            self.when(
                py.call("holds", *arguments),
                lambda: body(Value(self.let(py.attribute(item.code, "value")), Form.RAW, type, known=True)),
            )
        else:
            self.when(py.call("of_type", *arguments), lambda: body(item))
