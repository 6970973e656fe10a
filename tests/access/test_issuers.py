"""Whose word about a caller is believed: tokens as issuers make them, and as others try to."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from gateway.access.issuers import Issuers, IssuersError
from gateway.access.tokens import REGISTRY
from gateway.errors import Unauthenticated

NOW = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
REGION = "https://login.region.example"
CLAIMS: dict[str, Any] = {
    "iss": REGION,
    "aud": "samverka",
    "exp": SECONDS + 600,
    "careUnitHsaId": "SE2120001348-T0100",
    "careProviderHsaId": "SE2120001348-T0000",
    "careUnitName": "Hemsjukvården Tanum",
}
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
TABLE = f"""
[[issuer]]
issuer = "{REGION}"
audience = "samverka"
jwks = "region.jwks.json"
unit = "careUnitHsaId"
controller = "careProviderHsaId"
name = "careUnitName"
"""


def configured(folder: Path, *keys: Key, table: str = TABLE) -> Issuers:
    published = {"keys": [key.as_dict(private=key.key_type == "oct") for key in keys or (RSA, EC, ED)]}
    (folder / "region.jwks.json").write_text(json.dumps(published))
    (folder / "issuers.toml").write_text(table)
    return Issuers.read(folder / "issuers.toml", lambda: NOW)


def signed(key: Key = RSA, algorithm: str = "RS256", *, kid: str | None = None, **changes: Any) -> str:
    """A token with these claims; a claim of None is left out."""
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": kid or key.kid}, claims, key, algorithms=[algorithm])


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def issuers(tmp_path_factory: pytest.TempPathFactory) -> Issuers:
    return configured(tmp_path_factory.mktemp("issuers"))


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519")])
def test_a_token_of_a_configured_issuer_names_the_caller(issuers: Issuers, key: Key, algorithm: str) -> None:
    caller = issuers.caller(signed(key, algorithm))

    assert caller is not None
    assert not caller.operator
    assert caller.organisations == ("SE2120001348-T0100", "SE2120001348-T0000")
    assert caller.name == "Hemsjukvården Tanum"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": SECONDS - 60}, id="expired"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"exp": "tomorrow"}, id="an end that is no time"),
        pytest.param({"nbf": SECONDS + 600}, id="not yet valid"),
        pytest.param({"aud": "another-service"}, id="for another audience"),
        pytest.param({"aud": None}, id="for no audience"),
    ],
)
def test_a_token_that_says_too_little_or_too_late_is_refused(issuers: Issuers, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        issuers.caller(signed(**changes))
    assert refusal.value.issues[0].rule == "token-invalid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("careUnitHsaId", None),
        ("careUnitHsaId", ""),
        ("careProviderHsaId", ["SE2120001348-T0000"]),
        ("careUnitName", 7),
    ],
)
def test_a_claim_that_is_wanting_is_named(issuers: Issuers, name: str, value: Any) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        issuers.caller(signed(**{name: value}))
    assert refusal.value.issues[0].rule == "token-claim"
    assert name in refusal.value.text


def test_one_bracket_where_there_may_be_several_issuers_is_told(tmp_path: Path) -> None:
    with pytest.raises(IssuersError, match="two brackets"):
        configured(tmp_path, table=TABLE.replace("[[issuer]]", "[issuer]"))


def test_a_second_issuer_of_the_same_name_is_told_with_its_line(tmp_path: Path) -> None:
    """It took the place of the first, whose tokens were then of another audience, or wrongly signed."""
    other = TABLE.replace(REGION, f"{REGION}/other")
    with pytest.raises(IssuersError, match=rf"issuers\.toml, line 19: {REGION} is") as refusal:
        configured(tmp_path, table=TABLE + other + TABLE.replace("careUnitName", "name"))
    assert "keep one" in str(refusal.value)


def test_a_second_issuer_is_told_however_the_tables_are_written(tmp_path: Path) -> None:
    table = ", ".join(TABLE.strip().splitlines()[1:])
    with pytest.raises(IssuersError, match=f"issuers.toml: {REGION} is"):
        configured(tmp_path, table=f"issuer = [{{{table}}},{{{table}}}]")


def test_clocks_may_differ_by_half_a_minute(issuers: Issuers) -> None:
    assert issuers.caller(signed(exp=SECONDS - 20)) is not None


def test_one_of_several_audiences_is_enough(issuers: Issuers) -> None:
    assert issuers.caller(signed(aud=["another-service", "samverka"])) is not None


def test_a_token_of_an_unknown_issuer_is_nobodys_here(issuers: Issuers) -> None:
    """The caller then tries the test identities, which exist on loopback alone."""
    assert issuers.caller(signed(iss="https://elsewhere.example")) is None
    assert issuers.caller(signed(iss=None)) is None


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", f"{part({'alg': 'RS256'})}.{part([])}.c", "ä.ö.å"])
def test_what_is_no_token_is_nobodys(issuers: Issuers, token: str) -> None:
    assert issuers.caller(token) is None


def test_a_strangers_signature_does_not_hold_though_it_names_the_issuers_key(issuers: Issuers) -> None:
    with pytest.raises(Unauthenticated):
        issuers.caller(signed(STRANGER))


@pytest.mark.parametrize("kid", ["no-such-key", "ec"])
def test_a_key_that_the_issuer_has_not_or_that_signs_otherwise_is_refused(issuers: Issuers, kid: str) -> None:
    with pytest.raises(Unauthenticated):
        issuers.caller(signed(kid=kid))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_a_signature_is_refused(issuers: Issuers, algorithm: str) -> None:
    for signature in ("", "AA"):
        with pytest.raises(Unauthenticated):
            issuers.caller(f"{part({'alg': algorithm, 'kid': 'rsa'})}.{part(CLAIMS)}.{signature}")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_public_key_is_not_taken_for_a_shared_secret(issuers: Issuers, algorithm: str) -> None:
    """HS256 with the published key as its secret: https://www.rfc-editor.org/rfc/rfc8725#section-2.1"""
    head = f"{part({'alg': algorithm.replace('sha', 'HS'), 'kid': 'rsa'})}.{part(CLAIMS)}"
    for published in (RSA.as_pem(private=False), RSA.as_der(private=False), json.dumps(RSA.as_dict(False)).encode()):
        code = base64.urlsafe_b64encode(hmac.digest(published, head.encode(), algorithm)).rstrip(b"=").decode()
        with pytest.raises(Unauthenticated):
            issuers.caller(f"{head}.{code}")


def test_claims_that_were_changed_after_signing_are_refused(issuers: Issuers) -> None:
    header, _, signature = signed().split(".")
    with pytest.raises(Unauthenticated):
        issuers.caller(f"{header}.{part(CLAIMS | {'careUnitHsaId': 'SE2321000131-T0110'})}.{signature}")


def test_a_header_cannot_bring_its_own_key(issuers: Issuers) -> None:
    header = {"alg": "RS256", "kid": "rsa", "jwk": STRANGER.as_dict(private=False), "jku": "http://127.0.0.1/keys"}
    with pytest.raises(Unauthenticated):
        issuers.caller(jwt.encode(header, CLAIMS, STRANGER, registry=REGISTRY))


def test_a_certificate_chain_and_members_of_the_issuers_own_are_passed_over(issuers: Issuers) -> None:
    header = {"alg": "RS256", "kid": "rsa", "x5c": [base64.b64encode(bytes(2000)).decode()] * 2, "own": "x"}
    assert issuers.caller(jwt.encode(header, CLAIMS, RSA, registry=REGISTRY)) is not None


def test_a_header_that_must_be_understood_and_is_not_is_refused(issuers: Issuers) -> None:
    def token(**more: Any) -> str:
        head = f"{part({'alg': 'RS256', 'kid': 'rsa', **more})}.{part(CLAIMS)}"
        signature = RSA.private_key.sign(head.encode(), PKCS1v15(), SHA256())
        return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    assert issuers.caller(token(own="x")) is not None
    with pytest.raises(Unauthenticated):
        issuers.caller(token(own="x", crit=["own"]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=60, deadline=None)
@given(claims=st.fixed_dictionaries({}, optional=dict.fromkeys((*CLAIMS, "nbf", "iat"), JSON)))
def test_whatever_an_issuer_signs_is_a_caller_or_a_refusal(issuers: Issuers, claims: dict[str, Any]) -> None:
    try:
        token = jwt.encode({"alg": "ES256", "kid": "ec"}, CLAIMS | claims, EC, algorithms=["ES256"])
    except ValueError:  # The library does not sign it either.
        return
    with contextlib.suppress(Unauthenticated):
        issuers.caller(token)


def without(line: str) -> str:
    return "\n".join(one for one in TABLE.splitlines() if not one.startswith(line))


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("", "issuer is missing"),
        ("[[issuer]", "issuers.toml"),
        ("issuer = 3", "issuers.toml"),
        (without("audience"), "audience is missing"),
        (without("unit"), "unit is missing"),
        (TABLE.replace("region.jwks", "lost.jwks"), "lost.jwks.json"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, table: str, what: str) -> None:
    with pytest.raises(IssuersError, match=what):
        configured(tmp_path, table=table)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "RSA"}]}', '{"keys": 1}'])
def test_keys_that_cannot_be_used_are_refused_at_start(tmp_path: Path, text: str) -> None:
    configured(tmp_path)
    (tmp_path / "region.jwks.json").write_text(text)
    with pytest.raises(IssuersError):
        Issuers.read(tmp_path / "issuers.toml", lambda: NOW)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_shared_secret_is_no_key_of_an_issuer(tmp_path: Path) -> None:
    with pytest.raises(IssuersError, match="public keys"):
        configured(tmp_path, OctKey.generate_key(256, {"kid": "rsa"}))


def test_two_issuers_keep_their_own_keys_and_audiences(tmp_path: Path, issuer_of: Callable[..., str]) -> None:
    other = issuer_of(tmp_path, STRANGER)
    issuers = configured(tmp_path, table=TABLE + other)

    assert issuers.caller(signed(STRANGER, iss="https://other.example", aud="other")) is not None
    for token in (signed(iss="https://other.example", aud="other"), signed(STRANGER)):
        with pytest.raises(Unauthenticated):
            issuers.caller(token)


@pytest.fixture
def issuer_of() -> Callable[..., str]:
    def make(folder: Path, key: Key) -> str:
        (folder / "other.jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        table = TABLE.replace(REGION, "https://other.example").replace("region.jwks", "other.jwks")
        return table.replace('"samverka"', '"other"')

    return make
