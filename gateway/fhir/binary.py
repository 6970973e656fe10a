"""Binary: content of any kind as a resource, and the content of a resource in its own form.

https://hl7.org/fhir/R4/binary.html
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadRequest, UnsupportedMediaType
from gateway.fhir import reference
from gateway.records import Resource

TYPE: Final = "Binary"
UNTOLD: Final = "application/octet-stream"
_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,127}"
_PARAMETER: Final = rf'; ?{_WORD}=(?:{_WORD}|"[A-Za-z0-9 !#-\[\]-~]{{0,200}}")'
MEDIA_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}(?:{_PARAMETER}){{0,10}}")
"""https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1"""


@dataclass(frozen=True, slots=True)
class Content:
    """Content in its own form. `security_context` refers to what decides who may see it."""

    raw: bytes
    media_type: str
    security_context: str | None = None


def resource_of(content: Content) -> Resource:
    """The Binary of some content. UnsupportedMediaType, BadRequest where the headers that tell of it are wrong."""
    media_type = content.media_type.strip()
    if not MEDIA_TYPE.fullmatch(media_type) or "*" in media_type:
        text = "Content-Type says what the content is, as type/subtype."
        raise UnsupportedMediaType(text, rule="media-type")
    made: Resource = {"resourceType": TYPE, "contentType": media_type}
    if content.security_context is not None:
        if reference.parse(content.security_context).kind not in ("relative", "absolute"):
            text = "X-Security-Context refers to a resource, such as Patient/1."
            raise BadRequest(text, rule="security-context", where="X-Security-Context")
        made["securityContext"] = {"reference": content.security_context}
    if content.raw:
        made["data"] = b64encode(content.raw).decode()
    return made


def content_of(resource: Resource) -> Content:
    """What a Binary holds. A type that HTTP could not name is told as one that is not known."""
    told = resource.get("contentType", "")
    data = b64decode(resource.get("data", ""))  # Blanks, which FHIR's base64 may have, are passed over.
    context = resource.get("securityContext", {}).get("reference")
    return Content(data, told if MEDIA_TYPE.fullmatch(told) else UNTOLD, context)
