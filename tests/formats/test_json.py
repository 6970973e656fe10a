"""JSON records: numbers, duplicate keys, NDJSON, arrays, depth, places."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import formats
from gateway.formats import Format, Limits, Node, Record
from gateway.issues import Issues

CALLS = Format.of(
    {
        "source": {"format": "json", "discriminator": "type"},
        "records": [{"name": "call", "at": "call"}, {"name": "visit", "at": "visit"}],
    }
)
ANY = Format.of({"source": {"format": "json"}, "records": [{"name": "any", "at": "*"}]})


def read(body: bytes | str, form: Format = ANY, **limits: int) -> tuple[list[Record], Issues]:
    issues = Issues()
    raw = body.encode() if isinstance(body, str) else body
    return list(formats.read(form, raw, issues, Limits(**limits))), issues


def rules(issues: Issues) -> list[str]:
    return [issue.rule for issue in issues]


def test_the_discriminator_says_what_a_record_is() -> None:
    records, issues = read('[{"type":"call"},{"type":"visit"},{"type":"other"},{}]', CALLS)
    assert not issues
    assert [record.kind for record in records] == ["call", "visit", "", ""]
    assert rules(records[2].issues) == ["unknown-record"]


LISTED = Format.of({"source": {"format": "json", "list": "visits"}, "records": [{"name": "visit"}]})


def test_the_records_may_be_the_list_of_a_member() -> None:
    records, issues = read('{"at":"2026","visits":[{"id":1},{"id":2}],"n":2}', LISTED)
    assert [record.node.text("id") for record in records] == ["1", "2"]
    assert [record.position.path for record in records] == ["/visits/0", "/visits/1"]
    assert not issues
    assert [len(read(text, LISTED)[0]) for text in ('{"visits":[]}', '[{"id":1}]')] == [0, 1]


@pytest.mark.parametrize("body", ['{"visit":[{"id":1}]}', '{"visits":{"id":1}}', '{"visits":null}', "{}"])
def test_a_message_without_its_list_is_told(body: str) -> None:
    records, issues = read(body, LISTED)
    assert not records
    assert rules(issues) == ["not-a-list"]


def test_members_are_children_arrays_repeat_and_null_is_nothing() -> None:
    [record], _ = read('{"a":[1,[2,null],[]],"b":null,"c":{"d":"x"},"e":false,"f":[{"g":1},{"g":2}]}')
    node = record.node
    assert [n.value for n in node.kids["a"]] == [1, 2]
    assert "b" not in node.kids
    assert node.text("c", "d") == "x"
    assert node.kids["e"][0].value is False
    assert [n.text("g") for n in node.kids["f"]] == ["1", "2"]


def test_numbers_keep_their_digits() -> None:
    [record], _ = read('{"a":1.50,"b":12345678901234567890,"c":1E+2}')
    assert [record.node.kids[name][0].value for name in "abc"] == [
        Decimal("1.50"),
        Decimal("12345678901234567890"),
        Decimal("1E+2"),
    ]


def test_one_object_a_line_is_read_and_a_bad_line_is_told_alone() -> None:
    records, issues = read('{"a":1}\n{"a":}\n\n{"a":3} x\r\n{"a":4}')
    assert [record.node.text("a") for record in records] == ["1", "4"]
    assert [(i.rule, i.where) for i in issues] == [
        ("malformed-json", "line 2, column 6"),
        ("malformed-json", "line 4, column 9"),
    ]
    assert records[1].position.line == 5


def test_elements_before_a_fault_are_given() -> None:
    records, issues = read('[{"a":1},\n {"a":2,}]')
    assert len(records) == 1
    assert [(i.rule, i.where) for i in issues] == [("malformed-json", "line 2, column 9")]


@pytest.mark.parametrize(
    ("body", "rule", "where"),
    [
        ('{"a":"\t"}', "malformed-json", "line 1, column 7"),
        ('{"a":1} {', "malformed-json", "line 1, column 9"),
        ("", "empty-message", None),
    ],
)
def test_what_is_no_json_is_told_with_its_place(body: str, rule: str, where: str | None) -> None:
    _, issues = read(body)
    assert [(i.rule, i.where) for i in issues] == [(rule, where)]
    assert issues.bad


@pytest.mark.parametrize(
    ("record", "rule", "where"),
    [
        ('{"a":1,\n "b":{"c":1,"c":2}}', "duplicate-key", "line 3, column 13"),
        ('{"a":NaN}', "not-a-number", "line 2, column 6"),
        ('{"a":-Infinity}', "not-a-number", "line 2, column 6"),
        ('{"a":1e99999}', "too-long-number", "line 2, column 6"),
        ('{"a":' + "9" * 5000 + "}", "too-long-number", "line 2, column 6"),
        ('{"a":"\\ud800"}', "lone-surrogate", "line 2, column 6"),
        ('{"ö":"ä", "a":"x\\u0000"}', "nul", "line 2, column 15"),
    ],
)
def test_a_record_that_is_not_taken_is_held_and_the_others_are_read(record: str, rule: str, where: str) -> None:
    body = f'[{{"å":0}},\n{record},\n{{"b":0}}]'
    (first, held, last), issues = read(body)
    assert not issues
    assert [(i.rule, i.where) for i in held.issues] == [(rule, where)]
    assert held.issues.bad
    assert body.encode()[slice(*held.span)].decode() == record
    assert (first.node.text("å"), last.node.text("b"), last.position.path) == ("0", "0", "/2")


def test_surrogate_pairs_are_characters() -> None:
    [record], issues = read('{"a":"\\ud83d\\ude00"}')
    assert not issues
    assert record.node.text("a") == "😀"


@pytest.mark.parametrize("body", ["[" * 70 + "]" * 70, '{"a":' * 70 + "1" + "}" * 70, "[" * 200_000 + "]" * 200_000])
def test_nesting_is_bounded(body: str) -> None:
    records, issues = read(f'[{{"a":1}},{body},{{"a":2}}]')
    assert [rules(record.issues) for record in records] == [[], ["too-deep"], []]
    assert not issues


def test_nesting_that_never_ends_is_told() -> None:
    records, issues = read('[{"a":1},' + "[" * 200_000)
    assert len(records) == 1
    assert rules(issues) == ["too-deep"]


def test_a_plain_value_in_the_place_of_an_object_is_told_with_its_place() -> None:
    form = Format.of({"source": {"format": "json", "objects": ["b"]}, "records": [{"name": "any"}]})
    body = b'[{"a":"x","b":{"c":1}},{"a":[{"b":"x"}],"b":[{"c":1},2]},{"b":null}]'
    found = list(formats.read(form, body, Issues()))
    assert [[(i.rule, i.where) for i in record.issues] for record in found] == [
        [],
        [("not-an-object", "line 1, column 35, /1/a/0/b"), ("not-an-object", "line 1, column 54, /1/b/1")],
        [],
    ]


def test_a_text_that_is_not_utf_8_is_told_with_its_place() -> None:
    _, issues = read('{"a":1,\n"b":"å"}'.encode("latin-1"))
    assert [(i.rule, i.where) for i in issues] == [("wrong-encoding", "line 2, column 6")]


def test_a_value_that_is_no_object_is_held() -> None:
    records, _ = read('[1,{"a":1}]')
    assert [rules(record.issues) for record in records] == [["not-an-object"], []]


def test_too_much_is_told() -> None:
    assert rules(read('[{"a":1},{"a":1}]', records=1)[1]) == ["too-many-records"]
    [record], _ = read('{"a":[[],[],[]]}', nodes=2)
    assert rules(record.issues) == ["too-large-record"]


def test_spans_and_positions_are_bytes() -> None:
    body = '\ufeff[{"å":"ö"},\n{"a/b":[{"c":"ä"},{"c":1.0}]}]'.encode()
    (first, second), _ = read(body)
    assert body[slice(*first.span)].decode() == '{"å":"ö"}'
    node = second.node.kids["a/b"][1].kids["c"][0]
    place = formats.position("json", node, body)
    assert body[place.start : place.end] == b"1.0"
    assert str(place) == "line 2, column 24, /1/a~1b/1/c"


TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAME = st.text(TEXT, max_size=3)
SCALAR = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(TEXT)
TREE = st.recursive(SCALAR, lambda t: st.lists(t, max_size=3) | st.dictionaries(NAME, t, max_size=3))


def leaves(node: Node) -> list[Node]:
    kids = [kid for nodes in node.kids.values() for kid in nodes]
    return [leaf for kid in kids for leaf in leaves(kid)] if kids else [node]


def scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for member in value.values() for leaf in scalars(member)]
    if isinstance(value, list):
        return [leaf for member in value for leaf in scalars(member)]
    return [] if value is None else [value]


@given(st.dictionaries(NAME, TREE, min_size=1), st.sampled_from([None, 1]), st.booleans())
def test_what_is_written_is_read_and_found_again(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    body = json.dumps([value], indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    [record], issues = read(body)
    assert not issues
    found = [leaf for leaf in leaves(record.node) if leaf.value is not None]
    assert [leaf.value for leaf in found] == scalars(value)
    for leaf in found:
        place = formats.position("json", leaf, body)
        assert json.loads(body[place.start : place.end]) == leaf.value
