"""Settings: one table, read once at start from the environment (`SAMVERKA_…`), handed down and never fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "SAMVERKA_"


class AddressError(RuntimeError):
    """The gateway was asked to listen where nothing says who is asking."""


class Settings(BaseSettings):
    """Name, type, default and a sentence each; `docs/settings.md` has a heading for every one."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    database_url: str = Field("sqlite:///var/samverka.db", description="Where all is kept: SQLite or PostgreSQL.")
    host: str = Field("127.0.0.1", description="The address to listen on; any but loopback needs issuers.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    base_url: str | None = Field(None, description="The address clients use, where it differs from host and port.")
    sources: Path | None = Field(None, description="The sources' configuration (TOML); without it, one per package.")
    mappings: Path | None = Field(None, description="The folder of mapping packages; without it, the shipped ones.")
    watch_mappings: bool = Field(
        False, description="Take changed mapping packages into use while running, once their cases pass."
    )
    issuers: Path | None = Field(None, description="The issuers of tokens (TOML): whom to believe about who is asking.")
    now: datetime | None = Field(None, description="A fixed clock, for demos and tests; without it, the real one.")
    timezone: str = Field("Europe/Stockholm", description="The zone of times that say none.")
    max_body: int = Field(64 * 1024 * 1024, gt=0, description="The largest message or body accepted, in bytes.")
    body_seconds: float = Field(
        60, gt=0, description="Seconds of waiting in which `body_bytes` of a body must come, or its end."
    )
    body_bytes: int = Field(4096, gt=0, description="Bytes of a body that must come in `body_seconds`.")
    page_size: int = Field(50, gt=0, le=1000, description="Search results on a page where `_count` says nothing.")
    cors_origins: str | None = Field(
        None, description="The web origins whose pages may call the API, separated by blanks; `*` is any."
    )
    require_if_match: bool = Field(False, description="Change what is there only where If-Match names its version.")
    validate_on_write: Literal["structure", "invariants", "profiles"] = Field(
        "structure", description="What resources that are written over REST are held to."
    )
    task_rules: Literal["default", "scp-0.3", "orca", "gravity"] = Field(
        "default", description="The rules about Tasks that the parties have agreed, and organisations are held to."
    )
    care_plans: Literal["asked", "orders"] = Field(
        "asked", description="Which new Tasks of organisations come to a plan: those that ask for one, or all orders."
    )
    export_hours: float = Field(24.0, gt=0, description="Hours after which a bulk export can no longer be fetched.")
    export_lines: int = Field(100_000, gt=0, description="The most resources in one file of a bulk export.")
    import_hosts: str | None = Field(
        None,
        description="The hosts that `$import` may fetch files from, separated by blanks; without it none.",
    )
    import_bytes: int = Field(
        16 * 1024**3, gt=0, description="The largest file that `$import` fetches, unpacked, in bytes."
    )
    demo_network: bool = Field(
        False, description="Serve test identities on other addresses than loopback; every page warns."
    )
    worker: bool = Field(True, description="Process kept messages in this process.")
    watch_gaps: bool = Field(
        True,
        description="Raise gaps as DetectedIssues, end them, and pass what closed units had to their heirs, in time.",
    )
    reporter: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = Field(
        None,
        description="The organisation (HSA-id) in whose name each month's measures are stored; without it none are.",
    )
    lease: float = Field(
        15, ge=1, description="Seconds after which others take over the messages of a process that was killed."
    )
    log_format: Literal["json", "console"] = Field("json", description="The shape of log lines.")
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = Field(
        "info", description="The least severe level that is logged."
    )

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str) -> str:
        if not re.match(r"sqlite:///[^:]|postgresql(\+psycopg)?://", value):
            raise ValueError("a database is sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):
            raise ValueError("a zone is one of the tz database, such as Europe/Stockholm") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        if not all(
            one == "*" or re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?", one) for one in (value or "").split()
        ):
            raise ValueError("an origin is https://HOST or https://HOST:PORT; several are separated by blanks")
        return value

    @field_validator("import_hosts")
    @classmethod
    def _are_hosts(cls, value: str | None) -> str | None:
        if not all(re.fullmatch(r"(https?://)?[A-Za-z0-9.\-]+(:\d{1,5})?", one) for one in (value or "").split()):
            raise ValueError("a host is HOST, HOST:PORT or http://HOST:PORT; several are separated by blanks")
        return value

    @property
    def loopback(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")


def passed_over(names: Iterable[str]) -> dict[str, str]:
    """The variables that are meant for the gateway and are no settings, with the setting that each is most like."""
    known = [f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields]
    unknown = sorted(name for name in names if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)
    return {name: get_close_matches(name.upper(), known, n=1, cutoff=0)[0] for name in unknown}
