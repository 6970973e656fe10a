"""What generated code calls while a record is mapped: navigation, conditions, conversion, making and filling elements.

A `Run` is one mapping of one record. It knows the source's zone and no clock, and it stops a map that does too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from itertools import repeat
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.definitions import Definitions
from gateway.fhirpath.environment import EMPTY, Environment
from gateway.fhirpath.errors import FHIRPathError
from gateway.formats import LEAF, FhirType, LazyNode, Node
from gateway.issues import Severity
from gateway.mapping import primitives
from gateway.mapping.conceptmap import ConceptTable, Row
from gateway.mapping.ir import Program, RuleId
from gateway.mapping.times import Unfit
from gateway.mapping.transforms import Definition

DEPTH = 64
STEPS = 200_000
_EMPTY: tuple[Any, ...] = ()
_TIMES = frozenset(("dateTime", "date", "time"))
Bound = Sequence[tuple[str, Any]]
Entry = tuple[int, Any, Any, str | None, Row | None, Any]
"""What a traced rule notes: its number, the source's node, the element written into, the key there, the row of the
ConceptMap, and what was put. A rule that writes nothing itself notes that it fired."""


def too_deep() -> None:
    raise RecursionError("groups are nested too deep")


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
        "_environment",
        "_site",
        "_surroundings",
        "copiers",
        "count",
        "definitions",
        "field",
        "found",
        "last",
        "leaves",
        "logged",
        "made",
        "missed",
        "note",
        "program",
        "row",
        "rows",
        "seed",
        "shared",
        "tick",
        "trace",
        "uneven",
        "untold",
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
        surroundings: Callable[[list[str]], Environment] = lambda _: EMPTY,
    ) -> None:
        self.program = program
        self.definitions = definitions
        self.zone = zone
        self.variables = variables
        self._surroundings = surroundings
        self._environment: Environment | None = None
        self.untold: list[str] = []
        """What `trace()` said in the expression that is evaluated."""
        self.seed = seed
        self.field: Severity = field
        self.found: list[Found] = []
        self.made: list[tuple[Any, str, Any, bool]] = []
        self.leaves: list[tuple[Any, str, Any]] = []
        self.uneven: list[tuple[Any, str]] = []
        self.shared: dict[tuple[int, str, str], Any] = {}
        self.last: list[tuple[list[Any], Any]] = []
        self.logged: list[tuple[int, str]] = []
        self.missed: list[tuple[str, str | None, str, int, Any]] = []
        self.trace: list[Entry] = []
        self.note = self.trace.append
        self.row: Row | None = None
        self.rows: list[Row] = []
        self.copiers: Mapping[str, Callable[..., None]] = {}
        self.count = 0
        self.tick = repeat(None, steps).__next__
        self._site: tuple[int, Any] = (0, None)

    @property
    def environment(self) -> Environment:
        """What expressions may ask for; it has the run's variables. Most runs need none."""
        if self._environment is None:
            self._environment = self._surroundings(self.untold)
        return self._environment

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


def own(item: Any) -> Sequence[Any]:
    """The `value` of an element: a child of that name, else what the element itself holds, without its extensions."""
    found = kids(item, "value")
    if found or not isinstance(item, Node) or item.value is None:
        return found
    return (Node(item.name, item.value, LEAF, item.type, item.pos) if item.kids else item,)


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
        if (kind is not None and str(kind).rpartition("}")[2] == name) or _is_a(item, kind, name):
            found.append(item)
    return found


def _is_a(item: Any, kind: Any, name: str) -> bool:
    """What comes from a source without types is what its value is."""
    return name in _OF_VALUES and kind.__class__ is not FhirType and leaf(item).__class__ is _OF_VALUES[name]


_OF_VALUES = {"string": str, "boolean": bool, "integer": int, "decimal": Decimal}


def leaf(value: Any) -> Any:
    return value.value if isinstance(value, Node) else value


# Conditions and expressions


def _evaluated(run: Run, path: Any, focus: Any, bound: Bound, site: int) -> Sequence[Any]:
    variables = run.variables
    for name, value in bound:
        variables[name] = value
    try:
        found: Sequence[Any] = path(focus, run.environment)
        if run.untold:
            run.logged += [(site, text) for text in run.untold]
            run.untold.clear()
        return found
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


def bound(definition: Definition, constants: Sequence[Any], place: int) -> Callable[[Run, Any, int, Any], Any]:
    """A transform of one argument, at `place` among constants: what `transform` gives of them all."""
    make, (before, after) = definition.make, (constants[:place], constants[place:])
    whole = len(constants) + 1
    needed = place == 0 and (whole in (1, definition.least) or definition.type in _TIMES)
    if not all(constants):
        return lambda run, argument, site, at: transform(run, definition, site, at, *before, argument, *after)

    def apply(run: Run, argument: Any, site: int, at: Any) -> Any:
        value, node = argument, None
        if isinstance(argument, Node):
            value, node = argument.value, argument
        if value is None or value == "":
            if needed:
                return None
            value = None
        run._site = (site, node or at)
        try:
            return make(run, *before, value, *after)
        except Unfit as error:
            run.unfit(site, node, str(error))
            return None

    return apply


def transform(run: Run, definition: Definition, site: int, at: Any, *arguments: Any) -> Any:
    given: list[Any] = []
    node: Any = None
    for argument in arguments:
        value = argument
        if isinstance(argument, Node):
            value = argument.value
            node = node or argument
        given.append(None if value == "" else value)
    if given[0] is None and (len(given) == 1 or definition.least == len(given) or definition.type in _TIMES):
        return None
    run._site = (site, node or at)
    try:
        return definition.make(run, *given)
    except Unfit as error:
        run.unfit(site, node, str(error))
        return None


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
    codings = _codings(argument)
    for system, code in codings:
        row = table.find(system, code)
        if row is not None:
            run.row = row
            run.rows.append(row)
            if row.target_code is not None or output == "display":
                return row.output(output)
            return None
    for system, code in codings:
        policy = table.unlisted(system)
        if policy is not None:
            made = policy.code if policy.mode == "fixed" else code
            return Row(table.url, 0, system or "", code, policy.system, made, policy.display).output(output)
    if codings:
        run.missed.append((table.url, *codings[0], site, node))
        shown = next((f" '{code}'" for _, code in codings if is_code(code) and table.like(code)), "")
        text = (
            f"The code{shown} is not in {table.url}; {run.program.sites[site].path} was left out. "
            "Add it to the ConceptMap and replay."
        )
        run.report(run.field, "code-invalid", "unmapped-code", text, site, node)
    return None


def is_code(code: str) -> bool:
    """Whether a code may be quoted: short, one word, and no number of a person's length."""
    return len(code) <= 32 and not any(c.isspace() for c in code) and sum(c.isdigit() for c in code) < 6


def _codings(argument: Any) -> list[tuple[str | None, str]]:
    """System and code of a leaf, of a Coding or CodeableConcept, or of an element with `code` and `codeSystem`."""
    if argument is None:
        return []
    plain = argument
    if isinstance(argument, Node) and argument.value is not None:
        # The parts of a lazy node's value are numbered: none has the name of a code.
        plain = argument.value if isinstance(argument, LazyNode) or not argument.kids else None
    if plain.__class__ is str:
        return [(None, plain.strip())] if plain else []
    parts = kids(argument, "coding")
    if parts:
        return [coding for part in parts for coding in _codings(part)]
    code, system = kids(argument, "code"), None
    if code:
        found = leaf(code[0])
        systems = kids(argument, "codeSystem") or kids(argument, "system")
        system = leaf(systems[0]) if systems else None
    else:
        found = leaf(argument)
    if found is None or found == "" or found.__class__ is dict:
        return []
    return [(str(system) if system else None, primitives.as_text(found).strip())]
