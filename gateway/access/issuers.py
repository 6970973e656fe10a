"""Issuers of tokens: who is believed about who is asking, where the gateway is reached from other machines.

Configured in TOML, a table for each: the issuer's name, the audience that its tokens must be for, its public keys
(a JWKS file beside the configuration), and the claims that hold the caller's unit, care provider and name.

    [[issuer]]
    issuer = "https://login.region.example"
    audience = "samverka"
    jwks = "region.jwks.json"
    unit = "careUnitHsaId"
    controller = "careProviderHsaId"
    name = "careUnitName"

https://www.rfc-editor.org/rfc/rfc7519, https://www.rfc-editor.org/rfc/rfc8725
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry, extract_compact

from gateway.access.caller import Caller
from gateway.errors import Unauthenticated

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "Ed25519"]
"""Signatures with a public key only: a shared secret proves nothing about who signed."""


class _Registry(JWSRegistry):
    """The library's rules, with room for a certificate chain in the header and for members that it does not know.

    Unknown members are to be ignored (https://www.rfc-editor.org/rfc/rfc7515#section-4); `crit` is still honoured.
    """

    max_header_length = 16 * 1024


REGISTRY = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One party whose word about callers is believed."""

    issuer: str
    audience: str
    keys: KeySet
    unit: str
    controller: str
    name: str

    def caller(self, token: str, now: datetime) -> Caller:
        """The caller that a token of this issuer speaks of; Unauthenticated when it does not hold."""
        try:
            claims = jwt.decode(token, self.keys, registry=REGISTRY).claims
            registry = jwt.JWTClaimsRegistry(
                now=lambda: int(now.timestamp()),
                leeway=30,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.audience},
                exp={"essential": True},
            )
            registry.validate(claims)
            return Caller(
                "organisation", _text(claims, self.unit), _text(claims, self.name), _text(claims, self.controller)
            )
        except (JoseError, ValueError, KeyError) as error:
            raise Unauthenticated(
                "The token does not hold: it is expired, for another audience, or not signed by its issuer.",
                rule="token-invalid",
            ) from error


class IssuersError(ValueError):
    """The issuers' configuration cannot be used."""


class Issuers:
    """The configured issuers by name."""

    def __init__(self, issuers: Mapping[str, Issuer], clock: Callable[[], datetime]) -> None:
        self._issuers = issuers
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._issuers)

    @classmethod
    def read(cls, path: Path, clock: Callable[[], datetime]) -> Issuers:
        """The issuers of a configuration; IssuersError says what is wrong with it."""
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))["issuer"]
            found = [_issuer(table, path.parent) for table in tables]
        except KeyError as error:
            raise IssuersError(f"{path}: {error.args[0]} is missing") from error
        except (OSError, TypeError, ValueError, JoseError) as error:
            raise IssuersError(f"{path}: {error}") from error
        return cls({one.issuer: one for one in found}, clock)

    def caller(self, token: str) -> Caller | None:
        """The caller of a token that one of the issuers made; None for a token of nobody known here."""
        issuer = self._issuers.get(_issuer_of(token))
        return None if issuer is None else issuer.caller(token, self._clock())


def _issuer(table: Mapping[str, Any], folder: Path) -> Issuer:
    jwks = folder / table["jwks"]
    keys = KeySet.import_key_set(orjson.loads(jwks.read_bytes()))
    if not keys.keys or any(key.key_type == "oct" for key in keys.keys):
        raise ValueError(f"{jwks.name} must hold public keys: a shared secret proves nothing about who signed")
    return Issuer(table["issuer"], table["audience"], keys, table["unit"], table["controller"], table["name"])


def _issuer_of(token: str) -> str:
    """Which issuer a token claims to be of; nothing is believed until its signature holds."""
    try:
        claims = orjson.loads(extract_compact(token.encode(), registry=REGISTRY).payload)
        return str(claims.get("iss", ""))
    except (JoseError, ValueError, AttributeError):
        return ""


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value
