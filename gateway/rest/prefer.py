"""The preferences of a request: `return`, `handling`, `respond-async`. https://www.rfc-editor.org/rfc/rfc7240"""

from __future__ import annotations

from starlette.requests import Request

from gateway.rest.known import headers


def preferences(request: Request) -> dict[str, str]:
    """By name, in lower case; of one that is given twice the first counts, and one without a value has an empty one."""
    found: dict[str, str] = {}
    if "prefer" not in headers(request):
        return found
    for part in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = part.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def returning(request: Request) -> str:
    """What a write is answered with: `minimal`, `OperationOutcome`, or (the default) `representation`."""
    wanted = preferences(request).get("return", "")
    return wanted if wanted in ("minimal", "OperationOutcome") else "representation"
