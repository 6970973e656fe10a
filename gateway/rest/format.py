"""The format of an answer and of a body, JSON or XML: by `_format`, else by Accept, else as the body was sent.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from starlette.requests import Request

from gateway.definitions import load
from gateway.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from gateway.fhir import json, media
from gateway.fhir.view import WHOLE, View, check_names, view
from gateway.records import Resource
from gateway.rest.known import headers, known, query
from gateway.rest.prefer import preferences

JSON: Final = media.JSON
XML: Final = media.XML
NAMES: Final = {
    **dict.fromkeys((JSON, "application/json", "text/json", "json"), JSON),
    **dict.fromkeys((XML, "application/xml", "text/xml", "xml"), XML),
}
PATCHES: Final = NAMES | {one: one for one in (media.JSON_PATCH, media.XML_PATCH)}
"""In which a patch is sent, by the names that it may have."""
IN_KIND: Final = NAMES | {media.JSON_PATCH: JSON, media.XML_PATCH: XML}
"""In which a request is answered that is content with either."""
# A browser that asks for a page is shown JSON.
ASKED: Final = NAMES | {"text/html": JSON, "html": JSON}
ANY: Final = {"application/*": 1, "*/*": 0, "": 0}
"""Ranges that either format is in, and how closely they name it; a name is 2."""
PRESENTATION: Final = ("_format", "_pretty", "_summary", "_elements")
"""Parameters of every request that say how the answer is shown, and nothing of what is asked."""
COUNTED: Final = ("_summary", "count")
SHOWN: Final = "shown"
"""Where it is known of a request how its answer is written."""


class Shown(NamedTuple):
    """How an answer is written."""

    media_type: str
    pretty: bool
    view: View = WHOLE


PLAIN: Final = Shown(JSON, False)


def negotiate(request: Request, params: Iterable[tuple[str, str]] | None = None) -> None:
    """Settle how the answer is written; NotAcceptable where it cannot be. `params` are the query's, if not others."""
    told, held = headers(request), known(request)
    accept, content_type = told.get("accept", "*/*"), told.get("content-type", "")
    if params is None:
        params = query(request)
    pairs = list(params)
    given = dict(pairs)
    if given.keys().isdisjoint(PRESENTATION):
        held[SHOWN] = _settled((*accept.split(","),), content_type)
        return
    chosen = given.get("_format")
    media_type = _settled((*accept.split(","),) if chosen is None else (chosen,), content_type).media_type
    pretty = given.get("_pretty") == "true"
    held[SHOWN] = Shown(media_type, pretty)  # So that what cannot be given is refused in this format.
    if given.get("_pretty", "") not in ("true", "false", ""):
        raise BadRequest("_pretty is true or false.", rule="parameter-malformed", where="_pretty")
    held[SHOWN] = Shown(media_type, pretty, _view(request, pairs))


@lru_cache(maxsize=1000)
def _settled(offers: tuple[str, ...], content_type: str) -> Shown:
    """How an answer is written whose address says nothing of it."""
    return Shown(_best(offers, IN_KIND.get(named(content_type), JSON)), False)


def _view(request: Request, params: list[tuple[str, str]]) -> View:
    lenient = preferences(request).get("handling") == "lenient"
    wanted = view(params, load(), lenient=lenient)
    kind = request.path_params.get("resource_type")
    if kind in load().resource_types and not lenient:
        check_names(wanted, kind, load())
    return wanted


def parted(params: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], tuple[tuple[str, str], ...]]:
    """What is asked, and how the answer is shown. Whether there is anything but a number to show is asked."""
    pairs = list(params)
    asked = [pair for pair in pairs if pair[0] not in PRESENTATION or pair == COUNTED]
    return asked, tuple(pair for pair in pairs if pair not in asked)


def shown(request: Request) -> Shown:
    """What was settled; for a request that was refused before, what can be, else JSON."""
    held = known(request)
    if SHOWN not in held:
        try:
            negotiate(request)
        except NotAcceptable:
            held[SHOWN] = PLAIN
        except BadRequest:  # The format was settled, what is to be seen was not.
            pass
    settled: Shown = held[SHOWN]
    return settled


def ranges(request: Request) -> set[str]:
    """The media types that Accept names and that are not refused by it."""
    offers = headers(request).get("accept", "*/*").split(",")
    return {named(offer) for offer in offers if quality(offer) > 0}


def sent(request: Request, names: Mapping[str, str] = NAMES) -> str:
    """The media type that the body is in; UnsupportedMediaType where it is not read here."""
    content_type = headers(request).get("content-type", "")
    media_type = names.get(named(content_type))
    if media_type is None or not _is_r4(content_type):
        known = dict.fromkeys(names.values())
        raise UnsupportedMediaType(f"Send {' or '.join(known)}.", rule="media-type")
    return media_type


def write(request: Request, resource: Resource) -> bytes:
    """A resource as the answer shows it."""
    media_type, pretty, _ = shown(request)
    if media_type == XML:
        from gateway.fhir import xml  # Most answers are JSON.

        # The types are R4's, and so the same in every snapshot.
        return xml.dump(resource, load(), pretty=pretty)
    return json.dump(resource, pretty=pretty)


def _best(offers: Sequence[str], default: str) -> str:
    """The format that is wanted most; of two wanted alike the one named more closely, then first, then the default."""
    scores = {}
    for media_type in (JSON, XML):
        matches = [
            (ANY.get(name, 2), -place, quality(offer))
            for place, offer in enumerate(offers)
            if (name := named(offer)) in ANY or ASKED.get(name) == media_type
            if _is_r4(offer)
        ]
        if matches:
            closeness, place, wanted = max(matches)
            scores[media_type] = (wanted, closeness, place, media_type == default)
    best = max(scores, key=lambda one: scores[one], default=None)
    if best is None or scores[best][0] <= 0:
        raise NotAcceptable(f"Ask for {JSON} or {XML}.", rule="format-not-offered")
    return best


def named(media_range: str) -> str:
    """The media type of a range, or of a header, without its parameters."""
    # A plus that was not percent-encoded in `_format` arrives as a blank.
    return media_range.partition(";")[0].strip().lower().replace(" ", "+")


def _parameters(media_range: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in media_range.split(";")[1:])
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def quality(media_range: str) -> float:
    """How much one part of Accept, or of its like, is wanted: 0 is refused."""
    try:
        found = float(_parameters(media_range).get("q", "1"))
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0


def _is_r4(media_range: str) -> bool:
    """Whether a range is of this version of FHIR, or of none in particular."""
    return _parameters(media_range).get("fhirversion", "4.0").startswith("4.0")
