"""FHIR Shorthand: the profiles, extensions, value sets and code systems of a project that publishes its sources.

https://hl7.org/fhir/uv/shorthand/reference.html

Rules of cardinality, flags, types, values, bindings, slices, invariants and carets are read, and rule sets without
parameters.
Instances, mappings and logical models are passed over; what cannot be read is told with its file and line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from gateway.definitions.model import ElementDef, TypeDef

Json = dict[str, Any]
CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
COMMENT: Final = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\]|\\.)*"|/\*(?:.|\n)*?\*/|(?:(?<=\s)|^)//[^\n]*', re.MULTILINE)
HEAD: Final = re.compile(r"([A-Z][A-Za-z]+)\s*:\s*(.*)")
TOKEN: Final = re.compile(
    r'"""(?:.|\n)*?"""|"(?:[^"\\]|\\.)*"|'
    r'[^\s"]*#"(?:[^"\\]|\\.)*"|(?:Reference|Canonical|CodeableReference)\([^)]*\)|\([a-z ]+\)|\S+'
)
WHOLE: Final = re.compile(r'"""(?:.|\n)*?"""|\\.')
CONTEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,"]+')
CARDINALITY: Final = re.compile(r"(\d*)\.\.(\d+|\*)?")
STEP: Final = re.compile(r"([A-Za-z0-9_-]+(?:\[x\])?)((?:\[[^\]]*\])*)")
PATH: Final = re.compile(rf"\.?|{STEP.pattern}(?:\.{STEP.pattern})*")
FLAGS: Final = {"MS": "mustSupport", "SU": "isSummary", "?!": "isModifier"}
MATURITY: Final = {"TU": "trial-use", "N": "normative", "D": "draft"}
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
OPERATORS: Final = {"=": "=", "is-a": "is-a", "descendent-of": "descendent-of", "in": "in", "regex": "regex"}
MOST_RULES: Final = 200_000
"""Rules of a project, those of rule sets counted each time that they are inserted."""
MOST_GAPS: Final = 1_000
"""Places that the indexes of a project's carets leave empty."""
CARETS: Final = {"Profile": "StructureDefinition", "Extension": "StructureDefinition"}


class Unread(Exception):
    """A rule cannot be read."""


@dataclass(slots=True)
class Rule:
    """One rule: its words, and how far it is indented."""

    words: list[str]
    indent: int
    where: str


@dataclass(slots=True)
class Entity:
    """What a header begins: its kind and name, its other headers, its rules."""

    kind: str
    name: str
    where: str
    heads: dict[str, str] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.heads.get("Id", self.name)


def compiled(
    texts: Mapping[str, str], canonical: str, version: str, types: Mapping[str, TypeDef]
) -> tuple[list[Json], list[str]]:
    """The resources that the files define, and what in them cannot be read."""
    return _Project(texts, canonical.rstrip("/"), version, types).resources()


class _Project:
    """The entities of all files, which name each other."""

    def __init__(self, texts: Mapping[str, str], canonical: str, version: str, types: Mapping[str, TypeDef]) -> None:
        self.types = types
        self.problems: list[str] = []
        self.aliases: dict[str, str] = {}
        self._canonical, self._version = canonical, version
        self._entities: dict[str, Entity] = {}
        self._count = self.gaps = 0
        for file, text in texts.items():
            for entity in _entities(file, text, self.problems):
                if entity.kind == "Alias":
                    name, _, value = entity.name.partition("=")
                    self.aliases[name.strip()] = value.strip()
                elif entity.kind in KINDS:
                    if entity.name in self._entities:
                        self.problems.append(f"{entity.where}: there is another {entity.name}, which is not kept")
                    self._entities[entity.name] = entity

    def resources(self) -> tuple[list[Json], list[str]]:
        made = [self._resource(one) for one in self._entities.values() if one.kind not in ("Invariant", "RuleSet")]
        return made, self.problems

    def _resource(self, entity: Entity) -> Json:
        kind = CARETS.get(entity.kind, entity.kind)
        resource: Json = {
            "resourceType": kind,
            "id": entity.id,
            "url": f"{self._canonical}/{kind}/{entity.id}",
            "version": self._version,
            "name": entity.name,
            **({"title": _text(entity.heads["Title"])} if "Title" in entity.heads else {}),
            "status": "draft",
            **({"description": _text(entity.heads["Description"])} if "Description" in entity.heads else {}),
        }
        writers = {"ValueSet": _ValueSet, "CodeSystem": _CodeSystem}
        writer = writers.get(entity.kind, _Structure)(self, entity, resource)
        for rule in self._rules(entity.rules):
            try:
                writer.add(rule)
            except (Unread, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                self.problems.append(f"{rule.where}: {error if isinstance(error, Unread) else 'cannot be read'}")
        writer.end()
        return resource

    def _rules(self, rules: Iterable[Rule], depth: int = 0) -> Iterator[Rule]:
        """The rules with those of the rule sets that they insert."""
        for rule in rules:
            self._count += 1
            if self._count > MOST_RULES:
                if self._count == MOST_RULES + 1:
                    self.problems.append(
                        f"{rule.where}: a project has at most {MOST_RULES} rules; the rest is not read"
                    )
                return
            if rule.words[0] != "insert":
                yield rule
                continue
            name = " ".join(rule.words[1:])
            found = self._entities.get(name)
            if "(" in name:
                self.problems.append(f"{rule.where}: rule sets with parameters are not read")
            elif found is None or found.kind != "RuleSet" or depth > 10:
                self.problems.append(f"{rule.where}: there is no rule set {name}")
            else:
                within = (replace(one, indent=one.indent + rule.indent) for one in found.rules)
                yield from self._rules(within, depth + 1)

    def entity(self, name: str) -> Entity | None:
        """An entity of the project by its name or its id."""
        found = self._entities.get(name)
        return found or next((one for one in self._entities.values() if one.id == name), None)

    def url(self, name: str, kind: str = "StructureDefinition") -> str:
        """The canonical of a name: of the project's own, of an alias, of a type of R4; a url is itself."""
        name = self.aliases.get(name, name)
        entity = self.entity(name)
        if entity is not None:
            return f"{self._canonical}/{CARETS.get(entity.kind, entity.kind)}/{entity.id}"
        if ":" in name:
            return name
        return f"http://hl7.org/fhir/{kind}/{name}"

    def type_of(self, name: str) -> str | None:
        """The type of R4 that a profile, or a type by its own name, is of."""
        seen: set[str] = set()
        while name not in self.types and name not in seen:
            seen.add(name)
            entity = self._entities.get(name) or next(
                (one for one in self._entities.values() if self.url(one.name) == name), None
            )
            if entity is None:
                return name.removeprefix(CORE) if name.removeprefix(CORE) in self.types else None
            name = "Extension" if entity.kind == "Extension" else entity.heads.get("Parent", "")
            name = self.aliases.get(name, name)
        return name if name in self.types else None

    def invariant(self, name: str) -> Json:
        entity = self._entities.get(name)
        if entity is None or entity.kind != "Invariant":
            raise Unread(f"there is no invariant {name}")
        return {
            "key": name,
            "severity": entity.heads.get("Severity", "#error").lstrip("#"),
            "human": _text(entity.heads.get("Description", "")) or name,
            "expression": _text(entity.heads.get("Expression", "true")),
        }

    def coding(self, word: str, display: str | None = None) -> Json:
        system, _, code = word.partition("#")
        made: Json = {}
        if system:
            system = self.url(system, "CodeSystem")
            url, _, version = system.partition("|")
            made["system"] = url
            if version:
                made["version"] = version
        made["code"] = _text(code)
        return made | ({"display": display} if display is not None else {})


class _Writer:
    """Writes the rules of one entity into its resource."""

    def __init__(self, project: _Project, entity: Entity, resource: Json) -> None:
        self.project, self.entity, self.resource = project, entity, resource
        self._last: dict[str, int] = {}

    def add(self, rule: Rule) -> None:
        if rule.words[0].startswith("^"):
            if rule.indent:
                raise Unread("a caret within a concept is not read")
            self._caret(self.resource, str(self.resource["resourceType"]), rule.words)
        else:
            self.rule(rule)

    def rule(self, rule: Rule) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """After the last rule."""

    def _caret(self, target: Json, kind: str, words: Sequence[str], scope: str = "") -> None:
        """`^a.b[+].c = value`: put into the definition itself."""
        path, value = words[0][1:], words[2:]
        if words[1:2] != ["="] or not value:
            raise Unread("a caret is followed by = and a value")
        steps = path.split(".")
        for place, step in enumerate(steps):
            name, index = step.partition("[")[0], step.partition("[")[2].rstrip("]")
            element = self.project.types[kind].elements.get(name)
            if element is None:
                raise Unread(f"{kind} has no element {name}")
            key = f"{scope}.{'.'.join(steps[:place])}.{name}"
            last = place == len(steps) - 1
            if last:
                put = self._value(value, element.type)
                if element.is_list:
                    self._item(target.setdefault(name, []), index, key, put)
                else:
                    target[name] = put
            elif element.is_list:
                target = self._item(target.setdefault(name, []), index, key, {})
            else:
                target = target.setdefault(name, {})
            kind = element.type

    def _item(self, held: list[Any], index: str, key: str, made: Any) -> Any:
        """The item of a soft or a hard index."""
        if index == "+":
            place = self._last.get(key, -1) + 1
        elif index == "=":
            place = self._last.get(key, 0)
        else:
            place = int(index or 0)
        self.project.gaps += max(0, place - len(held))
        if place < 0 or self.project.gaps > MOST_GAPS:
            raise Unread(f"the index {index} is too far from those before it")
        self._last[key] = place
        while len(held) <= place:
            held.append({} if isinstance(made, dict) else None)
        if not isinstance(made, dict) or made:
            held[place] = made
        return held[place]

    def _value(self, words: Sequence[str], kind: str) -> Any:
        """A value as a type of R4 has it."""
        word, rest = words[0], [one for one in words[1:] if not one.startswith("(")]
        display = _text(rest[0]) if rest and rest[0].startswith('"') else None
        if word.startswith('"'):
            return _text(word)
        if kind == "boolean":
            return word == "true"
        if kind in ("integer", "unsignedInt", "positiveInt"):
            return int(word)
        if kind == "decimal":
            return Decimal(word)
        if kind == "Quantity":
            unit = rest[0].strip("'") if rest else "1"
            return {"value": Decimal(word), "system": "http://unitsofmeasure.org", "code": unit}
        if "#" in word and kind in ("code", "Coding", "CodeableConcept"):
            coding = self.project.coding(word, display)
            return coding["code"] if kind == "code" else coding if kind == "Coding" else {"coding": [coding]}
        if kind in ("uri", "url", "canonical", "string", "code", "id", "oid", "markdown", "date", "dateTime"):
            return self.project.aliases.get(word) or (self.project.url(word) if kind == "canonical" else word)
        raise Unread(f"this is no {kind}")


class _Structure(_Writer):
    """A profile, or the definition of an extension."""

    def __init__(self, project: _Project, entity: Entity, resource: Json) -> None:
        super().__init__(project, entity, resource)
        parent = "Extension" if entity.kind == "Extension" else entity.heads.get("Parent", "")
        kind = project.type_of(project.aliases.get(parent, parent))
        if kind is None:
            project.problems.append(f"{entity.where}: the type of its parent {parent} is not known")
            kind = "DomainResource"
        self._type = kind
        self._elements: dict[str, Json] = {}
        self._around: list[tuple[int, str]] = []
        if entity.kind == "Extension":
            resource["context"] = [self._context(one) for one in CONTEXT.findall(entity.heads.get("Context", ""))]
        resource |= {
            "kind": "resource" if project.types[kind].kind == "resource" else "complex-type",
            "abstract": False,
            "type": kind,
            "baseDefinition": project.url(parent),
            "derivation": "constraint",
        }
        if entity.kind == "Extension":
            self._element("url")["fixedUri"] = resource["url"]

    def end(self) -> None:
        if self.resource.get("context") == []:
            self.resource["context"] = [{"type": "element", "expression": "Element"}]
        self.resource["differential"] = {"element": list(self._elements.values()) or [self._element("")]}

    def _context(self, word: str) -> Json:
        """Where the extension may be: by FHIRPath, within an extension, or at an element, of a profile too."""
        if word.startswith('"'):
            return {"type": "fhirpath", "expression": _text(word)}
        name, _, path = word.partition(".")
        found = self.project.entity(word)
        if found is not None and found.kind == "Extension":
            return {"type": "extension", "expression": self.project.url(word)}
        of, kind = self.project.entity(name), self.project.type_of(name)
        if of is not None and kind is not None:
            return {"type": "element", "expression": f"{self.project.url(name)}#{kind}{'.' if path else ''}{path}"}
        url = self.project.aliases.get(word, word)
        if ":" in url and "#" not in url and url.removeprefix(CORE) not in self.project.types:
            return {"type": "extension", "expression": url}
        return {"type": "element", "expression": url.removeprefix(CORE)}

    def add(self, rule: Rule) -> None:
        before = set(self._elements)
        try:
            if rule.indent and rule.words[0].startswith("^"):
                self.rule(rule)
            else:
                super().add(rule)
        except Exception:
            for id in self._elements.keys() - before:
                del self._elements[id]
            raise

    def rule(self, rule: Rule) -> None:
        words = list(rule.words)
        while self._around and self._around[-1][0] >= rule.indent:
            self._around.pop()
        path = "." if words[0] == "obeys" or words[0].startswith("^") else words.pop(0)
        if self._around:
            path = self._around[-1][1] if path == "." else f"{self._around[-1][1]}.{path}"
        self._around.append((rule.indent, path))
        if not words:
            self._known(path)
            return
        if words[0] == "and":
            self._several(path, words)
            return
        element = self._element("" if path == "." else path)
        if found := CARDINALITY.fullmatch(words[0]):
            self._counted(element, found)
            words.pop(0)
        while words and _flagged(element, words[0]):
            words.pop(0)
        if not words:
            return
        what, rest = words[0], words[1:]
        if what.startswith("^"):
            self._caret(element, "ElementDefinition", words, path)
        elif what == "=":
            kind = self._kind(path)
            key = "fixed" if "(exactly)" in rest else "pattern"
            element[key + kind[0].upper() + kind[1:]] = self._value(rest, kind)
        elif what == "only":
            element["type"] = self._uses([one for one in rest if one != "or" and not _flagged(element, one)])
        elif what == "from":
            rest = [one for one in rest if not _flagged(element, one)]
            strength = rest[1].strip("()") if len(rest) > 1 else "required"
            element["binding"] = {"strength": strength, "valueSet": self.project.url(rest[0], "ValueSet")}
        elif what == "contains":
            self._contains(path, element, rest)
        elif what == "obeys":
            element.setdefault("constraint", []).extend(self.project.invariant(one) for one in rest if one != "and")
        elif what != "->":
            raise Unread(f"a rule with {what} is not read")

    def _several(self, path: str, words: Sequence[str]) -> None:
        """`a and b MS`: flags of several elements."""
        flags = [one for one in words if one in FLAGS or one in MATURITY]
        around = self._around[-2][1] + "." if len(self._around) > 1 else ""
        paths = [path, *(around + one for one in words if one != "and" and one not in flags)]
        if (
            list(words) != [word for one in paths[1:] for word in ("and", one.removeprefix(around))] + flags
            or not flags
        ):
            raise Unread("several elements are followed by flags")
        for one in paths:
            for flag in flags:
                _flagged(self._element(one), flag)

    @staticmethod
    def _counted(element: Json, found: re.Match[str]) -> None:
        if found[1]:
            element["min"] = int(found[1])
        if found[2]:
            element["max"] = found[2]

    def _contains(self, path: str, element: Json, words: Sequence[str]) -> None:
        """`a 0..1 and b named c 1..*`"""
        parts: list[list[str]] = [[]]
        for word in words:
            if word == "and":
                parts.append([])
            else:
                parts[-1].append(word)
        for part in parts:
            name = part[2] if part[1:2] == ["named"] else part[0]
            slice = self._element(f"{path}[{name}]")
            slice["sliceName"] = name
            counted = next((found for one in part if (found := CARDINALITY.fullmatch(one))), None)
            if counted is not None:
                self._counted(slice, counted)
            for word in part:
                _flagged(slice, word)
            if path.rpartition(".")[2] in ("extension", "modifierExtension"):
                # One that is named is defined elsewhere; one that is not is a part of this extension.
                if part[1:2] == ["named"] or ":" in part[0] or part[0] in self.project._entities:
                    slice["type"] = [{"code": "Extension", "profile": [self.project.url(part[0])]}]
                else:
                    self._element(f"{path}[{name}].url")["fixedUri"] = name
                element.setdefault("slicing", {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"})

    def _uses(self, words: Iterable[str]) -> list[Json]:
        uses: list[Json] = []
        for word in words:
            if found := re.fullmatch(r"(Reference|Canonical)\((.*)\)", word):
                targets = [self.project.url(one.strip()) for one in re.split(r"\s+or\s+|\|", found[2])]
                uses.append({"code": found[1] if found[1] == "Reference" else "canonical", "targetProfile": targets})
                continue
            kind = self.project.type_of(self.project.aliases.get(word, word))
            if kind is None:
                raise Unread(f"the type {word} is not known")
            uses.append({"code": kind} if word == kind else {"code": kind, "profile": [self.project.url(word)]})
        return uses

    def _element(self, path: str) -> Json:
        """The element of a path, made where there is none: `identifier[hsaid].system`."""
        self._known(path)
        id, plain = self._type, self._type
        for name, slices in STEP.findall(path):
            names = re.findall(r"\[([^\]]*)\]", slices)
            id += f".{name}" + (":" + "/".join(names) if names else "")
            plain += f".{name}"
        return self._elements.setdefault(id, {"id": id, "path": plain})

    @staticmethod
    def _known(path: str) -> None:
        if not PATH.fullmatch(path):
            raise Unread(f"{path[:64]} is no path")

    def _kind(self, path: str) -> str:
        """The type of what a path leads to."""
        kind = self._type
        for name, _ in STEP.findall(path):
            found = next(iter(_named(self.project.types[kind], name)), None)
            if found is None:
                raise Unread(f"{kind} has no element {name}")
            kind = found.type
        return kind


class _ValueSet(_Writer):
    def rule(self, rule: Rule) -> None:
        words = list(rule.words)
        part = "exclude" if words[0] == "exclude" else "include"
        if words[0] in ("include", "exclude"):
            words.pop(0)
        compose: dict[str, list[Json]] = self.resource.setdefault("compose", {})
        if words[0] != "codes":
            display = _text(words[1]) if len(words) > 1 and words[1].startswith('"') else None
            coding = self.project.coding(words[0], display)
            system: Json = {name: coding.pop(name) for name in ("system", "version") if name in coding}
            held = compose.setdefault(part, [])
            same = [
                one for one in held if "concept" in one and {k: v for k, v in one.items() if k != "concept"} == system
            ]
            if not same:
                same = [{**system, "concept": []}]
                held += same
            same[0]["concept"].append(coding)
            return
        made: Json = {}
        sets: list[str] = []
        words = words[2:]
        while words:
            word = words.pop(0)
            if word == "system":
                url, _, version = self.project.url(words.pop(0), "CodeSystem").partition("|")
                made |= {"system": url, **({"version": version} if version else {})}
            elif word == "valueset":
                sets.append(self.project.url(words.pop(0), "ValueSet"))
            elif word in ("where", "and") and words and words[0] not in ("system", "valueset"):
                name, operator, value = words.pop(0), words.pop(0), words.pop(0)
                if operator not in OPERATORS:
                    raise Unread(f"the operator {operator} is not known")
                value = value.partition("#")[2] if "#" in value else value
                made.setdefault("filter", []).append(
                    {"property": name, "op": OPERATORS[operator], "value": _text(value)}
                )
        if sets:
            made["valueSet"] = sets
        compose.setdefault(part, []).append(made)


class _CodeSystem(_Writer):
    def __init__(self, project: _Project, entity: Entity, resource: Json) -> None:
        super().__init__(project, entity, resource)
        resource["content"] = "complete"
        self._above: list[tuple[int, Json]] = []

    def rule(self, rule: Rule) -> None:
        words = rule.words
        if not words[0].startswith("#") or any(one.startswith("^") for one in words[1:]):
            raise Unread("a code begins with #")
        code = [one for one in words if one.startswith("#")][-1]
        texts = [_text(one) for one in words if one.startswith('"')]
        concept: Json = {"code": _text(code[1:])}
        for name, text in zip(("display", "definition"), texts, strict=False):
            concept[name] = text
        while self._above and self._above[-1][0] >= rule.indent:
            self._above.pop()
        around = self._above[-1][1] if self._above else self.resource
        around.setdefault("concept", []).append(concept)
        self._above.append((rule.indent, concept))

    def end(self) -> None:
        if not self.resource.get("concept"):
            self.resource["content"] = "not-present"


def _flagged(element: Json, word: str) -> bool:
    """Whether this is a flag; the element then has it."""
    if word in FLAGS:
        element[FLAGS[word]] = True
    elif word in MATURITY:
        status = {"url": CORE + "structuredefinition-standards-status", "valueCode": MATURITY[word]}
        element.setdefault("extension", []).append(status)
    return word in FLAGS or word in MATURITY


def _named(definition: TypeDef, name: str) -> Iterator[ElementDef]:
    short = name.removesuffix("[x]")
    return (one for one in definition.elements.values() if short in (one.name, one.choice_of))


def _text(word: str) -> str:
    """A string without its quotes."""
    if word.startswith('"""'):
        first, _, rest = word.removeprefix('"""').removesuffix('"""').partition("\n")
        return f"{first}\n{textwrap.dedent(rest)}".strip()
    if word.startswith('"'):
        return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), word[1:-1])
    return word


def _entities(file: str, text: str, problems: list[str]) -> Iterator[Entity]:
    """The entities of a file, each with its headers and rules; a line that begins neither belongs to the one before."""
    text = text.replace("\r\n", "\n")
    plain = COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else re.sub(r"[^\n]", " ", found[0]), text)
    entity: Entity | None = None
    head, rule, indent, began, within = "", "", 0, 0, False

    def close() -> None:
        nonlocal head, rule
        if entity is not None and WHOLE.sub("", rule or entity.heads.get(head, "")).count('"') % 2:
            problems.append(f'{file}:{began}: a string that looks like rules or headers is written within """')
        if entity is not None and rule:
            words = TOKEN.findall(rule)
            if words:
                entity.rules.append(Rule(words, indent, f"{file}:{began}"))
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
                entity = Entity(found[1], found[2].strip(), f"{file}:{at}")
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
