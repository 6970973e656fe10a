"""Links to other pages: everything the server has to know stands in the link, encrypted and authenticated.

Search parameters and sort keys hold personal numbers, which must not lie open in a url that is kept in logs and
histories; and nothing is kept on the server for a page that may never be asked for.
https://hl7.org/fhir/R4/search.html#paging
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING

import orjson

from gateway.errors import BadRequest
from gateway.search.cursor import START, Cursor

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAX_LENGTH = 60_000
NONCE = 12
SALT = 12
"""Random bytes before each sealed text: its nonce, and what makes the key that it is sealed with.

One key with random nonces is good for 2^32 texts, which are a few weeks of a busy gateway's links:
https://doi.org/10.6028/NIST.SP.800-38D, 8.3
"""
TEXTS = 1 << 16
"""So many texts are sealed with one key: to make one costs as much as to seal."""


@dataclass(frozen=True, slots=True)
class Page:
    """A search, by its path below the base, and the place in its result to go on from."""

    path: str
    params: tuple[tuple[str, str], ...]
    cursor: Cursor = START


class PageLinks:
    """Writes and reads page links with a secret that all processes of an installation share.

    The library is loaded when the first link is written or read: a start need not wait for it.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("The secret of page links has at least 16 bytes.")
        self._key = blake2b(secret).digest()
        self._writing: tuple[bytes, AESGCM, int] | None = None

    @cached_property
    def _aes(self) -> type[AESGCM]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM

    def _cipher(self, salt: bytes) -> AESGCM:
        return self._aes(blake2b(salt, key=self._key, digest_size=32, person=b"page-links").digest())

    def _own(self) -> tuple[bytes, AESGCM]:
        """The salt that this process writes with now, and what seals by it."""
        salt, cipher, left = self._writing or (b"", None, 0)
        if cipher is None or not left:
            salt = token_bytes(SALT)
            cipher, left = self._cipher(salt), TEXTS
        self._writing = salt, cipher, left - 1
        return salt, cipher

    def seal(self, page: Page, owner: str = "") -> str:
        """The page as text that can stand in a url, for the one who asked: the answer repeats what he asked for."""
        place = page.cursor
        content = [owner, page.path, page.params, place.keys, place.rid, place.backward, place.most]
        nonce, (salt, cipher) = token_bytes(NONCE), self._own()
        sealed = cipher.encrypt(nonce, orjson.dumps(content), None)
        return urlsafe_b64encode(nonce + salt + sealed).rstrip(b"=").decode()

    def open(self, text: str, owner: str = "") -> Page:
        """The page that `seal` was given. BadRequest when the text is not ours, or another's, or was changed."""
        from cryptography.exceptions import InvalidTag

        try:
            if len(text) > MAX_LENGTH:
                raise ValueError
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            nonce, salt, sealed = sealed[:NONCE], sealed[NONCE : NONCE + SALT], sealed[NONCE + SALT :]
            content = orjson.loads(self._cipher(salt).decrypt(nonce, sealed, None))
            sealed_for, path, params, keys, rid, backward, most = content
            if sealed_for != owner:
                raise ValueError
            cursor = Cursor(tuple(keys), rid, backward, most)
            return Page(path, tuple((name, value) for name, value in params), cursor)
        except (InvalidTag, ValueError, TypeError) as problem:
            text = "This link to a page is not one of ours. Begin the search again."
            raise BadRequest(text, rule="page-link") from problem
