"""The answer in words, as safe XHTML in Swedish and English: all text is escaped, no styles, no links.

https://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from gateway.coordination.directory import Unit
from gateway.coordination.view import View
from gateway.coordination.words import LANGUAGES, Language, phrase, spoken, words

SECTIONS = ("gaps", "now", "next", "awaited", "sources")


def narrative(section: str, view: View) -> dict[str, str]:
    """The Narrative of one section, Swedish first."""
    parts = [_part(section, view, language) for language in LANGUAGES]
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(parts)}</div>'}


def summary(view: View) -> dict[str, str]:
    """The Narrative of the whole: as of when it is."""
    parts = [
        f'<div lang="{language}" xml:lang="{language}"><p>{escape(_as_of(view, language))}</p></div>'
        for language in LANGUAGES
    ]
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(parts)}</div>'}


def _part(section: str, view: View, language: Language) -> str:
    title = words("sections", section)
    lines = list(LINES[section](view, language))
    nothing = phrase("no-gaps" if section == "gaps" else "nothing").in_language(language)
    told = _list(lines) if lines else f"<p>{escape(nothing)}</p>"
    heading = escape(title.in_language(language)) if title else ""
    return f'<div lang="{language}" xml:lang="{language}"><p><b>{heading}</b></p>{told}</div>'


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _as_of(view: View, language: Language) -> str:
    return phrase("as-of").fill(at=view.at, known=view.known_at).in_language(language)


def _gaps(view: View, language: Language) -> Iterable[str]:
    for gap in view.gaps:
        told = f"{gap.title.in_language(language)}: {gap.text.in_language(language)} {gap.ask.in_language(language)}"
        yield f"{told} {_call(gap.who, language)}".rstrip()


def _now(view: View, language: Language) -> Iterable[str]:
    for now in view.now:
        since = f", {_say('since', language)} {spoken(now.since, language)}" if now.since else ""
        phone = f", {_say('telephone', language)} {now.phone}" if now.phone else ""
        yield f"{now.unit.name}: {now.what.in_language(language)}{since}{phone}"


def _next(view: View, language: Language) -> Iterable[str]:
    for one in view.next:
        until = f"{_say('due', language)} " if one.is_due else ""
        yield f"{until}{spoken(one.when, language)}: {one.what.in_language(language)}, {_name(one.unit, language)}"


def _awaited(view: View, language: Language) -> Iterable[str]:
    for one in view.awaited:
        since = f", {_say('since', language)} {spoken(one.since, language)}" if one.since else ""
        due = f", {_say('due', language)} {spoken(one.due, language)}" if one.due else ""
        asked = f" {_say('from', language)} {one.unit.name}" if one.unit else f", {_say('nobody-asked', language)}"
        yield f"{one.what.in_language(language)}{asked}{since}{due}"


def _sources(view: View, language: Language) -> Iterable[str]:
    for one in view.sources:
        state = words("states", one.state)
        last = f", {_say('last-heard', language)} {spoken(one.last, language)}" if one.last else ""
        yield f"{one.name}: {state.in_language(language) if state else one.state}{last}"


def _call(unit: Unit | None, language: Language) -> str:
    if unit is None or unit.phone is None:
        return ""
    return f"{unit.name}, {_say('telephone', language)} {unit.phone}."


def _name(unit: Unit | None, language: Language) -> str:
    return unit.name if unit else _say("nobody", language)


def _say(name: str, language: Language) -> str:
    return phrase(name).in_language(language)


LINES: Mapping[str, Callable[[View, Language], Iterable[str]]] = {
    "gaps": _gaps,
    "now": _now,
    "next": _next,
    "awaited": _awaited,
    "sources": _sources,
}
