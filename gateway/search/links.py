"""Links to other pages: everything the server has to know stands in the link, encrypted and authenticated.

Search parameters and sort keys hold personal numbers, which must not lie open in a url that is kept in logs and
histories; and nothing is kept on the server for a page that may never be asked for.
https://hl7.org/fhir/R4/search.html#paging
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from gateway.errors import BadRequest
from gateway.search.cursor import START, Cursor

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM"}
MAX_LENGTH = 60_000


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
        self._secret = secret

    @cached_property
    def _key(self) -> OctKey:
        from joserfc.jwk import OctKey

        return OctKey.import_key(blake2b(self._secret, digest_size=32, person=b"page-links").digest())

    def seal(self, page: Page, owner: str = "") -> str:
        """The page as text that can stand in a url, for the one who asked: the answer repeats what he asked for."""
        from joserfc import jwe

        place = page.cursor
        content = [owner, page.path, page.params, place.keys, place.rid, place.backward, place.most]
        return jwe.encrypt_compact(_HEADER, orjson.dumps(content), self._key)

    def open(self, text: str, owner: str = "") -> Page:
        """The page that `seal` was given. BadRequest when the text is not ours, or another's, or was changed."""
        from joserfc import jwe
        from joserfc.errors import JoseError

        try:
            if len(text) > MAX_LENGTH:
                raise ValueError
            content = orjson.loads(jwe.decrypt_compact(text, self._key).plaintext or b"")
            sealed_for, path, params, keys, rid, backward, most = content
            if sealed_for != owner:
                raise ValueError
            cursor = Cursor(tuple(keys), rid, backward, most)
            return Page(path, tuple((name, value) for name, value in params), cursor)
        except (JoseError, ValueError, TypeError) as problem:
            text = "This link to a page is not one of ours. Begin the search again."
            raise BadRequest(text, rule="page-link") from problem
