"""Work that a runner does apart: tried again some times, not for ever, and given up at once where it was refused."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from gateway.errors import Conflict, Unavailable
from gateway.jobs.runner import TRIES, Runner
from gateway.store import Job, Store

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


def test_a_standing_job_is_never_given_up(store: Store) -> None:
    def failing(_: Job) -> None:
        raise Unavailable

    number = put(store)
    runner = Runner(store, {}, {"long": failing}, standing={"long": lambda _uow, _now: True}, lease=timedelta())
    for _ in range(TRIES + 2):
        with pytest.raises(Unavailable):
            runner.run_due()
    assert job(store, number).state == "working"


def test_a_standing_job_with_nothing_to_do_is_not_begun(store: Store) -> None:
    number = put(store)
    runner = Runner(store, {}, {"long": lambda _: None}, standing={"long": lambda _uow, _now: False}, lease=LEASE)
    assert not runner.run_due()
    assert (job(store, number).state, job(store, number).attempts) == ("waiting", 0)
