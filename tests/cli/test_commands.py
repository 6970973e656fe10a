"""Every command says what it does with an example; exit codes and JSON are what docs/cli.md promises."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from gateway.app import background, wire
from gateway.cli import COMMANDS as ANNOUNCED
from gateway.cli import every
from gateway.settings import Settings
from tests.cli.conftest import Run
from tests.ingest.bad_cases import GOOD
from tests.ingest.campaigns.server import COMMAND
from tests.ingest.leaks import leaks
from tests.ingest.samples import alarm, dispatch, municipal, visit

ORGANISATION = b'{"resourceType": "Organization", "id": "one", "name": "One"}\n'
DEMO = Path(__file__).parents[2] / "demo"


def leaves(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    else:
        for name, one in below.items():
            yield from leaves(one, *path, name)


COMMANDS: dict[tuple[str, ...], Any] = dict(leaf for name, one in every().items() for leaf in leaves(one, name))


# --- help ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(samverka: Run, path: tuple[str, ...]) -> None:
    told = samverka(*path, "--help")

    assert (told.code, told.err) == (0, "")
    assert "Example" in told.out
    assert f"samverka {' '.join(path)}" in " ".join(told.out.split())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_and_argument_says_what_it_is(path: tuple[str, ...]) -> None:
    silent = [one.name for one in COMMANDS[path].params if not getattr(one, "help", None) and one.name != "help"]
    assert silent == []


@pytest.mark.parametrize("group", [(), *sorted({(path[0],) for path in COMMANDS if len(path) > 1})], ids=" ".join)
def test_a_group_without_a_command_lists_its_commands(samverka: Run, group: tuple[str, ...]) -> None:
    told = samverka(*group)

    assert told.code == 2
    for path in COMMANDS:
        if path[: len(group)] == group:
            assert path[len(group)] in told.out + told.err


@pytest.mark.parametrize("name", ANNOUNCED)
def test_the_list_of_commands_says_of_each_what_it_says_of_itself(name: str) -> None:
    first = " ".join(every()[name].help.split("\n\n")[0].split())
    assert ANNOUNCED[name].help == first


# --- exit codes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest",),
        ("ingest", "dispatch-json"),
        ("ingest", "dispatch-json", "no-such-file.json"),
        ("inbox", "show"),
        ("inbox", "list", "--limit", "many"),
        ("rebuild", "--no-such-option"),
        ("no-such-command",),
    ],
    ids=" ".join,
)
def test_a_command_that_was_written_wrongly_ends_with_2(samverka: Run, arguments: tuple[str, ...]) -> None:
    told = samverka(*arguments)
    assert told.code == 2
    assert told.out == ""
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inbox", "show", "no-such-id"), "no message of this id"),
        (("inbox", "replay", "no-such-id"), "no message of this id"),
        (("sources", "--sources", "none.toml"), "none.toml"),
        (("rebuild", "--database-url", "oracle://x"), "SAMVERKA_DATABASE_URL"),
        (("serve", "--host", "0.0.0.0", "--port", "0"), "not a loopback address"),
        (("health", "http://127.0.0.1:9"), "not reached"),
        (("demo", "answer"), "not loaded"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused_ends_with_1_and_one_line(samverka: Run, arguments: tuple[str, ...], said: str) -> None:
    told = samverka(*arguments)
    assert told.code == 1
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_an_unknown_source_is_refused_and_nothing_is_kept(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "message.json").write_bytes(dispatch(alarm("1")))
    told = samverka("ingest", "nobody", "message.json")

    assert (told.code, told.out) == (1, "")
    assert "Configured: " in told.err
    assert samverka("inbox", "list", "--json").json == []


# --- ingest, inbox, rebuild ----------------------------------------------------------------------------------------


def test_files_are_kept_and_used(samverka: Run, tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / f"{n}.json").write_bytes(dispatch(alarm(str(n))))
    told = samverka("ingest", "dispatch-json", "1.json", "2.json", "--json")

    assert told.code == 0
    assert [(one["file"], one["state"], one["items"], one["held"]) for one in told.json] == [
        ("1.json", "done", 1, 0),
        ("2.json", "done", 1, 0),
    ]
    shown = samverka("inbox", "show", told.json[0]["inbox_id"], "--json").json
    assert (shown["source"], shown["mediaType"], shown["items"][0]["state"]) == (
        "dispatch-json",
        "application/json",
        "done",
    )


@pytest.mark.parametrize("package", GOOD)
def test_a_file_of_each_package_is_used(samverka: Run, package: str) -> None:
    assert samverka("ingest", package, GOOD[package]).code == 0


def test_a_bad_file_ends_with_3_and_the_others_are_used(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(dispatch(alarm("1")))
    (tmp_path / "bad.json").write_bytes(dispatch(alarm("2"))[:-30])
    told = samverka("ingest", "dispatch-json", "bad.json", "good.json")

    assert told.code == 3
    assert "held" in told.out and "done" in told.out
    assert leaks(told.out + told.err) == []
    held = samverka("inbox", "list", "--state", "held", "--json").json
    assert [row["state"] for row in held] == ["held"]
    assert f"bad.json, what is held of it, and why: samverka inbox show {held[0]['id']}\n" in told.out
    shown = samverka("inbox", "show", held[0]["id"])
    assert shown.code == 0
    assert "[malformed-json] line 1, column" in shown.out
    assert leaks(shown.out) == []


def test_a_held_item_ends_with_3_until_it_is_mended_and_replayed(
    samverka: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.csv").write_bytes(municipal(visit("A"), visit("B", record_type="INSATZ")))
    assert samverka("ingest", "municipal-csv", "file.csv", "--json").code == 3

    still = samverka("inbox", "replay", "--json")
    assert (still.code, [one["held"] for one in still.json]) == (3, [1])

    sources = tmp_path / "sources.toml"
    sources.write_text(
        '[source.municipal-csv]\npackage = "mended"\nname = "x"\nhsa_id = "SE2120001348-T9001"\n'
        'controller = "SE2120001348-T0000"\ndelivery = "snapshot"\n',
        encoding="utf-8",
    )
    package = tmp_path / "mappings/mended"
    package.mkdir(parents=True)
    shipped = DEMO.parent / "mappings"
    for file in (shipped / "municipal-csv").rglob("*.*"):
        if "cases" in file.parts:  # They say INSATS, and a package whose cases do not hold is refused.
            continue
        to = package / file.relative_to(shipped / "municipal-csv")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(file.read_bytes())
    (tmp_path / "mappings/common").symlink_to(shipped / "common")
    manifest = (package / "map.yaml").read_text(encoding="utf-8")
    mended = manifest.replace("id: municipal-csv", "id: mended").replace("record_type=INSATS", "record_type=INSATZ")
    (package / "map.yaml").write_text(mended, encoding="utf-8")
    monkeypatch.setenv("SAMVERKA_MAPPINGS", str(tmp_path / "mappings"))

    replayed = samverka("inbox", "replay", "--sources", sources)
    assert replayed.code == 0, replayed.out
    assert "0 still held" in replayed.out
    assert samverka("inbox", "list", "--state", "held", "--json").json == []


def test_a_snapshot_s_time_can_be_said(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "both.csv").write_bytes(municipal(visit("A"), visit("B")))
    (tmp_path / "one.csv").write_bytes(municipal(visit("A")))
    samverka("ingest", "municipal-csv", "both.csv", "--as-of", "2026-03-03T06:00:00+0100")
    told = samverka("ingest", "municipal-csv", "one.csv", "--as-of", "2026-03-04T06:00:00+0100", "--json")

    assert (told.code, told.json[0]["statements"], told.json[0]["resources"]) == (0, 1, 1), "B is withdrawn"
    assert samverka("ingest", "municipal-csv", "one.csv", "--as-of", "yesterday").code == 2
    assert samverka("ingest", "municipal-csv", "one.csv", "--as-of", "9999-01-01T00:00:00+0100").code == 1


def test_the_inbox_lists_by_source_and_limit(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(dispatch(alarm("1")))
    (tmp_path / "b.csv").write_bytes(municipal(visit("A")))
    samverka("ingest", "dispatch-json", "a.json", "a.json")
    samverka("ingest", "municipal-csv", "b.csv")

    assert [row["source"] for row in samverka("inbox", "list", "--json").json] == [
        "municipal-csv",
        "dispatch-json",
        "dispatch-json",
    ]
    assert len(samverka("inbox", "list", "--limit", 2, "--json").json) == 2
    assert {row["source"] for row in samverka("inbox", "list", "--source", "dispatch-json", "--json").json} == {
        "dispatch-json"
    }
    table = samverka("inbox", "list")
    assert table.code == 0
    assert samverka("inbox", "list", "--json").json[0]["id"] in table.out


def test_rebuild_and_audit_agree_and_say_so(samverka: Run, tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "a.json").write_bytes(dispatch(alarm("1")))
    samverka("ingest", "dispatch-json", "a.json")

    told = samverka("rebuild", "--json")
    assert (told.code, told.json["different"]) == (0, [])
    assert told.json["resources"] == told.json["equal"] > 0
    assert "0 different" in samverka("rebuild").out
    assert samverka("audit", "verify").code == 0
    assert samverka("audit", "verify", "--json").json == []
    assert len(samverka("audit", "list", "--json").json) > 0


def test_rebuild_ends_with_1_where_a_row_was_tampered_with(samverka: Run, tmp_path: Path, sqlite_url: str) -> None:
    import sqlite3

    (tmp_path / "a.json").write_bytes(dispatch(alarm("1")))
    samverka("ingest", "dispatch-json", "a.json")
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE resource SET person = 'x' WHERE resource_type = 'Task'")
        database.execute("UPDATE audit SET person = 'x'")
    database.close()

    told = samverka("rebuild")
    assert told.code == 1
    assert "differs: Task/" in told.out
    assert samverka("rebuild", "--json").json["different"][0].startswith("Task/")
    assert samverka("audit", "verify").code == 1


def test_rebuild_stores_what_differs_where_asked(samverka: Run, tmp_path: Path, sqlite_url: str) -> None:
    import sqlite3

    (tmp_path / "a.json").write_bytes(dispatch(alarm("1")))
    samverka("ingest", "dispatch-json", "a.json")
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE resource SET person = 'x' WHERE resource_type = 'Task'")
    database.close()

    told = samverka("rebuild", "--store", "--json")
    assert (told.code, told.json["stored"], told.json["left"]) == (0, len(told.json["different"]), [])
    assert told.json["stored"] > 0
    assert "0 stored anew, 0 left" in samverka("rebuild", "--store").out


# --- sources, health, version, demo --------------------------------------------------------------------------------


def test_sources_are_listed(samverka: Run) -> None:
    told = samverka("sources", "--json")
    assert told.code == 0
    assert {source["id"] for source in told.json} == set(GOOD)
    assert {source["package"] for source in told.json} == set(GOOD)
    configured = samverka("sources", "--sources", DEMO / "sources.toml", "--json").json
    assert "tanum-kommun" in {source["id"] for source in configured}
    assert "tanum-kommun" in samverka("sources", "--sources", DEMO / "sources.toml").out


def test_sources_that_cannot_be_used_are_told_all_at_once(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text('[source.a]\npackage = "none"\n[source.b]\nnmae = "x"\n', encoding="utf-8")
    told = samverka("sources", "--sources", "sources.toml")

    assert (told.code, told.out) == (1, "")
    for part in ("source.a", "'none' does not exist", "source.b", "nmae is not a field"):
        assert part in told.err


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("made/of/text.db", "no SQLite database"),
        ("a-folder", "cannot be opened"),
        ("made/of/text.db/x.db", "no database of the gateway's"),
    ],
)
def test_a_database_that_cannot_be_one_is_told_in_a_line(samverka: Run, tmp_path: Path, place: str, told: str) -> None:
    (tmp_path / "made/of").mkdir(parents=True)
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "made/of/text.db").write_text("x" * 4096, encoding="utf-8")
    ran = samverka("inbox", "list", "--database-url", f"sqlite:///{tmp_path}/{place}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert told in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "list"),
        ("audit", "verify"),
        ("export", "there"),
        ("inbox", "discard", "x", "--reason", "y"),
        ("inbox", "list"),
        ("inbox", "replay"),
        ("package", "list"),
        ("queue", "list"),
        ("rebuild",),
        ("reindex",),
        ("replay", "--map", "x"),
        ("search-parameters",),
    ],
    ids=" ".join,
)
def test_what_looks_for_something_makes_no_database(samverka: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A mistyped path was a new database: nothing waits, the trail is whole, nothing differs."""
    before = {*tmp_path.iterdir()}
    ran = samverka(*arguments, "--database-url", f"sqlite:///{tmp_path}/vra/samverka.db")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "vra/samverka.db" in ran.err
    assert "serve, ingest, import" in ran.err
    assert {*tmp_path.iterdir()} == before


@pytest.mark.parametrize("arguments", [("ingest", "dispatch-json"), ("import",), ("validate",)], ids=" ".join)
def test_what_makes_a_database_says_so_once_and_where(
    samverka: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A mistyped path passed for the database that was meant."""
    (tmp_path / "one.json").write_bytes(GOOD["dispatch-json"].read_bytes() if "ingest" in arguments else ORGANISATION)
    url = f"sqlite:///{tmp_path}/vra/samverka.db"
    first, again = (samverka(*arguments, "one.json", "--database-url", url) for _ in range(2))
    assert (first.code, again.code) == (0, 0), first.err
    assert f"samverka: {url}: This database is new, and empty." in first.err
    assert "new, and empty" not in again.err


def test_serve_says_in_its_first_line_that_it_made_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/vra/samverka.db"
    for told in (["database-made", "Started server process"], ["Started server process"]):
        with subprocess.Popen(
            [COMMAND, "serve", "--port", "0", "--database-url", url], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as server:
            assert server.stderr is not None
            lines = [json.loads(server.stderr.readline()) for _ in told]
            server.terminate()
            server.communicate()
        assert [line["event"].partition(" [")[0] for line in lines] == told
        if told[0] == "database-made":
            assert lines[0]["database"] == url
            assert "new, and empty" in lines[0]["told"]


def test_nothing_is_looked_for_in_a_database_that_has_no_tables(samverka: Run, postgres_server: str) -> None:
    """They were made in what may be another program's."""
    address = make_url(postgres_server).set(database="postgres", password="secret")
    for _ in range(2):
        ran = samverka("inbox", "list", "--database-url", address.render_as_string(hide_password=False))
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert f"127.0.0.1:{address.port}/postgres" in ran.err
        assert "secret" not in ran.err


def test_a_database_that_is_not_reached_is_told_with_its_address_and_without_its_password(samverka: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ran = samverka("inbox", "list", "--database-url", f"postgresql+psycopg://samverka:secret@127.0.0.1:{port}/none")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert f'cannot be reached: "127.0.0.1", port {port}: Connection refused. Is it running' in ran.err
    assert "secret" not in ran.err


def test_a_database_that_is_not_there_is_named(samverka: Run, postgres_server: str) -> None:
    """It used to say: does not answer right now, try again."""
    url = make_url(postgres_server).set(database="nosuch").render_as_string(hide_password=False)
    ran = samverka("inbox", "list", "--database-url", url)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert 'database "nosuch" does not exist' in ran.err


def test_a_port_that_is_taken_is_told_before_anything_is_opened(samverka: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        serve = samverka("serve", "--port", port, "--database-url", f"sqlite:///{tmp_path}/untouched.db")
        demo = samverka("demo", "run", "--port", port)
    for ran in (serve, demo):
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert f"127.0.0.1:{port} cannot be listened on: another process has this port" in ran.err
    assert not [*tmp_path.rglob("untouched.db"), *tmp_path.rglob("demo.db")]


def test_an_address_of_another_machine_is_told(samverka: Run) -> None:
    ran = samverka("serve", "--host", "192.0.2.7", "--port", "1")
    assert (ran.code, "this machine does not have the address" in ran.err) == (1, True)


def test_a_setting_that_is_none_is_told_with_what_it_may_be(samverka: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMVERKA_TIMEZONE", "Europe/Stokholm")
    assert samverka("inbox", "list").err == (
        "samverka: SAMVERKA_TIMEZONE: a zone is one of the tz database, such as Europe/Stockholm\n"
    )


def test_a_variable_that_is_no_setting_is_told_with_the_nearest(samverka: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was passed over, and the gateway ran without what was set."""
    monkeypatch.setenv("SAMVERKA_ISSUER", "issuers.toml")
    monkeypatch.setenv("samverka_page_size", "20")
    ran = samverka("inbox", "list", "--json")
    assert (ran.code, ran.json) == (0, [])
    assert ran.err == "samverka: SAMVERKA_ISSUER is no setting, and is passed over. The nearest is SAMVERKA_ISSUERS.\n"


def test_health_of_a_live_gateway_and_of_a_dead_one(samverka: Run, sqlite_url: str) -> None:
    gateway = wire(Settings(database_url=sqlite_url, worker=False))
    with background(gateway) as address:
        alive = samverka("health", address)
        assert httpx.get(f"{address}/health").text == "alive"
    dead = samverka("health", address)
    gateway.close()

    assert (alive.code, '"ready":true' in alive.out) == (0, True)
    assert (dead.code, dead.out) == (1, "")


def test_health_of_something_else_is_not_ready(samverka: Run, sqlite_url: str) -> None:
    gateway = wire(Settings(database_url=sqlite_url, worker=False))
    with background(gateway) as address:
        told = samverka("health", f"{address}/nowhere")
    gateway.close()
    assert told.code == 1


def test_the_version_is_said(samverka: Run) -> None:
    assert samverka("version").out.strip().count(".") == 2


def test_the_demo_s_identities_are_json(samverka: Run) -> None:
    told = samverka("demo", "identities", "--json")
    assert told.code == 0
    assert all(one["token"] for one in told.json)


def test_identities_are_of_the_configured_database_which_is_named(
    samverka: Run, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were of var/demo.db, whose tokens the gateway does not know."""
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "other.db")
    (tmp_path / "var").mkdir()
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "var/demo.db")
    other = f"sqlite:///{tmp_path}/other.db"
    ran = [samverka("demo", "identities", "--json"), samverka("demo", "identities", "--json", "--database-url", other)]
    monkeypatch.delenv("SAMVERKA_DATABASE_URL")
    ran.append(samverka("demo", "identities", "--json"))

    urls = [sqlite_url, other, "sqlite:///var/demo.db"]
    for one, url in zip(ran, urls, strict=True):
        assert f"on {url}," in one.err
        gateway = wire(Settings(database_url=url))
        assert gateway.identities.caller(one.json[0]["token"])
        gateway.close()


def test_identities_of_no_database_are_refused(samverka: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SAMVERKA_DATABASE_URL")
    told = samverka("demo", "identities")
    assert (told.code, told.out) == (1, "")
    assert "sqlite:///var/demo.db" in told.err
    assert not (tmp_path / "var").exists()


def test_json_stands_alone_on_the_output_of_the_real_command(tmp_path: Path) -> None:
    """With its own log, in its own process."""
    (tmp_path / "bad.json").write_bytes(dispatch(alarm("1"), alarm("2", unit="SE\0")))
    ran = subprocess.run(
        [COMMAND, "ingest", "dispatch-json", "bad.json", "--json"],
        cwd=tmp_path,
        env=os.environ | {"SAMVERKA_DATABASE_URL": "sqlite:///kept/here.db"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.startswith("[") and ran.stdout.endswith("]\n")
    assert (tmp_path / "kept/here.db").exists()
    assert leaks(ran.stdout + ran.stderr) == []
