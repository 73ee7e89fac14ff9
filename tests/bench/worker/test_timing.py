"""If these fail, the clock runs over more or less than the steps."""

import gc
from itertools import pairwise
from types import SimpleNamespace

import pytest

from bench.worker import timing
from tests.support import Recorder

STEP, WAIT, MARK = "step", "synchronize", "mark"


@pytest.mark.parametrize(("each", "readings"), [(True, 4), (False, 2)])
def test_throughput_waits_once_with_the_collector_off(each, readings):
    step = Recorder()
    ran = timing.throughput(step, 3, each)
    assert step.seen == [STEP, STEP, STEP, WAIT]
    assert not any(step.collecting)
    assert (ran.loss, ran.faults >= 0) == (0.5, True)
    assert len(ran.readings) == readings
    assert ran.readings == sorted(ran.readings)
    assert 0 < ran.readings[-1] - ran.readings[0] <= ran.seconds < 1
    assert gc.isenabled()


class Clock:
    """Stands still unless somebody takes time."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    return clock


@pytest.mark.parametrize(
    "take", [lambda step: timing.throughput(step, 4, True).readings, lambda step: timing.latency(step, 4)[0]]
)
def test_each_call_is_timed_by_itself(take, clock):
    class Slower(Recorder):
        """Takes longer from call to call."""

        def step(self):
            clock.now += len(self.seen)
            return super().step()

    readings = take(Slower())
    assert [after - before for before, after in pairwise(readings)] == [0, 1, 2, 3]


@pytest.mark.parametrize("each", [True, False])
def test_work_that_is_queued_is_in_the_time_and_not_in_the_dispatch(each, clock):
    """The commonest fault of benchmarks: a clock that is read before the wait calls a queued device free."""

    class Queued(Recorder):
        """A device whose work is done only while somebody waits for it."""

        def synchronize(self):
            clock.now += len(self.seen)

    ran = timing.throughput(Queued(), 4, each)
    assert ran.readings[-1] - ran.readings[0] == 0
    assert ran.seconds == 4


def test_a_loss_is_fetched_before_the_next_step_is_asked_for(clock):
    """One that is computed only when somebody reads it is waited for each time, and its seconds are in its call's."""

    class Lazy(Recorder):
        def step(self):
            super().step()
            return self

        def __float__(self):
            clock.now += 3
            self.note("fetched")
            return 0.5

    step = Lazy()
    assert timing.latency(step, 3) == ([0, 3, 6, 9], [0.5] * 3)
    assert step.seen == ["step", "fetched"] * 3


def test_device_time_lies_between_two_marks_and_is_read_after_the_wait():
    step = Recorder()
    assert timing.device(step, 2) == (3, 0.5)
    assert step.seen == [MARK, STEP, STEP, MARK, WAIT]
    assert not any(step.collecting)


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_is_left_as_it_was_found_also_by_a_failure(before):
    class Fails(Recorder):
        def step(self):
            raise ZeroDivisionError

    try:
        (gc.enable if before else gc.disable)()
        timing.throughput(Recorder(), 1, each=True)
        assert gc.isenabled() == before
        with pytest.raises(ZeroDivisionError):
            timing.throughput(Fails(), 1, each=True)
        assert gc.isenabled() == before
    finally:
        gc.enable()


def test_page_faults_are_those_of_the_round_alone(monkeypatch):
    counts = iter([1000, 1007])
    monkeypatch.setattr(timing.resource, "getrusage", lambda _: SimpleNamespace(ru_minflt=next(counts)))
    assert timing.throughput(Recorder(), 1, True).faults == 7
