"""The rules of FHIR Shorthand as what they make: elements of a differential, codes of a value set, concepts.

https://hl7.org/fhir/uv/shorthand/reference.html#fsh-rules
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway.definitions.fsh_grammar import Entity, Rule, Unread, text
from gateway.definitions.fsh_names import CORE, Json, Names
from gateway.definitions.model import ElementDef, TypeDef

CONTEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,"]+')
CARDINALITY: Final = re.compile(r"(\d*)\.\.(\d+|\*)?")
STEP: Final = re.compile(r"([A-Za-z0-9_-]+(?:\[x\])?)((?:\[[^\]]*\])*)")
PATH: Final = re.compile(rf"\.?|{STEP.pattern}(?:\.{STEP.pattern})*")
FLAGS: Final = {"MS": "mustSupport", "SU": "isSummary", "?!": "isModifier"}
MATURITY: Final = {"TU": "trial-use", "N": "normative", "D": "draft"}
OPERATORS: Final = {"=": "=", "is-a": "is-a", "descendent-of": "descendent-of", "in": "in", "regex": "regex"}
MOST_GAPS: Final = 1_000
"""Places that the indexes of a project's carets leave empty."""


class Writer:
    """Writes the rules of one entity into its resource."""

    def __init__(self, project: Names, entity: Entity, resource: Json) -> None:
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
        display = text(rest[0]) if rest and rest[0].startswith('"') else None
        if word.startswith('"'):
            return text(word)
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


class Structure(Writer):
    """A profile, or the definition of an extension."""

    def __init__(self, project: Names, entity: Entity, resource: Json) -> None:
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
            return {"type": "fhirpath", "expression": text(word)}
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
                if part[1:2] == ["named"] or ":" in part[0] or part[0] in self.project.entities:
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


class ValueSet(Writer):
    def rule(self, rule: Rule) -> None:
        words = list(rule.words)
        part = "exclude" if words[0] == "exclude" else "include"
        if words[0] in ("include", "exclude"):
            words.pop(0)
        compose: dict[str, list[Json]] = self.resource.setdefault("compose", {})
        if words[0] != "codes":
            display = text(words[1]) if len(words) > 1 and words[1].startswith('"') else None
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
                    {"property": name, "op": OPERATORS[operator], "value": text(value)}
                )
        if sets:
            made["valueSet"] = sets
        compose.setdefault(part, []).append(made)


class CodeSystem(Writer):
    def __init__(self, project: Names, entity: Entity, resource: Json) -> None:
        super().__init__(project, entity, resource)
        resource["content"] = "complete"
        self._above: list[tuple[int, Json]] = []

    def rule(self, rule: Rule) -> None:
        words = rule.words
        if not words[0].startswith("#") or any(one.startswith("^") for one in words[1:]):
            raise Unread("a code begins with #")
        code = [one for one in words if one.startswith("#")][-1]
        texts = [text(one) for one in words if one.startswith('"')]
        concept: Json = {"code": text(code[1:])}
        for name, one in zip(("display", "definition"), texts, strict=False):
            concept[name] = one
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
