"""Whatever bytes come: no reader raises, every value has a place, and every issue says what to do without quoting."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import formats
from gateway.formats import Format, Kind, Limits, Node
from gateway.issues import Issues

KINDS: list[Kind] = ["xml", "er7", "csv", "json", "fhir"]
SEEDS: dict[Kind, bytes] = {
    "xml": b'<?xml version="1.0"?><a xmlns:x="u" x:y="1"><r b="2">t<c/>&amp;</r><r/></a>',
    "er7": b'MSH|^~\\&|A|B|||20250101||ADT^A01|1\rPID|1||2^^^&3~""|\\F\\\rZZZ|\xe5\r',
    "csv": b'a;b;c\n1;"x;""y""";z\n\n"1\n2";;\n',
    "json": b'[{"a":[1,2.5e1,null,{"b":"\\u00e5"}]},{"a":true}]',
    "fhir": b'{"resourceType":"Bundle","entry":[{"fullUrl":"urn:a","resource":'
    b'{"resourceType":"Patient","_a":{"id":"1"},"b":["c"],"d":{"reference":"urn:a"}}}]}',
}


def walk(node: Node, depth: int = 0) -> list[Node]:
    assert depth < 200
    return [node, *(n for kids in node.kids.values() for kid in kids for n in walk(kid, depth + 1))]


def check(kind: Kind, body: bytes) -> None:
    form = Format.of({"source": {"format": kind}, "records": [{"name": "r", "at": "*"}, {"name": "x", "at": "r"}]})
    issues = Issues()
    end = 0
    for record in formats.read(form, body, issues, Limits(nodes=500)):
        start, stop = record.span
        assert end <= start <= stop <= len(body)
        end = stop
        issues.extend(record.issues)
        for node in walk(record.node)[:50]:
            place = formats.position(kind, node, body)
            assert place.start is not None
            assert start <= place.start <= (place.end or place.start) <= len(body)
    for issue in issues:
        assert issue.text.endswith((".", "?"))
        assert issue.rule == issue.rule.lower()


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=200))
@example(body=b"")
@example(body=b"\x00")
@example(body=b"\xff\xfe<\x00")
def test_arbitrary_bytes(kind: Kind, body: bytes) -> None:
    check(kind, body)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_message_with_a_piece_replaced(kind: Kind, data: st.DataObject) -> None:
    seed = SEEDS[kind]
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 12)))
    piece = data.draw(st.binary(max_size=4) | st.sampled_from([bytes([b]) for b in sorted(set(seed))]))
    check(kind, seed[:start] + piece + seed[end:])
