"""A message of plain XML, cut at its tags, gives what expat's calls for each tag give; all others are left to those."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.formats import Format, Limits, Node, Record, xml, xml_plain
from gateway.issues import Issues

FAULT = '<s:Fault xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:x>no</s:x></s:Fault>'
NAMES = st.sampled_from(["r", "a:r", "b:r", "a", "a:b", "b:c", "å", "r2", "a:r2"])
SPACES = ("", "", "", ' xmlns="urn:x"', ' xmlns="urn:y"', ' xmlns:a="urn:x"', ' xmlns:b="urn:y" xmlns:a="urn:z"')
ATTRIBUTES = (
    "",
    "",
    ' k="1"',
    ' a:k="1" k="2"',
    ' xml:lang="sv"',
    ' k="&lt;&#65;"',
    ' b:k="å"',
    ' i:type="a:T"',
    " ",
    "\n",
)
TEXTS = ("", "", "t", " ", "\n ", " å ", "&amp;", "&#10;&#x41; b", "a\r\nb", "\r", "x>y", "\u00a0")
RICH_SPACES = (*SPACES, ' xmlns=""')
RICH_ATTRIBUTES = (*ATTRIBUTES, " k='a>b'", ' k="a\nb"', ' k="-"', ' i:type="T"')
RICH_TEXTS = (*TEXTS, "-", "<!-- c -->", "<![CDATA[<r>]]>")
"""With what is not plain XML, or has to be told."""
FORMS = [
    Format.of({"source": {"format": "xml", **options}, "records": records})
    for options, records in (
        ({}, [{"name": "r", "at": "{*}r"}]),
        ({"null": ["-", "t"]}, [{"name": "r", "at": "{urn:x}r"}, {"name": "s", "at": "r", "where": {"a": "t"}}]),
        ({"namespaces": ["urn:y"]}, [{"name": "r", "at": "{urn:x}r2"}]),
    )
]


@st.composite
def elements(draw: st.DrawFn, rich: bool, depth: int = 3) -> str:
    name = draw(NAMES)
    spaces = draw(st.sampled_from(RICH_SPACES if rich else SPACES))
    attributes = draw(st.sampled_from(RICH_ATTRIBUTES if rich else ATTRIBUTES))
    if draw(st.booleans()) and depth < 3:
        return f"<{name}{spaces}{attributes}/>"
    texts = st.sampled_from(RICH_TEXTS if rich else TEXTS)
    inner = draw(texts)
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        inner += draw(elements(rich, depth - 1)) + draw(texts)
    return f"<{name}{spaces}{attributes}>{inner}</{name}{draw(st.sampled_from(['', '', ' ']))}>"


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    rich = draw(st.sampled_from([False, False, True]))
    begun = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n', "<?xml version='1.0'?>", "\n"]))
    top = ' xmlns:a="urn:x" xmlns:b="urn:y" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
    end = draw(st.sampled_from(["", "t", FAULT]))
    body = f"{begun}<m{top}>{draw(elements(rich))}{end}</m>\n".encode()
    if not rich:
        return body
    start = draw(st.integers(0, len(body)))
    piece = draw(st.sampled_from([b"", b"<", b">", b"&", b'"', b"/", b"\xe5", b"<?p?>", b"<r>", b"</m>", b" "]))
    return body[:start] + piece + body[start + draw(st.integers(0, 2)) :]


def tree(node: Node) -> Any:
    kids = [(name, [tree(kid) for kid in kids]) for name, kids in node.kids.items()]
    return node.name, node.value, node.type, node.pos, kids


def seen(records: list[Record], issues: Issues) -> Any:
    told = [(record.kind, record.span, record.position, list(record.issues), tree(record.node)) for record in records]
    return told, list(issues)


def by_tags(form: Format, body: bytes, limits: Limits) -> Any:
    issues = Issues()
    return seen(list(xml.by_tags(form, body, issues, limits)), issues)


@settings(max_examples=100)
@given(form=st.sampled_from(FORMS), body=messages(), nodes=st.sampled_from([200, 200, 5]))
@example(form=FORMS[0], body=b'<m xmlns:a="urn:x"><a:r>t<a:r/>u</a:r><r xmlns="urn:y" k="&#62;">v</r></m>', nodes=200)
@example(form=FORMS[1], body=b'<r xmlns="urn:x">t<a/><b>-</b>\n<c>&#13;\r\n</c></r>', nodes=200)
def test_a_plain_message_gives_what_its_tags_give(form: Format, body: bytes, nodes: int) -> None:
    limits = Limits(nodes=nodes, depth=6)
    plain = xml_plain.read(form, body, limits)
    expected = by_tags(form, body, limits)
    issues = Issues()
    found = seen(list(xml.read(form, body, issues, limits)), issues)
    assert found == expected
    if plain is not None:
        assert seen(plain.records, plain.issues)[0] == expected[0]


@pytest.mark.parametrize(
    "body",
    [
        b"<r><a>1</a></r>",
        b'<?xml version="1.0" encoding="utf-8"?>\n<m xmlns="urn:x"><r k="1">a &amp; b</r></m>',
        b'<s:E xmlns:s="urn:s"><r xmlns="urn:x"><a xmlns="urn:y"/><b/></r></s:E>',
    ],
)
def test_what_most_messages_are_is_plain(body: bytes) -> None:
    plain = xml_plain.read(FORMS[0], body, Limits())
    assert plain is not None
    assert seen(plain.records, plain.issues) == by_tags(FORMS[0], body, Limits())


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE r><r/>",
        b"<r><!-- c --></r>",
        b"<r><![CDATA[<a>]]></r>",
        b"<r><?p <a> ?></r>",
        b"<r>",
        b'<r k="a>b"/>',
        b"\xff\xfe<\x00r\x00/\x00>\x00",
        b'<?xml version="1.0" encoding="ISO-8859-1"?><r>\xe5</r>',
    ],
)
def test_what_is_not_plain_is_read_tag_by_tag(body: bytes) -> None:
    assert xml_plain.read(FORMS[0], body, Limits()) is None
