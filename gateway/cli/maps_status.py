"""`samverka map status`: may what lies in the folder be taken into use, and does a running gateway use it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.maps import MappingsOption, PackagesArgument, all_packages, end
from gateway.cli.options import JsonOption
from gateway.errors import Unavailable
from gateway.mapping import commands
from gateway.mapping.trial import trial


def add_to(app: typer.Typer) -> None:
    app.command("status")(status)


def status(
    packages: PackagesArgument = None,
    url: Annotated[str | None, typer.Option(help="A running gateway, to ask what it uses.")] = None,
    mappings: MappingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether packages may be taken into use: they compile and every case holds. With --url, what a gateway uses.

    A gateway that watches its mappings takes a changed package by the same rule. Exit code 1 where one may not be.

    Example: `samverka map status municipal-csv --url http://127.0.0.1:8000`
    """
    used = _used(url) if url else {}
    data: list[dict[str, Any]] = []
    lines: list[str] = []
    for package in commands.chosen(all_packages(mappings), packages):
        problems = trial(package)
        one: dict[str, Any] = {
            "package": package.id,
            "version": package.version,
            "hash": package.hash,
            "problems": problems,
        }
        state = "may not be taken" if problems else "may be taken"
        if url:
            one["inUse"] = found = used.get(package.id)
            if found is None:
                state += "; not in use"
            elif found["hash"] == package.hash:
                state += "; in use"
            else:
                state += f"; in use is {found['version']} ({found['hash'][:12]})"
        lines += [f"{package.id} {package.version} ({package.hash[:12]}): {state}", *(f"  {one}" for one in problems)]
        data.append(one)
    end("\n".join(lines), data, not any(one["problems"] for one in data), as_json)


def _used(url: str) -> dict[str, dict[str, Any]]:
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/ready", timeout=5).json()
        return {one["package"]: one for one in answer["maps"]}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        text = f"No gateway answers there as one does ({type(error).__name__})."
        raise Unavailable(text, rule="gateway-not-reached", where=url[:200]) from None
