"""The demo's messages: real formats, units that exist, persons and telephone numbers that do not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lxml import etree
from stdnum import luhn

from tests.demo.schema import problems
from tests.demo.story import FOLDER, PACKAGES, SCRIPT, SOURCES, Told, receipts, told

SHARED = Path(__file__).parents[2] / "../shared/data/rivta-xsd"
LOGISTICS_2 = "clinicalprocess_logistics_logistics_2.0.1/interactions"
LOGISTICS_3 = "clinicalprocess_logistics_logistics_3.0.13/interactions"
REQUEST = "clinicalprocess_activity_request_1.0/interactions"
XSD = {
    "GetCareContactsResponder:2": f"{LOGISTICS_2}/GetCareContactsInteraction/GetCareContactsResponder_2.0.xsd",
    "GetCareContactsResponder:3": f"{LOGISTICS_3}/GetCareContactsInteraction/GetCareContactsResponder_3.0.xsd",
    "GetCarePlansResponder:2": f"{LOGISTICS_3}/GetCarePlansInteraction/GetCarePlansResponder_2.0.xsd",
    "ProcessRequestResponder:1": f"{REQUEST}/ProcessRequestInteraction/ProcessRequestResponder_1.0.xsd",
    "ProcessRequestConfirmationResponder:1": (
        f"{REQUEST}/ProcessRequestConfirmationInteraction/ProcessRequestConfirmationResponder_1.0.xsd"
    ),
}
FICTION = re.compile(
    r"031-390 06 \d\d|08-465 004 \d\d|040-628 04 \d\d|0980-319 2\d\d|070-174 06 (0[5-9]|[1-9]\d)"  # set aside by PTS
)
FILES = sorted(path for path in (FOLDER / "messages").rglob("*") if path.is_file())
ALL = list(told())


def text(path: Path) -> str:
    body = path.read_bytes()
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("iso-8859-1")


def names(messages: list[Told]) -> list[str]:
    return [f"{one.path.parent.name}/{one.path.name}" for one in messages]


def test_every_package_takes_part() -> None:
    assert {source.package for source in SOURCES.values()} == set(PACKAGES)
    assert {one.source.id for one in ALL} == set(SOURCES)


def test_every_file_is_told_once_in_the_script() -> None:
    assert sorted(FOLDER / message["file"] for message in SCRIPT["message"]) == FILES


def test_nothing_is_received_after_the_fixed_now_or_out_of_order() -> None:
    first = [receipts(message)[0] for message in SCRIPT["message"]]
    assert first == sorted(first)
    assert all(received <= SCRIPT["now"] for message in SCRIPT["message"] for received in receipts(message))


@pytest.mark.parametrize("one", ALL, ids=names(ALL))
def test_every_message_is_taken_whole(one: Told) -> None:
    results, issues = one.mapped()
    found = [*issues, *(issue for result in results for issue in result.issues)]
    assert [issue.rule for issue in found if issue.severity != "information"] == []
    assert all(draft.effective <= one.received for result in results for draft in result.drafts)


OURS = [one for one in ALL if one.source.package in ("advice-json", "dispatch-json", "planning-json")]


@pytest.mark.parametrize("one", OURS, ids=names(OURS))
def test_a_message_in_our_own_json_keeps_its_schema(one: Told) -> None:
    assert problems(json.loads(text(one.path)), f"{one.source.package}.schema.json") == []


RIVTA = [one for one in ALL if one.path.suffix == ".xml"]


@pytest.mark.corpus
@pytest.mark.parametrize("one", RIVTA, ids=names(RIVTA))
def test_a_riv_ta_message_keeps_the_official_schema(one: Told) -> None:
    if not SHARED.is_dir():
        pytest.skip("the official schemas are not here: ../shared/data/rivta-xsd")
    root = etree.parse(one.path).getroot()
    body = root.find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
    message = root if body is None else body[0]
    contract = next(name for name in XSD if str(etree.QName(message).namespace).endswith(name))
    schema = etree.XMLSchema(etree.parse(SHARED / XSD[contract]))
    schema.assertValid(etree.ElementTree(etree.fromstring(etree.tostring(message))))


def test_the_persons_do_not_exist() -> None:
    found = {number for path in FILES for number in re.findall(r"\b(?:18|19|20)\d{10}\b", text(path))}
    persons = {person["id"] for person in SCRIPT["person"]}
    assert found & persons == persons
    for number in persons:
        assert luhn.is_valid(number[2:])
        assert number[8:11] in ("238", "239")


def test_every_telephone_number_is_set_aside_for_fiction() -> None:
    numbers = re.compile(r"\b0\d{1,3}-\d{2,3}[ ]?\d{2,3}(?:[ ]?\d{2})?\b")
    found = {number for path in FILES for number in numbers.findall(text(path))}
    assert found
    assert [number for number in found if not FICTION.fullmatch(number)] == []


def test_every_unit_that_is_named_is_in_the_directory() -> None:
    directory = text(FOLDER / "messages/directory/2026-03-02.csv")
    units = {hsa_id for path in FILES for hsa_id in re.findall(r"SE\d{10}-T0\d{3}\b", text(path))}
    assert {unit for unit in units if f"\n{unit};" not in directory} == set()
    assert {source.controller for source in SOURCES.values()} <= units


def test_hsa_ids_show_that_they_are_invented() -> None:
    found = {hsa_id for path in FILES for hsa_id in re.findall(r"SE\d{10}-\w+", text(path))}
    assert [hsa_id for hsa_id in found if not re.fullmatch(r"SE\d{10}-T[059]\d{3}", hsa_id)] == []


def test_one_municipality_still_writes_iso_8859_1() -> None:
    with pytest.raises(UnicodeDecodeError):
        (FOLDER / "messages/tanum-kommun/2026-03-12-1200.csv").read_bytes().decode("utf-8")
