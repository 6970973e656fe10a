"""Numbers of persons, units and bodies. The person numbers are Skatteverket's and HL7 Sweden's test numbers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from gateway.identity import systems
from gateway.identity.numbers import Reading, read

OWN = systems.record_system("SE2321000131-T9001")
PNR, SNR, NRN = systems.PERSONNUMMER, systems.SAMORDNINGSNUMMER, systems.NATIONAL_RESERVE_NUMBER


def reading(system: str, value: str, **more: object) -> Reading:
    found = read(system, value, OWN, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def rules(found: Reading) -> list[str]:
    return [issue.rule for issue in found.issues]


@pytest.mark.parametrize("number", ["191212121212", "195009072553", "196101182803", "200001252386"])
def test_a_personnummer_says_birth_date_and_sex(number: str) -> None:
    found = reading(PNR, number)
    assert (found.system, found.value, found.issues) == (PNR, number, ())
    assert found.birth_date == f"{number[:4]}-{number[4:6]}-{number[6:8]}"
    assert found.gender == ("male" if int(number[10]) % 2 else "female")


def test_spaces_and_a_hyphen_are_no_part_of_the_number() -> None:
    assert reading(PNR, " 19121212-1212 ").value == "191212121212"


@pytest.mark.parametrize("spelling", [PNR, "1.2.752.129.2.1.3.1", "urn:oid:1.2.752.129.2.1.3.1"])
def test_a_register_has_one_spelling(spelling: str) -> None:
    assert reading(spelling, "191212121212").system == PNR


@pytest.mark.parametrize(
    ("system", "value", "rule"),
    [
        (PNR, "191212121213", "personnummer-check-digit"),
        (PNR, "191202301210", "personnummer-date"),
        (PNR, "191213121210", "personnummer-date"),
        (PNR, "1212121212", "personnummer-century"),
        (PNR, "121212-1212", "personnummer-century"),
        (PNR, "12345", "personnummer-format"),
        (SNR, "196109732394", "samordningsnummer-check-digit"),
        (SNR, "196109992394", "samordningsnummer-date"),
        (NRN, "9824", "reservnummer-shape"),
    ],
)
def test_a_wrong_number_is_refused_by_a_rule_of_its_own(system: str, value: str, rule: str) -> None:
    found = reading(system, value)
    assert rules(found) == [rule]
    assert not found.usable


def test_no_issue_quotes_the_number() -> None:
    for value in ("191212121213", "121212-1212", "12345", "98240301AA06"):
        assert all(value not in issue.text for system in (PNR, SNR, NRN) for issue in reading(system, value).issues)


def test_a_samordningsnummer_adds_sixty_to_the_day() -> None:
    found = reading(SNR, "196109732393")
    assert (found.birth_date, found.gender, found.issues) == ("1961-09-13", "male", ())


@pytest.mark.parametrize(
    ("system", "value", "becomes", "rule"),
    [
        (PNR, "196109732393", SNR, "samordningsnummer-as-personnummer"),
        (SNR, "191212121212", PNR, "personnummer-as-samordningsnummer"),
        (NRN, "191212121212", PNR, "personnummer-as-reservnummer"),
        (PNR, "98240301AA06", NRN, "reservnummer-as-personnummer"),
    ],
)
def test_the_number_says_its_register_when_the_source_is_wrong(
    system: str, value: str, becomes: str, rule: str
) -> None:
    found = reading(system, value)
    assert found.system == becomes
    assert rules(found)[0] == rule
    assert found.usable


def test_a_reserve_number_is_kept_when_its_check_digit_does_not_fit() -> None:
    found = reading(NRN, "98240301AA06")
    assert (found.value, found.birth_date, found.gender) == ("98240301AA06", "2024-03-01", "female")
    assert rules(found) == ["reservnummer-check-digit"]


def test_a_reserve_number_of_another_form_is_kept_with_a_warning() -> None:
    assert rules(reading(NRN, "20210325K069")) == ["reservnummer-form"]


def test_a_reserve_number_without_a_birth_date_says_none() -> None:
    assert reading(NRN, "00242045AAB1").birth_date is None


@pytest.mark.parametrize("value", ["19521234TA3C", "201612345678"])
def test_a_local_reserve_number_under_a_national_register_becomes_the_sources_own(value: str) -> None:
    found = reading(PNR if not value.isdigit() else NRN, value)
    assert (found.system, rules(found)) == (OWN, ["reservnummer-local"])


def test_a_local_reserve_number_keeps_the_authority_that_gave_it() -> None:
    found = reading("1.2.752.97.3.1.3", "20081234-0123")
    assert (found.system, found.value, found.issues) == ("urn:oid:1.2.752.97.3.1.3", "20081234-0123", ())


def test_ten_digits_are_read_by_an_explicit_century_rule_only() -> None:
    assert reading(PNR, "121212-1212", born_before=date(2026, 1, 1)).value == "201212121212"
    assert reading(PNR, "121212+1212", born_before=date(2026, 1, 1)).value == "191212121212"
    assert reading(PNR, "500907-2553", born_before=date(2026, 1, 1)).value == "195009072553"


@pytest.mark.parametrize("spelling", ["1.2.752.29.4.19", "urn:oid:1.2.752.129.2.1.4.1", "1.2.752.129.2.1.4.1"])
def test_hsa_ids_of_both_oids_are_the_same(spelling: str) -> None:
    found = reading(spelling, "se2321000131-e000000000021")
    assert (found.system, found.value, found.issues) == (systems.HSA_ID, "SE2321000131-E000000000021", ())


def test_a_local_id_in_an_hsa_field_is_the_sources_own() -> None:
    found = reading(systems.HSA_ID, "112233")
    assert (found.system, found.value, rules(found), found.usable) == (OWN, "112233", ["hsa-id-shape"], True)


def test_the_systems_own_record_ids_are_no_hsa_ids() -> None:
    assert reading(OWN, "vt-1").system == OWN


@pytest.mark.parametrize("value", ["232100-0131", "2321000131", "162321000131", "SE2321000131"])
def test_an_organisation_number_has_ten_digits(value: str) -> None:
    found = reading("2.5.4.97", value)
    assert (found.system, found.value, found.issues) == (systems.ORGANISATION_NUMBER, "2321000131", ())


def test_an_organisation_number_with_a_wrong_check_digit_is_kept_with_a_warning() -> None:
    assert rules(reading("2.5.4.97", "2321000132")) == ["organisation-number-check-digit"]


@pytest.mark.parametrize("value", ["?", "", " - ", "okänd"])
def test_a_placeholder_is_no_number(value: str) -> None:
    assert read(PNR, value, OWN) is None


@given(st.dates(min_value=date(1850, 1, 1), max_value=date(2030, 12, 31)), st.integers(0, 999), st.booleans())
def test_every_number_made_by_the_rule_is_read_by_it(born: date, serial: int, coordination: bool) -> None:
    day = born.day + 60 * coordination
    nine = f"{born:%y%m}{day:02}{serial:03}"
    number = f"{born.year // 100:02}{nine}{luhn.calc_check_digit(nine)}"
    found = reading(PNR, number)
    assert found.usable
    assert found.system == (SNR if coordination else PNR)
    assert found.birth_date == born.isoformat()


@given(st.sampled_from([PNR, SNR, NRN, systems.HSA_ID, systems.ORGANISATION_NUMBER, "x"]), st.text(max_size=20))
def test_any_text_is_read_or_refused_and_never_an_error(system: str, value: str) -> None:
    found = read(system, value, OWN)
    assert found is None or read(found.system, found.value, OWN) is not None or not found.usable
