"""If these fail, the undisturbed time of a step, or its interval, is none."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.analyse import summaries
from bench.analyse.single_steps import Replicates, figures, relative_to, typical, undisturbed
from bench.record import frame
from bench.record.frame import Singles
from tests.made import key_of, story

CALM, BUSY = 380e-6, 560e-6


def _steps(random, processes=10, steps=150, busy=0.5):
    """As on a machine with neighbours: two speeds, each for some steps, and uneven processes."""
    by_pass = {}
    for number in range(processes):
        slow = np.repeat(random.random(steps // 10) < busy, 10)
        factor = np.exp(random.normal(0, 0.003, steps) + random.normal(0, 0.004))
        by_pass[number] = np.where(slow, BUSY, CALM) * factor
    return Singles(by_pass, True)


def test_a_neighbour_moves_the_typical_time_and_not_the_undisturbed_one():
    columns = figures(_steps(np.random.default_rng(0), busy=0.8))
    assert columns["undisturbed_seconds_per_step"] == pytest.approx(CALM, rel=0.015)
    assert columns["typical_seconds_per_step"] == pytest.approx(BUSY, rel=0.02)


def test_the_jackknife_by_hand():
    singles = Singles({0: np.array([1.0, 2.0, 3.0]), 1: np.array([4.0, 5.0, 6.0])}, True)
    median = Replicates.of(singles, typical, [0, 1])
    assert np.exp([median.whole, *median.without]) == pytest.approx([3.5, 5, 2])
    assert median.estimate.error == pytest.approx(math.log(5 / 2) / 2)
    assert median.estimate.freedom == 1
    assert math.isinf(Replicates.of(singles, undisturbed, [0]).estimate.error)


def test_undisturbed_by_hand():
    """The 2nd percentiles of 51 steps are their second least; the two quicker processes count."""
    steps = [np.append(np.full(50, 10.0), 1.0) for _ in range(4)]
    for process, second in zip(steps, (2.0, 8.0, 3.0, 7.0), strict=True):
        process[0] = second
    assert np.exp(undisturbed(steps)) == pytest.approx(math.sqrt(2 * 3))


@pytest.mark.parametrize(
    ("processes", "quick"), [([2.0], 2.0), ([5.0, 2.0], 2.0), ([5.0, 3.0, 2.0], 2.0)]
)
def test_of_three_processes_and_fewer_the_quickest_counts(processes, quick):
    assert np.exp(undisturbed([np.full(3, each) for each in processes])) == pytest.approx(quick)


def test_what_slows_both_in_a_process_alike_is_no_error_of_their_ratio():
    slower = np.exp(np.random.default_rng(6).normal(0, 0.1, 10))
    timed = {
        name: Singles({n: np.full(9, by * slower[n]) for n in range(10)}, True)
        for name, by in (("a", 2.0), ("b", 1.0))
    }
    ratio, alone = (relative_to(timed, "a", others).estimate for others in (["b"], []))
    assert (ratio.mean, ratio.error) == pytest.approx((math.log(2), 0), abs=1e-12)
    assert alone == Replicates.of(timed["a"], undisturbed, range(10)).estimate
    assert alone.error > 0.01


@pytest.mark.parametrize("busy", [0.0, 0.5])
def test_the_interval_of_a_ratio_holds_from_run_to_run(busy):
    """Of two hundred runs of two equal steps."""
    random, hits = np.random.default_rng(3), 0
    for _ in range(200):
        timed = {name: _steps(random, busy=busy) for name in "ab"}
        low, high = relative_to(timed, "a", ["b"]).estimate.interval()
        hits += low <= 0 <= high
    assert 0.9 <= hits / 200 <= 0.99


def test_only_passes_that_all_have_count():
    timed = {name: _steps(np.random.default_rng(4), each) for name, each in (("a", 10), ("b", 3))}
    assert relative_to(timed, "a", ["b"]).estimate.freedom == 2


TIMES = [f"{name}seconds_per_step" for name in ("", "typical_", "undisturbed_")]


def _visits(run, **changes):
    """The same run, each of its visits with these changes."""
    records = (each | changes if each["record"] == "visit" else each for each in run.records)
    return replace(run, records=tuple(records))


def test_what_warms_up_is_in_no_time_of_a_step():
    run = story(lambda name, *_: 0.002 if name == "slow" else 0.001, 4, steps=8, singly=True)
    slow = summaries.summarise(run).loc[key_of("slow")]
    assert slow[[*TIMES, "dispatch_seconds_per_step"]].tolist() == pytest.approx([0.002] * 4)
    assert slow["latency_seconds_per_step"] == pytest.approx(0.004)
    assert slow["ratio"] == pytest.approx(2)


def test_a_queue_is_timed_by_its_rounds():
    """A call only takes the time that queueing takes."""
    run = story(lambda *_: 0.001, 4, steps=8, singly=True)
    queued = _visits(run, throughput_seconds=0.02)
    assert not frame.singles(queued)[key_of("base")].singly
    slow = summaries.summarise(queued).loc[key_of("slow")]
    assert slow[TIMES].tolist() == pytest.approx([0.02 / 8] * 3)


def test_a_call_of_several_steps_is_divided_by_them():
    tenfold = _visits(story(lambda *_: 0.001, 4, steps=8, singly=True), steps=80)
    steps = frame.singles(tenfold)[key_of("base")].by_pass[0]
    assert steps == pytest.approx(np.full(18, 0.0001))
