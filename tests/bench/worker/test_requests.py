"""If these fail, a part of a round does more than it was asked for, or reports wrong seconds."""

from dataclasses import replace

import numpy as np
import pytest

from bench.schema.case import Case
from bench.worker import requests, timing
from tests.support import Recorder

SHAPE = "2x3x4x5"


@pytest.fixture
def worker():
    worker = requests.Requests(threads=1)
    worker.case, worker.step, worker.names = Case("logged", "cpu", "float32", 1, SHAPE), Recorder(SHAPE), ["w1", "w2"]
    return worker


def test_the_state_is_in_place_when_the_reply_is_sent(worker):
    w1, w2 = np.ones((3, 4), "float32"), np.full((4, 5), 2, "float32")
    assert worker.put((w1, w2)) == {}
    assert worker.step.seen == ["set_state", "synchronize"]
    assert [array.min() for array in worker.step.state] == [1, 2]


@pytest.mark.parametrize(
    ("device", "readings", "calls"),
    [("cpu", [8.0, 8.25, 8.5, 9.5], [0.25, 0.25, 1.0]), ("cuda", [8.0, 9.5], None)],
)
def test_throughput_reports_the_timed_region_and_keeps_the_last_loss(worker, monkeypatch, device, readings, calls):
    """The clock is not read between the calls of a queued device."""
    asked = []
    ran = timing.Throughput(readings, 2.0, 7.0, 3)
    monkeypatch.setattr(timing, "throughput", lambda *given: asked.append(given) or ran)
    worker.case = replace(worker.case, device=device)
    reply = worker.run("throughput", 3)
    assert reply == {"seconds": 2.0, "queued": 1.5, "calls": calls, "minor_faults": 3}
    assert asked == [(worker.step, 3, device == "cpu")]
    assert worker.losses == [7.0]


def test_latency_reports_each_call_to_the_nanosecond_and_keeps_every_loss(worker, monkeypatch):
    asked = []
    ran = [8.0, 8.5, 8.5 + 1 / 3], [1.0, 2.0]
    monkeypatch.setattr(timing, "latency", lambda *given: asked.append(given) or ran)
    reply = worker.run("latency", 2)
    assert reply == {"seconds": pytest.approx(0.5 + 1 / 3), "calls": [0.5, 0.333333333]}
    assert asked == [(worker.step, 2)]
    assert worker.losses == [1.0, 2.0]


def test_the_devices_clock_is_read_between_its_marks_and_the_last_loss_kept(worker):
    assert worker.run("device", 3) == {"seconds": 5 - 1}
    assert worker.step.seen == ["mark", "step", "step", "step", "mark", "synchronize"]
    assert worker.losses == [0.5]


def test_losses_and_state_are_taken(worker):
    worker.losses = [3.0, 3.0]
    expected = [[3.0, 3.0], *(array.tolist() for array in worker.step.state)]
    assert [array.tolist() for array in worker.take()["arrays"]] == expected
