"""What rules do: sources chosen, targets made once, often, shared or in order, and what is never done in silence."""

from __future__ import annotations

import pytest

from tests.mapping.maps import URL, compiled, made, mapped, node, told

NAMES = {"name": [{"family": "A", "use": "usual"}, {"family": "B", "use": "old"}, {"family": "C", "use": "old"}]}


@pytest.mark.parametrize(
    ("mode", "families"),
    [("", ["A", "B", "C"]), ("first", ["A"]), ("last", ["C"]), ("not_first", ["B", "C"]), ("not_last", ["A", "B"])],
)
def test_a_list_mode_chooses_among_the_sources_repetitions(mode: str, families: list[str]) -> None:
    found = made(f"src.name {mode} as n -> tgt.name as t then {{ n.family -> t.family; }};", NAMES)
    assert [name["family"] for name in found["name"]] == families


def test_a_list_mode_chooses_among_what_the_condition_left() -> None:
    found = made("src.name last as n where (n.use = 'old') -> tgt.name as t then { n.family -> t.family; };", NAMES)
    assert found == {"name": [{"family": "C"}]}


def test_only_one_holds_a_record_that_has_two() -> None:
    rules = "src.name only_one as n -> tgt.name as t then { n.family -> t.family; };"
    assert told(rules, NAMES) == ({}, ["source-cardinality"])
    assert told(rules, {}) == ({}, [])


@pytest.mark.parametrize(("count", "held"), [(0, True), (1, False), (2, False), (3, True)])
def test_a_cardinality_holds_a_record_outside_it(count: int, held: bool) -> None:
    _, issues = told("src.id 1..2 as v -> tgt.language = v;", {"id": ["sv", "sv", "sv"][:count]})
    assert ("source-cardinality" in issues) == held


def test_a_default_stands_in_for_what_is_missing() -> None:
    rules = "src.gender default ('unknown') as v -> tgt.gender = v; src.active default (true) as v -> tgt.active = v;"
    assert made(rules, {}) == {"gender": "unknown", "active": True}
    assert made(rules, {"gender": "male", "active": "false"}) == {"gender": "male", "active": False}


def test_conditions_may_look_at_the_element_or_at_variables() -> None:
    rules = "src.name as n where (use = 'old' and n.family != 'B' and src.name.count() = 3) -> tgt.language = n.family;"
    assert made(rules.replace("n.family;", "(n.family);"), NAMES) == {"language": "C"}


def test_a_failing_check_holds_the_record_and_says_what_was_demanded() -> None:
    _, run = mapped("src.id as v check (v.length() <= 4) -> tgt.language = v;", {"id": "longer"})
    (issue,) = run.found
    assert (issue.severity, issue.rule) == ("error", "check-failed")
    assert "v.length() <= 4" in issue.text
    assert "longer" not in issue.text


def test_a_log_of_words_is_an_issue_and_a_log_of_values_is_kept_apart() -> None:
    rules = "src.id as v log ('not mapped yet') \"later\"; src.name as n log (n.family);"
    _, run = mapped(rules, {"id": "1", "name": {"family": "A"}})
    assert [(issue.rule, issue.text) for issue in run.found] == [("later", "not mapped yet")]
    assert [text for _, text in run.logged] == ["A"]


def test_several_sources_give_every_combination() -> None:
    source = {"a": ["1", "2"], "b": ["x", "y"]}
    found = made("src.a as a, src.b as b -> tgt.identifier = id(a, b);", source)
    assert [(i["system"], i["value"]) for i in found["identifier"]] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    assert made("src.a as a, src.c as c -> tgt.identifier = id(a, c);", source) == {}


def test_a_source_may_stand_below_another_of_the_same_rule() -> None:
    source = {"contact": [{"name": {"family": "A"}}, {}, {"name": {"family": "B"}}]}
    found = made(
        "src.contact as c, c.name as n -> tgt.contact as t, t.name as m then { n.family -> m.family; };", source
    )
    assert [contact["name"]["family"] for contact in found["contact"]] == ["A", "B"]


def test_a_path_goes_down_several_steps() -> None:
    source = {"a": [{"b": {"c": "sv"}}, {"b": {"c": "en"}}]}
    assert made("src.a.b.c last as v -> tgt.language = v;", source) == {"language": "en"}
    assert made("src.a.b.c as v where (v = 'sv') -> tgt.language = v;", source) == {"language": "sv"}


def test_nested_rules_see_the_variables_around_them_and_shadow_them_only_inside() -> None:
    source = {"item": {"v": "outer", "item": {"v": "inner"}}}
    rules = """src.item as item -> tgt.name as n then {
        item.item as item -> n.given = (item.v);
        item.v as v -> n.given = v;
    };"""
    assert made(rules, source) == {"name": [{"given": ["inner", "outer"]}]}


def test_a_repeating_element_is_a_list_and_another_is_not() -> None:
    assert made("src.a as v -> tgt.name as n, n.given = v, n.family = v;", {"a": "x"}) == {
        "name": [{"given": ["x"], "family": "x"}]
    }


def test_an_element_that_holds_one_is_made_once_and_filled_by_several_rules() -> None:
    rules = "src.a as v -> tgt.maritalStatus as m, m.text = v; src.b as v -> tgt.maritalStatus as m, m.id = v;"
    assert made(rules, {"a": "x", "b": "1"}) == {"maritalStatus": {"text": "x", "id": "1"}}


def test_a_source_that_repeats_into_an_element_that_holds_one_is_told() -> None:
    found, issues = told("src.a as v -> tgt.language = v;", {"a": ["sv", "en"]})
    assert (found, issues) == ({"language": "en"}, ["several-values"])
    assert told("src.a as v -> tgt.language = v;", {"a": ["sv", "sv"]})[1] == []


def test_a_constant_may_be_written_over_by_what_the_source_says() -> None:
    rules = "src -> tgt.gender = 'unknown'; src.g as v -> tgt.gender = v;"
    assert made(rules, {"g": "male"}) == {"gender": "male"}
    assert made(rules, {}) == {"gender": "unknown"}


def test_what_stays_empty_is_not_there() -> None:
    rules = """src -> tgt.name as n, n.period as p then { src.start as v -> p.start = v; };
               src -> tgt.contact as c, c.name as m then { src.family as v -> m.family = v; };"""
    assert made(rules, {}) == {}
    assert made(rules, {"start": "2026-01-02"}) == {"name": [{"period": {"start": "2026-01-02"}}]}


def test_a_shared_target_is_one_for_all_rules_that_share_it() -> None:
    rules = """src.f as v -> tgt.name as n share official, n.family = v;
               src.g as v -> tgt.name as n share official, n.given = v;
               src.f as v -> tgt.name as n share other, n.text = v;"""
    assert made(rules, {"f": "A", "g": ["B", "C"]})["name"][0] == {"family": "A", "given": ["B", "C"]}
    assert len(made(rules, {"f": "A", "g": "B"})["name"]) == 2


def test_first_and_last_put_a_target_in_its_place() -> None:
    rules = """src.last as v -> tgt.name as n last, n.text = v;
               src.any as v -> tgt.name as n, n.text = v;
               src.first as v -> tgt.name as n first, n.text = v;"""
    found = made(rules, {"last": "z", "any": ["m", "n"], "first": "a"})
    assert [name["text"] for name in found["name"]] == ["a", "m", "n", "z"]


def test_single_uses_the_first_that_is_there() -> None:
    rules = "src.a as v -> tgt.name as n single, n.given = v;"
    assert made(rules, {"a": ["x", "y"]}) == {"name": [{"given": ["x", "y"]}]}


def test_simple_values_can_be_put_first_too() -> None:
    rules = "src.a as v -> tgt.name as n single then { v -> n.given = v first; };"
    assert made(rules, {"a": ["x", "y"]}) == {"name": [{"given": ["y", "x"]}]}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("tgt.deceased = true", {"deceasedBoolean": True}),
        ("tgt.deceased = toDateTime('20260102')", {"deceasedDateTime": "2026-01-02"}),
        ("tgt.extension as e, e.url = 'u', e.value = 'x'", {"extension": [{"url": "u", "valueString": "x"}]}),
        ("tgt.extension as e, e.url = 'u', e.value = 7", {"extension": [{"url": "u", "valueInteger": 7}]}),
        ("tgt.extension as e, e.value = cast('7', 'positiveInt')", {"extension": [{"valuePositiveInt": 7}]}),
        ("tgt.extension as e, e.value = create('Age') as p, p.id = '1'", {"extension": [{"valueAge": {"id": "1"}}]}),
        ("tgt.extension as e, e.url = 'u', e.valueCode = 'x'", {"extension": [{"url": "u", "valueCode": "x"}]}),
        ("tgt.extension as e, e.value = (@2026-01-02)", {"extension": [{"valueDate": "2026-01-02"}]}),
        ("tgt.extension as e, e.url = 'u', e.value = (1.50)", {"extension": [{"url": "u", "valueDecimal": 1.5}]}),
    ],
)  # fmt: skip
def test_a_choice_element_takes_the_name_of_its_values_type(rule: str, found: dict[str, object]) -> None:
    assert made(f"src -> {rule};", {}) == found


def test_a_fhir_sources_choice_is_found_under_its_name_and_keeps_its_type() -> None:
    text = (
        f"/// url = '{URL}'\nuses \"http://hl7.org/fhir/StructureDefinition/Observation\" as source\n"
        "group A(source src : Observation, target tgt : Observation) {\n"
        " src.value as v -> tgt.value = v;\n src.effective : Period as p -> tgt.note as n, n.text = (p.start);\n}"
    )
    program = compiled(text)
    found, run = program.run(node({"valueString": "x", "effectivePeriod": {"start": "2026"}}))
    assert found == {"resourceType": "Observation", "valueString": "x", "note": [{"text": "2026"}]}
    assert not run.found
    assert "note" not in program.run(node({"effectiveDateTime": "2026"}))[0]


def test_an_expression_may_give_several_values_for_a_list_and_one_for_the_rest() -> None:
    source = {"a": ["x", "y"]}
    assert made("src -> tgt.name as n, n.given = (src.a);", source) == {"name": [{"given": ["x", "y"]}]}
    assert told("src -> tgt.language = (src.a);", source) == ({}, ["several-values"])


def test_an_expression_that_cannot_be_evaluated_leaves_its_field_out() -> None:
    found, run = mapped("src -> tgt.language = (src.a.toInteger() + 'x'), tgt.active = true;", {"a": "1"})
    assert found == {"active": True}
    assert [(issue.severity, issue.rule) for issue in run.found] == [("warning", "expression-failed")]


def test_a_group_invoked_for_several_types_writes_what_each_has() -> None:
    more = (
        "group Named(source s, target t) { s.n as v -> t.name as x then Text(v, x); }\n"
        "group Text(source v, target t) { v -> t.text = v; }"
    )
    found = made(
        "src.a as a then Named(a, tgt); src.a as a -> tgt.contact as c then Named(a, c);", {"a": {"n": "x"}}, more=more
    )
    assert found == {"name": [{"text": "x"}], "contact": [{"name": {"text": "x"}}]}


def test_an_extended_groups_rules_come_first() -> None:
    more = (
        "group Base(source s, target t : HumanName) { s.a as v -> t.given = v; }\n"
        "group More(source s, target t : HumanName) extends Base { s.b as v -> t.given = v; }"
    )
    assert made("src -> tgt.name as n then More(src, n);", {"a": "1", "b": "2"}, more=more) == {
        "name": [{"given": ["1", "2"]}]
    }


def test_groups_come_from_imported_maps_by_wildcard() -> None:
    group = "group Family(source s, target t : HumanName) { s.f -> t.family; }"
    other = f"/// url = 'http://example.org/StructureMap/shared-names'\n{group}"
    header = 'imports "http://example.org/StructureMap/shared-*"'
    rules = "src -> tgt.name as n then Family(src, n);"
    assert made(rules, {"f": "A"}, header=header, others=[other]) == {"name": [{"family": "A"}]}


def test_a_type_group_copies_what_it_is_for() -> None:
    text = (
        f"/// url = '{URL}'\nuses \"http://hl7.org/fhir/StructureDefinition/Patient\" as source\n"
        "group A(source src : Patient, target tgt : Patient) { src -> tgt: name, maritalStatus; }\n"
        "group Name(source s : HumanName, target t : HumanName) <<types>> { s.family -> t.family; }"
    )
    source = {"name": {"family": "A", "given": ["B"]}, "maritalStatus": {"text": "x"}}
    assert compiled(text).run(node(source))[0] == {
        "resourceType": "Patient",
        "name": [{"family": "A"}],
        "maritalStatus": {"text": "x"},
    }


def test_a_whole_element_is_copied_by_the_names_its_type_knows() -> None:
    source = {"name": {"family": "A", "given": ["B", "C"], "nick": "D", "period": {"start": "2026-13-01"}}}
    found, run = mapped("src.name -> tgt.name;", source)
    assert found == {"name": [{"family": "A", "given": ["B", "C"]}]}
    assert sorted((i.rule, i.at.pos) for i in run.found) == [
        ("unknown-element", "/name[0]/nick[0]"),
        ("value-not-valid", "/name[0]/period[0]/start[0]"),
    ]


def test_constants_are_named_once_and_may_use_one_another() -> None:
    header = "let base = 'http://example.org/';\nlet names = base & 'names';"
    rules = "src.id as v -> tgt.identifier as i, i.system = (names & '/x'), i.value = v, tgt.language = base;"
    assert made(rules, {"id": "1"}, header=header) == {
        "identifier": [{"system": "http://example.org/names/x", "value": "1"}],
        "language": "http://example.org/",
    }


def test_a_variable_that_an_expression_gives_can_be_used() -> None:
    rules = "src -> ('x-' & src.a) as made then { src.b as b -> tgt.name as n, n.text = (made & b); };"
    assert made(rules, {"a": "1", "b": "2"}) == {"name": [{"text": "x-12"}]}


def test_a_resource_made_apart_is_put_where_it_belongs() -> None:
    rules = "src.id as v -> create('Encounter') as e, tgt.entry as t then { v -> t.resource = e, e.language = v; };"
    found = made(rules, {"id": "sv"}, target="Bundle")
    assert found == {"entry": [{"resource": {"resourceType": "Encounter", "language": "sv"}}]}


def test_words_of_python_are_names_in_maps() -> None:
    rules = (
        "src.a as class -> tgt.name as lambda then { class -> lambda.text = class; }; src.b as _R -> tgt.language = _R;"
    )
    assert made(rules, {"a": "x", "b": "sv"}) == {"name": [{"text": "x"}], "language": "sv"}


def nested(depth: int, path: str) -> str:
    """Rules inside one another, each going down a path."""
    inner = "x -> tgt.language = 'sv';"
    for _ in range(depth):
        inner = f"x.{path} as x then {{ {inner} }};"
    return f"src as x then {{ {inner} }};"


def test_rules_may_stand_deep_inside_one_another() -> None:
    source: dict[str, object] = {}
    for _ in range(9 * 4):
        source = {"a": source}
    assert made(nested(9, "a.a.a.a"), source) == {"language": "sv"}


def test_an_expression_without_values_leaves_its_variable_empty() -> None:
    assert made("src -> tgt.name as n, n.given = (src.none) as g then { g -> n.text = g; };", {}) == {}
