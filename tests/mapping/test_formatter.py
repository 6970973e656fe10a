"""One layout for map texts: nothing that is said changes, and what is laid out stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.definitions.shipped import folder
from gateway.mapping import CompileError, parse, printer
from gateway.mapping.formatter import formatted
from gateway.mapping.lexer import tokens
from gateway.mapping.problems import Problems
from gateway.mapping.syntax import Text
from tests.mapping.test_structuremap import GUIDE, OFFICIAL

SHIPPED = sorted(folder("mappings").glob("*/*.fml"))
UNTIDY = """/// url="u"
///   name =  'n'
uses "a" as source



group   A( source s:X ,target t ){ s.a as x where(x=1 and y)->t.b=x,t.c;s.d->t.e  // why
;
 s.z as q where q.where(a)
->t.q=q then{q.a->t.b;  q.c->t.d "n";}  "name" ;  s.e as e then {

 // first
 e -> t.e = (a+
 b) /* c
   d */ ;


}; } // end
group B(source s, target t) {}"""
TIDY = """/// url = "u"
/// name = 'n'
uses "a" as source

group A(source s : X, target t) {
  s.a as x where (x = 1 and y) -> t.b = x, t.c;
  s.d -> t.e // why
    ;
  s.z as q where q.where(a)
    -> t.q = q then { q.a -> t.b; q.c -> t.d "n"; } "name";
  s.e as e then {
    // first
    e -> t.e = (a+
      b) /* c
   d */;
  };
} // end
group B(source s, target t) {}
"""


def words(text: str) -> list[str]:
    return [token.text for token in tokens(Text(text, "m"), Problems())[0] if token.kind != "metadata"]


def test_an_untidy_map_is_laid_out() -> None:
    assert formatted(UNTIDY) == TIDY
    assert formatted(TIDY) == TIDY


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_map_is_laid_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text
    laid_out = formatted(printer.fml(parse(text, path.name)))
    assert formatted(laid_out) == laid_out


@pytest.mark.corpus
@pytest.mark.skipif(not GUIDE or not OFFICIAL, reason="the public maps are not here")
def test_public_maps_keep_their_words_and_comments() -> None:
    for path in (*GUIDE, *OFFICIAL):
        text = path.read_text(encoding="utf-8")
        laid_out = formatted(text)
        assert words(laid_out) == words(text), path.name
        assert formatted(laid_out) == laid_out, path.name
        assert re.findall(r"//[^\n]*[^\s]", laid_out.replace("\r", "")) or "//" not in text, path.name


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_however_a_map_is_spaced_its_layout_says_the_same_and_stays(data: st.DataObject) -> None:
    """Breaks and spaces are put or left out between tokens of a map, where that leaves the tokens as they are."""
    pieces = [token.text for token in tokens(Text(TIDY.partition("uses")[2], "m"), Problems())[0] if token.text]
    gaps = data.draw(
        st.lists(st.sampled_from([" ", "  ", "\n", "\n\n\n", " // c\n", " /* c */ "]), min_size=len(pieces))
    )
    text = "/// url = 'u'\nuses" + "".join(gap + piece for gap, piece in zip(gaps, pieces, strict=False))
    laid_out = formatted(text)
    assert words(laid_out) == words(text)
    assert formatted(laid_out) == laid_out


def test_the_ends_of_lines_are_made_one() -> None:
    assert formatted("\ufeff/// url = 'u'\r\ngroup A(source s, target t) {\r\n  s -> t.a;\r\n}") == (
        "/// url = 'u'\ngroup A(source s, target t) {\n  s -> t.a;\n}\n"
    )


def test_what_would_say_something_else_elsewhere_stays() -> None:
    text = "/// url = 'u'\ngroup A(source s, target t) { s.a -> t.b; }   /* c\n */ /// no metadata\n"
    assert words(formatted(text)) == words(text)
    assert formatted(formatted(text)) == formatted(text)


def test_what_is_no_token_is_refused() -> None:
    with pytest.raises(CompileError, match="does not end"):
        formatted("/// url = 'u'\ngroup A(source s, target t) { s.a -> t.b = 'x; }")
