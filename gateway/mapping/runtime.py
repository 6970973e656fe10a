"""What generated code calls while a record is mapped: navigation, conditions, conversion, making and filling elements.

A `Run` is one mapping of one record. It knows the source's zone and no clock, and it stops a map that does too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from decimal import Decimal
from itertools import repeat
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.definitions import Definitions
from gateway.fhirpath.environment import Environment
from gateway.fhirpath.errors import FHIRPathError
from gateway.formats import Node
from gateway.issues import Severity
from gateway.mapping import primitives
from gateway.mapping.conceptmap import ConceptTable, Row
from gateway.mapping.ir import Program, RuleId
from gateway.mapping.times import Unfit
from gateway.mapping.transforms import Definition

DEPTH = 64
STEPS = 200_000
_EMPTY: tuple[Any, ...] = ()
Bound = Sequence[tuple[str, Any]]
Entry = tuple[int, Any, Any, str | None, Row | None, Any]
"""What a traced rule notes: its number, the source's node, the element written into, the key there, the row of the
ConceptMap, and what was put. A rule that writes nothing itself notes that it fired."""


class Held(Exception):
    """The record cannot be mapped; what was found is in the run."""


class Found:
    """An issue as the run notes it: the place is worked out at the end, when there is a body to look into."""

    __slots__ = ("at", "code", "rule", "severity", "site", "text")

    def __init__(self, severity: Severity, code: str, rule: str, text: str, site: int, at: Any) -> None:
        self.severity = severity
        self.code = code
        self.rule = rule
        self.text = text
        self.site = site
        self.at = at


class Run:
    """One mapping of one record: what it may know, what it found."""

    __slots__ = (
        "_site",
        "count",
        "definitions",
        "field",
        "found",
        "last",
        "logged",
        "made",
        "note",
        "program",
        "row",
        "seed",
        "shared",
        "tick",
        "trace",
        "variables",
        "zone",
    )

    def __init__(
        self,
        program: Program,
        definitions: Definitions,
        *,
        zone: tzinfo,
        variables: dict[str, Any],
        seed: str,
        field: Severity = "warning",
        steps: int = STEPS,
    ) -> None:
        self.program = program
        self.definitions = definitions
        self.zone = zone
        self.variables = variables
        self.seed = seed
        self.field: Severity = field
        self.found: list[Found] = []
        self.made: list[tuple[Any, str, Any, bool]] = []
        self.shared: dict[tuple[int, str, str], Any] = {}
        self.last: list[tuple[list[Any], Any]] = []
        self.logged: list[tuple[int, str]] = []
        self.trace: list[Entry] = []
        self.note = self.trace.append
        self.row: Row | None = None
        self.count = 0
        self.tick = repeat(None, steps).__next__
        self._site: tuple[int, Any] = (0, None)

    def rule_of(self, site: int) -> RuleId:
        return self.program.rules[self.program.sites[site].rule]

    def report(self, severity: Severity, code: str, rule: str, text: str, site: int, at: Any) -> None:
        self.found.append(Found(severity, code, rule, text, site, at))

    def unfit(self, site: int, at: Any, expected: str) -> None:
        path = self.program.sites[site].path
        text = f"The value does not fit {path}: {expected}. The field was left out; mend it in the source."
        self.report(self.field, "value", "value-not-valid", text, site, at)

    def refused(self, site: int, at: Any) -> None:
        """An operator met several values, or other than text."""
        path = self.program.sites[site].path
        text = f"An expression of the map could not be evaluated ({path}): one text is needed there."
        self.report(self.field, "processing", "expression-failed", text, site, at)

    def ambiguous(self) -> None:
        text = "This hour occurs twice, as clocks are set back; the first was taken. Send times with their offset."
        self.report("information", "value", "ambiguous-hour", text, *self._site)

    def at(self, site: int, node: Any) -> None:
        self._site = (site, node)


# Navigation


def kids(item: Any, name: str) -> Sequence[Any]:
    try:
        return item.kids.get(name, _EMPTY)  # type: ignore[no-any-return]
    except AttributeError:
        # A target that is read again, or a value that an expression gave.
        found = item.get(name) if item.__class__ is dict else None
        return _EMPTY if found is None else found if found.__class__ is list else (found,)


def any_kids(item: Any, names: tuple[str, ...]) -> Sequence[Any]:
    """A choice element under whichever of its names it has."""
    for name in names:
        found = kids(item, name)
        if found:
            return found
    return _EMPTY


def of_type(items: Iterable[Any], name: str) -> list[Any]:
    """Those whose type, in the source's own words, is this one."""
    found = []
    for item in items:
        kind = getattr(item, "type", None) or (item.get("resourceType") if item.__class__ is dict else None)
        if kind is None:
            own = kids(item, "resourceType")
            kind = leaf(own[0]) if own else None
        if kind is not None and str(kind).rpartition("}")[2] == name:
            found.append(item)
    return found


def leaf(value: Any) -> Any:
    return value.value if isinstance(value, Node) else value


# Conditions and expressions


def _evaluated(run: Run, path: Any, focus: Any, bound: Bound, site: int) -> Sequence[Any]:
    variables = run.variables
    for name, value in bound:
        variables[name] = value
    try:
        return path(focus, Environment(variables=variables))  # type: ignore[no-any-return]
    except FHIRPathError as error:
        problem = error.problems[0]
        where = run.program.sites[site].path
        text = f"An expression of the map could not be evaluated ({where}): {problem.text} {problem.hint}".strip()
        run.report(run.field, "processing", "expression-failed", text, site, focus)
        return _EMPTY


def test(run: Run, path: Any, focus: Any, bound: Bound, site: int) -> bool:
    found = _evaluated(run, path, focus, bound, site)
    return bool(found) and found[0] is not False


def check(run: Run, path: Any, focus: Any, bound: Bound, site: int, text: str) -> None:
    if not test(run, path, focus, bound, site):
        message = f"The record does not meet what the map demands: {text}. It is held; mend the source or the map."
        run.report("error", "processing", "check-failed", message, site, focus)
        raise Held


def log(run: Run, path: Any, focus: Any, bound: Bound, site: int) -> None:
    for value in _evaluated(run, path, focus, bound, site):
        run.logged.append((site, primitives.as_text(leaf(value))))


def remark(run: Run, text: str, site: int, at: Any) -> None:
    """A `log` of words alone holds nothing of the record, so it is told as an issue under the rule's name."""
    run.report("warning", "processing", run.rule_of(site).name or "remark", text, site, at)


def counted(run: Run, items: Sequence[Any], low: int, high: int | None, site: int, at: Any) -> Sequence[Any]:
    if len(items) < low or (high is not None and len(items) > high):
        shown = run.program.sites[site].path
        wanted = f"{low}..{'*' if high is None else high}"
        text = f"{shown} stands {len(items)} times, {wanted} are expected. The record is held."
        run.report("error", "structure", "source-cardinality", text, site, items[0] if items else at)
        raise Held
    return items


def one(run: Run, found: Sequence[Any], site: int, at: Any) -> Any:
    """The one value of an expression; more than one is a mistake."""
    if len(found) > 1:
        shown = run.program.sites[site].path
        text = f"{shown} holds one value and the expression gives {len(found)}. The field was left out."
        run.report(run.field, "processing", "several-values", text, site, at)
        return None
    return found[0] if found else None


values = _evaluated


# Values


def transform(run: Run, definition: Definition, site: int, at: Any, *arguments: Any) -> Any:
    given = [argument.value if isinstance(argument, Node) else argument for argument in arguments]
    if given[0] is None and definition.least == len(given):
        return None
    given = [None if v == "" else v for v in given]
    if (given[0] is None and definition.type in ("dateTime", "date", "time")) or given == [None]:
        return None
    node = next((argument for argument in arguments if isinstance(argument, Node)), at)
    run.at(site, node)
    try:
        return definition.make(run, *given)
    except Unfit as error:
        run.unfit(site, node, str(error))
        return None


def cast(run: Run, type_name: str, site: int, at: Any, argument: Any) -> Any:
    return TAKE[type_name](run, argument, site, at)


def reference(run: Run, argument: Any) -> str | None:
    """`Type/id` of a resource, source or target."""
    kind, own = kids(argument, "resourceType"), kids(argument, "id")
    if not kind or not own:
        return None
    return f"{leaf(kind[0])}/{leaf(own[0])}"


def uuid(run: Run, site: int) -> str:
    """The same for the same record, place and turn: mapping again gives what it gave."""
    run.count += 1
    rule = run.program.rules[run.program.sites[site].rule]
    return str(uuid5(NAMESPACE_URL, f"{rule.map}|{rule.line}|{run.count}|{run.seed}"))


def translate(run: Run, table: ConceptTable, output: str, argument: Any, site: int, at: Any) -> Any:
    run.row = None
    node = argument if isinstance(argument, Node) else at
    codings = list(_codings(argument))
    for system, code in codings:
        row = table.find(system, code)
        if row is not None:
            run.row = row
            if row.target_code is not None or output == "display":
                return row.output(output)
            return None
    for system, code in codings:
        policy = table.unlisted(system)
        if policy is not None:
            made = policy.code if policy.mode == "fixed" else code
            return Row(table.url, 0, system or "", code, policy.system, made, policy.display).output(output)
    if codings:
        shown = next((f" '{code}'" for _, code in codings if _is_code(code)), "")
        text = (
            f"The code{shown} is not in {table.url}; {run.program.sites[site].path} was left out. "
            "Add it to the ConceptMap and replay."
        )
        run.report(run.field, "code-invalid", "unmapped-code", text, site, node)
    return None


def _is_code(code: str) -> bool:
    """Whether a code may be quoted: short, one word, and no number of a person's length."""
    return len(code) <= 32 and not any(c.isspace() for c in code) and sum(c.isdigit() for c in code) < 6


def _codings(argument: Any) -> Iterable[tuple[str | None, str]]:
    """System and code of a leaf, of a Coding or CodeableConcept, or of an element with `code` and `codeSystem`."""
    if argument is None:
        return
    parts = kids(argument, "coding")
    if parts:
        for part in parts:
            yield from _codings(part)
        return
    code = kids(argument, "code")
    if code:
        system = kids(argument, "codeSystem") or kids(argument, "system")
        found = leaf(code[0])
        if found not in (None, ""):
            yield (str(leaf(system[0])) if system and leaf(system[0]) else None), primitives.as_text(found).strip()
        return
    own = leaf(argument)
    if own not in (None, "") and own.__class__ is not dict:
        yield None, primitives.as_text(own).strip()


# Conversion


def _taking(convert: primitives.Convert, *, timed: bool) -> Take:
    """The conversion of anything a rule can hold; `timed` ones may have to mark an ambiguous hour."""

    def take(run: Run, argument: Any, site: int, at: Any) -> Any:
        if isinstance(argument, Node):
            at = argument
            argument = argument.value
            if argument is None:
                if at.kids:
                    run.unfit(site, at, "the source has parts here and no value, so the map has to name a part")
                return None
        if argument is None or argument == "":
            return None
        if argument.__class__ is dict or argument.__class__ is list:
            run.unfit(site, at, "one simple value is expected")
            return None
        if timed:
            run.at(site, at)
        try:
            found = convert(argument, run.zone, run.ambiguous)
        except Unfit as error:
            run.unfit(site, at, str(error))
            return None
        return None if found == "" else found

    return take


Take = Callable[[Run, Any, int, Any], Any]
TAKE: dict[str, Take] = {
    name: _taking(convert, timed=name in ("date", "dateTime", "instant"))
    for name, convert in primitives.CONVERT.items()
}
"""For each primitive type: the value as that type, or None and an issue."""


def bound_code(run: Run, code: Any, site: int, at: Any) -> Any:
    """A code that its value set allows; another would make the resource invalid."""
    allowed = run.program.sites[site].codes
    if code is None or allowed is None or code in allowed:
        return code
    path = run.program.sites[site].path
    text = f"The code is none that {path} may have. The field was left out; translate it with a ConceptMap."
    run.report(run.field, "code-invalid", "code-not-in-value-set", text, site, at)
    return None


def complex_value(run: Run, type_name: str | None, argument: Any, site: int, at: Any) -> Any:
    """A value for a complex element: as it was made, or the source's element with the names the type knows."""
    if argument is None:
        return None
    if isinstance(argument, dict):
        return argument or None
    if isinstance(argument, Node):
        return copied(run, argument, type_name, site) or None
    run.unfit(site, at, f"a {type_name} is expected, made with create or by a transform")
    return None


def copied(run: Run, node: Node, type_name: str | None, site: int) -> Any:
    """A source element as FHIR JSON, element by element; what the type does not know is left out and told."""
    own = node.first("resourceType")
    if own is not None:
        type_name = str(own.value)
    known = run.definitions.types.get(type_name or "")
    if known is None:
        return plain(node)
    found: dict[str, Any] = {"resourceType": type_name} if own is not None else {}
    for name, nodes in node.kids.items():
        if name == "resourceType" and own is not None:
            continue
        run.tick()
        element = known.elements.get(name)
        if element is None:
            if name[0] == "_" and name[1:] in known.elements:
                parts = [copied(run, part, "Element", site) for part in nodes]
                found[name] = parts if known.elements[name[1:]].is_list else parts[0]
                continue
            text = f"{type_name} has no such element in R4; it was left out. Ask the source to send R4."
            run.report(run.field, "structure", "unknown-element", text, site, nodes[0])
            continue
        take = TAKE.get(element.type)
        parts = []
        for part in nodes:
            made = take(run, part, site, part) if take else copied(run, part, element.type, site)
            if made is not None and made != {}:
                parts.append(made)
        if not parts:
            continue
        if not element.is_list and len(parts) > 1:
            text = f"{type_name}.{name} holds one value and the source has several; the first was taken."
            run.report(run.field, "structure", "several-values", text, site, nodes[1])
        found[name] = parts if element.is_list else parts[0]
    return found


def plain(node: Node) -> Any:
    """A source element as JSON where no definition says how: one is itself, several are a list."""
    if not node.kids:
        return node.value
    found = {}
    for name, nodes in node.kids.items():
        parts = [part for each in nodes if (part := plain(each)) is not None]
        if parts:
            found[name] = parts if len(parts) > 1 else parts[0]
    return found


def opened(argument: Any) -> Any:
    """A value for a structure without definition."""
    return plain(argument) if isinstance(argument, Node) else argument


# Making and filling


def make(run: Run, owner: Any, key: str, *, many: bool, resource: str | None = None) -> Any:
    """A new element in a list, or the one element there is."""
    if many:
        item: dict[str, Any] = {"resourceType": resource} if resource else {}
        owner.setdefault(key, []).append(item)
        run.made.append((owner, key, item, True))
        return item
    item = owner.get(key)
    if item is None or (resource and item.get("resourceType") != resource):
        item = owner[key] = {"resourceType": resource} if resource else {}
        run.made.append((owner, key, item, False))
    return item


def make_as(run: Run, owner: Any, key: str, mode: str, share: str | None, resource: str | None = None) -> Any:
    """A list's element by target list mode: shared by name, re-used, put first or last."""
    if mode == "share":
        known = run.shared.get((id(owner), key, share or ""))
        if known is None:
            known = run.shared[(id(owner), key, share or "")] = make(run, owner, key, many=True, resource=resource)
        return known
    if mode in ("single", "collate") and owner.get(key):
        return owner[key][0]
    item = make(run, owner, key, many=True, resource=resource)
    arrange(run, owner[key], mode)
    return item


def arrange(run: Run, items: list[Any], mode: str) -> None:
    """Put what was just added first; what is to be last goes there when the run ends."""
    if mode == "first":
        items.insert(0, items.pop())
    elif mode == "last":
        run.last.append((items, items[-1]))


def loose(owner: Any, key: str, item: Any) -> None:
    """Into a structure without definition: a second value makes a list."""
    before = owner.get(key)
    if before is None:
        owner[key] = item
    elif before.__class__ is list:
        before.append(item)
    else:
        owner[key] = [before, item]


def again(run: Run, owner: Any, key: str, item: Any, site: int, at: Any) -> None:
    """An element that holds one value is given another: where no other rule writes it, the source repeats."""
    if owner[key] != item and site in run.program.alone:
        path = run.program.sites[site].path
        text = f"The source has several values for {path}, which holds one; the last was taken."
        run.report(run.field, "structure", "several-values", text, site, at)


_CHOOSE: tuple[tuple[type, tuple[str, ...]], ...] = (
    (bool, ("boolean",)),
    (int, ("integer", "decimal", "positiveInt", "unsignedInt")),
    (Decimal, ("decimal",)),
    (str, ("string", "code", "markdown", "uri")),
)


def choose(run: Run, choices: dict[str, str], argument: Any, site: int, at: Any) -> tuple[str, Any] | None:
    """Key and value for a choice element whose type only the value can tell."""
    if argument is None:
        return None
    type_name = _type_of(argument, choices)
    if type_name is None:
        run.unfit(site, at, f"its type cannot be told, so the map has to say it: one of {', '.join(choices)}")
        return None
    take = TAKE.get(type_name)
    made = take(run, argument, site, at) if take else complex_value(run, type_name, argument, site, at)
    return None if made is None else (choices[type_name], made)


def _type_of(argument: Any, choices: dict[str, str]) -> str | None:
    if isinstance(argument, Node):
        for type_name, key in choices.items():  # FHIR's own: `valueQuantity` in the source too.
            if argument.name == key or argument.name.endswith(type_name[0].upper() + type_name[1:]):
                return type_name
        argument = argument.value
    named = {"Date": "date", "DateTime": "dateTime", "Time": "time", "Quantity": "Quantity"}
    own = named.get(type(argument).__name__)
    if own in choices:
        return own
    for kind, names in _CHOOSE:
        if isinstance(argument, kind):
            return next((name for name in names if name in choices), None)
    return None


def finish(run: Run) -> None:
    """Elements that nothing was put into are taken away again; those to be last are put there."""
    for items, item in run.last:
        index = next((i for i, other in enumerate(items) if other is item), None)
        if index is not None:
            items.append(items.pop(index))
    for owner, key, item, many in reversed(run.made):
        # An extension of which only the name is left says nothing, and must not stand.
        if item and not (key in ("extension", "modifierExtension") and item.keys() == {"url"}):
            continue
        if many:
            items = owner[key]
            for index in range(len(items) - 1, -1, -1):
                if items[index] is item:
                    del items[index]
                    break
            if not items:
                del owner[key]
        elif owner.get(key) is item:
            del owner[key]
