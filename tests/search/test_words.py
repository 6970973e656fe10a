"""Words and queries of words: both databases get the same, and nothing of their own languages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.search import wordquery, words


def test_words_are_split_and_folded_here() -> None:
    assert words.split("Åsa-Karin's  47.5 mg_x") == ["asa", "karin", "s", "47", "5", "mg", "x"]


def test_a_word_of_another_alphabet_keeps_its_beginning() -> None:
    [whole], [begin] = words.split("γόνατο"), words.split("γον")
    assert whole.isascii()
    assert whole.startswith(begin)


def test_data_are_no_words() -> None:
    resource = {"resourceType": "Binary", "id": "b", "data": "QUJD" * 1000}
    assert words.of(resource) == ("", "b")


def test_urls_and_urns_are_no_words() -> None:
    coding = {"system": "http://snomed.info/sct", "code": "93870000", "display": "Liver"}
    resource = {"resourceType": "Condition", "code": {"coding": [coding]}, "subject": {"reference": "Patient/p7"}}
    identifier = {"identifier": [{"system": "urn:oid:1.2.752", "value": "K-1"}], "implicitRules": "https://a.example/b"}
    _, everything = words.of(resource | identifier)
    assert sorted(everything.split()) == ["1", "93870000", "k", "liver", "p7", "patient"]


def test_ids_that_we_made_are_no_words() -> None:
    id = "6f9619ff-8b86-5011-b42d-00cf4fc964ff"
    resource = {"resourceType": "Task", "id": id, "for": {"reference": f"Patient/{id}", "display": "Anna"}}
    note = {"note": [{"text": f"See {id}"}]}
    _, everything = words.of(resource | note)
    assert sorted(everything.split()) == sorted(["anna", "see", *id.split("-")])


def test_a_resource_has_only_so_many_words() -> None:
    _, everything = words.of({"resourceType": "Basic", "id": "b", "text": "word " * 20_000})
    assert len(everything.split()) == words.MAX_WORDS


def test_a_word_longer_than_an_index_keeps_is_in_none() -> None:
    kept, lost = "k" * words.LONGEST, "l" * (words.LONGEST + 1)
    narrative = {"div": f"<div>Liver {kept} {lost}</div>"}
    told = words.of({"resourceType": "Basic", "id": "b", "text": narrative})
    assert told == (f"liver {kept}", f"b liver {kept}")


@pytest.mark.parametrize(
    ("text", "sqlite", "postgresql"),
    [
        ("liver", '"liver"', "liver"),
        ("bone liver", '("bone" AND "liver")', "(bone & liver)"),
        ("(bone or liver) and not x*", '(("bone" OR "liver") NOT "x" *)', "((bone | liver) & ! x:*)"),
        ('"the liver"', '"the liver"', "(the <-> liver)"),
    ],
)
def test_a_query_is_written_in_the_language_of_each_index(text: str, sqlite: str, postgresql: str) -> None:
    assert wordquery.read(text) == wordquery.Query(sqlite, postgresql)


def test_a_query_is_bounded() -> None:
    for text in ("a " * 51, "(" * 30 + "a" + ")" * 30):
        with pytest.raises(wordquery.Unreadable):
            wordquery.read(text)


@given(st.text(alphabet="ab (\")*&|!:'\\- åor not", max_size=40))
def test_whatever_is_asked_the_index_is_asked_for_words_only(text: str) -> None:
    try:
        query = wordquery.read(text)
    except wordquery.Unreadable:
        return
    assert re.fullmatch(r'(\(|\)|"[a-z0-9 ]+"| \*| (AND|OR|NOT) )+', query.sqlite)
    assert re.fullmatch(r"(\(|\)|[a-z0-9]+|:\*| <-> | [&|] | & ! )+", query.postgresql)
