"""Watched folders: complete files only, kept before moved, the same file once."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.adapters import file_drop
from gateway.adapters.file_drop import Pace

QUICK = Pace(settle=0.05, look=0.05, retry=0.1)


class Inbox:
    """Keeps by id, as the real one does."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, str]] = {}
        self.tries = 0
        self.broken = 0

    async def __call__(self, body: bytes, media_type: str, transport: str, *, id: str | None = None) -> str:
        self.tries += 1
        if self.broken:
            self.broken -= 1
            raise OSError("191212121212 could not be written")
        assert transport == "file"
        assert id is not None
        self.kept[id] = (body, media_type)
        return id


def watched(
    folder: Path, inbox: Inbox, act: Callable[[], Awaitable[None]] | None = None, pace: Pace = QUICK, until: int = 1
) -> Inbox:
    """Watch until so many files lie in `done/`, or for half a second when none is to come."""

    async def run() -> None:
        async with file_drop.watch("home-care", folder, inbox, pace=pace), asyncio.timeout(5):
            if act:
                await act()
            if not until:
                await asyncio.sleep(0.4)
            while len(done(folder)) < until:
                await asyncio.sleep(0.01)

    asyncio.run(run())
    return inbox


def done(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "done").iterdir())


def test_a_file_is_kept_with_its_media_type_and_moved(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a;b\n")
    inbox = watched(tmp_path, Inbox())
    assert list(inbox.kept.values()) == [(b"a;b\n", "text/csv")]
    assert done(tmp_path) == ["a.csv"]
    assert not (tmp_path / "a.csv").exists()


def test_a_file_that_still_grows_is_waited_for(tmp_path: Path) -> None:
    async def grow() -> None:
        with (tmp_path / "a.hl7").open("wb") as file:
            for piece in range(8):
                file.write(b"%d" % piece)
                file.flush()
                await asyncio.sleep(0.04)

    inbox = watched(tmp_path, Inbox(), grow, Pace(settle=0.15, look=0.02))
    assert [body for body, _ in inbox.kept.values()] == [b"01234567"]


def test_a_transfer_under_way_is_left_until_it_is_renamed(tmp_path: Path) -> None:
    async def transfer() -> None:
        for name in ("a.xml.part", ".b.xml", "c.tmp"):
            (tmp_path / name).write_bytes(b"<a/>")
        (tmp_path / "folder").mkdir()
        (tmp_path / "link.xml").symlink_to("/etc/hostname")
        await asyncio.sleep(0.2)
        (tmp_path / "a.xml.part").rename(tmp_path / "a.xml")

    inbox = watched(tmp_path, Inbox(), transfer)
    assert list(inbox.kept.values()) == [(b"<a/>", "application/xml")]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".b.xml", "c.tmp", "done", "folder", "link.xml"]


def test_files_are_taken_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate(["c.json", "a.json", "b.json"]):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1_000_000 + age, 1_000_000 + age))
    inbox = watched(tmp_path, Inbox(), until=3)
    assert [body.decode() for body, _ in inbox.kept.values()] == ["c.json", "a.json", "b.json"]


def test_a_crash_between_commit_and_move_makes_no_second_message(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    inbox = watched(tmp_path, Inbox())
    (tmp_path / "done" / "a.csv").rename(tmp_path / "a.csv")
    watched(tmp_path, inbox)
    assert (inbox.tries, len(inbox.kept)) == (2, 1)


def test_the_same_content_dropped_again_is_a_new_message(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    inbox = watched(tmp_path, Inbox())
    (tmp_path / "a.csv").write_bytes(b"a")
    os.utime(tmp_path / "a.csv", (2_000_000, 2_000_000))
    watched(tmp_path, inbox, until=2)
    assert len(inbox.kept) == 2
    assert len(done(tmp_path)) == 2


def test_what_could_not_be_kept_stays_and_is_tried_again(tmp_path: Path) -> None:
    inbox = Inbox()
    inbox.broken = 2
    (tmp_path / "a.csv").write_bytes(b"a")
    watched(tmp_path, inbox)
    assert (inbox.tries, len(inbox.kept)) == (3, 1)


def test_a_file_that_is_too_large_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a" * 20)
    inbox = watched(tmp_path, Inbox(), pace=Pace(settle=0.05, look=0.05, largest=10), until=0)
    assert inbox.tries == 0
    assert (tmp_path / "a.csv").exists()


def test_what_was_put_in_the_place_of_a_file_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"not of this folder")
    (tmp_path / "a.csv").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        file_drop._read(tmp_path / "a.csv", 100)
    (tmp_path / "b.csv").write_bytes(b"0123456789")
    assert file_drop._read(tmp_path / "b.csv", 4) == b"01234"
