"""Work that a runner does apart: tried again some times, not for ever, and given up at once where it was refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from gateway.errors import Conflict, Unavailable
from gateway.jobs.runner import TRIES, Act, Runner, Step
from gateway.store import Job, Store, UnitOfWork

LEASE = timedelta(seconds=0.15)


def put(store: Store) -> int:
    return store.write(lambda uow: uow.jobs.put("long", {}))


def job(store: Store, number: int) -> Job:
    found = store.read(lambda uow: uow.jobs.get(number))
    assert found is not None
    return found


def test_a_lease_that_is_renewed_is_no_progress(store: Store) -> None:
    def long(_: Job) -> None:
        time.sleep(0.2)  # Its lease is renewed three times.
        raise Unavailable

    number, runner = put(store), Runner(store, {}, {"long": long}, lease=LEASE)
    for attempt in (1, 2):
        with pytest.raises(Unavailable):
            runner.run_due()
        assert job(store, number).attempts == attempt
        time.sleep(2 * LEASE.total_seconds())


def test_a_job_that_lasts_longer_than_its_lease_is_done_once(store: Store) -> None:
    done: list[int] = []

    def long(one: Job) -> None:
        time.sleep(0.4)
        assert not Runner(store, {}, {"long": long}, lease=LEASE).run_due()
        done.append(one.number)

    number = put(store)
    assert Runner(store, {}, {"long": long}, lease=LEASE).run_due()
    assert (done, job(store, number).state) == ([number], "done")


def test_a_job_that_is_refused_is_not_tried_again(store: Store) -> None:
    def refused(_: Job) -> None:
        raise Conflict

    number, runner = put(store), Runner(store, {}, {"long": refused}, lease=LEASE)
    assert runner.run_due()
    assert (job(store, number).state, job(store, number).attempts) == ("failed", 1)
    assert not runner.run_due()


def test_a_job_that_fails_every_time_is_given_up(store: Store) -> None:
    def failing(_: Job) -> None:
        raise Unavailable

    number, runner = put(store), Runner(store, {}, {"long": failing}, lease=timedelta())
    for _ in range(TRIES):
        with pytest.raises(Unavailable):
            runner.run_due()
    assert runner.run_due()
    assert job(store, number).state == "failed"


class Standing:
    """A standing job that has so many steps to do."""

    def __init__(self, steps: int, *, fails: bool = False) -> None:
        self.steps, self.fails = steps, fails

    def again(self, _uow: UnitOfWork, now: datetime) -> datetime | None:
        return now if self.steps else now + timedelta(hours=1)

    def look(self, _uow: UnitOfWork, job: Job, _busy: Collection[str]) -> Act:
        if self.fails:
            raise Unavailable
        self.steps -= 1
        step = Step({"left": self.steps}, job.done + 1, more=self.steps > 1)
        return Act(lambda _uow: None, step)


def test_a_standing_job_is_never_given_up(store: Store) -> None:
    number = put(store)
    runner = Runner(store, {}, standing={"long": Standing(1, fails=True)}, lease=timedelta())
    for _ in range(TRIES + 2):
        with pytest.raises(Unavailable):
            runner.run_due()
    assert job(store, number).state == "working"


def test_a_standing_job_with_nothing_to_do_is_not_begun(store: Store) -> None:
    number = put(store)
    runner = Runner(store, {}, standing={"long": Standing(0)}, lease=LEASE)
    assert not runner.run_due()
    assert (job(store, number).state, job(store, number).attempts) == ("waiting", 0)


def test_a_standing_job_is_given_back_when_all_is_done(store: Store) -> None:
    number, standing = put(store), Standing(3)
    runner = Runner(store, {}, standing={"long": standing}, lease=LEASE)
    assert runner.run_due()
    assert (job(store, number).state, job(store, number).done, job(store, number).place) == ("waiting", 3, {"left": 0})
    standing.steps = 1
    assert Runner(store, {}, standing={"long": standing}, lease=LEASE).run_due(), "Another goes on with it at once."


def test_a_standing_job_whose_process_was_killed_is_taken_over_when_its_lease_ends(store: Store) -> None:
    put(store)
    lease = timedelta(seconds=1.5)  # On a busy machine, too, longer than the next asks after it.
    with pytest.raises(Unavailable):  # It keeps the lease, as one does who is killed.
        Runner(store, {}, standing={"long": Standing(1, fails=True)}, lease=lease).run_due()
    other = Runner(store, {}, standing={"long": Standing(1)}, lease=LEASE)
    assert not other.run_due()
    time.sleep(lease.total_seconds())
    assert other.run_due()


def test_a_running_standing_job_is_done_when_its_time_comes(store: Store) -> None:
    number, standing = put(store), Standing(1)
    runner = Runner(store, {}, standing={"long": standing}, lease=timedelta(seconds=5))
    runner.start()
    try:
        for done in (1, 2):
            until = time.monotonic() + 5
            while job(store, number).done < done and time.monotonic() < until:
                time.sleep(0.02)
            assert job(store, number).done == done
            standing.steps = 1
    finally:
        runner.stop()
    assert job(store, number).state == "waiting", "Whoever stops gives it back."


class Overlapping:
    """A standing job of three steps, each with a key; what is looked at and written is told in order."""

    def __init__(self, told: list[str], *, fails_at: int = 0, blind_at: int = 0) -> None:
        self.told, self.fails_at, self.blind_at = told, fails_at, blind_at
        self.looked = [threading.Event() for _ in range(4)]

    def again(self, _uow: UnitOfWork, now: datetime) -> datetime | None:
        return now + timedelta(hours=1) if self.looked[3].is_set() else now

    def look(self, _uow: UnitOfWork, job: Job, busy: Collection[str]) -> Act:
        number = job.done + 1
        self.told.append(f"look {number} beside {','.join(busy)}")
        self.looked[number].set()
        if number == self.blind_at:
            raise ValueError

        def keep(_uow: UnitOfWork) -> None:
            assert number == 3 or self.looked[number + 1].wait(5), "Written while the next one is looked at."
            if number == self.fails_at:
                raise Unavailable
            self.told.append(f"write {number}")

        return Act(keep, Step({"at": number}, number, more=number < 3), [f"key{number}"])


def test_a_step_is_looked_at_while_the_one_before_it_is_written_and_committed_after_it(store: Store) -> None:
    number, told = put(store), list[str]()
    assert Runner(store, {}, standing={"long": Overlapping(told)}, lease=LEASE * 20).run_due()
    looks = [one for one in told if one.startswith("look")]
    assert looks == ["look 1 beside ", "look 2 beside key1", "look 3 beside key2"]
    assert [one for one in told if one.startswith("write")] == ["write 1", "write 2", "write 3"]
    assert (job(store, number).done, job(store, number).place) == (3, {"at": 3})


def test_what_was_looked_at_beside_a_step_that_fails_is_not_written(store: Store) -> None:
    number, told = put(store), list[str]()
    runner = Runner(store, {}, standing={"long": Overlapping(told, fails_at=2)}, lease=timedelta())
    with pytest.raises(Unavailable):
        runner.run_due()
    assert [one for one in told if one.startswith("write")] == ["write 1"]
    assert "look 3 beside key2" in told
    assert (job(store, number).done, job(store, number).place) == (1, {"at": 1}), "The next one begins with the second."
    told.clear()
    assert Runner(store, {}, standing={"long": Overlapping(told)}, lease=LEASE * 20).run_due()
    assert [one for one in told if one.startswith("write")] == ["write 2", "write 3"]


def test_of_a_step_that_fails_and_a_look_beside_it_that_fails_too_the_step_is_told(store: Store) -> None:
    put(store)
    standing = Overlapping([], fails_at=2, blind_at=3)
    with pytest.raises(Unavailable):
        Runner(store, {}, standing={"long": standing}, lease=LEASE * 20).run_due()


def test_a_standing_job_that_waits_asks_some_times_a_second_and_no_more(store: Store) -> None:
    asked: list[datetime] = []

    class Counted(Standing):
        def again(self, uow: UnitOfWork, now: datetime) -> datetime | None:
            asked.append(now)
            return super().again(uow, now)

    put(store)
    runner = Runner(store, {}, standing={"long": Counted(1)}, lease=LEASE * 100)
    runner.start()
    time.sleep(1.2)
    runner.stop()
    assert 2 <= len(asked) <= 12
