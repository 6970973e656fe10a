"""What holds for every answer: it is kept, framed and embedded by nobody, and no Host breaks the server."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

PATHS = ["/fhir/metadata", "/fhir/Patient", "/fhir/Patient/none", "/ingest/none/none", "/health", "/ready", "/none"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer none"}])
def test_no_answer_is_kept_framed_or_embedded(standing_address: str, path: str, headers: dict[str, str]) -> None:
    answer = httpx.get(standing_address + path, headers=headers)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_page_says_more_about_itself_and_style_sheets_may_be_kept(standing_address: str) -> None:
    page = httpx.get(standing_address, headers={"accept": "text/html"})
    assert "style-src 'self'" in page.headers["content-security-policy"]
    assert "script" not in page.headers["content-security-policy"]
    assert httpx.get(f"{standing_address}/static/samverka.css").headers.get("cache-control") != "no-store"


@pytest.mark.parametrize("path", ["/fhir/Patient", "/", "/none"])
@pytest.mark.parametrize("host", ["[", "[::1", "a b", "127.0.0.1/x", "user@127.0.0.1", "127.0.0.1:99999999", "é"])
def test_a_host_that_is_none_is_a_bad_request(standing_address: str, path: str, host: str) -> None:
    place = urlsplit(standing_address)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).split()[1] == b"400"


def test_nobody_s_body_is_taken_before_he_says_who_he_is(standing_address: str) -> None:
    place = urlsplit(standing_address)
    for method, path in (("PUT", "/fhir/Patient/p"), ("POST", "/fhir/Patient"), ("POST", "/fhir/Patient/_search")):
        head = f"{method} {path} HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length: 1000000\r\n"
        with socket.create_connection((place.hostname, place.port), timeout=5) as connection:
            connection.sendall(f"{head}Content-Type: application/fhir+json\r\n\r\n".encode())
            assert connection.recv(100).split()[1] == b"401"
