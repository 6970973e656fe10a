"""What can be claimed of the image without a container engine; `scripts/check-image` goes through its steps."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]
DOCKERFILE = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
STEPS = [line.strip().partition(" ")[::2] for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line.strip()]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
GATEWAY = COMPOSE["services"]["gateway"]


def steps(name: str) -> list[str]:
    return [rest for step, rest in STEPS if step == name]


def last_stage() -> list[tuple[str, str]]:
    begins = max(number for number, (step, _) in enumerate(STEPS) if step == "FROM")
    return STEPS[begins:]  # type: ignore[return-value]


def test_base_images_have_a_version_and_a_release() -> None:
    images = [*(rest.split()[0] for rest in steps("FROM")), COMPOSE["services"]["database"]["image"]]
    for image in images:
        name, _, tag = image.partition(":")
        assert re.match(r"\d+(\.\d+)*-.*bookworm", tag), f"{name}: {tag}"


def test_the_image_is_of_the_python_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert all(f"python:{project['requires-python'].removeprefix('>=')}-" in rest for rest in steps("FROM"))


def test_it_runs_as_a_number_that_is_not_root() -> None:
    users = [rest for step, rest in last_stage() if step == "USER"]
    assert users and users[-1].isdecimal() and int(users[-1]) > 0
    assert f"--uid {users[-1]} " in " ".join(steps("RUN"))
    after = [step for step, _ in last_stage()][[step for step, _ in last_stage()].index("USER") :]
    assert "RUN" not in after and "COPY" not in after


def test_everything_that_is_installed_is_locked_with_hashes() -> None:
    for install in re.findall(r"pip install ([^&]*)", " ".join(steps("RUN"))):
        assert "--require-hashes -r requirements" in install or "--no-index --no-deps" in install, install
    assert not re.search(r"apt-get|curl|wget|ADD ", DOCKERFILE)


def test_what_builds_stays_behind() -> None:
    (copied,) = [rest for step, rest in last_stage() if step == "COPY"]
    assert copied == "--from=build /opt/samverka /opt/samverka"
    assert "pip uninstall --yes --quiet pip setuptools" in steps("RUN")[1]


def test_its_health_is_checked_and_its_command_is_no_shell() -> None:
    (health,) = steps("HEALTHCHECK")
    assert "/ready" in health and "--start-period" in health
    assert json.loads(steps("CMD")[-1]) == ["samverka", "serve"]


def test_settings_of_the_image_and_of_compose_exist() -> None:
    named = set(re.findall(rf"{ENV_PREFIX}(\w+)", DOCKERFILE + (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"])
def test_every_line_of_a_lock_has_its_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE).strip())
    assert entries and all("--hash=sha256:" in entry for entry in entries)
    assert "index-url" not in (ROOT / name).read_text()


def test_nothing_enters_the_build_but_what_is_named() -> None:
    lines = [one for one in (ROOT / ".dockerignore").read_text().splitlines() if one and not one.startswith("#")]
    assert lines[0] == "*"
    allowed = {one.removeprefix("!") for one in lines if one.startswith("!")}
    copied = {name for rest in steps("COPY") if not rest.startswith("--from") for name in rest.split()[:-1]}
    assert copied == allowed


def test_no_secret_is_in_the_image_or_in_compose() -> None:
    assert not re.search(r"password|secret|token|key", DOCKERFILE, re.IGNORECASE)
    given = {**GATEWAY["environment"], **COMPOSE["services"]["database"]["environment"]}
    for name, value in given.items():
        if "PASSWORD" in name or "://" in str(value):
            assert "${POSTGRES_PASSWORD:-" in value, name


def test_compose_publishes_on_this_machines_loopback_only() -> None:
    for service in COMPOSE["services"].values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert "ports" not in COMPOSE["services"]["database"]


def test_compose_gives_the_gateway_no_rights_and_no_file_system_to_write() -> None:
    assert GATEWAY["read_only"] is True
    assert GATEWAY["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in GATEWAY["security_opt"]
    assert GATEWAY["depends_on"]["database"]["condition"] == "service_healthy"


def test_compose_says_that_it_is_a_trial() -> None:
    """0.0.0.0 is refused without issuers: a trial must say so by itself, and every page then warns."""
    environment = GATEWAY["environment"]
    assert environment["SAMVERKA_DEMO_NETWORK"] == "${SAMVERKA_DEMO_NETWORK:-true}"
    assert "SAMVERKA_ISSUERS" not in environment
    assert "SAMVERKA_HOST=0.0.0.0" in " ".join(steps("ENV"))
