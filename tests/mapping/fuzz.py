"""Expressions, maps, StructureMaps and messages with something wrong in them: nothing crashes, hangs or eats memory.

Each case is made from its number and the seed, so any of them can be made again. What is right stands in `_judged`: a
value, or a refusal that says where and what; never another exception, more than some seconds or some hundred megabytes.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import orjson

from bench.fhirpath import PATIENT
from gateway import formats
from gateway.definitions import load
from gateway.definitions.shipped import folder
from gateway.fhirpath import Environment, FHIRPathError, compile
from gateway.fhirpath.functions import FUNCTIONS
from gateway.issues import Issues
from gateway.mapping import CompileError, Library, Packages, Problems, compile_map, formatter, parse, printer
from gateway.mapping.structuremap import structure_map
from gateway.mapping.structuremap_reader import read, text_of
from gateway.records import Source
from tests.ingest.bad_cases import GOOD
from tests.ingest.mutations import mutated
from tests.mapping.maps import node

DATA = Path(__file__).parents[2] / "../shared/data"
SECONDS = 10
"""Of processor time for one case, on a machine that others use too; most take milliseconds."""
MEGABYTES = 300
"""What one case may add to the process."""
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = {
    "id": "a-1", "a": "x", "b": ["1", "2", "2026-03-29"], "c": {"code": "P", "system": "http://s", "d": [{"e": "5"}]},
    "name": [{"family": "Berg", "given": ["Eva", "Lo"]}], "n": 12, "t": True,
}  # fmt: skip


class TooSlow(BaseException):
    """Not an Exception, so that nothing that is tried takes it for one of its own."""


@dataclass
class Tally:
    """What came of the cases, and which were wrong."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")


def campaign(tally: Tally, *, seed: int, first: int, count: int) -> None:
    """The cases `first` to `first + count` of each kind."""
    for number in range(first, first + count):
        for kind, attempt in KINDS.items():
            _judged(tally, f"{kind} {seed}/{number}", kind, attempt, Random(f"{seed}/{number}/{kind}"))


def _judged(tally: Tally, name: str, kind: str, attempt: Callable[[Random], str], random: Random) -> None:
    before, began = _megabytes(), time.process_time()
    try:
        with _limited(SECONDS):
            outcome = attempt(random)
    except TooSlow:
        outcome = "too slow"
        tally.wrong.append(f"{name}: more than {SECONDS} s")
    except Exception as error:
        outcome = "crashed"
        tally.wrong.append(f"{name}: {type(error).__name__} {_where(error)}: {str(error)[:200]}")
    taken = time.process_time() - began
    if _megabytes() - before > MEGABYTES:
        tally.wrong.append(f"{name}: {_megabytes() - before} MB")
    tally.outcomes[f"{kind}: {outcome}"] += 1
    if taken > tally.slowest[0]:
        tally.slowest = (round(taken, 3), name)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    place = ""
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _megabytes() -> int:
    """The most that the process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# What is altered


_WORD = re.compile(r"\s+|'(?:[^'\\\n]|\\.)*'|\"[^\"\n]*\"|[A-Za-z_]\w*|\d+(?:\.\d+)?|->|<<|>>|\.\.|.", re.DOTALL)
_AWKWARD = (
    "'", '"', "`", "(", ")", "{", "}", "[", "]", ".", ",", ";", "->", "//", "/*", "*/", "///", "%", "$this", "$index",
    "$total", "{}", "@2020-02-30", "@T25", "@0001-01-01", "@9999-12-31T23:59:59.999Z", "1 year", "9999999999 'kg'",
    "99999999999999999999999999999999", "0.000000000000000000000000000001", "-", "1/0", "'(a+)+$'", "'\\u0000'",
    "'\\ud800'", "'å'", "'😀'", "is", "as", "and", "implies", "div", "mod", "in", "contains", "|", "~", "!~", "&", "=",
    "__class__", "__import__('os')", "eval", "true", "false", "null", "System.String", "FHIR.Patient", "`div`",
    "2147483647", "-2147483649", "9223372036854775808L", "\x00", "\t", "\n", "\u2028", "x" * 300, "(" * 40, "not()",
)  # fmt: skip


@cache
def expressions() -> tuple[str, ...]:
    """Those that R4 is made of, and where they are at hand those of HL7's suite."""
    definitions = load()
    found = {one.expression for many in definitions.invariants.values() for one in many}
    for kind in definitions.resource_types:
        found |= {one.expression for one in definitions.search_parameters(kind).values()}
    suite = DATA / "fhir-test-cases/r4/fhirpath/tests-fhir-r4.xml"
    if suite.exists():
        texts = re.findall(r"<expression[^>]*>([^<]*)</expression>", suite.read_text(encoding="utf-8"))
        found |= {text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for text in texts}
    return tuple(sorted(found))


@cache
def maps() -> tuple[str, ...]:
    """Our own and, where they are at hand, the public ones."""
    shipped = sorted(folder("mappings").glob("*/*.fml"))
    public = [*sorted(DATA.glob("fml-guide/input/examples/*.fml")), *sorted(DATA.glob("fhir-test-cases/r5/*/*.map"))]
    return tuple(path.read_text(encoding="utf-8") for path in (*shipped, *public))


@cache
def _words(kind: str) -> tuple[str, ...]:
    texts = expressions() if kind == "expression" else maps()
    own = [f"{name}()" for name in FUNCTIONS] if kind == "expression" else []
    return tuple(sorted({word for text in texts for word in _WORD.findall(text)} | set(own)))


def _kind(word: str) -> str:
    """What could stand in a word's place without being a mistake of writing; empty for spaces and signs."""
    return "name" if word[0].isalpha() else word[0] if word[0] in "'\"" else "number" if word[0].isdigit() else ""


@cache
def _alike(kind: str, sort: str) -> tuple[str, ...]:
    return tuple(word for word in _words(kind) if _kind(word) == sort)


_LEAVES = (
    "1", "0", "-3", "2.50", "1e3", "'a'", "'Eva'", "''", "'2015'", "true", "false", "{}", "@2015-02", "@T14:30",
    "@2015-02-04T14:34+01:00", "4 days", "1 year", "2 'kg'", "3 'cm'", "name", "name.given", "birthDate", "telecom",
    "$this", "active", "identifier.value", "contact", "deceased", "%resource", "%context", "%sct", "text.div", "b",
    "c.d.e", "n", "t", "(1|2|3)",
)  # fmt: skip
_OPERATORS = (
    "+", "-", "*", "/", "div", "mod", "&", "|", "=", "!=", "~", "!~", "<", "<=", ">", ">=", "and", "or", "xor",
    "implies", "in", "contains",
)  # fmt: skip
_TYPES = ("String", "Integer", "Patient", "Quantity", "date", "code", "System.Boolean", "FHIR.HumanName", "dateTime")
_CRITERIA = ("where", "select", "all", "exists", "repeat", "iif", "trace", "aggregate", "sort", "ofType", "is", "as")


def grown(random: Random, depth: int) -> str:
    """An expression that the grammar allows, whatever it may mean."""
    if depth <= 0 or random.random() < 0.15:
        return random.choice(_LEAVES)
    inner = grown(random, depth - 1)
    match random.randrange(6):
        case 0:
            return f"({inner} {random.choice(_OPERATORS)} {grown(random, depth - 1)})"
        case 1:
            return f"{inner}[{grown(random, depth - 2)}]"
        case 2:
            name = random.choice(_CRITERIA)
            given = {
                "iif": lambda: f"{grown(random, 1)}, {grown(random, depth - 1)}, {grown(random, 1)}",
                "trace": lambda: f"'t', {grown(random, 1)}",
                "aggregate": lambda: f"$total + {grown(random, 1)}, {grown(random, 1)}",
                **dict.fromkeys(("ofType", "is", "as"), lambda: random.choice(_TYPES)),
            }.get(name, lambda: grown(random, depth - 1))()
            return f"{inner}.{name}({given})"
        case _:
            function = FUNCTIONS[random.choice(sorted(FUNCTIONS))]
            count = random.randint(function.required, len(function.args))
            return f"{inner}.{function.name}({', '.join(grown(random, depth - 2) for _ in range(count))})"


def altered(text: str, kind: str, random: Random) -> str:
    """One to five words lost, doubled, moved or put there; mostly a word in the place of one of its kind."""
    words = _WORD.findall(text)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        at = random.randint(0, len(words))
        end = min(len(words), at + random.choice((0, 1, 1, 1, 2, 5, 20)))
        match random.randrange(12):
            case 0:
                del words[at:end]
            case 1:
                words[at:at] = words[at:end] * random.choice((1, 1, 2, 30))
            case 2:
                taken = words[at:end]
                del words[at:end]
                to = random.randint(0, len(words))
                words[to:to] = taken
            case 3:
                words[at:end] = [random.choice(_AWKWARD)]
            case 4:
                words[at:end] = [random.choice(_words(kind))]
            case 5 | 6 | 7 | 8 | 9 | 10:
                names = [n for n, word in enumerate(words) if _kind(word)]
                if names:
                    at = random.choice(names)
                    words[at] = random.choice(_alike(kind, _kind(words[at])) or _AWKWARD)
            case _:
                other = _WORD.findall(random.choice(expressions() if kind == "expression" else maps()))
                low = random.randint(0, len(other))
                words[at:end] = other[low : low + random.randint(1, 12)]
    return "".join(words)


# What is tried


def _expression(random: Random) -> str:
    text = grown(random, random.randint(1, 6))
    if random.random() < 0.5:
        text = altered(random.choice(expressions()), "expression", random)
    elif random.random() < 0.2:
        text = f"{text} {random.choice(('|', '=', '+', '.', 'and', '~', '<', '&'))} {random.choice(expressions())}"
    before = json.dumps(PATIENT, default=str)
    told: list[str] = []
    environment = Environment(now=NOW, trace=lambda name, _: told.append(name), resolve=lambda _: PATIENT)
    outcome = "refused"
    for type_name in ("Patient", None):
        try:
            path = compile(text, type_name, load(), strict=random.random() < 0.2)
            for focus in (PATIENT, node(SOURCE)) if type_name else (PATIENT, node(SOURCE), "text", Decimal("1.50")):
                try:
                    path(focus, environment)
                    outcome = "a value"
                except FHIRPathError as error:
                    _placed(error, text)
                    outcome = "refused when run"
        except FHIRPathError as error:
            _placed(error, text)
    assert json.dumps(PATIENT, default=str) == before, "the input was changed"
    return outcome


def _placed(error: FHIRPathError, text: str) -> None:
    assert error.problems, "a refusal without a problem"
    for problem in error.problems:
        assert problem.text, "a problem without words"
        assert "does not have the shape" not in problem.text, "a mistake of the engine, told as one of the resource"
        assert 0 <= problem.offset <= len(text), "a place outside the expression"


def _map(random: Random) -> str:
    text = altered(random.choice(maps()), "map", random)
    problems = Problems()
    found = parse(text, "fuzz.fml", problems)
    if problems.found:
        _problems(problems, text)
        return "refused"
    assert printer.fml(parse(printer.fml(found), "again.fml")) == printer.fml(found), "printing is not stable"
    laid = formatter.formatted(text)
    assert formatter.formatted(laid) == laid, "the layout is not stable"
    library = Library([found], [], problems)
    try:
        program = compile_map(library, load(), found.url)
    except CompileError as error:
        assert error.problems
        return "refused when resolved"
    _, run = program.run(node(SOURCE), variables={"source": {}, "record": {}}, traced=True)
    assert [one.text for one in run.found if one.rule == "map-failed"] == []
    resource_ = structure_map(found)
    assert structure_map(parse(text_of(json.loads(orjson.dumps(resource_, default=float))), "m")) == resource_
    return "ran"


def _problems(problems: Problems, text: str) -> None:
    lines = text.count("\n") + 1
    for problem in problems.found:
        assert 1 <= problem.line <= lines, "a place outside the map"
        assert problem.column >= 1
        assert problem.text


@cache
def _resources() -> tuple[str, ...]:
    found = []
    for text in maps():
        try:
            found.append(orjson.dumps(structure_map(parse(text, "m")), default=float).decode())
        except CompileError:
            continue
    return tuple(found)


_JSON = ("null", "[]", "{}", "[[]]", '""', "-1", "1e400", "true", '"\\u0000"', '[{"a": []}]', '"(((("', "99999999999")


def _structure_map(random: Random) -> str:
    value = json.loads(random.choice(_resources()))
    for _ in range(random.randint(1, 4)):
        owner: Any = value
        while True:
            key = random.choice(list(owner) if isinstance(owner, dict) else range(len(owner)))
            if not isinstance(owner[key], dict | list) or not owner[key] or random.random() < 0.1:
                break
            owner = owner[key]
        owner[key] = json.loads(random.choice(_JSON))
        if not value:
            break
    try:
        resource_ = structure_map(read(value, "m"))
    except CompileError as error:
        assert error.problems
        return "refused"
    assert structure_map(parse(text_of(resource_), "m")) == resource_, "not stable"
    return "read"


@cache
def _packages() -> Packages:
    return Packages.shipped()


def _message(random: Random) -> str:
    name = random.choice(sorted(GOOD))
    body = mutated(name, random)
    package = _packages()[name]
    source = Source(name, name, "Fuzz", "SE2321000131-S", "SE2321000131-C")
    issues = Issues()
    drafts = 0
    for record in formats.read(package.format, body, issues):
        result = package.apply(record, source, NOW, body=body, traced=random.random() < 0.5)
        assert not [issue for issue in result.issues if issue.rule == "map-failed"]
        drafts += len(result.drafts)
        for draft in result.drafts:
            orjson.dumps(draft.resource, default=str)
    return "mapped" if drafts else "held or refused"


KINDS: dict[str, Callable[[Random], str]] = {
    "expression": _expression,
    "map": _map,
    "StructureMap": _structure_map,
    "message": _message,
}


def again(name: str) -> None:
    """`python -m tests.mapping.fuzz 'map 1/17'`: one case, with its traceback."""
    kind, _, place = name.partition(" ")
    print(KINDS[kind](Random(f"{place}/{kind}")))


if __name__ == "__main__":
    again(sys.argv[1])
