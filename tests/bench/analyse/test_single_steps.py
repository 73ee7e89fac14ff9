"""If these fail, the undisturbed time of a step is not what it takes when nobody disturbs it, or its interval is none."""

import math

import numpy as np
import pytest

from bench.analyse import summaries
from bench.analyse.single_steps import Replicates, figures, relative_to, typical, undisturbed
from bench.record import frame
from bench.record.frame import Singles
from tests.support import key_of, story

CALM, BUSY = 380e-6, 560e-6


def _steps(random, processes=10, steps=150, busy=0.5, layout=0.004):
    """As on a machine with neighbours: two speeds, each lasting for some steps, and processes that differ a little."""
    by_pass = {}
    for number in range(processes):
        slow = np.repeat(random.random(steps // 10) < busy, 10)
        factor = np.exp(random.normal(0, 0.003, steps) + random.normal(0, layout))
        by_pass[number] = np.where(slow, BUSY, CALM) * factor
    return Singles(by_pass, True)


def test_a_neighbour_moves_the_typical_time_and_not_the_undisturbed_one():
    random = np.random.default_rng(0)
    columns = figures(_steps(random, busy=0.8))
    assert columns["undisturbed_seconds_per_step"] == pytest.approx(CALM, rel=0.015)
    assert columns["typical_seconds_per_step"] == pytest.approx(BUSY, rel=0.02)


def test_by_hand():
    singles = Singles({0: np.array([1.0, 2.0, 3.0]), 1: np.array([4.0, 5.0, 6.0])}, True)
    median = Replicates.of(singles, typical, [0, 1])
    assert np.exp(median.whole) == pytest.approx(3.5)
    assert np.exp(median.without) == pytest.approx([5, 2])
    error = abs(math.log(5) - math.log(2)) / 2  # (n - 1) / n times the squares around the mean, n = 2
    assert median.estimate.error == pytest.approx(error)
    assert median.estimate.freedom == 1


def test_undisturbed_by_hand():
    """The 2nd percentiles of 51 steps are their second least; of four processes the two quicker ones count."""
    steps = [np.append(np.full(50, 9.0), 0.0) + 1 for _ in range(4)]
    for process, second in zip(steps, (2.0, 8.0, 3.0, 7.0), strict=True):
        process[0] = second
    assert np.exp(undisturbed(steps)) == pytest.approx(math.sqrt(2 * 3))


@pytest.mark.parametrize(("processes", "quick"), [([2.0], 2.0), ([5.0, 2.0], 2.0), ([5.0, 3.0, 2.0], 2.0)])
def test_of_three_processes_and_fewer_the_quickest_counts(processes, quick):
    assert np.exp(undisturbed([np.full(3, each) for each in processes])) == pytest.approx(quick)


def test_what_slows_both_in_a_process_alike_is_no_error_of_their_ratio():
    slower = np.exp(np.random.default_rng(6).normal(0, 0.1, 10))
    timed = {name: Singles({n: np.full(9, by * slower[n]) for n in range(10)}, True) for name, by in (("a", 2.0), ("b", 1.0))}
    ratio, alone = (relative_to(timed, "a", others).estimate for others in (["b"], []))
    assert (ratio.mean, ratio.error) == pytest.approx((math.log(2), 0), abs=1e-12)
    assert alone == Replicates.of(timed["a"], undisturbed, range(10)).estimate
    assert alone.error > 0.01


def test_one_process_knows_no_error():
    assert math.isinf(Replicates.of(Singles({0: np.array([1.0, 2.0])}, True), undisturbed, [0]).estimate.error)


@pytest.mark.parametrize("busy", [0.0, 0.5])
def test_the_interval_of_a_ratio_holds_from_run_to_run(busy):
    """Two hundred runs of two equal steps: the interval of nineteen in twenty holds 1, give or take."""
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        timed = {name: _steps(random, busy=busy) for name in "ab"}
        low, high = relative_to(timed, "a", ["b"]).estimate.interval()
        hits += low <= 0 <= high
    assert 0.9 <= hits / 200 <= 0.99


def test_only_passes_that_all_have_count():
    random = np.random.default_rng(4)
    timed = {name: _steps(random) for name in "ab"}
    timed["b"] = Singles({number: steps for number, steps in timed["b"].by_pass.items() if number < 3}, True)
    assert relative_to(timed, "a", ["b"]).estimate.freedom == 2


def _timed(seconds, queued=False, passes=4):
    """A journal whose visits tell of single calls: the first two of eight take twice as long."""
    calm = story(seconds, passes)
    records = []
    for record in calm.records:
        if record["record"] == "visit":
            took = record["throughput_seconds"] / 10
            calls = [2 * took, 2 * took, *[took] * 6]
            whole = sum(calls)
            record = record | {
                "steps": 8, "throughput_seconds": 2 * whole if queued else whole, "dispatch_seconds": whole,
                "throughput_call_seconds": calls, "latency_call_seconds": [3 * took] * 2 + [took] * 6,
                "latency_seconds": 12 * took,
            }  # fmt: skip
        records.append(record)
    return calm.__class__(calm.path, calm.header, tuple(records))


def test_what_warms_up_is_in_no_time_of_a_step():
    table = summaries.summarise(_timed(lambda name, *_: 0.002 if name == "slow" else 0.001)).set_index("backend")
    for column in ("seconds_per_step", "latency_seconds_per_step", "typical_seconds_per_step", "undisturbed_seconds_per_step"):
        assert table.loc["slow", column] == pytest.approx(0.002)
    assert table.loc["slow", "ratio"] == pytest.approx(2)
    assert table.loc["slow", "dispatch_seconds_per_step"] == pytest.approx(0.002)


def test_a_queue_is_timed_by_its_rounds():
    """What its calls take is what asking takes; time per step is the whole round's."""
    told = _timed(lambda *_: 0.001, queued=True)
    assert not frame.singles(told)[key_of("base")].singly
    table = summaries.summarise(told).set_index("backend")
    for column in ("seconds_per_step", "typical_seconds_per_step", "undisturbed_seconds_per_step"):
        assert table.loc["slow", column] == pytest.approx(0.001 * 2 * 10 / 8)


def test_a_journal_from_before_says_nothing_of_single_steps():
    assert frame.singles(story(lambda *_: 0.001)) == {}
    table = summaries.summarise(story(lambda *_: 0.001))
    assert table["undisturbed_seconds_per_step"].isna().all()
    assert table["ratio"].notna().all()


def test_calls_of_several_steps_are_told_by_the_step():
    told = _timed(lambda *_: 0.001)
    tenfold = [record | {"steps": 80} if record["record"] == "visit" else record for record in told.records]
    steps = frame.singles(told.__class__(told.path, told.header, tuple(tenfold)))[key_of("base")].by_pass[0]
    assert steps == pytest.approx(np.full(18, 0.0001))
