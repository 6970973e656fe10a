"""A real server over the demo's story, the same for all tests of a process, and ways to look at it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.access.caller import OPERATOR, Asking
from gateway.adapters.media import media_type
from gateway.app import Gateway, background, wire
from gateway.cli.demo import Story, StoryClock
from gateway.settings import Settings

ASTRID, BENGT, PROTECTED = "194107142384", "195703092394", "200001252386"
TANUM_NURSES = "SE2120001348-T0100"
CHROMIUM = Path("/usr/bin/chromium")
# No card draws here, and to draw as one would costs a fifth of what a page does.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
BEFORE_THE_ALARM, AFTER_THE_ALARM = "2026-03-02T20:00", "2026-03-03T05:10"
ASKING = Asking(OPERATOR, "operation", request_id="test")
HIDDEN = {
    "resourceType": "Patient",
    "id": "hidden",
    "meta": {
        "security": [{"system": "http://hl7.se/fhir/ig/base/CodeSystem/SecurityLabel", "code": "sekretessmarkering"}]
    },
    "identifier": [{"system": "http://electronichealth.se/identifier/personnummer", "value": PROTECTED}],
    "name": [{"text": "Not To Be Shown"}],
    "birthDate": "2000-01-25",
}


@dataclass(frozen=True)
class Site:
    """The server's address, the gateway behind it, and the demo's main person."""

    base: str
    gateway: Gateway
    astrid: str

    @contextmanager
    def client(self, identity: str | None = None, language: str = "sv") -> Iterator[httpx.Client]:
        headers = {"accept-language": language, "accept": "text/html", "origin": self.base}
        with httpx.Client(timeout=60, base_url=self.base, headers=headers) as client:
            if identity is not None:
                assert client.post("/identity", data={"identity": identity}).status_code == 303
            yield client


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    story = Story.read()
    clock = StoryClock(story.now)
    database = tmp_path_factory.mktemp("web") / "demo.db"
    sources = story.folder / "sources.toml"
    settings = Settings(database_url=f"sqlite:///{database}", sources=sources, now=story.now, worker=False)
    wired = wire(settings, clock)
    for received, source, path in _once(story):
        clock.now = received
        kept = wired.ingest.keep(wired.sources.get(source), path.read_bytes(), media_type(path))
        wired.ingest.process(kept)
    clock.now = story.now
    yield wired
    wired.close()


def _once(story: Story) -> list[tuple[datetime, str, Path]]:
    """Each message once, at its last receipt: a source that goes on saying the same is not silent."""
    last = {(source, path): received for received, source, path in story.messages}
    return sorted((received, source, path) for (source, path), received in last.items())


@pytest.fixture(scope="session")
def site(gateway: Gateway) -> Iterator[Site]:
    with background(gateway) as base:
        response = httpx.put(f"{base}/fhir/Patient/hidden", json=HIDDEN)
        assert response.status_code == 201, response.text
        found = gateway.door.find_person(ASKING, ASTRID)
        assert found is not None
        yield Site(base, gateway, found)


@pytest.fixture(scope="session")
def networked(gateway: Gateway) -> Iterator[str]:
    """The same, told that it is open to the network."""
    settings = gateway.settings.model_copy(update={"demo_network": True})
    with background(replace(gateway, settings=settings)) as base:
        yield base


@pytest.fixture
def operator(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


@pytest.fixture
def nurse(site: Site) -> Iterator[httpx.Client]:
    """Home health care in Tanum: takes part in Astrid's care, not in Bengt's."""
    with site.client(TANUM_NURSES) as client:
        yield client


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for this folder only: its driver keeps a loop running, under which asyncio's tests cannot run."""
    if not CHROMIUM.exists() or not shutil.which("chromium"):
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens a page in a window of its own; a complaint in the browser's console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def at(path: str, *, width: int = 1366, height: int = 820, language: str = "sv-SE", dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale=language,
            base_url=site.base,
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield at
    for context in contexts:
        context.close()
    assert not complaints


def section(html: str, name: str) -> str:
    """The part of a page whose heading has this id."""
    found = re.search(rf'aria-labelledby="{name}">(.*?)</section>', html, re.DOTALL)
    assert found, name
    return found[1]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
