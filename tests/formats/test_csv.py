"""CSV rows: dialect, encodings, headers, ragged rows, places."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import formats
from gateway.formats import Format, Limits, Record
from gateway.issues import Issues


def form(**options: object) -> Format:
    records = [{"name": "visit", "at": "kind=V"}, {"name": "plan", "at": "kind=P"}]
    return Format.of({"source": {"format": "csv", **options}, "records": records})


ANY = Format.of({"source": {"format": "csv"}, "records": [{"name": "row", "at": "*"}]})


def read(body: bytes | str, form: Format = ANY, **limits: int) -> tuple[list[Record], Issues]:
    issues = Issues()
    raw = body.encode() if isinstance(body, str) else body
    return list(formats.read(form, raw, issues, Limits(**limits))), issues


def rules(issues: Issues) -> list[str]:
    return [issue.rule for issue in issues]


def values(record: Record) -> dict[str, object]:
    return {name: nodes[0].value for name, nodes in record.node.kids.items()}


def test_a_row_is_a_record_of_the_kind_that_its_column_says() -> None:
    records, issues = read("kind;unit\nV;A\n\nP;B\nX;C\n", form())
    assert not issues
    assert [(record.kind, rules(record.issues)) for record in records] == [
        ("visit", []),
        ("plan", []),
        ("", ["unknown-record"]),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_quotes_hold_separators_breaks_and_quotes(newline: str) -> None:
    body = newline.join(["a;b;c", '1; "x;""y""" ;z', '2;"one' + newline + 'two";', '3;;5 inch " pipe', ""])
    records, _ = read(body)
    assert [values(record) for record in records] == [
        {"a": "1", "b": 'x;"y"', "c": "z"},
        {"a": "2", "b": f"one{newline}two"},
        {"a": "3", "c": '5 inch " pipe'},
    ]
    assert [str(record.position) for record in records] == ["row 2", "row 3", "row 5"]


def test_a_quote_that_is_never_closed_costs_its_row_only() -> None:
    records, _ = read('a;b\n1;"open\n2;x\n')
    assert [values(record) for record in records] == [{"a": "1", "b": '"open'}, {"a": "2", "b": "x"}]


def test_a_header_of_one_column_that_holds_another_separator_is_told() -> None:
    plain = Format.of({"source": {"format": "csv"}, "records": [{"name": "row"}]})
    for header, told in (("a,b", ["wrong-delimiter"]), ("a", [])):
        issues = Issues()
        assert len(list(formats.read(plain, f"{header}\n1\n".encode(), issues))) == 1
        assert [issue.rule for issue in issues] == told


@pytest.mark.parametrize(("encoding", "told"), [("utf-8", []), ("utf-8-sig", []), ("cp1252", ["encoding-chosen"])])
def test_both_encodings_are_read_and_the_choice_is_told(encoding: str, told: list[str]) -> None:
    [record], issues = read("a;b\nÅsa;ö\n".encode(encoding))
    assert values(record) == {"a": "Åsa", "b": "ö"}
    assert rules(issues) == told
    assert not issues.bad


@pytest.mark.parametrize("body", ["a;b\n1;2\n".encode("utf-16"), b"a;b\n\x81;2\n", b"a;b\n1\x00;2\n"])
def test_an_encoding_that_is_none_of_the_sources_is_told(body: bytes) -> None:
    records, issues = read(body)
    assert not records
    assert rules(issues) == ["wrong-encoding"]


def test_null_tokens_and_numbers_are_the_manifests() -> None:
    given = form(null=["-", "NULL"], numbers=["h", "k"], delimiter=",", decimal=",")
    [record], _ = read('kind,unit,h,k\nV,-,"1 234,50",NULL\n', given)
    assert values(record) == {"kind": "V", "h": Decimal("1234.50")}


def test_a_number_that_is_none_is_left_out_and_told() -> None:
    [record], _ = read("kind;h\nV;many\n", form(numbers=["h"]))
    assert [(i.rule, i.where) for i in record.issues] == [("not-a-number", "row 2, column h")]
    assert not record.issues.bad


@pytest.mark.parametrize("row", ["V;A", "V;A;B;C"])
def test_a_ragged_row_is_held_with_its_row_and_column(row: str) -> None:
    records, _ = read(f"kind;unit;text\n{row}\nV;A;B\n", form())
    assert [rules(record.issues) for record in records] == [["ragged-row"], []]
    assert records[0].issues.bad
    assert next(iter(records[0].issues)).where in ("row 2, column unit", "row 2, column text")


def test_a_misspelt_column_is_told_with_what_was_meant_and_no_row_is_read() -> None:
    records, issues = read("kind;unti\nV;A\n", form(required=["kind", "unit"]))
    assert not records
    assert rules(issues) == ["missing-column"]
    assert "did you mean it by unti?" in next(iter(issues)).text


def test_an_unknown_column_is_told_and_the_rows_are_read() -> None:
    records, issues = read("kind;colour\nV;red\n", form(columns=["kind", "unit"]))
    assert len(records) == 1
    assert [(i.rule, i.where) for i in issues] == [("unknown-column", "row 1, column 2")]


def test_a_file_without_header_does_not_leak_its_first_row() -> None:
    records, issues = read("191212121212;Tolvan\n", form(required=["kind"], columns=["kind", "unit"]))
    assert not records
    assert all("191212121212" not in issue.text + (issue.where or "") for issue in issues)


@pytest.mark.parametrize(
    ("header", "rule"),
    [("kind,unit", "wrong-delimiter"), ("kind;unit;unit", "duplicate-column"), ("", "empty-message")],
)
def test_a_header_that_cannot_be_read_by_is_told(header: str, rule: str) -> None:
    records, issues = read(header and header + "\nV;A;A\n", form(required=["kind", "unit"]))
    assert not records
    assert rules(issues) == [rule]


def test_too_many_rows_are_told() -> None:
    assert rules(read("a\n" + "1\n" * 9, records=8)[1]) == ["too-many-records"]


def test_positions_point_into_the_row() -> None:
    body = '\ufeffa;b;c\r\nÅ;"x;ö";z\r\n'.encode()
    [record], _ = read(body)
    assert body[slice(*record.span)].decode() == 'Å;"x;ö";z'
    for name, sent in {"a": "Å", "b": "x;ö", "c": "z"}.items():
        place = formats.position("csv", record.node.kids[name][0], body)
        assert str(place) == f"row 2, column {name}"
        assert body[place.start : place.end].decode() == sent
    row = formats.position("csv", record.node, body)
    assert (row.start, row.end) == record.span


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n;"å'), max_size=8).map(str.strip)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3).filter(any), max_size=5))
def test_what_pythons_writer_writes_is_read_and_found_again(rows: list[list[str]]) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    body = file.getvalue().encode()
    records, issues = read(body)
    assert not issues
    assert [[record.node.text(name) for name in "abc"] for record in records] == rows
    for record in records:
        for nodes in record.node.kids.values():
            place = formats.position("csv", nodes[0], body)
            assert body[place.start : place.end].decode().replace('""', '"') == nodes[0].value


def test_a_required_column_without_a_value_is_told_in_its_row() -> None:
    form = Format.of({"source": {"format": "csv", "required": ["a"]}, "records": [{"name": "row", "at": "*"}]})
    first, second = formats.read(form, b"a;b\n1;\n;2\n", Issues())
    assert not first.issues
    assert [(i.severity, i.rule, i.where) for i in second.issues] == [("warning", "value-missing", "row 3, column a")]


def test_a_quote_that_is_never_closed_is_told_and_taken_as_it_stands() -> None:
    form = Format.of({"source": {"format": "csv"}, "records": [{"name": "row", "at": "*"}]})
    first, second = formats.read(form, b'a;b\n"1;2\n3;4\n', Issues())
    assert [(i.rule, i.where) for i in first.issues] == [("stray-quote", "row 2, column a")]
    assert (first.node.text("a"), first.node.text("b")) == ('"1', "2")
    assert not second.issues


def test_a_column_whose_name_is_not_one_of_ours_is_told_by_its_number() -> None:
    """Where lines end in two ways, the first row runs into the header, and a person's number is a column's name."""
    form = Format.of({"source": {"format": "csv", "columns": ["a", "b"]}, "records": [{"name": "row", "at": "*"}]})
    body = b"a;b\r191212121212;1\n2;3\n"
    [record] = formats.read(form, body, Issues())
    assert [(i.rule, i.where) for i in record.issues] == [("ragged-row", "row 2, column 2")]
