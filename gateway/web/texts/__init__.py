"""What the page says, in Swedish and English: one row for each text, one module for each page.

The words for missions, gaps and statuses come with the data; these are the page's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from gateway.web.texts.api import API
from gateway.web.texts.every import EVERY
from gateway.web.texts.inbox import INBOX
from gateway.web.texts.measures import MEASURES
from gateway.web.texts.patient import PATIENT
from gateway.web.texts.queue import QUEUE
from gateway.web.texts.refusals import REFUSALS
from gateway.web.texts.sip import SIP
from gateway.web.texts.source import SOURCE
from gateway.web.texts.start import START
from gateway.web.texts.task import TASK
from gateway.web.texts.time import TIME
from gateway.web.texts.workbench import WORKBENCH
from gateway.web.texts.worklist import WORKLIST

Language = Literal["sv", "en"]
LANGUAGES: tuple[Language, ...] = ("sv", "en")

PAGES = (EVERY, WORKBENCH, START, PATIENT, TIME, WORKLIST, QUEUE, TASK, SOURCE, INBOX, API, REFUSALS, MEASURES, SIP)
"""A text has one place: none is in two of these."""

TEXTS: Mapping[Language, Mapping[str, str]] = MappingProxyType(
    {
        language: MappingProxyType({key: pair[index] for page in PAGES for key, pair in page.items()})
        for index, language in enumerate(LANGUAGES)
    }
)


def language_of(chosen: str | None, accept: str) -> Language:
    """The language chosen, else the first of Accept-Language that is ours, else Swedish."""
    for language in LANGUAGES:
        if chosen == language:
            return language
    for offer in accept.split(","):
        tag = offer.split(";")[0].strip().lower()[:2]
        for language in LANGUAGES:
            if tag == language:
                return language
    return "sv"
