"""Who is believed about who is asking, by nothing but a request's headers and the other end's address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.access.bearer import Trust
from gateway.access.caller import OPERATOR, Caller
from gateway.access.identities import TestIdentities
from gateway.access.issuers import Issuers
from gateway.errors import Unauthenticated

IDENTITIES = TestIdentities(b"0" * 32)
WARD = Caller("organisation", "SE2321000131-T0110", "MÄVA", "SE2321000131-T0000")
TOKEN = IDENTITIES.token(WARD)
HERE = {"host": "127.0.0.1:8000"}
AS_WARD = HERE | {"authorization": f"Bearer {TOKEN}"}
FOREIGN = [
    {"host": "elsewhere.example"},
    {"host": "elsewhere.example:8000", "origin": "http://elsewhere.example:8000"},  # a name that was bound anew
    {"host": "127.0.0.1.elsewhere.example"},
    {"host": "elsewhere@127.0.0.1"},
    {"host": "127.0.0.1/x"},
    {"host": "[::1"},
    {"host": ""},
    {"origin": "http://elsewhere.example"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "null"},
    {"origin": "http://["},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"forwarded": "for=192.0.2.1"},
    {"x-forwarded-for": "192.0.2.1"},
    {"x-forwarded-server": "proxy.example"},
    {"via": "1.1 proxy"},
]


def trust(*, loopback: bool = True, network: bool = False) -> Trust:
    return Trust(Issuers({}, lambda: datetime.now(UTC)), IDENTITIES, loopback=loopback, network=network)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:8000", "[::1]:8000", "127.0.0.53"])
def test_on_this_machine_nobody_needs_a_token(host: str) -> None:
    assert trust().caller({"host": host}, "127.0.0.1") == OPERATOR
    assert trust().caller({"host": host, "origin": f"http://{host}"}, "127.0.0.1") == OPERATOR


@pytest.mark.parametrize("said", ["Bearer", "Bearer ", "bearer  ", "", "Basic"])
def test_who_says_who_he_is_without_a_word_is_nobody(said: str) -> None:
    """A script whose variable of the token was not set was the operator."""
    for cookie in (None, TOKEN):
        with pytest.raises(Unauthenticated) as refused:
            trust().caller(HERE | {"authorization": said}, "127.0.0.1", cookie)
        assert refused.value.issues[0].rule == "token-missing"


def test_a_link_from_elsewhere_may_lead_to_a_page() -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert trust().caller(HERE | link, "127.0.0.1") == OPERATOR


@pytest.mark.parametrize("headers", FOREIGN)
def test_nobody_from_elsewhere_is_the_operator(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        trust().caller(HERE | headers, "127.0.0.1")


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_test_identity_is_worth_nothing_elsewhere(headers: dict[str, str]) -> None:
    assert trust().caller(AS_WARD, "127.0.0.1") == WARD
    with pytest.raises(Unauthenticated):
        trust().caller(AS_WARD | headers, "127.0.0.1")
    assert not trust().may_try(HERE | headers, "127.0.0.1")


def test_a_test_identity_is_worth_nothing_from_another_machine() -> None:
    with pytest.raises(Unauthenticated):
        trust().caller(AS_WARD, "192.0.2.7")


def test_a_demo_network_honours_test_identities_from_anywhere_and_makes_nobody_the_operator() -> None:
    there = {"host": "demo.example", "authorization": f"Bearer {TOKEN}"}
    assert trust(loopback=False, network=True).caller(there, "192.0.2.7") == WARD
    with pytest.raises(Unauthenticated):
        trust(loopback=False, network=True).caller({"host": "demo.example"}, "192.0.2.7")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:3000", "http://elsewhere.example", "null"])
@pytest.mark.parametrize("network", [False, True])
def test_a_cookie_is_nobody_s_word_for_another_page(origin: str, network: bool) -> None:
    where = {"host": "127.0.0.1:8000", "origin": origin}
    assert trust(network=network).caller(HERE, "127.0.0.1", TOKEN) == WARD
    with pytest.raises(Unauthenticated):
        trust(network=network).caller(where, "127.0.0.1", TOKEN)
