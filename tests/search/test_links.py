"""Links to pages: sealed, and of no use to anybody who changes them."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import replace

import orjson
import pytest

from gateway.errors import BadRequest
from gateway.search import links
from gateway.search.cursor import END, START, Cursor
from gateway.search.links import Page, PageLinks

PAGE = Page("Patient", (("identifier", "urn:x|191212121212"), ("_sort", "family")), Cursor(("astrom", None, 12), 77))
LINKS = PageLinks(b"a secret of an installation")


def test_a_link_holds_the_whole_page() -> None:
    assert LINKS.open(LINKS.seal(PAGE)) == PAGE


def test_a_first_page_has_no_cursor() -> None:
    page = Page("Patient", ())
    assert page.cursor == START
    assert LINKS.open(LINKS.seal(page)) == page


def test_a_link_may_lead_backward() -> None:
    for cursor in (Cursor(("a",), 3, backward=True), replace(END, most=4)):
        page = Page("Patient/1/*", (), cursor)
        assert LINKS.open(LINKS.seal(page)) == page


def test_nothing_of_the_search_can_be_read_in_the_link() -> None:
    sealed = LINKS.seal(PAGE)
    assert "1912" not in sealed
    assert sealed != LINKS.seal(PAGE)
    assert sealed.replace(".", "").replace("-", "").replace("_", "").isalnum()


def test_each_link_has_a_nonce_of_its_own_and_no_key_seals_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "TEXTS", 2)
    writer = PageLinks(b"a secret, as long as this one is")
    content = orjson.dumps(["", PAGE.path, PAGE.params, PAGE.cursor.keys, 77, False, None])
    tag, random = 16, 24  # Of AES-GCM; of each link.
    texts = [writer.seal(PAGE) for _ in range(5)]
    sealed = [urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in texts]
    assert {len(one) for one in sealed} == {random + len(content) + tag}
    assert len({one[:12] for one in sealed}) == 5
    salts = [one[12:24] for one in sealed]
    assert [salts.index(one) for one in salts] == [0, 0, 2, 2, 4]
    assert [PageLinks(b"a secret, as long as this one is").open(text) for text in texts] == [PAGE] * 5


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-2] + "AA", lambda s: "x" + s, lambda s: s[: len(s) // 2], lambda _: ""]
)
def test_a_changed_link_is_refused(damage) -> None:
    with pytest.raises(BadRequest):
        LINKS.open(damage(LINKS.seal(PAGE)))


def test_another_installations_link_is_refused() -> None:
    with pytest.raises(BadRequest):
        PageLinks(b"another secret, as long as this").open(LINKS.seal(PAGE))


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        PageLinks(b"short")


def test_a_link_is_of_use_to_the_one_who_asked_only() -> None:
    sealed = LINKS.seal(PAGE, "organisation:SE1")
    assert LINKS.open(sealed, "organisation:SE1") == PAGE
    for other in ("organisation:SE2", ""):
        with pytest.raises(BadRequest):
            LINKS.open(sealed, other)
