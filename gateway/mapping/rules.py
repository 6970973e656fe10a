"""Rules of the mapping language: sources, targets, what is invoked then.

https://build.fhir.org/ig/HL7/mapping-language-ig/fml.html#rules
"""

from __future__ import annotations

from gateway.mapping import syntax
from gateway.mapping.cursor import Cursor, Wrong
from gateway.mapping.syntax import Argument, Call, Expression, Literal, Name, Rule, Source, Span, Target

DEEPEST = 50
_ENDS_BARE_CONDITION = frozenset(("where", "check", "log", "then"))


class RuleParser(Cursor):
    """Reads what stands between a group's braces."""

    depth = 0
    """How many braces are open."""

    def rules(self) -> tuple[Rule, ...]:
        self.op("{")
        self.depth += 1
        if self.depth > DEEPEST:
            self.wrong(
                f"more than {DEEPEST} blocks of rules stand inside one another", "put the inner ones into a group"
            )
        found: list[Rule] = []
        while not self.maybe("}"):
            if self.token.kind == "end":
                self.wrong("a '}' is missing before the end of the file")
            try:
                found.extend(self.rule())
            except Wrong:
                if not self._next_rule():
                    raise
        self.depth -= 1
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

    def rule(self) -> list[Rule]:
        first, start = self.at, self.token.start
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
        ends = "a rule ends with ';', behind its name if it has one"
        self.op(";", ends if targets else f"'->' stands before what a rule writes, and {ends}")
        words = self.documentation(first, self.since(start).end, self.token.start)
        return [Rule(tuple(sources), tuple(targets), span, tuple(calls), nested, name, words)]

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
            element = token.named
            found.append(
                Rule(
                    (Source(source.context, (*source.path, element), token.span),),
                    (Target(target.context, (*target.path, element), token.span),),
                    token.span,
                    name=f"{label}-{element}" if label else None,
                )
            )
        return found

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

    def target(self) -> Target:
        start = self.token.start
        context: str | None = None
        path: tuple[str, ...] = ()
        transform: Argument | Call | None = None
        if self.is_op("("):
            transform = self.parenthesised()
        elif self.token.kind == "name" and self.ahead(1).text == "(":
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
                    share = self.identifier("the name of what is shared").named
            else:
                break
        return Target(context, path, span, transform, alias, mode, share)

    def transform(self) -> Argument | Call:
        if self.is_op("("):
            return self.parenthesised()
        token, following = self.token, self.ahead(1)
        if token.kind in ("name", "delimited") and following.text == "(":
            return self.call()
        if token.kind in ("name", "delimited") and token.text not in ("true", "false"):
            path = self.path("a variable")
            span = self.since(token.start)
            return Name(path[0], span) if len(path) == 1 else Expression(self.text.content[span.start : span.end], span)
        return self.literal()

    def call(self) -> Call:
        name = self.identifier("the name of a group or transform")
        self.op("(")
        arguments: list[Argument] = []
        if not self.is_op(")"):
            arguments.append(self.argument())
            while self.maybe(","):
                arguments.append(self.argument())
        self.op(")")
        return Call(name.named, tuple(arguments), self.since(name.start))

    def argument(self) -> Argument:
        token, following = self.token, self.ahead(1)
        alone = following.kind == "op" and following.text in (",", ")")
        if alone and token.kind in ("name", "delimited") and token.text not in ("true", "false"):
            self.take()
            return Name(token.value if token.kind == "delimited" else token.text, token.span)
        if alone and token.kind != "op":
            return self.literal()
        if token.text == "-" and following.kind == "number" and self.ahead(2).text in (",", ")"):
            return self.literal()
        return self.expression(lambda: self.is_op(",") or self.is_op(")"))
