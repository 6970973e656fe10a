"""The tests of single elements: one value or a list, a primitive or an object, and what is bound to it.

https://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from gateway.definitions import ElementDef
from gateway.fhir import narrative, reference
from gateway.fhir.primitives import FORMS
from gateway.fhir.primitives import Test as Form
from gateway.fhir.shapes import Member

if TYPE_CHECKING:
    from gateway.fhir.plans import Plans

Object = dict[str, Any]
Fault = tuple[str, str, str]
"""Path from the object at hand, rule, text."""
Faults = list[Fault] | None


class Scope:
    """What lies around the values of one resource: this server's base, and the contained resources' types by id."""

    __slots__ = ("base", "contained")

    def __init__(self, base: str | None, contained: Mapping[str, Any]) -> None:
        self.base = base
        self.contained = contained


Test = Callable[[Any, Object, Scope], Faults]
"""Of an item, given the object that holds it."""
Inner = Callable[[Object, Scope], Faults]
"""Of an object's own members."""
Malformed = Callable[[Any], tuple[str, str]]
"""The rule and the text for a value that is not of the form."""

MIME: Final = re.compile(r"[^\s/;]+(?:/[^\s;]+)?(?:\s*;.*)?")
LANGUAGE: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+|i-[a-z]+|en-GB-oed|sgn-(?:BE-FR|BE-NL|CH-DE)",
    re.IGNORECASE | re.ASCII,
)
"""A language tag, as far as its form goes: https://www.rfc-editor.org/rfc/rfc5646#section-2.1"""
GRAMMARS: Final[Mapping[str, Callable[[str], object]]] = {
    "http://hl7.org/fhir/ValueSet/mimetypes": MIME.fullmatch,
    "http://www.rfc-editor.org/bcp/bcp13.txt": MIME.fullmatch,
    "http://hl7.org/fhir/ValueSet/all-languages": LANGUAGE.fullmatch,
    "urn:ietf:bcp:13": MIME.fullmatch,
    "urn:ietf:bcp:47": LANGUAGE.fullmatch,
}
"""Value sets and code systems whose codes are a grammar rather than a list."""


def test(element: ElementDef, plans: Plans, owner: str) -> Test:
    """The test of an element of the type `owner`."""
    kind = plans.d.types[element.type].kind
    if kind == "primitive":
        form, malformed = _form(element, plans)
        return _values(element, form, malformed) if element.is_list else _value(element, form, malformed)
    inner = _resource(element, plans) if kind == "resource" else _object(element, plans, owner)
    return _objects(element, inner) if element.is_list else _single_object(element, inner)


def member(element: ElementDef, plans: Plans, owner: str) -> Member | None:
    """The same for the short way; None for resources, of which only the whole check can tell."""
    kind = plans.d.types[element.type].kind
    if kind == "resource":
        return None
    if kind != "primitive":
        shapes = plans[element.type].shapes
        return Member(element.is_list, element.max, type=shapes, asked=_asked(element, plans, owner))
    form, _ = _form(element, plans)
    quick = element.type if form is FORMS.get(element.type, (None,))[0] else ""
    return Member(element.is_list, element.max, form=form, quick=quick)


def _path(element: ElementDef) -> str:
    """As FHIRPath names it: a choice with the type that was chosen."""
    return f".{element.name}" if element.choice_of is None else f".{element.choice_of}.ofType({element.type})"


def _under(path: str, faults: list[Fault]) -> list[Fault]:
    return [(path + rest, rule, text) for rest, rule, text in faults]


# --- shape ---------------------------------------------------------------------------------------------------------

NULL: Final = ("empty-element", "JSON null means nothing in FHIR: leave the element out.")


def _not_a_list(item: Any) -> tuple[str, str]:
    if item is None:
        return NULL
    if type(item) is list:
        return "empty-element", "An empty list means nothing in FHIR: leave the element out."
    return "json-type", "This element repeats: write a JSON list, even for one value."


def _not_an_object(item: Any) -> tuple[str, str]:
    if item is None:
        return NULL
    if type(item) is dict:
        return "empty-element", "An empty object means nothing in FHIR: leave the element out."
    if type(item) is list:
        return "json-type", "This element does not repeat: write one JSON object, not a list."
    return "json-type", "A JSON object is needed here."


def _too_many(element: ElementDef, items: list[Any]) -> Faults:
    if element.max is not None and len(items) > element.max:
        return [(_path(element), "too-many-values", f"At most {element.max} of this element can be given.")]
    return None


# --- primitives ----------------------------------------------------------------------------------------------------


def _form(element: ElementDef, plans: Plans) -> tuple[Form, Malformed]:
    """Whether a JSON value is one of this element's."""
    if element.type == "xhtml":
        return lambda item: narrative.fault(item) is None, lambda item: ("txt-1", narrative.fault(item) or "")
    form, shown = FORMS[element.type]
    named = f"{'an' if element.type[0] in 'aeio' else 'a'} {element.type}"

    def malformed(item: Any) -> tuple[str, str]:
        if item is None:
            return NULL
        if isinstance(item, dict | list):
            return "json-type", f"One JSON value is needed here, {named}: {shown}."
        return "primitive-format", f"This is not {named}: {shown}."

    if element.type != "code" or element.binding is None:
        return form, malformed
    # A limit holds however weak the binding is.
    url = element.limit or element.binding[1]
    if element.limit is None and element.binding[0] != "required":
        return form, malformed
    if (matches := GRAMMARS.get(url)) is not None:
        return _bound(lambda item: matches(item) is not None and form(item), form, malformed, f"Use a code of {url}.")
    pairs = plans.d.codes(url)
    if pairs is None:
        return form, malformed
    codes = frozenset(code for _, code in pairs)
    return _bound(codes.__contains__, form, malformed, f"Use {_listed(codes)} ({url}).")


def _bound(holds: Callable[[str], bool], form: Form, malformed: Malformed, text: str) -> tuple[Form, Malformed]:
    return (
        lambda item: type(item) is str and holds(item),
        lambda item: ("required-binding", text) if form(item) else malformed(item),
    )


def _listed(codes: Iterable[str]) -> str:
    names = sorted(codes)
    return f"one of {', '.join(names)}" if len(names) <= 20 else "a code of its value set"


def _value(element: ElementDef, form: Form, malformed: Malformed) -> Test:
    path = _path(element)

    def value(item: Any, holder: Object, scope: Scope) -> Faults:
        return None if form(item) else [(path, *malformed(item))]

    return value


def _values(element: ElementDef, form: Form, malformed: Malformed) -> Test:
    path = _path(element)
    beside = "_" + element.name

    def values(item: Any, holder: Object, scope: Scope) -> Faults:
        if type(item) is not list or not item:
            return [(path, *_not_a_list(item))]
        if all(map(form, item)):
            return _too_many(element, item)
        extensions = holder.get(beside)
        return [
            (f"{path}[{place}]", *malformed(one))
            for place, one in enumerate(item)
            if not form(one) and not (one is None and _extended(extensions, place))
        ] or None

    return values


def _extended(extensions: Any, place: int) -> bool:
    """Whether a null in a list of primitives stands for a value that has an extension instead."""
    return type(extensions) is list and place < len(extensions) and type(extensions[place]) is dict


def companion(element: ElementDef, plans: Plans) -> Test:
    """The test of `_name`: the id and the extensions of a primitive; a list, with nulls between, where it repeats."""
    path = _path(element)
    plan = plans["Element"]
    name = element.name

    def beside(item: Any, has_value: bool, scope: Scope) -> list[Fault]:
        if type(item) is not dict or not item:
            return [("", *_not_an_object(item))]
        if "extension" not in item and not has_value:
            return [("", "ele-1", "An element has a value or extensions, not an id alone (ele-1).")]
        return plan.faults(item, scope) or []

    def single(item: Any, holder: Object, scope: Scope) -> Faults:
        return _under(path, beside(item, name in holder, scope)) or None

    def several(item: Any, holder: Object, scope: Scope) -> Faults:
        if type(item) is not list or not item:
            return [(path, *_not_a_list(item))]
        values: Any = holder.get(name)
        count = len(values) if type(values) is list else 0
        found: list[Fault] = []
        for place, one in enumerate(item):
            if one is None and place < count:
                continue
            has_value = place < count and values[place] is not None
            found += _under(f"{path}[{place}]", beside(one, has_value, scope))
        return found or None

    return several if element.is_list else single


# --- objects -------------------------------------------------------------------------------------------------------


def _single_object(element: ElementDef, inner: Inner) -> Test:
    path = _path(element)

    def single(item: Any, holder: Object, scope: Scope) -> Faults:
        if type(item) is not dict or not item:
            return [(path, *_not_an_object(item))]
        faults = inner(item, scope)
        return None if faults is None else _under(path, faults)

    return single


def _objects(element: ElementDef, inner: Inner) -> Test:
    path = _path(element)

    def objects(item: Any, holder: Object, scope: Scope) -> Faults:
        if type(item) is not list or not item:
            return [(path, *_not_a_list(item))]
        found: list[Fault] = []
        for place, one in enumerate(item):
            faults = inner(one, scope) if type(one) is dict and one else [("", *_not_an_object(one))]
            if faults is not None:
                found += _under(f"{path}[{place}]", faults)
        return found or _too_many(element, item)

    return objects


def _object(element: ElementDef, plans: Plans, owner: str) -> Inner:
    """What holds for each object of an element: ele-1, its type, and what the element itself asks for."""
    plan = plans[element.type]
    asked = _asked(element, plans, owner)

    def plain(item: Object, scope: Scope) -> Faults:
        if len(item) == 1 and "id" in item:
            return [("", "ele-1", "An element has content beside its id (ele-1).")]
        return plan.faults(item, scope)

    def asking(item: Object, scope: Scope) -> Faults:
        found = plain(item, scope)
        for more in asked:
            faults = more(item, scope)
            if faults is not None:
                found = [*(found or ()), *faults]
        return found

    return asking if asked else plain


def _asked(element: ElementDef, plans: Plans, owner: str) -> list[Inner]:
    """What an element asks of each of its objects besides their type."""
    every = (_targets(element, plans), _coded(element, plans), _absolute(element, owner))
    return [more for more in every if more is not None]


def _resource(element: ElementDef, plans: Plans) -> Inner:
    """A resource within another. A contained one shares the scope of its container; any other stands for itself."""

    def separate(item: Object, scope: Scope) -> Faults:
        return plans.whole(item, scope.base)

    def contained(item: Object, scope: Scope) -> Faults:
        found = list(plans.resource(item, scope) or ())
        if "contained" in item:
            found.append((".contained", "dom-2", "A contained resource contains no other: move it outwards (dom-2)."))
        return found or None

    return contained if element.name == "contained" else separate


def _absolute(element: ElementDef, owner: str) -> Inner | None:
    """An extension's url is absolute, except for those within an extension, which may be told apart by a word."""
    if element.type != "Extension" or owner == "Extension":
        return None

    def absolute(item: Object, scope: Scope) -> Faults:
        url = item.get("url")
        if type(url) is str and ":" not in url:
            return [(".url", "extension-url", "An extension is named by the absolute url of its definition.")]
        return None

    return absolute


def _coded(element: ElementDef, plans: Plans) -> Inner | None:
    """A required binding of a Coding or a CodeableConcept: at least one coding is of the value set."""
    if element.binding is None or element.binding[0] != "required":
        return None
    url = element.binding[1]
    pairs = plans.d.codes(url)
    if pairs is None or element.type not in ("Coding", "CodeableConcept"):
        return None
    text = f"Use {_listed(code for _, code in pairs)}, with its system ({url})."

    def within(coding: Any) -> bool:
        if type(coding) is not dict:
            return False
        system, code = coding.get("system"), coding.get("code")
        return type(system) is str and type(code) is str and (system, code) in pairs

    def coding(item: Object, scope: Scope) -> Faults:
        return None if within(item) or "extension" in item else [("", "required-binding", text)]

    def concept(item: Object, scope: Scope) -> Faults:
        codings = item.get("coding")
        if type(codings) is list and any(map(within, codings)):
            return None
        # An extension alone may say why there is no code.
        return None if item.keys() == {"extension"} else [("", "required-binding", text)]

    return coding if element.type == "Coding" else concept


def _targets(element: ElementDef, plans: Plans) -> Inner | None:
    """A reference points to one of the types that the element allows, to a contained resource that exists, and says so
    consistently."""
    if element.type != "Reference":
        return None
    known = plans.resource_types
    allowed = known if not element.targets or "Resource" in element.targets else frozenset(element.targets)
    text = f"This element refers to {_listed(allowed)}." if allowed is not known else "R4 has no resource of this type."

    def wrong(named: str) -> Faults:
        return None if named in allowed else [(".reference", "reference-target", text)]

    def literal(written: str, scope: Scope) -> tuple[str | None, Faults]:
        """The type that a literal reference names, and what is wrong with it."""
        if written.startswith("#") and written != "#":
            if written[1:] not in scope.contained:
                return None, [(".reference", "ref-1", "No contained resource has this id (ref-1).")]
            named = scope.contained[written[1:]]
            return (named, wrong(named)) if named in known else (None, None)
        target = reference.parse(written, scope.base)
        if target.type is None or (target.kind == "absolute" and target.type not in known):
            return None, None
        return target.type, wrong(target.type)

    def targets(item: Object, scope: Scope) -> Faults:
        written, stated = item.get("reference"), item.get("type")
        named: str | None = None
        found: Faults = None
        if type(written) is str:
            named = written.partition("/")[0]
            if named not in allowed:
                named, found = literal(written, scope)
        if type(stated) is str and stated in known and (stated not in allowed or (named or stated) != stated):
            fault = (".type", "reference-target", "The type does not go with the reference, or with this element.")
            found = [*(found or ()), fault]
        return found

    return targets
