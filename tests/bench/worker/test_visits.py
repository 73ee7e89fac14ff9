"""If these fail, a part of a round does something else than it was asked for, or tells another part's seconds."""

from dataclasses import replace

import numpy as np
import pytest

from backends.api import Control, Problem
from bench.schema.case import Case, Shape
from bench.worker import timing, visits

SHAPE = Shape(2, 3, 4, 5)


class Logged(Control):
    """Notes what happens to it; its clock is its own count."""

    def __init__(self):
        super().__init__(Problem.random(*SHAPE), "cpu", "float32")
        self.seen = []

    def step(self):
        self.seen.append("step")
        return len(self.seen)

    def synchronize(self):
        self.seen.append("synchronize")

    def mark(self):
        self.seen.append("mark")
        return 2.0 ** len(self.seen)

    def seconds_between(self, start, end):
        return end - start

    def set_weights(self, w1, w2):
        self.seen.append("set_weights")
        super().set_weights(w1, w2)

    def get_weights(self):
        self.seen.append("get_weights")
        return super().get_weights()


@pytest.fixture
def opened():
    return visits.LoadedStep(Case("logged", "cpu", "float32", 1, SHAPE), Logged())


def test_weights_are_in_place_when_the_answer_goes_out(opened):
    w1, w2 = np.ones((3, 4), "float32"), np.full((4, 5), 2, "float32")
    assert visits.put(opened, (w1, w2)) == {}
    assert opened.step.seen == ["set_weights", "synchronize"]
    assert (opened.step.w1 == 1).all()
    assert (opened.step.w2 == 2).all()


@pytest.mark.parametrize(
    ("device", "readings", "calls"), [("cpu", [8.0, 8.25, 8.5, 9.5], [0.25, 0.25, 1.0]), ("cuda", [8.0, 9.5], None)]
)
def test_throughput_tells_what_the_timed_region_measured_and_keeps_the_last_loss(opened, monkeypatch, device, readings, calls):
    """Each call's seconds too, but for a queued device, whose clock is not read between them."""
    asked = []
    ran = timing.Throughput(readings, 2.0, 7.0, 3)
    monkeypatch.setattr(timing, "throughput", lambda *arguments: asked.append(arguments) or ran)
    opened.case = replace(opened.case, device=device)
    assert visits.run(opened, "throughput", 3) == {"seconds": 2.0, "queued": 1.5, "calls": calls, "faults": 3}
    assert asked == [(opened.step, 3, device == "cpu")]
    assert opened.losses == [7.0]


def test_latency_tells_each_calls_seconds_and_keeps_every_loss(opened, monkeypatch):
    asked = []
    monkeypatch.setattr(timing, "latency", lambda *arguments: asked.append(arguments) or ([8.0, 8.5, 9.25], [1.0, 2.0]))
    assert visits.run(opened, "latency", 2) == {"seconds": 1.25, "calls": [0.5, 0.75]}
    assert asked == [(opened.step, 2)]
    assert opened.losses == [1.0, 2.0]


def test_a_call_is_told_to_the_nanosecond(opened, monkeypatch):
    monkeypatch.setattr(timing, "latency", lambda *_: ([0.0, 1 / 3], [1.0]))
    assert visits.run(opened, "latency", 1) == {"seconds": 1 / 3, "calls": [0.333333333]}


def test_the_devices_clock_is_read_between_its_marks_and_the_last_loss_kept(opened):
    assert visits.run(opened, "device", 3) == {"seconds": 2.0**5 - 2.0}
    assert opened.step.seen == ["mark", "step", "step", "step", "mark", "synchronize"]
    assert opened.losses == [4]


def test_losses_and_weights_are_fetched_with_the_clock_running(opened, monkeypatch):
    """A loss that is computed only when it is read costs its time here."""
    now = [100.0]
    monkeypatch.setattr(visits, "perf_counter", lambda: now[0])

    class Late:
        def __float__(self):
            now[0] += 0.5
            return 3.0

    opened.losses = [Late(), Late()]
    taken = visits.take(opened)
    assert taken["readback_seconds"] == 1.0
    losses, w1, w2 = taken["arrays"]
    assert losses.tolist() == [3.0, 3.0]
    assert (w1.tolist(), w2.tolist()) == (opened.step.w1.tolist(), opened.step.w2.tolist())


def test_weights_of_another_dtype_are_named_with_the_one_that_was_asked_for(opened):
    opened.step.w1 = opened.step.w1.astype("float16")
    with pytest.raises(visits.gate.Wrong, match=r"hands out w1 as float16 \(3, 4\), expected an array of float32"):
        visits.take(opened)
