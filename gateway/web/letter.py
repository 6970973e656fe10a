"""Who does what, as a plain print for the person and his relatives: whom to call, large, and no word of the trade.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.answers import Unit
from gateway.web import visitor
from gateway.web.answer import Person, by_unit
from gateway.web.render import page
from gateway.web.texts import LANGUAGES, Language
from gateway.web.texts.measures import EASY

NEXT_MOST, OPEN_MOST = 6, 5
"""What fits on a page in large letters."""


@dataclass(frozen=True, slots=True)
class Open:
    """Something that is not settled, in easy words, and whom to ask."""

    text: str
    unit: Unit | None


async def letter(request: Request, id: str) -> Response:
    """For one person, as it is now."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    view = await to_thread.run_sync(lambda: door.view(who, id))
    language = visitor.language(request)
    resources = {f"{one.resource_type}/{one.id}": one.resource for one in view.agreed}

    def easy(item: Any) -> str:
        return _easy(resources.get(item.reference, {}), language) or item.what.in_language(language)

    open_: dict[tuple[str, str], Open] = {}
    for gap in view.gaps:
        text = _words(f"gap-{gap.code}", language) or gap.title.in_language(language)
        open_.setdefault((gap.code, gap.who.key if gap.who else ""), Open(text, gap.who))
    return page(
        request,
        "letter.html",
        caller=who.caller,
        person=Person.of(view.patient),
        at=view.at,
        responsible=[(one, tuple(dict.fromkeys(map(easy, one.tasks)))) for one in by_unit(view.now)],
        coming=[(one, easy(one)) for one in view.next[:NEXT_MOST]],
        unsettled=list(open_.values())[:OPEN_MOST],
        plan=next((one.id for one in view.agreed if _is_sip(one.resource)), None),
    )


def _is_sip(resource: Mapping[str, Any]) -> bool:
    """Whether it is a SIP that holds: the person can have that as a print of its own."""
    if resource.get("resourceType") != "CarePlan" or resource.get("status") != "active":
        return False
    return any(
        one.get("code") == "SIP" for concept in resource.get("category", ()) for one in concept.get("coding", ())
    )


def _easy(resource: Mapping[str, Any], language: Language) -> str | None:
    """What a Task is called in easy words, by its code."""
    code = resource.get("code")
    codings = code.get("coding", ()) if isinstance(code, Mapping) else ()
    found = (_words(str(coding.get("code")), language) for coding in codings)
    return next((text for text in found if text), None)


def _words(name: str, language: Language) -> str | None:
    pair = EASY.get(name)
    return pair[LANGUAGES.index(language)] if pair else None
