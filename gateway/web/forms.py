"""Tokens of forms: what is posted was written by a page of ours, for the same caller, not long ago.

Beside the Origin of the request and the cookie's SameSite: one of the three is enough to stop another site's page.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest

from gateway.access.caller import Caller
from gateway.errors import Forbidden

HOURS = 12
"""How long a form can lie open at least; twice as long at most."""


class FormTokens:
    """Makes and checks the tokens of one installation."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret[:64]

    def token(self, caller: Caller, now: datetime) -> str:
        """What a form of this caller's page holds."""
        return self._of(caller, _period(now))

    def check(self, given: str, caller: Caller, now: datetime) -> None:
        """Forbidden unless a page of ours gave this token to this caller."""
        periods = (_period(now), _period(now) - 1)
        if not any(compare_digest(given.encode(), self._of(caller, period).encode()) for period in periods):
            text = "The form was made for somebody else, or too long ago: open the page again."
            raise Forbidden(text, rule="form-token")

    def _of(self, caller: Caller, period: int) -> str:
        content = f"{caller.kind}|{caller.hsa_id}|{caller.controller}|{period}".encode()
        return blake2b(content, digest_size=24, key=self._secret, person=b"form").hexdigest()


def _period(now: datetime) -> int:
    return int(now.timestamp()) // (HOURS * 3600)
