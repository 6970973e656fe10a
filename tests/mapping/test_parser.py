"""The language is read whole: R4 and R5 forms, HL7's own examples, and every mistake in one run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping import CompileError, parse
from gateway.mapping.syntax import Expression, Literal, Map, Name
from tests.mapping.maps import problems_of, text_of

DATA = Path(__file__).parents[2] / "../shared/data"
EXAMPLES = sorted(DATA.glob("fml-guide/input/examples/*.fml"))
CASES = sorted(DATA.glob("fhir-test-cases/r5/structure-mapping/*.map"))


def rules_of(text: str) -> Map:
    return parse(text_of(text), "example.fml")


@pytest.mark.corpus
@pytest.mark.skipif(not EXAMPLES, reason="the mapping guide's examples are not here")
def test_every_public_map_is_read() -> None:
    for path in (*EXAMPLES, *CASES):
        assert parse(path.read_text(encoding="utf-8"), path.name).groups, path.name
    assert len(EXAMPLES) == 55
    assert len(CASES) == 15


def test_r4_names_a_map_in_one_line_and_r5_in_metadata() -> None:
    body = "\ngroup A(source s, target t) { s.a -> t.b; }"
    old = parse('map "http://example.org/m" = "m"' + body, "old.map")
    new = parse("/// url = 'http://example.org/m'\n/// name = 'm'\n/// experimental = true" + body, "new.fml")
    assert (old.url, old.name) == (new.url, new.name) == ("http://example.org/m", "m")
    assert new.metadata["experimental"] is True


def test_markdown_metadata_goes_over_lines() -> None:
    text = '/// url = \'u\'\n/// description = """\nfirst\nsecond\n"""\ngroup A(source s, target t) {}'
    assert parse(text, "m.fml").metadata["description"] == "first\nsecond"


def test_repeated_metadata_is_a_list() -> None:
    text = "/// url = 'u'\n/// contact = 'a'\n/// contact = 'b'\ngroup A(source s, target t) {}"
    assert parse(text, "m.fml").metadata["contact"] == ["a", "b"]


def test_a_rule_has_sources_targets_calls_rules_and_a_name() -> None:
    text = (
        "src.a first as x where (x.b) check (x.c) log (x), src.d : string 1..* as y"
        ' -> tgt.e = x as z, tgt.f then G(x, z), H(y, z) { x.g -> z.h; } "rule";'
    )
    (rule,) = rules_of(text).groups[0].rules
    first, second = rule.sources
    assert (first.path, first.mode, first.alias) == (("a",), "first", "x")
    assert [e.text for e in (first.where, first.check, first.log) if e] == ["x.b", "x.c", "x"]
    assert (second.type, second.cardinality) == ("string", (1, None))
    assert [target.path for target in rule.targets] == [("e",), ("f",)]
    assert [call.name for call in rule.calls] == ["G", "H"]
    assert len(rule.rules) == 1
    assert rule.name == "rule"


def test_bare_conditions_of_r4_end_at_the_next_clause() -> None:
    text = "src.a as x where x.b = 'then' and (x.c or x.d) check x.e log x.f -> tgt.g = x;"
    source = rules_of(text).groups[0].rules[0].sources[0]
    assert source.where and source.check and source.log
    assert source.where.text == "x.b = 'then' and (x.c or x.d)"
    assert (source.check.text, source.log.text) == ("x.e", "x.f")


def test_a_batch_of_names_is_a_copy_of_each() -> None:
    rules = rules_of('src -> tgt: id, active, `group` "same";').groups[0].rules
    assert [(r.sources[0].path, r.targets[0].path, r.name) for r in rules] == [
        (("id",), ("id",), "same-id"),
        (("active",), ("active",), "same-active"),
        (("group",), ("group",), "same-group"),
    ]


def test_arguments_are_literals_names_or_expressions() -> None:
    text = "src -> tgt.a = f('a', \"b\", 1, 2.50, -3, true, @2026-02-01, v, v.b & 'c');"
    call = rules_of(text).groups[0].rules[0].targets[0].transform
    arguments = call.arguments  # type: ignore[union-attr]
    values = [a.value for a in arguments if isinstance(a, Literal)]
    assert values == ["a", "b", 1, Decimal("2.50"), -3, True, "2026-02-01"]
    assert isinstance(arguments[-2], Name)
    assert isinstance(arguments[-1], Expression)
    assert arguments[-1].text == "v.b & 'c'"


def test_names_of_any_kind_stand_in_backquotes() -> None:
    (rule,) = rules_of("src.`3`.`section4.5` as v -> tgt.`group` = v;").groups[0].rules
    assert rule.sources[0].path == ("3", "section4.5")
    assert rule.targets[0].path == ("group",)


def test_keywords_may_be_elements() -> None:
    (rule,) = rules_of("src.source.target.where.first as v -> tgt.group.as = v;").groups[0].rules
    assert rule.sources[0].path == ("source", "target", "where", "first")
    assert rule.targets[0].path == ("group", "as")


def test_embedded_concept_maps_have_bare_and_quoted_codes() -> None:
    text = (
        '/// url = \'u\'\nconceptmap "#kinds" {\n prefix s = "http://s"\n prefix t = "http://t"\n'
        " s:in-progress - t:planned\n s:\"two words\" == t:'x'\n s:none -- \n unmapped for s = provided\n}\n"
        "group A(source s, target t) {}"
    )
    (found,) = parse(text, "m.fml").concept_maps
    assert found.url == "kinds"
    assert [(row.source, row.target) for row in found.rows] == [
        (("http://s", "in-progress"), ("http://t", "planned")),
        (("http://s", "two words"), ("http://t", "x")),
        (("http://s", "none"), None),
    ]
    assert found.unmapped == (("http://s", "provided"),)


def test_comments_stand_anywhere_and_in_expressions() -> None:
    text = "// first\nsrc.a as x where (x.b /* why */ = 'c') // last\n -> tgt.d = x; /// not metadata here"
    (rule,) = rules_of(text).groups[0].rules
    assert rule.sources[0].where is not None
    assert rule.sources[0].where.text == "x.b           = 'c'"


def test_all_mistakes_are_said_in_one_run_with_place_and_caret() -> None:
    text = text_of("src.a as -> tgt.b;\nsrc.c -> tgt.d = ;\nsrc.e -> tgt.f = 'open;\nsrc.g -> tgt.h;")
    with pytest.raises(CompileError) as raised:
        parse(text, "example.fml")
    shown = str(raised.value)
    assert [(p.line, p.column) for p in raised.value.problems] == [(5, 10), (6, 18), (7, 18)]
    assert "example.fml:5:10: expected the variable's name here, found '->'" in shown
    assert "src.a as -> tgt.b;\n             ^^" in shown
    assert raised.value.issues[0].where == "example.fml:5:10"


def test_a_missing_brace_is_said_once() -> None:
    with pytest.raises(CompileError) as raised:
        parse("/// url = 'u'\ngroup A(source s, target t) {\n s.a -> t.b;\n", "m.fml")
    assert ["'}' is missing" in p.text for p in raised.value.problems] == [True]


@pytest.mark.parametrize(
    "text", ["", "group", "/// url = 'u'", "map", "uses 'x' as nothing", "conceptmap 'x' {", "\x00"]
)
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(CompileError):
        parse(text, "m.fml")


@given(st.text(alphabet="group Asrctg(){}->.;,'\"`:=/*<>\n 0@[]", max_size=120))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    try:
        parse("/// url = 'u'\n" + text, "m.fml")
    except CompileError as error:
        assert all(problem.line >= 1 for problem in error.problems)


@given(st.data())
def test_a_map_cut_anywhere_is_refused_or_read(data: st.DataObject) -> None:
    whole = text_of('src.a as x where (x.b = \'c\') -> tgt.d = create("HumanName") as n then { x.e -> n.family; } "r";')
    cut = data.draw(st.integers(0, len(whole)))
    try:
        parse(whole[:cut], "m.fml")
    except CompileError as error:
        assert error.problems


def test_a_whole_number_has_the_bits_of_fhir() -> None:
    def problems(number: str) -> list[str]:
        return [one.text for one in problems_of(text_of(f'src.a as v -> tgt.id = truncate(v, {number}) "r";'))]

    assert problems("2147483647") == []
    assert "32 bits" in problems("2147483648")[0]
