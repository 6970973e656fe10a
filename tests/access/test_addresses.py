"""Where the gateway listens decides who is believed. 127.0.0.2 stands for another address than loopback's own names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.access.caller import Caller
from gateway.app import AddressError, Gateway, background, serve_gateway, wire
from gateway.settings import Settings

KEY = ECKey.generate_key("P-256", {"kid": "ec"})
NETWORK = "127.0.0.2"
UNIT = "SE2120001348-T0100"
TABLE = """
[[issuer]]
issuer = "https://login.region.example"
audience = "samverka"
jwks = "jwks.json"
unit = "unit"
controller = "controller"
name = "name"
"""


@pytest.fixture
def issuers(tmp_path: Path) -> Path:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    (tmp_path / "issuers.toml").write_text(TABLE)
    return tmp_path / "issuers.toml"


@pytest.fixture
def wired(sqlite_url: str) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(**settings: object) -> Gateway:
        made.append(wire(Settings(database_url=sqlite_url, worker=False, **settings)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def token() -> dict[str, str]:
    claims = {
        "iss": "https://login.region.example",
        "aud": "samverka",
        "unit": UNIT,
        "controller": UNIT,
        "name": "Unit",
    }
    claims |= {"exp": int(datetime.now(UTC).timestamp()) + 60}  # type: ignore[dict-item]
    return {"authorization": f"Bearer {jwt.encode({'alg': 'ES256', 'kid': 'ec'}, claims, KEY, algorithms=['ES256'])}"}


def test_identity(gateway: Gateway) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.identities.token(Caller('organisation', UNIT, 'Unit', UNIT))}"}


test_identity.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", NETWORK, "gateway.example"])
def test_another_address_than_loopback_is_refused_where_nothing_says_who_asks(
    wired: Callable[..., Gateway], host: str
) -> None:
    with pytest.raises(AddressError, match="SAMVERKA_ISSUERS"):
        serve_gateway(wired(host=host, port=0))


def test_beyond_loopback_a_token_of_an_issuer_is_the_only_way_in(wired: Callable[..., Gateway], issuers: Path) -> None:
    gateway = wired(host=NETWORK, issuers=issuers)
    with background(gateway, NETWORK) as base:
        assert httpx.get(f"{base}/fhir/Organization").status_code == 401
        assert httpx.get(f"{base}/").status_code == 401
        refused = httpx.get(f"{base}/fhir/Organization", headers=test_identity(gateway))
        assert (refused.status_code, "token-loopback" in refused.text) == (401, True)
        assert httpx.get(f"{base}/fhir/Organization", headers=token()).status_code == 200
        assert httpx.get(f"{base}/ready").status_code == 200


def test_where_issuers_are_configured_nobody_is_the_operator_by_being_near(
    wired: Callable[..., Gateway], issuers: Path
) -> None:
    """A proxy on this machine may come from loopback, with our own Host and without a Forwarded header."""
    gateway = wired(issuers=issuers)
    with background(gateway) as base:
        assert httpx.get(f"{base}/fhir/Organization").status_code == 401
        assert httpx.get(f"{base}/fhir/Organization", headers=test_identity(gateway)).status_code == 401
        assert httpx.get(f"{base}/fhir/Organization", headers=token()).status_code == 200
        page = httpx.get(f"{base}/")
        assert (page.status_code, 'name="identity"' in page.text) == (401, False)


def test_a_demo_network_honours_test_identities_and_every_page_warns(wired: Callable[..., Gateway]) -> None:
    gateway = wired(host=NETWORK, demo_network=True)
    with background(gateway, NETWORK) as base:
        assert httpx.get(f"{base}/fhir/Organization", headers=test_identity(gateway)).status_code == 200
        assert "demo-network" in httpx.get(f"{base}/").text or "notice strong" in httpx.get(f"{base}/").text


def test_what_is_answered_is_kept_by_no_browser_and_no_proxy(wired: Callable[..., Gateway]) -> None:
    with background(wired()) as base:
        for path in ("/fhir/Patient", "/fhir/metadata", "/"):
            assert httpx.get(f"{base}{path}").headers["cache-control"] == "no-store"
