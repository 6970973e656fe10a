"""A map that cannot be right does not compile: each mistake with its place and what may be meant."""

from __future__ import annotations

import pytest

from tests.mapping.maps import URL, problem, problems_of, table, text_of

KINDS = table("http://example.org/ConceptMap/kinds", {"M": "male", "K": "femal"})


@pytest.mark.parametrize(
    ("rules", "text", "hint"),
    [
        ("src.a -> tgt.gendr;", "Patient has no element 'gendr'", "did you mean 'gender'?"),
        ("src.a as x -> tgt.name as n then { x.b -> n.famly; };", "HumanName has no element 'famly'", "'family'"),
        ("src.a as x -> tgt.gender = y;", "there is no variable 'y'", "known here: src, tgt, x"),
        ("scr.a -> tgt.gender;", "there is no variable 'scr'", "did you mean 'src'?"),
        ("src.a as x then Naem(x, tgt);", "there is no group 'Naem'", "did you mean 'Name'?"),
        ("src.a as x then Name(x);", "'Name' takes 2 arguments, not 1", "Name(source s, target t)"),
        ("src.a as x then Name(x, x);", "'Name' needs a target for 't'", ""),
        ("src.a as x then Name(x, tgt);", "'Name' takes a HumanName for 't', not a Patient", ""),
        ("src.a as x -> tgt.gender = lower(x);", "there is no transform 'lower'", "known: truncate"),
        ("src.a as x -> tgt.gender = truncate(x);", "truncate takes 2 arguments, not 1", ""),
        ("src -> tgt.gender = 'femal';", "Patient.gender cannot be 'femal'", "'female'"),
        ("src -> tgt.birthDate = '2026-02-30';", "Patient.birthDate: not a day of the calendar", ""),
        ("src.a as x -> tgt.active = cc('a', 'b');", "Patient.active is a boolean, not a CodeableConcept", ""),
        (
            "src.a as x -> tgt.maritalStatus = c('a', 'b');",
            "Patient.maritalStatus is a CodeableConcept, not a Coding",
            "",
        ),
        ("src -> tgt.maritalStatus = 'M';", "Patient.maritalStatus is a CodeableConcept, not a string", ""),
        ("src -> tgt.gender;", "Patient.gender is a code and needs a value", "write = value"),
        ("src -> tgt.multipleBirth;", "Patient.multipleBirth can be of several types", "create('boolean')"),
        (
            "src -> tgt.deceased = create('Period');",
            "Patient.deceased cannot be a Period",
            "it can be boolean, dateTime",
        ),
        ("src -> tgt.contained;", "Patient.contained can be any Resource", "create('Patient')"),
        ("src -> tgt.contact = create('Contakt');", "there is no type 'Contakt'", "'Contract'"),
        ("src -> tgt.name = create('Period');", "Patient.name is a HumanName, not a Period", ""),
        ("src -> tgt.gender.code = 'x';", "Patient.gender has no elements of its own", ""),
        ("src -> tgt = 'x';", "'tgt' itself cannot be given a value", "tgt.element"),
        ("src -> create('Period');", "what is made here is put nowhere", "as x"),
        ("src.a as x -> tgt.birthDate = toDate(x, 'yyyyQQ');", "unknown format code 'Q' in 'yyyyQQ'", ""),
        (
            "src.a as x -> tgt.gender = translate(x, 'http://example.org/ConceptMap/kind');",
            "there is no ConceptMap",
            "kinds",
        ),
        ("src.a as x -> tgt.gender = translate(x, '#kinds', 'cod');", "translate cannot give 'cod'", "one of code"),
        ("src.a as x -> tgt.gender = cast(x, 'srting');", "there is no primitive type 'srting'", "'string'"),
    ],
)
def test_a_mistake_is_named(rules: str, text: str, hint: str) -> None:
    found = problem(rules, more="group Name(source s, target t : HumanName) { s.a -> t.family; }", tables=[KINDS])
    assert found.text.startswith(text)
    assert hint in found.hint
    assert found.line == 5


def test_a_table_that_gives_what_a_binding_forbids_does_not_compile() -> None:
    found = problem("src.a as x -> tgt.gender = translate(x, '#kinds', 'code');", tables=[KINDS])
    assert found.text == "http://example.org/ConceptMap/kinds gives 'femal', which Patient.gender cannot be"
    assert found.hint.startswith("did you mean 'female'")


def test_a_fhirpath_mistake_stands_at_its_place_in_the_map() -> None:
    found = problem("src.a as x where (x.b = and) -> tgt.gender = x;")
    assert (found.line, found.column) == (5, 25)
    assert found.excerpt[found.column - 1 :].startswith("and")


def test_mistakes_of_all_groups_are_told_at_once_even_where_nothing_calls_them() -> None:
    text = text_of(
        "src.a -> tgt.gendr;\nsrc.b -> tgt.actve;", more="group Lonely(source s, target t : Period) { s.a -> t.strat; }"
    )
    assert [p.text for p in problems_of(text)] == [
        "Patient has no element 'gendr'",
        "Patient has no element 'actve'",
        "Period has no element 'strat'",
    ]


def test_a_group_used_for_two_types_tells_its_mistake_once() -> None:
    more = "group Any(source s, target t : Period) { s.a -> t.strat; }"
    rules = "src.a as x -> tgt.name as n, n.period as p then Any(x, p);"
    assert problem(rules + rules.replace("name", "address"), more=more).text == "Period has no element 'strat'"


def test_an_untyped_group_is_checked_for_what_it_is_called_with() -> None:
    found = problem(
        "src.a as x -> tgt.name as n then Any(x, n);", more="group Any(source s, target t) { s.a -> t.line; }"
    )
    assert found.text == "HumanName has no element 'line'"


def test_an_unknown_type_of_a_parameter_is_named() -> None:
    text = text_of("src.a -> tgt.active;", target="Patent")
    assert problems_of(text)[0].text == "there is no type 'Patent'"
    assert "Patient" in problems_of(text)[0].hint


def test_an_import_that_matches_nothing_is_named() -> None:
    header = 'imports "http://example.org/StructureMap/other*"'
    (found,) = problems_of(text_of("", header=header))
    assert found.text == "no map matches 'http://example.org/StructureMap/other*'"


def test_two_groups_or_maps_of_one_name_are_named() -> None:
    double = "group Same(source s, target t : Patient) {}\n" * 2
    assert "two groups named 'Same'" in problems_of(text_of("", more=double))[0].text
    assert "another map has the url" in problems_of(text_of(""), others=[text_of("")])[0].text


def test_extending_what_is_not_there_is_named() -> None:
    text = text_of("", more="group B(source s, target t : Patient) extends Missing { s.a -> t.active; }")
    assert problems_of(text)[0].text == "there is no group 'Missing'"


def test_a_typed_source_is_checked_too() -> None:
    text = (
        f"/// url = '{URL}'\nuses \"http://hl7.org/fhir/StructureDefinition/Patient\" as source\n"
        "group A(source src : Patient, target tgt : Patient) { src.gendr -> tgt.gender; }"
    )
    (found,) = problems_of(text)
    assert (found.text, found.hint) == ("Patient has no element 'gendr'", "did you mean 'gender'?")


def test_writing_into_a_typed_source_is_refused() -> None:
    group = "group A(source src : Patient, target tgt : Patient) { src.id as v -> src.active = true; }"
    assert problems_of(f"/// url = '{URL}'\n{group}")[0].text == "'src' is a source: rules write into targets"


def test_rules_nested_too_deep_are_refused() -> None:
    inner = "x -> tgt.language = 'sv';"
    for _ in range(20):
        inner = f"x.a as x then {{ {inner} }};"
    found = problem(f"src as x then {{ {inner} }};")
    assert found.text == "more than 10 rules stand inside one another"


def test_a_misspelt_target_is_said_once_however_often_its_name_is_used() -> None:
    found = problem("src.a as x -> tgt.naem as n then { x.b as f -> n.family = f; x.c as g -> n.given = g; };")
    assert found.text == "Patient has no element 'naem'"
