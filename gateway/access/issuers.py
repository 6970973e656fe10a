"""Issuers of tokens: who is believed about who is asking, where the gateway is reached from other machines.

Configured in TOML, a table for each: the issuer's name, the audience that its tokens must be for, its public keys
(a JWKS file beside the configuration), and the claims that hold the caller's unit, care provider and name.

    [[issuer]]
    issuer = "https://login.region.example"
    audience = "samverka"
    jwks = "region.jwks.json"
    unit = "careUnitHsaId"
    controller = "careProviderHsaId"
    name = "careUnitName"

https://www.rfc-editor.org/rfc/rfc7519, https://www.rfc-editor.org/rfc/rfc8725
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.access.caller import Caller

if TYPE_CHECKING:
    from gateway.access import tokens


class IssuersError(ValueError):
    """The issuers' configuration cannot be used."""


class Issuers:
    """The configured issuers by name."""

    def __init__(self, issuers: Mapping[str, tokens.Issuer], clock: Callable[[], datetime]) -> None:
        self._issuers = issuers
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._issuers)

    @classmethod
    def read(cls, path: Path, clock: Callable[[], datetime]) -> Issuers:
        """The issuers of a configuration; IssuersError says what is wrong with it."""
        from gateway.access.tokens import issuer

        try:
            text = path.read_text(encoding="utf-8")
            tables = tomllib.loads(text)["issuer"]
            if not isinstance(tables, list):
                raise IssuersError(f"{path}: write [[issuer]], in two brackets: there may be several")
            found = [issuer(table, path.parent) for table in tables]
        except KeyError as error:
            raise IssuersError(f"{path}: {error.args[0]} is missing") from error
        except IssuersError:
            raise
        except (OSError, TypeError, ValueError) as error:
            raise IssuersError(f"{path}: {error}") from error
        known: dict[str, tokens.Issuer] = {}
        for one in found:
            if one.issuer in known:
                line = _second_line(text, one.issuer)
                raise IssuersError(f"{path}{line}: {one.issuer} is an issuer already: keep one of them")
            known[one.issuer] = one
        return cls(known, clock)

    def caller(self, token: str) -> Caller | None:
        """The caller of a token that one of the issuers made; None for a token of nobody known here."""
        if not self._issuers:
            return None
        from gateway.access.tokens import issuer_of

        issuer = self._issuers.get(issuer_of(token))
        return None if issuer is None else issuer.caller(token, self._clock())


def _second_line(text: str, name: str) -> str:
    """Where an issuer of this name stands for the second time: what reads TOML does not say."""
    names = re.compile(rf"""\s*["']?issuer["']?\s*=\s*["']{re.escape(name)}["']""")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if names.match(line)]
    return f", line {lines[1]}" if len(lines) > 1 else ""
