"""Bodies that are packed by gzip, and what they may become.

https://hl7.org/fhir/R4/http.html#general, https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3
"""

from __future__ import annotations

import zlib
from typing import Final

from gateway.errors import BadRequest, TooLarge

PLAIN: Final = ("", "identity")
"""Content-Encodings of what is as it is read."""
GZIP: Final = ("gzip", "x-gzip")
MEMBERS: Final = 16
"""A packed body may be several, one after the other; what lies behind each is copied."""
_WINDOW: Final = 16 + zlib.MAX_WBITS


def unpacked(packed: bytes, most: int) -> bytes:
    """What gzip packed, in one member or a few. TooLarge beyond `most` bytes, of which no more is made; BadRequest."""
    parts: list[bytes] = []
    left, rest = most, packed
    try:
        while rest:
            if len(parts) == MEMBERS:
                raise BadRequest("The body is packed in too many members: pack it as one.", rule="gzip-broken")
            reader = zlib.decompressobj(_WINDOW)
            part = reader.decompress(rest, left + 1)
            left -= len(part)
            if left < 0:
                raise TooLarge(f"At most {most} bytes are accepted, unpacked.", rule="body-too-large")
            if not reader.eof:
                raise zlib.error
            parts.append(part)
            rest = reader.unused_data
    except zlib.error:
        text = "The body is not what gzip packs, or ends too early: pack it again."
        raise BadRequest(text, rule="gzip-broken") from None
    return b"".join(parts)
