"""The text of a `_filter`: its grammar, and that whatever is wrong is said with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.search.filters import MAX_DEPTH, MAX_LENGTH, Both, Comparison, Filter, Malformed, Negation, Step, parse
from tests.search.shelf import Shelf

SHELF = Shelf([])


def test_a_filter_is_a_tree() -> None:
    held = Step("subject", 25, Comparison((Step("type", 33),), "eq", "x", 38))
    assert parse("given eq peter and not (subject[type eq x].name pr true)") == Both(
        "and",
        (
            Comparison((Step("given", 1),), "eq", "peter", 7),
            Negation(Comparison((held, Step("name", 44)), "pr", "true", 49)),
        ),
    )


def test_and_and_or_are_taken_from_left_to_right() -> None:
    match parse("a eq 1 or b eq 2 and c eq 3 and d eq 4"):
        case Both(word="and", parts=(Both(word="or", parts=(_, _)), _, _)):
            pass
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("name", 5),
        ("name is x", 6),
        ("name eq", 8),
        ("name eq (", 9),
        ('name eq "x', 9),
        (r'name eq "\x"', 9),
        ("(name eq x", 11),
        ("name eq x)", 10),
        ("name eq x or", 13),
        ("name eq x and and", 18),
        ("subject[name eq x]", 19),
        ("subject[name eq x.name eq y", 24),
        ("1name eq x", 1),
        ("name.eq x", 9),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, position: int) -> None:
    with pytest.raises(Malformed, match=f"^At character {position}: "):
        parse(text)


def test_a_refusal_says_the_place_and_the_operators_that_there_are() -> None:
    with pytest.raises(BadRequest) as caught:
        SHELF.query("Patient?_filter=name eq a and gender gt male")
    [issue] = caught.value.issues
    assert (issue.rule, issue.where) == ("filter-operator", "_filter")
    assert "At character 22: gt says nothing" in issue.text and "eq, ne, in, ni, ss, sb, pr" in issue.text

    with pytest.raises(BadRequest, match=r"At character 14: .* Did you mean family"):
        SHELF.query("Patient?_filter=name eq a or famly eq b")


def test_filters_are_bounded() -> None:
    assert parse("(" * MAX_DEPTH + "a eq b" + ")" * MAX_DEPTH)
    for text in (
        "(" * 5000,
        "not(" * 1000,
        "a[" * 2000,
        " or ".join(["a eq 1 and b eq 2"] * 100),
        "x" * (MAX_LENGTH + 1),
    ):
        with pytest.raises(Malformed):
            parse(text)
    with pytest.raises(BadRequest) as caught:
        SHELF.query("Patient?_filter=" + " or ".join(["name eq a"] * 300))
    assert caught.value.issues[0].rule == "too-costly"


@given(st.text(alphabet='abn ()[].:"\\eqnotrd|1', max_size=40))
def test_any_text_is_a_filter_or_is_refused_with_its_place(text: str) -> None:
    try:
        parse(text)
    except Malformed as problem:
        assert str(problem).startswith("At character ")


NAMES = st.sampled_from(["name", "birthdate", "general-practitioner", "subject:Patient"])
VALUES = st.text(max_size=10).filter(lambda text: all(31 < ord(char) < 0xD800 for char in text))


def written(tree: Filter) -> str:
    """A tree as text again, every value in quotes and every part in parentheses."""
    match tree:
        case Both(word=word, parts=parts):
            return f" {word} ".join(f"({written(part)})" for part in parts)
        case Negation(part=part):
            return f"not({written(part)})"
        case Comparison(path=path, operator=operator, value=value):
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            steps = (step.name + (f"[{written(step.filter)}]" if step.filter else "") for step in path)
            return f'{".".join(steps)} {operator} "{quoted}"'


def comparisons_of(inner: st.SearchStrategy[Filter] | None) -> st.SearchStrategy[Filter]:
    held = st.none() if inner is None else st.none() | inner
    path = st.builds(lambda name, held, last: (Step(name, 0, held), Step(last, 0)), NAMES, held, NAMES)
    single = st.builds(lambda name: (Step(name, 0),), NAMES)
    return st.builds(Comparison, path | single, st.sampled_from(["eq", "co", "re"]), VALUES, st.just(0))


TREES: st.SearchStrategy[Filter] = st.recursive(
    comparisons_of(None),
    lambda inner: (
        st.builds(Negation, inner)
        | st.builds(Both, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple))
        | comparisons_of(inner)
    ),
    max_leaves=6,
)


def placeless(tree: Filter) -> Filter:
    match tree:
        case Both(word=word, parts=parts):
            first, *others = map(placeless, parts)
            # Parentheses around the first parts of the same word say nothing.
            same = isinstance(first, Both) and first.word == word
            return Both(word, (*(first.parts if same else (first,)), *others))
        case Negation(part=part):
            return Negation(placeless(part))
        case Comparison(path=path, operator=operator, value=value):
            steps = tuple(Step(one.name, 0, None if one.filter is None else placeless(one.filter)) for one in path)
            return Comparison(steps, operator, value, 0)


@given(TREES)
def test_what_was_written_is_read_again(tree: Filter) -> None:
    assert placeless(parse(written(tree))) == placeless(tree)
