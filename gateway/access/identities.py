"""Test identities: a token for each organisation of the sources, honoured on loopback only.

A token is a JWT (https://www.rfc-editor.org/rfc/rfc7519) signed with a key that never leaves the installation; its
claims are the caller. Real issuers are configured where the gateway is bound to another address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.access.caller import Caller
from gateway.access.organisations import Organisation
from gateway.errors import Unauthenticated
from gateway.records import Source

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

ISSUER = "urn:samverka:test-identities"
ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Identity:
    """One test identity: an organisation, and the token that makes a request its own."""

    id: str
    name: str
    hsa_id: str
    controller: str
    token: str


class TestIdentities:
    """Issues and reads the tokens of one installation; the library is loaded for the first of them."""

    __test__ = False

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @cached_property
    def _key(self) -> OctKey:
        from joserfc.jwk import OctKey

        return OctKey.import_key(self._secret)

    def of(self, organisations: Iterable[Organisation]) -> list[Identity]:
        """An identity for each organisation, the first of each HSA-id."""
        seen: dict[str, Identity] = {}
        for one in organisations:
            if one.hsa_id and one.hsa_id not in seen:
                token = self.token(Caller("organisation", one.hsa_id, one.name, one.controller))
                seen[one.hsa_id] = Identity(one.id, one.name, one.hsa_id, one.controller, token)
        return list(seen.values())

    def of_sources(self, sources: Iterable[Source]) -> list[Identity]:
        return self.of(Organisation(one.id, one.name, one.hsa_id, one.controller) for one in sources)

    def token(self, caller: Caller) -> str:
        from joserfc import jwt

        claims = {"iss": ISSUER, "sub": caller.hsa_id, "name": caller.name, "controller": caller.controller}
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])

    def caller(self, token: str) -> Caller:
        """The caller a token speaks for; Unauthenticated when it is not one of ours."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            if claims.get("iss") != ISSUER:
                raise ValueError("issuer")
            return Caller("organisation", claims["sub"], claims["name"], claims["controller"])
        except (JoseError, ValueError, KeyError) as error:
            raise Unauthenticated(
                "The token was not issued here. `samverka demo identities --json` lists the test identities; give it "
                "the database of this gateway (--database-url, SAMVERKA_DATABASE_URL): each has its own tokens.",
                rule="token-unknown",
            ) from error
