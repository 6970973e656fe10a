"""The tokens of one issuer: whose they claim to be, whether they hold, and whom they speak of.

https://www.rfc-editor.org/rfc/rfc7519. Loaded where issuers are configured: the library brings the cryptography of
every kind of key, which a gateway on loopback does without.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        except (JoseError, ValueError, KeyError) as error:
            raise Unauthenticated(
                "The token does not hold: it is expired, for another audience, or not signed by its issuer.",
                rule="token-invalid",
            ) from error
        return Caller("organisation", *(_text(claims, name) for name in (self.unit, self.name, self.controller)))


def issuer(table: Mapping[str, Any], folder: Path) -> Issuer:
    """The issuer of a configuration's table; ValueError where its keys are none, or no public ones."""
    jwks = folder / table["jwks"]
    try:
        keys = KeySet.import_key_set(orjson.loads(jwks.read_bytes()))
    except JoseError as error:
        raise ValueError(str(error)) from error
    if not keys.keys or any(key.key_type == "oct" for key in keys.keys):
        raise ValueError(f"{jwks.name} must hold public keys: a shared secret proves nothing about who signed")
    return Issuer(table["issuer"], table["audience"], keys, table["unit"], table["controller"], table["name"])


def issuer_of(token: str) -> str:
    """Which issuer a token claims to be of; nothing is believed until its signature holds."""
    try:
        claims = orjson.loads(extract_compact(token.encode(), registry=REGISTRY).payload)
        return str(claims.get("iss", ""))
    except (JoseError, ValueError, AttributeError):
        return ""


def _text(claims: Mapping[str, Any], name: str) -> str:
    """The claim of this name, of a token that holds otherwise."""
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        text = f"The token holds, but its claim {name} is missing or no text: the configuration of issuers names it."
        raise Unauthenticated(text, rule="token-claim")
    return value
