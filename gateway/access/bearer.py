"""From a request's headers to its caller.

A bearer token names an organisation. Without one, a request that comes from this machine alone is the operator's: the
peer and the Host are loopback, the Origin is absent or the gateway's own, and no proxy has spoken (`Forwarded`). So a
page of another site, or a rebinding name, never becomes the operator. Nor does it become a test identity, for the page
gives one to whoever asks: only `--demo-network` honours them from elsewhere.

Where issuers are configured their tokens are the only way in: a proxy on this machine may come from loopback, with our
own Host and without a word of whom it speaks for. docs/security.md
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.access.caller import OPERATOR, Caller
from gateway.access.identities import TestIdentities
from gateway.access.issuers import Issuers
from gateway.errors import Unauthenticated

IDENTITY_COOKIE = "samverka-identity"
"""Where the page keeps the test identity that was chosen there."""
FORWARDED = ("forwarded", "x-real-ip", "via")
"""What a proxy says of whom it speaks for, beside everything that begins with `x-forwarded-`."""
_HERE = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom an installation believes about who is asking; wired once by the app.

    `loopback` says that the gateway itself is bound to loopback, `network` that test identities count from elsewhere.
    """

    issuers: Issuers
    identities: TestIdentities
    loopback: bool
    network: bool = False

    @property
    def here(self) -> bool:
        """Whether test identities and the operator exist: on loopback alone, and where no issuer is configured."""
        return (self.loopback or self.network) and not self.issuers

    def may_try(self, headers: Mapping[str, str], peer: str) -> bool:
        """Whether this request may be made under a test identity."""
        return self.here and (self.network or _from_here(headers, peer))

    def caller(self, headers: Mapping[str, str], peer: str, cookie_token: str | None = None) -> Caller:
        """The caller; Unauthenticated when nothing says who he is.

        `headers` has lower-case names; `peer` is the address of the other end.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if not token.strip() and "authorization" in headers:  # A variable that is not set must not make him somebody.
            raise Unauthenticated("The Authorization header holds no token.", rule="token-missing")
        if not token and cookie_token:
            if not _own_page(headers):  # A browser adds a cookie to what a page of another port sends, too.
                raise Unauthenticated("A cookie counts for the gateway's own pages only.", rule="foreign-origin")
            scheme, token = "bearer", cookie_token
        if token:
            return self._bearer(scheme, token.strip(), headers, peer)
        if self.here and _from_here(headers, peer):
            return OPERATOR
        raise Unauthenticated()

    def _bearer(self, scheme: str, token: str, headers: Mapping[str, str], peer: str) -> Caller:
        if scheme.lower() != "bearer":
            raise Unauthenticated("Only bearer tokens are read here.", rule="token-scheme")
        if caller := self.issuers.caller(token):
            return caller
        if not self.may_try(headers, peer):
            raise Unauthenticated(
                "No issuer that is believed here made this token. Test identities are honoured on loopback only, and "
                "where no issuer is configured.",
                rule="token-loopback",
            )
        return self.identities.caller(token)


def _from_here(headers: Mapping[str, str], peer: str) -> bool:
    """Whether a request comes from this machine, and from no other site's page."""
    if not is_loopback(peer) or any(name in FORWARDED or name.startswith("x-forwarded-") for name in headers):
        return False
    return _HERE.fullmatch(headers.get("host", "")) is not None and _own_page(headers)


def _own_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of ours, or no page at all, sent the request. https://www.w3.org/TR/fetch-metadata/"""
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] == headers.get("host", "")
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses, as text."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
