"""The short ways through FHIRPath give what FHIRPath gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fhirpath
from gateway.mapping import quick
from tests.mapping.maps import made, node, told

VALUES = st.sampled_from(["J", "N", "x", "", "1", True, False, 1, 2])
LEAVES = st.one_of(VALUES, st.lists(VALUES, max_size=2))
SOURCES = st.fixed_dictionaries(
    {}, optional={"a": LEAVES, "b": st.fixed_dictionaries({}, optional={"c": LEAVES, "d": LEAVES}), "e": LEAVES}
)
ATOMS = st.sampled_from(
    [
        "a.exists()", "a.empty()", "b.c.exists()", "v.a.exists().not()", "a = 'J'", "a != 'J'", "b.c = true",
        "b.d != 1", "a in ('J' | 'N')", "b.c in ('x')", "%v.e = 'x'", "a.matches('^[JN]$')", "%source.role = 'k'",
        "%source.municipality.exists()", "a.startsWith('J')", "b.c.endsWith('N')", "v.a.contains('')",
        "(b.c | a).first() = 'J'", "(a | e).first().exists()",
    ]
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or", "implies"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"({text}).not()"),
    ),
    max_leaves=4,
)
PATHS = st.sampled_from(
    [
        "a",
        "b.c",
        "v.e",
        "'k-' & a",
        "a & '/' & b.c",
        "%source.role",
        "%source.municipality",
        "'x'",
        "b",
        "a & a",
        "(a | e).first()",
        "'k-' & (b.c | b.d | a).first()",
        "b.first().c",
        "%source.role & a",
        "a.replace('J', 'K')",
        "'k-' & a.replace('x', '') & e",
        "b.c.trim()",
        "iif(a.exists() and b.c != 'x', 'k-' & a, e)",
        "iif(a = 'J', b.c)",
        "e.where($this = 'J')",
        "e.where($this.startsWith('J') or $this.contains('x'))",
    ]
)


def full(expression: str, source: dict[str, Any]) -> list[Any] | None:
    """What FHIRPath says; None where it refuses."""
    root = node(source)
    variables = {"v": root, "source": {"role": "k"}}
    try:
        return fhirpath.compile(expression, names=["v"])(root, fhirpath.Environment(variables=variables))
    except fhirpath.FHIRPathError:
        return None


@given(CONDITIONS, SOURCES)
def test_a_condition_is_true_exactly_where_fhirpath_says_so(condition: str, source: dict[str, Any]) -> None:
    expected = full(condition, source)
    rules = f"src as v where ({condition}) -> tgt.active = true;"
    found, issues = told(rules, source, variables={"source": {"role": "k"}})
    if expected is None:
        # FHIRPath evaluates both sides of `and`; the short way may know the answer before it meets the mistake.
        assert issues == ["expression-failed"] * len(issues)
    else:
        assert (found == {"active": True}) == (expected == [True])
        assert not issues


@given(PATHS, SOURCES)
def test_a_path_gives_the_values_that_fhirpath_gives(path: str, source: dict[str, Any]) -> None:
    expected = full(path, source)
    root = node(source)
    short = quick.function(fhirpath.compile(path.replace("v.e", "e")))
    found = [
        item.value if hasattr(item, "kids") and not item.kids else item
        for item in short(root, SimpleNamespace(variables={"source": {"role": "k"}}))
    ]
    if expected is not None:  # FHIRPath gives the value of a leaf, and of an empty one nothing.
        assert [f for f in found if f is not None and not hasattr(f, "kids")] == [
            e for e in expected if not hasattr(e, "kids")
        ]


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "%source.role",
        "'x' & a",
        "'x' & a.replace(' ', '_')",
        "(a & ' ' & b).trim()",
        "iif(a.exists(), 'x' & a, b)",
        "a.where($this.startsWith('x'))",
    ],
)
def test_the_common_forms_have_a_short_way(path: str) -> None:
    assert quick.Shortcut({}, "node", quick.ast.Constant(None)).values(fhirpath.compile(path)) is not None


@pytest.mark.parametrize("path", ["%context.a", "%context.b.c", "%resource.b.c.d", "%rootResource.a & 'x'"])
def test_a_path_from_another_variable_has_no_short_way(path: str) -> None:
    assert quick.Shortcut({}, "node", quick.ast.Constant(None)).values(fhirpath.compile(path)) is None


def test_a_path_from_another_variable_is_mapped() -> None:
    assert made("src -> tgt.language = (%context.a & '');", {"a": "sv"}) == {"language": "sv"}
    assert made("src -> tgt.language = (%context.b.c);", {"b": {"c": "sv"}}) == {"language": "sv"}


@pytest.mark.parametrize("path", ["PID", "PID.`3`", "(PID.`9` | PID.`3` | MSH.`7`).first()", "PID.`3`.value", "ZZZ.a"])
def test_a_name_in_capitals_is_no_type_where_the_source_has_none(path: str) -> None:
    source, variables = node({"MSH": {"7": "x"}, "PID": {"3": ["y", "z"]}}), {"source": {"role": "k"}}
    compiled = fhirpath.compile(path)
    assert quick.Shortcut({}, "node", quick.ast.Constant(None), {"node"}).values(compiled) is not None
    expected = compiled(source, fhirpath.Environment(variables=variables))
    found = quick.function(compiled)(source, SimpleNamespace(variables=variables))
    assert [one.value if not one.kids else one for one in found] == list(expected)


def test_a_part_of_the_target_knows_its_choices() -> None:
    rules = "src.a as v -> tgt.deceased = true, tgt.language = v; src -> tgt as t then Look(t, tgt);"
    more = "group Look(source s, target t) { s where (s.deceased = true) -> t.active = true; }"
    assert made(rules, {"a": "sv"}, more=more) == {"deceasedBoolean": True, "language": "sv", "active": True}
