"""HL7 v2 messages: separators, escapes, explicit null, character sets, batches, places."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import formats
from gateway.formats import EXPLICIT_NULL, Format, Limits, Node, Record, er7
from gateway.issues import Issues

ADT = Format.of({"source": {"format": "er7"}, "records": [{"name": "adt", "at": "ADT^A0?"}]})
MSH = r"MSH|^~\&|PAS|NORTH|GW|WEST|20250310104500||ADT^A01^ADT_A01|M1|P|2.5"


def read(body: bytes | str, form: Format = ADT, **limits: int) -> tuple[list[Record], Issues]:
    issues = Issues()
    raw = body.encode() if isinstance(body, str) else body
    raw += b"" if not raw or raw.endswith((b"\r", b"\n", b"\x1c")) else b"\r"
    return list(formats.read(form, raw, issues, Limits(**limits))), issues


def segment(line: str, header: str = MSH) -> Node:
    [record], _ = read(f"{header}\r{line}\r")
    return record.node.kids[line[:3]][0]


def rules(issues: Issues) -> list[str]:
    return [issue.rule for issue in issues]


def test_msh_counts_its_separators_as_fields() -> None:
    [record], _ = read(MSH)
    msh = record.node.kids["MSH"][0]
    assert (msh.text("1"), msh.text("2"), msh.text("3"), msh.text("9", "2"), msh.text("12")) == (
        "|",
        r"^~\&",
        "PAS",
        "A01",
        "2.5",
    )


def test_fields_repeat_and_have_components_and_subcomponents() -> None:
    pid = segment("PID|1||12^^^&1.2.3&ISO^PI~34^^^NORTH||A^B")
    first, second = pid.kids["3"]
    assert (first.value, first.text("1"), first.text("4", "2"), first.text("4", "1")) == (None, "12", "1.2.3", "")
    assert (second.text("1"), second.text("4"), second.text("4", "1")) == ("34", "NORTH", "NORTH")


def test_a_plain_field_is_its_own_first_component_and_subcomponent() -> None:
    pid = segment("PID|1||12")
    assert (pid.text("3"), pid.text("3", "1"), pid.text("3", "1", "1")) == ("12", "12", "12")


def test_what_is_absent_has_no_node_and_an_explicit_null_has_one() -> None:
    pid = segment('PID|1|""|  |A^""^')
    assert "3" not in pid.kids
    assert pid.kids["2"][0].value is EXPLICIT_NULL
    assert pid.kids["4"][0].kids["2"][0].value is EXPLICIT_NULL
    assert "3" not in pid.kids["4"][0].kids


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\bold\N\ ", "bold"),
        (r"\X41C3A5\ ", "Aå"),
        (r"C:\temp\new", r"C:\temp\new"),
        (r"50\%", r"50\%"),
        (r"\XZZ\ ", r"\XZZ\ ".strip()),
    ],
)
def test_escapes(sent: str, meant: str) -> None:
    assert segment(f"NTE|1||{sent}|å", MSH + "||||||UNICODE UTF-8").text("3") == meant


def test_an_unknown_escape_is_kept_and_told_with_its_segment() -> None:
    [record], _ = read(MSH + "\rPID|1\rNTE|1||C:\\temp")
    assert [(issue.rule, issue.where) for issue in record.issues] == [("unknown-escape", "line 3, segment 3, NTE")]
    assert not record.issues.bad


def test_own_separators_are_read() -> None:
    [record], _ = read("MSH#*+!%#PAS###X#20250310##ADT*A01#M1\rPID#1##1*2%3+4!S!5\r")
    pid = record.node.kids["PID"][0]
    assert record.kind == "adt"
    assert (pid.text("3", "2", "2"), pid.kids["3"][1].text("1")) == ("3", "4*5")


@pytest.mark.parametrize("newline", ["\r", "\n", "\r\n"])
def test_any_line_break_ends_a_segment(newline: str) -> None:
    [record], issues = read(newline.join([MSH, "PID|1||12", "ZSE|1|kept", ""]))
    assert not issues
    assert list(record.node.kids) == ["MSH", "PID", "ZSE"]


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("8859/15~UNICODE UTF-8", "iso8859-15"), ("", "utf-8")],
)
def test_the_character_set_of_msh_18_is_read(charset: str, encoding: str) -> None:
    [record], _ = read(f"{MSH}||||||{charset}\rPID|1||||Åsa^Öström\r".encode(encoding))
    assert record.node.text("PID", "5", "1") == "Åsa"
    assert not record.issues


def test_without_msh_18_the_choice_is_told() -> None:
    [record], _ = read(f"{MSH}\rPID|1||||Åsa".encode("latin-1"))
    assert record.node.text("PID", "5") == "Åsa"
    assert rules(record.issues) == ["encoding-chosen"]
    assert not record.issues.bad


def test_bytes_that_break_the_stated_character_set_are_held() -> None:
    [record], _ = read(f"{MSH}||||||UNICODE UTF-8\rPID|1||||Åsa".encode("latin-1"))
    assert rules(record.issues) == ["wrong-encoding"]
    assert record.issues.bad


def test_an_unknown_character_set_is_told() -> None:
    [record], _ = read(f"{MSH}||||||KLINGON\rPID|1||||Åsa")
    assert rules(record.issues) == ["unknown-charset"]


def test_several_messages_and_batches_are_one_record_each() -> None:
    batch = f"FHS|^~\\&\rBHS|^~\\&\r{MSH}\rPID|1\r{MSH}\rPID|2\rBTS|3\rFTS|1\r"
    records, issues = read(batch)
    assert [record.node.text("PID", "1") for record in records] == ["1", "2"]
    assert [(issue.rule, issue.where) for issue in issues] == [("batch-count", "line 7, BTS-1")]
    assert batch[slice(*records[1].span)] == f"{MSH}\rPID|2"
    assert records[1].position.line == 5


def test_an_old_sender_names_its_event_in_evn_1() -> None:
    [record], _ = read("MSH|^~\\&|PAS||GW||20250310||ADT|M1|P|2.2\rEVN|A01|20250310\rPID|1")
    assert record.kind == "adt"


def test_a_message_of_another_event_is_held() -> None:
    records, _ = read(MSH.replace("ADT^A01", "ORU^R01"))
    assert [(record.kind, rules(record.issues)) for record in records] == [("", ["unknown-record"])]


@pytest.mark.parametrize("header", ["MSH", "MSHABC", r"MSH|^~\\&|X", r"MSH|^^\&|X"])
def test_an_msh_without_separators_is_held_and_the_next_message_read(header: str) -> None:
    records, _ = read(f"{header}\rPID|1\r{MSH}")
    assert [(record.kind, rules(record.issues)) for record in records] == [("", ["malformed-msh"]), ("adt", [])]
    assert er7.control(header.encode()) is None


def test_one_encoding_may_be_named_without_a_list() -> None:
    form = Format.of({"source": {"format": "er7", "encoding": "cp1252"}, "records": [{"name": "any", "at": "*"}]})
    [record], issues = read((MSH + "\rPID|||1||Åsa\r").encode("cp1252"), form)
    assert record.node.text("PID", "5", "1") == "Åsa"
    assert not issues


def test_segments_that_no_map_reads_are_told_by_the_manifests_list() -> None:
    form = Format.of({"source": {"format": "er7", "carried": ["MSH", "PID"]}, "records": [{"name": "a", "at": "*"}]})
    [record], _ = read(f"{MSH}\rPID|1\rZSE|1\rNK1|1", form)
    [issue] = record.issues
    assert (issue.severity, issue.rule, issue.where) == ("information", "segments-not-carried", "ZSE")
    assert "ZSE, NK1" in issue.text


def test_what_was_read_is_not_remembered_however_long_it_is() -> None:
    form = Format.of({"source": {"format": "er7", "carried": ["MSH"]}, "records": [{"name": "any", "at": "*"}]})
    segments = [f"Z{number:02X}|1" for number in range(256)]
    tracemalloc.start()
    try:
        for number in range(40):
            event, rest = MSH.replace("ADT^", f"{number}{'x' * 100_000}^"), segments[number:] + segments[:number]
            [record], _ = read("\r".join([event, *rest]), form)
            assert rules(record.issues) == ["segments-not-carried"]
            del record
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000


def test_a_line_that_is_no_segment_is_told() -> None:
    [record], _ = read(f"{MSH}\rOBX|1|TX|||first line\nsecond line\rPID|1")
    assert [(issue.rule, issue.where) for issue in record.issues] == [("not-a-segment", "line 3, segment 3")]
    assert "PID" in record.node.kids


def test_text_outside_a_message_is_told() -> None:
    assert [(i.rule, i.where) for i in read("hello\r" + MSH)[1]] == [("no-msh", "line 1")]
    assert rules(read("\r\n")[1]) == ["empty-message"]


def test_too_much_is_told() -> None:
    [record], _ = read(MSH + "|" * 99, nodes=50)
    assert rules(record.issues) == ["too-large-record"]
    assert rules(read(f"{MSH}\r" * 9, records=8)[1]) == ["too-many-records"]


def test_positions_are_in_hl7s_own_words() -> None:
    body = f"{MSH}||||||8859/1\rPID|1||åä~12^^^&1.2.3&ISO\rOBX|1\rOBX|2||b^c\r".encode("latin-1")
    [record], _ = read(body)
    pid, second = record.node.kids["PID"][0], record.node.kids["OBX"][1]
    places = {
        "MSH-1": (record.node.first("MSH", "1"), b"|"),
        "MSH-2": (record.node.first("MSH", "2"), b"^~\\&"),
        "MSH-9.2": (record.node.first("MSH", "9", "2"), b"A01"),
        "PID": (pid, b"PID|1||\xe5\xe4~12^^^&1.2.3&ISO"),
        "PID-3": (pid.kids["3"][0], b"\xe5\xe4"),
        "PID-3[2]": (pid.kids["3"][1], b"12^^^&1.2.3&ISO"),
        "PID-3[2].4.2": (pid.kids["3"][1].first("4", "2"), b"1.2.3"),
        "OBX[2]-3.2": (second.first("3", "2"), b"c"),
    }
    for path, (node, sent) in places.items():
        assert node is not None
        place = formats.position("er7", node, body)
        assert (place.path, body[place.start : place.end]) == (path, sent)
    assert str(formats.position("er7", second, body)) == "line 4, column 1, OBX[2]"


def escape(text: str) -> str:
    table = str.maketrans({"\\": r"\E\ ".strip(), "|": r"\F\ ".strip(), "^": r"\S\ ".strip(), "&": r"\T\ ".strip()})
    return text.translate(table).replace("~", "\\R\\").replace("\n", "\\.br\\")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n|^~\\&åäö"), min_size=1).filter(
    lambda text: text == text.strip() and text != '""'
)


@given(st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=3), st.sampled_from(["", "UNICODE UTF-8"]))
def test_what_is_written_is_read_and_found_again(repetitions: list[list[str]], charset: str) -> None:
    field = "~".join("^".join(map(escape, components)) for components in repetitions)
    body = f"{MSH}||||||{charset}\rPID|1||{field}\r".encode()
    [record], issues = read(body)
    assert not issues
    nodes = record.node.kids["PID"][0].kids["3"]
    read_back = [
        [node.text(str(i + 1)) for i in range(len(want))] for node, want in zip(nodes, repetitions, strict=True)
    ]
    assert read_back == repetitions
    for node, components in zip(nodes, repetitions, strict=True):
        for number, text in enumerate(components, 1):
            place = formats.position("er7", node.kids[str(number)][0], body)
            assert body[place.start : place.end].decode() == escape(text)


def test_a_nul_holds_its_message_alone() -> None:
    body = f"{MSH}\rPID|1||2\0\r{MSH}\rPID|1||3\r".encode()
    first, second = formats.read(ADT, body, Issues())
    assert [(i.rule, i.where) for i in first.issues] == [("nul", "line 2")]
    assert not second.issues.bad


def test_a_last_segment_that_does_not_end_is_told() -> None:
    [whole] = formats.read(ADT, f"{MSH}\rPID|1||2\r\x1c".encode(), Issues())
    [cut] = formats.read(ADT, f"{MSH}\rPID|1||2".encode(), Issues())
    assert not whole.issues
    assert [(i.severity, i.rule, i.where) for i in cut.issues] == [("warning", "segment-not-ended", "line 2, PID")]
