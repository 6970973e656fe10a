"""FHIR Mapping Language text to syntax tree: recursive descent, R4 and R5 forms, all problems in one run.

After a problem the parser goes on behind the rule's `;` or the group's `}`. Expressions are kept as text for the
FHIRPath compiler.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn, cast

from gateway.mapping import syntax
from gateway.mapping.lexer import Token, tokens, unescape
from gateway.mapping.problems import Problems
from gateway.mapping.syntax import (
    Argument,
    Call,
    Expression,
    Literal,
    Mode,
    Name,
    Rule,
    Source,
    Span,
    Target,
    Text,
    TypeMode,
)

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ENDS_BARE_CONDITION = frozenset(("where", "check", "log", "then"))
_DECLARATIONS = frozenset(("map", "uses", "imports", "let", "conceptmap", "group"))


class _Wrong(Exception):
    """The problem is noted; go on at the next rule or group."""


def parse(content: str, file: str, problems: Problems | None = None, *, path: str = "") -> syntax.Map:
    """The map in `content`. Without `problems`, a CompileError is raised where there are any."""
    collected = Problems() if problems is None else problems
    found = _Parser(Text(content, file, path), collected).map()
    if problems is None:
        collected.stop()
    return found


class _Parser:
    def __init__(self, text: Text, problems: Problems) -> None:
        self.text = text
        self.problems = problems
        found, self.comments = tokens(text, problems)
        header = next((i for i, t in enumerate(found) if t.kind == "name" and t.text == "group"), len(found))
        self.metadata = [t for t in found[:header] if t.kind == "metadata"]
        self.tokens = [t for t in found if t.kind != "metadata"]
        self.at = 0

    # What stands here

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def is_op(self, text: str) -> bool:
        token = self.token
        return token.kind == "op" and token.text == text

    def is_word(self, text: str) -> bool:
        token = self.token
        return token.kind == "name" and token.text == text

    def wrong(self, message: str, hint: str = "", span: Span | None = None) -> NoReturn:
        token = self.token
        self.problems.add(self.text, span or Span(token.start, max(token.end, token.start + 1)), message, hint)
        raise _Wrong

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def op(self, text: str, hint: str = "") -> Token:
        if not self.is_op(text):
            self.wrong(f"expected '{text}' here, found {self._shown()}", hint)
        return self.take()

    def word(self, text: str) -> Token:
        if not self.is_word(text):
            self.wrong(f"expected '{text}' here, found {self._shown()}")
        return self.take()

    def maybe(self, text: str) -> bool:
        if self.is_op(text) or self.is_word(text):
            self.at += 1
            return True
        return False

    def identifier(self, what: str = "a name") -> Token:
        if self.token.kind not in ("name", "delimited"):
            self.wrong(f"expected {what} here, found {self._shown()}")
        return self.take()

    def string(self, what: str) -> str:
        if self.token.kind not in ("string", "quoted"):
            self.wrong(f"expected {what} in quotes here, found {self._shown()}")
        return self.take().value

    def _shown(self) -> str:
        return "the end of the file" if self.token.kind == "end" else f"'{self.token.text}'"

    def since(self, start: int) -> Span:
        return Span(start, self.tokens[self.at - 1].end if self.at else start)

    # The map

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
            except _Wrong:
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
        start = self.take().start
        url = self.string("the url of the structure")
        alias = self.identifier("the alias").text if self.maybe("alias") else url.rsplit("/", 1)[-1]
        self.word("as")
        mode = self.identifier("source, target, queried or produced").text
        if mode not in ("source", "target", "queried", "produced"):
            self.wrong(f"'{mode}' is no mode", "source, target, queried or produced")
        self.maybe(";")
        return syntax.Uses(url, alias.strip("`"), mode, self.since(start))

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

    # Groups

    def group(self) -> syntax.Group:
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
        return syntax.Group(
            name=name.text.strip("`"),
            parameters=tuple(parameters),
            rules=self.rules(),
            span=span,
            extends=extends.text if extends else None,
            extends_span=extends.span if extends else None,
            types=cast("TypeMode | None", types),
        )

    def op_or_word(self, *words: str) -> None:
        if self.token.text not in words:
            self.wrong(f"expected {' or '.join(words)} here, found {self._shown()}")
        self.take()

    def parameter(self) -> syntax.Parameter:
        mode = self.identifier("source or target")
        if mode.text not in ("source", "target"):
            self.wrong(f"expected source or target here, found '{mode.text}'", span=mode.span)
        name = self.identifier("the parameter's name").text.strip("`")
        kind = self.identifier("the type").text.strip("`") if self.maybe(":") else None
        return syntax.Parameter(cast("Mode", mode.text), name, kind, self.since(mode.start))

    def rules(self) -> tuple[Rule, ...]:
        self.op("{")
        found: list[Rule] = []
        while not self.maybe("}"):
            if self.token.kind == "end":
                self.wrong("a '}' is missing before the end of the file")
            try:
                found.extend(self.rule())
            except _Wrong:
                if not self._next_rule():
                    raise
        return tuple(found)

    def _next_rule(self) -> bool:
        """Go behind the rule that is wrong; False when the file ends first."""
        depth = 0
        while self.token.kind != "end":
            text = self.token.text if self.token.kind == "op" else ""
            if depth == 0 and text == "}":
                return True
            self.at += 1
            if text == "{":
                depth += 1
            elif text == "}":
                depth -= 1
            elif text == ";" and depth == 0:
                return True
        self.problems.add(self.text, self.token.span, "a '}' is missing before the end of the file")
        return False

    # Rules

    def rule(self) -> list[Rule]:
        start = self.token.start
        sources = [self.source()]
        while self.maybe(","):
            sources.append(self.source())
        targets: list[Target] = []
        if self.maybe("->"):
            targets.append(self.target())
            if self.is_op(":") and self._bare(sources, targets):
                return self.batch(sources[0], targets[0], start)
            while self.maybe(","):
                targets.append(self.target())
        calls: list[Call] = []
        nested: tuple[Rule, ...] = ()
        if self.maybe("then"):
            if not self.is_op("{"):
                calls.append(self.call())
                while self.maybe(","):
                    calls.append(self.call())
            if self.is_op("{"):
                nested = self.rules()
        span = self.since(start)
        name = self._rule_name()
        self.op(";", "a rule ends with ';', behind its name if it has one")
        return [Rule(tuple(sources), tuple(targets), span, tuple(calls), nested, name)]

    def _rule_name(self) -> str | None:
        return self.take().value if self.token.kind in ("quoted", "string") else None

    @staticmethod
    def _bare(sources: list[Source], targets: list[Target]) -> bool:
        return len(sources) == 1 and len(targets) == 1 and targets[0].transform is None

    def batch(self, source: Source, target: Target, start: int) -> list[Rule]:
        """`src -> tgt: a, b, c;` is three simple copies."""
        self.take()
        names = [self.identifier("an element")]
        while self.maybe(","):
            names.append(self.identifier("an element"))
        label = self._rule_name()
        self.op(";")
        found = []
        for token in names:
            element = token.value if token.kind == "delimited" else token.text
            found.append(
                Rule(
                    (Source(source.context, (*source.path, element), token.span),),
                    (Target(target.context, (*target.path, element), token.span),),
                    token.span,
                    name=f"{label}-{element}" if label else None,
                )
            )
        return found

    def path(self, what: str) -> tuple[str, ...]:
        parts = [self._part(what)]
        while self.is_op("."):
            self.take()
            parts.append(self._part("an element"))
        return tuple(parts)

    def _part(self, what: str) -> str:
        token = self.identifier(what)
        return token.value if token.kind == "delimited" else token.text

    def source(self) -> Source:
        start = self.token.start
        context, *path = self.path("a source")
        where_to = self.since(start)
        kind: str | None = None
        cardinality: tuple[int, int | None] | None = None
        default: Argument | None = None
        mode: str | None = None
        alias: str | None = None
        conditions: dict[str, Expression] = {}
        while True:
            token = self.token
            if token.kind == "op" and token.text == ":" and kind is None:
                self.take()
                kind = self._part("the type")
            elif token.kind == "number" and cardinality is None:
                cardinality = self.cardinality()
            elif token.kind != "name":
                break
            elif token.text == "default":
                self.take()
                default = self.default()
            elif token.text in syntax.SOURCE_MODES:
                mode = self.take().text
            elif token.text == "as":
                self.take()
                alias = self._part("the variable's name")
            elif token.text in ("where", "check", "log"):
                self.take()
                conditions[token.text] = self.condition()
            else:
                break
        return Source(
            context,
            tuple(path),
            where_to,
            kind,
            cardinality,
            default,
            mode,
            alias,
            conditions.get("where"),
            conditions.get("check"),
            conditions.get("log"),
        )

    def cardinality(self) -> tuple[int, int | None]:
        low = self.take()
        self.op("..")
        high = self.take()
        if not low.text.isdigit() or not (high.text.isdigit() or high.text == "*"):
            self.wrong("a cardinality is written 0..1 or 1..*", span=Span(low.start, high.end))
        return int(low.text), None if high.text == "*" else int(high.text)

    def default(self) -> Argument:
        if self.token.kind == "quoted":
            token = self.take()
            return Literal(token.value, token.span)
        return self.parenthesised()

    def parenthesised(self) -> Expression:
        self.op("(")
        found = self.expression(lambda: self.is_op(")"))
        self.op(")")
        return found

    def condition(self) -> Expression:
        """`(expression)`, or the bare form of R4: up to the next clause."""
        if self.is_op("("):
            after = self._behind_parenthesis()
            if after.kind != "op" or after.text in ("->", ",", ";", "{"):
                return self.parenthesised()

        def ends() -> bool:
            token = self.token
            if token.kind == "quoted":
                return True
            if token.kind == "name" and token.text in _ENDS_BARE_CONDITION:
                return not (self.tokens[self.at - 1].text == "." or self.tokens[self.at - 1].text == "%")
            return token.kind == "op" and token.text in ("->", ",", ";")

        return self.expression(ends)

    def _behind_parenthesis(self) -> Token:
        depth = 0
        for token in self.tokens[self.at :]:
            if token.kind == "op":
                if depth == 0 and token.text not in _CLOSING:
                    return token
                depth += 1 if token.text in _CLOSING else -1 if token.text in _CLOSING.values() else 0
            elif depth == 0:
                return token
        return self.tokens[-1]

    def expression(self, ends: Callable[[], bool]) -> Expression:
        """FHIRPath up to where `ends()` says, outside all brackets."""
        first = self.token
        closing: list[str] = []
        while closing or not ends():
            token = self.token
            if token.kind == "end":
                self.wrong("this expression does not end", span=Span(first.start, max(first.end, first.start + 1)))
            if token.kind == "op":
                if token.text in _CLOSING:
                    closing.append(_CLOSING[token.text])
                elif token.text in _CLOSING.values() and (not closing or closing.pop() != token.text):
                    self.wrong(f"'{token.text}' closes nothing")
            self.at += 1
        span = self.since(first.start)
        if span.end <= span.start:
            self.wrong("an expression is missing here")
        return Expression(self._without_comments(span), span)

    def _without_comments(self, span: Span) -> str:
        found = self.text.content[span.start : span.end]
        for comment in self.comments:
            if span.start <= comment.start < span.end:
                low, high = comment.start - span.start, comment.end - span.start
                found = found[:low] + " " * (high - low) + found[high:]
        return found

    def target(self) -> Target:
        start = self.token.start
        context: str | None = None
        path: tuple[str, ...] = ()
        transform: Argument | Call | None = None
        if self.is_op("("):
            transform = self.parenthesised()
        elif self.token.kind == "name" and self.tokens[self.at + 1].text == "(":
            transform = self.call()
        else:
            context, *rest = self.path("a target")
            path = tuple(rest)
            if self.maybe("="):
                transform = self.transform()
        span = self.since(start)
        alias = mode = share = None
        while self.token.kind == "name":
            if self.is_word("as"):
                self.take()
                alias = self._part("the variable's name")
            elif self.token.text in syntax.TARGET_MODES:
                mode = self.take().text
                if mode == "share":
                    share = self.identifier("the name of what is shared").text
            else:
                break
        return Target(context, path, span, transform, alias, mode, share)

    def transform(self) -> Argument | Call:
        if self.is_op("("):
            return self.parenthesised()
        token, following = self.token, self.tokens[self.at + 1]
        if token.kind in ("name", "delimited") and following.text == "(":
            return self.call()
        if token.kind in ("name", "delimited") and token.text not in ("true", "false"):
            path = self.path("a variable")
            span = self.since(token.start)
            return Name(path[0], span) if len(path) == 1 else Expression(self.text.content[span.start : span.end], span)
        return self.literal()

    def literal(self) -> Literal:
        token = self.token
        if token.text == "-" and self.tokens[self.at + 1].kind == "number":
            self.take()
            number = self.literal()
            return Literal(-cast("int | Decimal", number.value), Span(token.start, number.span.end))
        value: str | int | Decimal | bool
        if token.kind in ("string", "quoted"):
            value = token.value
        elif token.kind == "number":
            digits = token.text.rstrip("L")
            value = Decimal(digits) if "." in digits else int(digits)
        elif token.kind == "date":
            value = token.text[1:]
        elif token.text in ("true", "false"):
            value = token.text == "true"
        else:
            self.wrong(f"expected a value, a variable or a transform here, found {self._shown()}")
        self.take()
        return Literal(value, token.span)

    def call(self) -> Call:
        name = self.identifier("the name of a group or transform")
        self.op("(")
        arguments: list[Argument] = []
        if not self.is_op(")"):
            arguments.append(self.argument())
            while self.maybe(","):
                arguments.append(self.argument())
        self.op(")")
        return Call(name.text.strip("`"), tuple(arguments), self.since(name.start))

    def argument(self) -> Argument:
        token, following = self.token, self.tokens[self.at + 1]
        alone = following.kind == "op" and following.text in (",", ")")
        if alone and token.kind in ("name", "delimited") and token.text not in ("true", "false"):
            self.take()
            return Name(token.value if token.kind == "delimited" else token.text, token.span)
        if alone and token.kind != "op":
            return self.literal()
        if token.text == "-" and following.kind == "number" and self.tokens[self.at + 2].text in (",", ")"):
            return self.literal()
        return self.expression(lambda: self.is_op(",") or self.is_op(")"))
