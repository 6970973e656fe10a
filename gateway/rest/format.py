"""The format of an answer and of a body, JSON or XML: by `_format`, else by Accept, else as the body was sent.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from fastapi import Request

from gateway.definitions import load
from gateway.errors import NotAcceptable, UnsupportedMediaType
from gateway.fhir import json, xml
from gateway.records import Resource

JSON: Final = json.MEDIA_TYPE
XML: Final = xml.MEDIA_TYPE
NAMES: Final = {
    **dict.fromkeys((JSON, "application/json", "text/json", "json"), JSON),
    **dict.fromkeys((XML, "application/xml", "text/xml", "xml"), XML),
}
# A browser that asks for a page is shown JSON.
ASKED: Final = NAMES | {"text/html": JSON, "html": JSON}
ANY: Final = {"application/*": 1, "*/*": 0, "": 0}
"""Ranges that either format is in, and how closely they name it; a name is 2."""
PRESENTATION: Final = ("_format", "_pretty")
"""Parameters of every request that say how the answer is shown, and nothing of what is asked."""


class Shown(NamedTuple):
    """How an answer is written."""

    media_type: str
    pretty: bool


def negotiate(request: Request, params: Iterable[tuple[str, str]] | None = None) -> None:
    """Settle how the answer is written; NotAcceptable where it cannot be. `params` are the query's, if not others."""
    given = dict(request.query_params.multi_items() if params is None else params)
    default = NAMES.get(_name(request.headers.get("content-type", "")), JSON)
    named = given.get("_format")
    offers = [named] if named is not None else request.headers.get("accept", "*/*").split(",")
    request.state.shown = Shown(_best(offers, default), given.get("_pretty") == "true")


def shown(request: Request) -> Shown:
    """What was settled; for a request that was refused before, what can be, else JSON."""
    if not hasattr(request.state, "shown"):
        try:
            negotiate(request)
        except NotAcceptable:
            request.state.shown = Shown(JSON, False)
    settled: Shown = request.state.shown
    return settled


def sent(request: Request) -> str:
    """The media type that the body is in; UnsupportedMediaType where it is not read here."""
    content_type = request.headers.get("content-type", "")
    media_type = NAMES.get(_name(content_type))
    if media_type is None or not _is_r4(content_type):
        raise UnsupportedMediaType(f"Send {JSON} or {XML}.", rule="media-type")
    return media_type


def write(request: Request, resource: Resource) -> bytes:
    """A resource as the answer shows it."""
    media_type, pretty = shown(request)
    if media_type == XML:  # The types are R4's, and so the same in every snapshot.
        return xml.dump(resource, load(), pretty=pretty)
    return json.dump(resource, pretty=pretty)


def _best(offers: list[str], default: str) -> str:
    """The format that is wanted most; of two wanted alike the one named more closely, then first, then the default."""
    scores = {}
    for media_type in (JSON, XML):
        matches = [
            (ANY.get(name, 2), -place, _quality(offer))
            for place, offer in enumerate(offers)
            if (name := _name(offer)) in ANY or ASKED.get(name) == media_type
            if _is_r4(offer)
        ]
        if matches:
            closeness, place, quality = max(matches)
            scores[media_type] = (quality, closeness, place, media_type == default)
    best = max(scores, key=lambda one: scores[one], default=None)
    if best is None or scores[best][0] <= 0:
        raise NotAcceptable(f"Ask for {JSON} or {XML}.", rule="format-not-offered")
    return best


def _name(media_range: str) -> str:
    # A plus that was not percent-encoded in `_format` arrives as a blank.
    return media_range.partition(";")[0].strip().lower().replace(" ", "+")


def _parameters(media_range: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in media_range.split(";")[1:])
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _quality(media_range: str) -> float:
    try:
        quality = float(_parameters(media_range).get("q", "1"))
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _is_r4(media_range: str) -> bool:
    """Whether a range is of this version of FHIR, or of none in particular."""
    return _parameters(media_range).get("fhirversion", "4.0").startswith("4.0")
