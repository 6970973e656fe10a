"""Reading and writing JSON: exact, bounded, the same bytes each time."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, GatewayError, TooLarge
from gateway.fhir.json import DEEPEST, dump, parse, verbatim

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**62), 2**62) | st.decimals(allow_nan=False, allow_infinity=False).map(
    lambda number: Decimal(format(number, "f")) if abs(number.adjusted()) < 30 else Decimal(1)
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=4)


@given(objects)
def test_what_is_written_reads_back_the_same(resource: dict[str, Any]) -> None:
    body = dump(resource)
    assert parse(body) == resource
    assert dump(parse(body)) == body


@given(objects, st.sampled_from([None, 1, "\t"]))
def test_white_space_changes_nothing(resource: dict[str, Any], indent: int | str | None) -> None:
    body = dump(resource)
    spread = json.dumps(json.loads(body, parse_float=str, parse_int=str), indent=indent, separators=(" , ", " : "))
    assert json.loads(dump(parse(spread.encode()))) == json.loads(spread)


@given(objects.filter(bool), st.data(), st.booleans())
def test_a_repeated_member_is_always_found(resource: dict[str, Any], data: st.DataObject, spaced: bool) -> None:
    name = data.draw(st.sampled_from(sorted(resource)))
    again = json.dumps(name) + (" :" if spaced else ":") + "1"
    body = dump(resource)[:-1] + b"," + again.encode() + b"}"
    with pytest.raises(BadRequest) as refused:
        parse(body)
    assert refused.value.issues[0].rule == "json-duplicate"


@pytest.mark.parametrize(
    "number",
    [
        "6.30",
        "0.0000001",
        "-0.0",
        "-0",
        "1e-24",
        "1.0E+2",
        "12345678901234567890123",
        "0.1234567890123456789",
        "105.00",
    ],
)
def test_a_number_keeps_its_digits(number: str) -> None:
    for body in (f'{{"value":{number}}}', f'{{ "value" : {number} }}', f'{{"list":[1,{number}]}}'):
        assert dump(parse(body.encode())) == body.replace(" ", "").encode()


def test_an_oid_is_not_taken_for_a_number_and_fractions_are_never_floats() -> None:
    assert parse(b'{"system":"urn:oid:1.2.752","value":1.5}') == {"system": "urn:oid:1.2.752", "value": Decimal("1.5")}
    assert isinstance(parse(b'{"value":1.5}')["value"], Decimal)


@pytest.mark.parametrize(
    ("body", "where", "rule"),
    [
        (b'{"a": 1,\n  "b": }', "line 2, column 8", "json-syntax"),
        (b'{"a":1,\n "b":{"c":1, "c":2}}', "line 2, column 14", "json-duplicate"),
        ('{"å":{"q":1},"å":2}'.encode(), "line 1, column 14", "json-duplicate"),
        (b'{"q":1,"\\u0071":2}', "line 1, column 8", "json-duplicate"),
        (b'{"a":1,"a" :2}', "line 1, column 8", "json-duplicate"),
        (b"[]", "line 1, column 1", "json-object"),
        (b"", "line 1, column 1", "json-syntax"),
        (b'{"a":"\xff"}', None, "json-syntax"),
        (b'{"a":NaN}', "line 1, column 6", "json-syntax"),
        (b'{"a":"\\ud800"}', None, "json-syntax"),
    ],
)
def test_a_refusal_says_where_and_quotes_nothing(body: bytes, where: str | None, rule: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(body)
    issue = refused.value.issues[0]
    assert issue.rule == rule
    assert where is None or issue.where == where


def test_depth_is_bounded_where_it_is_said_to_be() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    assert dump(parse(nested(DEEPEST))) == nested(DEEPEST)
    for levels in (DEEPEST + 1, 900, 100_000):
        with pytest.raises(BadRequest):
            parse(nested(levels))


def test_size_is_bounded() -> None:
    with pytest.raises(TooLarge):
        parse(b'{"a":1}', most_bytes=6)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_written_json_can_be_spliced_in() -> None:
    assert dump({"entry": [{"resource": verbatim(b'{"value":6.30}')}]}) == b'{"entry":[{"resource":{"value":6.30}}]}'


@given(st.binary(max_size=60))
def test_no_bytes_lead_to_anything_but_an_object_or_a_refusal(body: bytes) -> None:
    try:
        assert isinstance(parse(body), dict)
    except GatewayError as refused:
        assert refused.status in (400, 413)


def test_a_number_whose_exponent_nobody_can_hold_is_refused() -> None:
    for digits in (b"1.5e-99999999999999999999", b"1e99999"):
        with pytest.raises(BadRequest):
            parse(b'{"a":%s}' % digits)
