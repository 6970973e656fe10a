"""From a request's headers to its caller.

A bearer token names an organisation. Without one, a request that comes from this machine alone is the operator's: the
peer and the Host are loopback, the Origin is absent or the gateway's own, and no proxy has spoken (`Forwarded`). So a
page of another site, or a rebinding name, never becomes the operator.

Where issuers are configured their tokens are the only way in: a proxy on this machine may come from loopback, with our
own Host and without a word of whom it speaks for. docs/security.md
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.access.caller import OPERATOR, Caller
from gateway.access.identities import TestIdentities
from gateway.access.issuers import Issuers
from gateway.errors import Unauthenticated

IDENTITY_COOKIE = "samverka-identity"
"""Where the page keeps the test identity that was chosen there."""
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom an installation believes about who is asking; wired once by the app.

    `loopback` says that the gateway itself is bound to loopback (or told to behave so).
    """

    issuers: Issuers
    identities: TestIdentities
    loopback: bool

    @property
    def here(self) -> bool:
        """Whether test identities and the operator exist: on loopback alone, and where no issuer is configured."""
        return self.loopback and not self.issuers

    def caller(self, headers: Mapping[str, str], peer: str, cookie_token: str | None = None) -> Caller:
        """The caller; Unauthenticated when nothing says who he is.

        `headers` has lower-case names; `peer` is the address of the other end.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if not token and cookie_token:
            scheme, token = "bearer", cookie_token
        if token:
            return self._bearer(scheme, token.strip())
        if self.here and _from_here(headers, peer):
            return OPERATOR
        raise Unauthenticated()

    def _bearer(self, scheme: str, token: str) -> Caller:
        if scheme.lower() != "bearer":
            raise Unauthenticated("Only bearer tokens are read here.", rule="token-scheme")
        if caller := self.issuers.caller(token):
            return caller
        if not self.here:
            raise Unauthenticated(
                "No issuer that is believed here made this token. Test identities are honoured on loopback only, and "
                "where no issuer is configured.",
                rule="token-loopback",
            )
        return self.identities.caller(token)


def _from_here(headers: Mapping[str, str], peer: str) -> bool:
    if not is_loopback(peer) or any(name in headers for name in FORWARDED):
        return False
    host = headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses, as text."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
