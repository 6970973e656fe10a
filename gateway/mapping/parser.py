"""FHIR Mapping Language text to syntax tree: recursive descent, R4 and R5 forms, all problems in one run.

After a problem the parser goes on behind the rule's `;` or the group's `}`. Expressions are kept as text for the
FHIRPath compiler.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html
"""

from __future__ import annotations

from typing import cast

from gateway.mapping import syntax
from gateway.mapping.cursor import Wrong
from gateway.mapping.lexer import Token, unescape
from gateway.mapping.problems import Problems
from gateway.mapping.rules import RuleParser
from gateway.mapping.syntax import Mode, Span, Text, TypeMode

_DECLARATIONS = frozenset(("map", "uses", "imports", "let", "conceptmap", "group"))


def parse(content: str, file: str, problems: Problems | None = None, *, path: str = "") -> syntax.Map:
    """The map in `content`. Without `problems`, a CompileError is raised where there are any."""
    collected = Problems() if problems is None else problems
    found = _Parser(Text(content, file, path), collected).map()
    if problems is None:
        collected.stop()
    return found


class _Parser(RuleParser):
    """Reads a file: its declarations, then its groups."""

    def map(self) -> syntax.Map:
        metadata = self._metadata()
        uses: list[syntax.Uses] = []
        imports: list[syntax.Imports] = []
        constants: list[syntax.Constant] = []
        concept_maps: list[syntax.EmbeddedConceptMap] = []
        groups: list[syntax.Group] = []
        while self.token.kind != "end":
            try:
                if self.is_word("map"):
                    self.take()
                    metadata.setdefault("url", self.string("the map's url"))
                    self.op("=")
                    token = self.take()
                    metadata.setdefault("name", token.value if token.kind in ("string", "quoted") else token.text)
                elif self.is_word("uses"):
                    uses.append(self.uses())
                elif self.is_word("imports"):
                    start = self.take().start
                    imports.append(syntax.Imports(self.string("the url of the imported map"), self.since(start)))
                elif self.is_word("let"):
                    constants.append(self.constant())
                elif self.is_word("conceptmap"):
                    concept_maps.append(self.concept_map())
                elif self.is_word("group"):
                    groups.append(self.group())
                else:
                    self.wrong(f"expected a declaration or a group here, found {self._shown()}")
            except Wrong:
                self._next_declaration()
        if not groups and not self.problems.found:
            self.problems.add(self.text, self.token.span, "the map has no group")
        url, name = str(metadata.get("url", "")), str(metadata.get("name", ""))
        if not url and not self.problems.found:
            self.problems.add(self.text, Span(0, 1), "the map has no url", "begin with /// url = 'http://...'")
        return syntax.Map(
            url=url,
            name=name or url.rsplit("/", 1)[-1],
            text=self.text,
            metadata=metadata,
            uses=tuple(uses),
            imports=tuple(imports),
            constants=tuple(constants),
            concept_maps=tuple(concept_maps),
            groups=tuple(groups),
        )

    def _next_declaration(self) -> None:
        depth = 0
        self.take()
        while self.token.kind != "end":
            token = self.token
            if depth <= 0 and token.kind == "name" and token.text in _DECLARATIONS:
                return
            depth += {"{": 1, "}": -1}.get(token.text, 0) if token.kind == "op" else 0
            self.at += 1

    def _metadata(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for token in self.metadata:
            body = token.text.strip()[3:].strip()
            key, equals, value = body.partition("=")
            if not equals:
                self.problems.add(self.text, token.span, "metadata is written /// name = value")
                continue
            key, value = key.strip(), value.strip()
            read: object
            if value.startswith('"""'):
                read = value.strip('"').strip("\r\n")
            elif value[:1] in ("'", '"'):
                read = unescape(value[1 : value.rfind(value[0])])
            else:
                read = {"true": True, "false": False}.get(value, value)
            before = found.get(key)
            if before is None:
                found[key] = read
            else:
                found[key] = [*before, read] if isinstance(before, list) else [before, read]
        return found

    def uses(self) -> syntax.Uses:
        first = self.at
        start = self.take().start
        url = self.string("the url of the structure")
        alias = self.identifier("the alias").named if self.maybe("alias") else url.rsplit("/", 1)[-1]
        self.word("as")
        mode = self.identifier("source, target, queried or produced").text
        if mode not in ("source", "target", "queried", "produced"):
            self.wrong(f"'{mode}' is no mode", "source, target, queried or produced")
        self.maybe(";")
        span = self.since(start)
        words = self.documentation(first, span.end, self.token.start)
        return syntax.Uses(url, alias, mode, span, words)

    def constant(self) -> syntax.Constant:
        start = self.take().start
        name = self.identifier("the constant's name").text
        self.op("=")
        value = self.expression(lambda: self.is_op(";"))
        self.op(";")
        return syntax.Constant(name, value, self.since(start))

    def concept_map(self) -> syntax.EmbeddedConceptMap:
        start = self.take().start
        url = self.string("the ConceptMap's name")
        self.op("{")
        prefixes: dict[str, str] = {}
        rows: list[syntax.CodeRow] = []
        unmapped: list[tuple[str, str]] = []
        while not self.is_op("}"):
            if self.token.kind == "end":
                self.wrong("this conceptmap does not end", span=self.since(start))
            if self.maybe("prefix"):
                prefix = self.identifier("the prefix").text
                self.op("=")
                prefixes[prefix] = self.string("the system's url")
            elif self.maybe("unmapped"):
                self.word("for")
                prefix = self.identifier("the prefix").text
                self.op("=")
                unmapped.append((prefixes.get(prefix, prefix), self._code()))
            else:
                rows.append(self._code_row(prefixes))
            self.maybe(";")
        self.take()
        return syntax.EmbeddedConceptMap(url.lstrip("#"), tuple(rows), tuple(unmapped), self.since(start))

    def _code_row(self, prefixes: dict[str, str]) -> syntax.CodeRow:
        start = self.token.start
        source = self._prefixed_code(prefixes)
        if self.token.kind != "op":
            self.wrong("expected a relation here", "write source:code - target:code")
        relation = self.take().text
        if relation == "-" and self.is_op("-"):  # `--` has no target.
            self.take()
            return syntax.CodeRow(source, "--", None, self.since(start))
        return syntax.CodeRow(source, relation, self._prefixed_code(prefixes), self.since(start))

    def _prefixed_code(self, prefixes: dict[str, str]) -> tuple[str, str]:
        prefix = self.identifier("a prefix")
        if prefix.text not in prefixes:
            self.wrong(f"unknown prefix '{prefix.text}'", 'declare it: prefix s = "http://..."', prefix.span)
        self.op(":")
        return prefixes[prefix.text], self._code()

    def _code(self) -> str:
        """A code, quoted or bare; a bare one goes on as long as no space parts it (`in-progress`)."""
        if self.token.kind in ("string", "quoted"):
            return self.take().value
        first = self.take()
        end = first.end
        while self.token.start == end and self.token.text not in (";", "}"):
            end = self.take().end
        return self.text.content[first.start : end]

    def group(self) -> syntax.Group:
        first = self.at
        start = self.take().start
        name = self.identifier("the group's name")
        self.op("(")
        parameters = [self.parameter()]
        while self.maybe(","):
            parameters.append(self.parameter())
        self.op(")")
        extends: Token | None = None
        types: str | None = None
        while True:
            if self.maybe("extends"):
                extends = self.identifier("the extended group")
            elif self.maybe("<<"):
                self.op_or_word("types", "type")
                types = "type+" if self.maybe("+") else "types"
                self.op(">>")
            else:
                break
        span = self.since(start)
        words = self.documentation(first, self.token.end, self.ahead(1).start)
        return syntax.Group(
            name=name.named,
            parameters=tuple(parameters),
            rules=self.rules(),
            span=span,
            extends=extends.named if extends else None,
            extends_span=extends.span if extends else None,
            types=cast("TypeMode | None", types),
            documentation=words,
        )

    def op_or_word(self, *words: str) -> None:
        if self.token.text not in words:
            self.wrong(f"expected {' or '.join(words)} here, found {self._shown()}")
        self.take()

    def parameter(self) -> syntax.Parameter:
        mode = self.identifier("source or target")
        if mode.text not in ("source", "target"):
            self.wrong(f"expected source or target here, found '{mode.text}'", span=mode.span)
        name = self.identifier("the parameter's name").named
        kind = ".".join(self.path("the type")) if self.maybe(":") else None
        return syntax.Parameter(cast("Mode", mode.text), name, kind, self.since(mode.start))
