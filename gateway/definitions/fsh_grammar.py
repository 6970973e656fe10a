"""FHIR Shorthand as it is written: entities with their headers and rules, and the words of a rule.

https://hl7.org/fhir/uv/shorthand/reference.html
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

COMMENT: Final = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\]|\\.)*"|/\*(?:.|\n)*?\*/|(?:(?<=\s)|^)//[^\n]*', re.MULTILINE)
HEAD: Final = re.compile(r"([A-Z][A-Za-z]+)\s*:\s*(.*)")
TOKEN: Final = re.compile(
    r'"""(?:.|\n)*?"""|"(?:[^"\\]|\\.)*"|'
    r'[^\s"]*#"(?:[^"\\]|\\.)*"|(?:Reference|Canonical|CodeableReference)\([^)]*\)|\([a-z ]+\)|\S+'
)
WHOLE: Final = re.compile(r'"""(?:.|\n)*?"""|\\.')
WITH_PARAMETERS: Final = re.compile(r"([^\s(]+)\s*\((.*)\)", re.DOTALL)
ARGUMENT: Final = re.compile(r"\s*(?:\[\[(.*?)\]\](?=\s*(?:,|\Z))|((?:\\.|[^,)\\])*))\s*(,|\Z)", re.DOTALL)
"""A value within [[ ]], as it stands; or one in which commas and closing parentheses are escaped."""
NAMED: Final = frozenset(("Id", "Title", "Description"))
KINDS: Final = {
    "Profile": NAMED | {"Parent"},
    "Extension": NAMED | {"Parent", "Context"},
    "ValueSet": NAMED,
    "CodeSystem": NAMED,
    "Invariant": frozenset(("Description", "Expression", "Severity", "XPath")),
    "RuleSet": frozenset(),
}
"""What is read, each with its headers."""
PASSED_OVER: Final = frozenset(("Instance", "Logical", "Resource", "Mapping"))
ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class Unread(Exception):
    """A rule cannot be read."""


@dataclass(slots=True)
class Rule:
    """One rule: its words, how far it is indented, and its text, in which a rule set's parameters stand in braces."""

    words: list[str]
    indent: int
    where: str
    text: str


@dataclass(slots=True)
class Entity:
    """What a header begins: its kind and name, its other headers, its rules."""

    kind: str
    name: str
    where: str
    heads: dict[str, str] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    parameters: tuple[str, ...] = ()
    """Of a rule set."""

    @property
    def id(self) -> str:
        return self.heads.get("Id", self.name)


def entities(file: str, source: str, problems: list[str]) -> Iterator[Entity]:
    """The entities of a file, each with its headers and rules; a line that begins neither belongs to the one before."""
    source = source.replace("\r\n", "\n")
    plain = COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else re.sub(r"[^\n]", " ", found[0]), source)
    entity: Entity | None = None
    head, rule, indent, began, within = "", "", 0, 0, False

    def close() -> None:
        nonlocal head, rule
        if entity is not None and WHOLE.sub("", rule or entity.heads.get(head, "")).count('"') % 2:
            problems.append(f'{file}:{began}: a string that looks like rules or headers is written within """')
        if entity is not None and rule:
            words = TOKEN.findall(rule)
            if words:
                entity.rules.append(Rule(words, indent, f"{file}:{began}", rule))
        head, rule = "", ""

    for at, line in enumerate(plain.split("\n"), 1):
        stripped = line.strip()
        # Within """ a line is text, whatever it looks like.
        goes_on, within = within, within != (line.count('"""') % 2 == 1)
        if goes_on:
            if rule:
                rule += f"\n{line}"
            elif head and entity is not None:
                entity.heads[head] += f"\n{line}"
        elif not stripped:
            continue
        elif found := HEAD.fullmatch(stripped) if not line[:1].isspace() else None:
            close()
            if found[1] == "Alias" or found[1] in KINDS or found[1] in PASSED_OVER:
                if entity is not None:
                    yield entity
                entity = _begun(found[1], found[2].strip(), f"{file}:{at}")
            elif entity is not None:
                head, began = found[1], at
                entity.heads[head] = found[2].strip()
                if head not in KINDS.get(entity.kind, (head,)):
                    problems.append(f"{file}:{at}: the header {head} of a {entity.kind} is not read")
        elif stripped.startswith("* ") or stripped == "*":
            close()
            rule, indent, began = stripped[1:].strip(), len(line) - len(line.lstrip()), at
        elif rule:
            rule += f" {stripped}"
        elif head and entity is not None:
            entity.heads[head] += f"\n{stripped}"
    close()
    if entity is not None:
        yield entity


def _begun(kind: str, name: str, where: str) -> Entity:
    found = WITH_PARAMETERS.fullmatch(name) if kind == "RuleSet" else None
    if found is None:
        return Entity(kind, name, where)
    return Entity(kind, found[1], where, parameters=tuple(one.strip() for one in found[2].split(",") if one.strip()))


def inserted(rule: Rule) -> tuple[str, tuple[str, ...]]:
    """The rule set that `insert Name(a, b)` names, and the values. Unread.

    https://hl7.org/fhir/uv/shorthand/reference.html#inserting-parameterized-rule-sets
    """
    named = rule.text.strip().removeprefix("insert").strip()
    found = WITH_PARAMETERS.fullmatch(named)
    if found is None:
        return named, ()
    values: list[str] = []
    at, goes_on = 0, bool(found[2].strip())
    while goes_on:
        one = ARGUMENT.match(found[2], at)
        if one is None:
            raise Unread("a closing parenthesis in a value is written \\), or the value within [[ and ]]")
        values.append(re.sub(r"\\([,)])", r"\1", one[2].strip()) if one[1] is None else one[1])
        at, goes_on = one.end(), one[3] == ","
    return found[1], tuple(values)


def filled(rule: Rule, parameters: Sequence[str], values: Sequence[str]) -> Rule:
    """The rule of a rule set with the values in the places of its parameters: {name}, or [[{name}]] to pass one on."""
    if not parameters or "{" not in rule.text:
        return rule
    names = "|".join(map(re.escape, parameters))
    given = dict(zip(parameters, values, strict=True))

    def value(found: re.Match[str]) -> str:
        return f"[[{given[found[1]]}]]" if found[1] else given[found[2]]

    made = re.sub(rf"\[\[\{{\s*({names})\s*\}}\]\]|\{{\s*({names})\s*\}}", value, rule.text)
    return replace(rule, text=made, words=TOKEN.findall(made))


def text(word: str) -> str:
    """A string without its quotes."""
    if word.startswith('"""'):
        first, _, rest = word.removeprefix('"""').removesuffix('"""').partition("\n")
        return f"{first}\n{textwrap.dedent(rest)}".strip()
    if word.startswith('"'):
        return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), word[1:-1])
    return word
