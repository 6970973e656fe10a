"""What may stand in a narrative."""

import pytest

from gateway.fhir.narrative import fault


def div(content: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{content}</div>'


@pytest.mark.parametrize(
    "content",
    [
        "text &amp; &#160; &lt;",
        '<p class="a" style="color: red" lang="sv">x<br/><!-- note --></p>',
        '<table border="1"><caption>x</caption><tbody><tr><td colspan="2">x</td></tr></tbody></table>',
        '<a href="https://example.org/x">x</a> <a href="#top">x</a> <a href="tel:+46">x</a> <a name="top"/>',
        '<img src="data:image/png;base64,AAAA" alt="x"/>',
        '<ul><li>x</li></ul><h2 xml:lang="sv">x</h2>',
    ],
)
def test_text_lists_tables_links_and_images_are_welcome(content: str) -> None:
    assert fault(div(content)) is None


@pytest.mark.parametrize(
    "content",
    [
        "<script>x</script>",
        "<style>x</style>",
        '<p onclick="x()">x</p>',
        '<iframe src="x"/>',
        '<object data="x"/>',
        "<form><input/></form>",
        '<a href="javascript:x()">x</a>',
        '<a href=" java&#9;script:x()">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<img src="data:image/svg+xml,x"/>',
        '<p style="background: url(https://example.org/x)">x</p>',
        '<p style="width: expression(x)">x</p>',
        "&nbsp;",
        "&x;",
        '<svg xmlns="http://www.w3.org/2000/svg">x</svg>',
        "<p>unclosed",
        " ",
    ],
)
def test_what_acts_or_is_not_xhtml_is_refused(content: str) -> None:
    assert fault(div(content))


@pytest.mark.parametrize(
    "written",
    [
        "plain text",
        "<div>no namespace</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">not a div</p>',
        '<!DOCTYPE div [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + div("&x;"),
        '<?xml version="1.0"?>' + div("x"),
        "",
        5,
        None,
    ],
)
def test_a_narrative_is_one_xhtml_div_and_nothing_else(written: object) -> None:
    assert fault(written)
