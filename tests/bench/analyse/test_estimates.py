"""If these fail, a row's estimate is not what its rounds and single steps say."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.analyse import estimates, summaries
from bench.analyse.estimates import Replicates, log_ratio, undisturbed
from bench.analyse.verdicts import Estimate
from bench.record import frame
from tests.made import key_of, story

NAN = math.nan
CALM, BUSY = 380e-6, 560e-6


def _rounds(mode, seconds, *, faults=NAN, steps=10, error=3e-7, case="x"):
    """A row per pass and block, from seconds per step of this shape."""
    about = {"error_share": error, "mode": mode, "case": case, "steps": steps, "minor_faults": faults}
    rows = np.ndenumerate(np.array(seconds, float))
    return pd.DataFrame([{"pass": p, "block": b, "seconds_per_step": value, **about} for (p, b), value in rows])


def test_an_interval_is_of_logarithms_and_students_t():
    """With one degree of freedom 12.7062 times a standard error of 0.5."""
    value, low, high = estimates.with_interval("x", Estimate.of([0.0, 1.0])).values()
    assert value == pytest.approx(np.exp(0.5))
    assert np.log([low, high]) == pytest.approx([0.5 - 6.3531, 0.5 + 6.3531], abs=1e-4)
    alone = estimates.with_interval("x", Estimate.of(np.log([3.0])))
    assert alone == pytest.approx({"x": 3.0, "x_low": NAN, "x_high": NAN}, nan_ok=True)


def test_each_mode_is_the_geometric_mean_over_passes_of_the_median_over_blocks():
    rounds = pd.concat(
        [
            _rounds("throughput", [[1, 2, 9]], faults=6, steps=10),
            _rounds("throughput", [[8, 8, 1]], faults=0, steps=30).assign(**{"pass": 1}),
            _rounds("latency", [[3, 3, 3], [3, 3, 3]], faults=1000),
            _rounds("dispatch", [[0.5, 0.5, 9], [2, 2, 2]]),
            _rounds("device", [[5, 5, 5], [5, 5, 5]]),
        ]
    )
    found = estimates.times(rounds)
    means = {"": 4.0, "latency_": 3.0, "dispatch_": 1.0, "device_": 5.0}
    assert {name: found[f"{name}seconds_per_step"] for name in means} == pytest.approx(means)
    assert found["seconds_per_step_low"] < 4 < found["seconds_per_step_high"]
    assert found["minor_faults_per_step"] == pytest.approx(3 * 6 / (3 * 10 + 3 * 30))
    assert found["relative_error"] == pytest.approx(math.log(8 / 2) / 2)


def test_the_worst_error_is_that_of_rounds_and_proofs():
    rounds = pd.concat([_rounds(mode, [[1]], error=each) for mode, each in (("throughput", 5.0), ("latency", 99.0))])
    opens = [{"errors": {"share": 2.0}}, {"errors": None}]
    assert estimates.worst_error(rounds, opens) == 5.0
    assert estimates.worst_error(rounds, [{"errors": {"share": 7.0}}]) == 7.0
    assert math.isnan(estimates.worst_error(_rounds("latency", [[1]]), []))


def test_a_ratio_is_taken_inside_each_block_and_its_median_in_each_process():
    index = pd.MultiIndex.from_product([[0, 1], [0, 1, 2]], names=["pass", "block"])
    logs = pd.DataFrame({"a": [1.0, 2, 9, 4, 5, NAN], "b": [0.0, 0, 1, 1, 0, 0], "c": 0.0}, index)
    assert log_ratio("a", "b", logs, {}) == Estimate.of([2.0, 4.0])
    assert log_ratio("a", "c", logs, {}) == Estimate.of([2.0, 4.5])
    assert log_ratio("a", "absent", logs, {}) is None
    assert log_ratio("a", "c", logs.assign(a=NAN), {}) is None


def _steps(random, processes=10, steps=150, busy=0.5):
    """As on a machine with neighbours: two speeds, each for some steps, and uneven processes."""
    by_pass = {}
    for number in range(processes):
        slow = np.repeat(random.random(steps // 10) < busy, 10)
        factor = np.exp(random.normal(0, 0.003, steps) + random.normal(0, 0.004))
        by_pass[number] = np.where(slow, BUSY, CALM) * factor
    return by_pass


def test_a_neighbour_does_not_move_the_undisturbed_time():
    columns = estimates.undisturbed_time(_steps(np.random.default_rng(0), busy=0.8))
    assert columns["undisturbed_seconds_per_step"] == pytest.approx(CALM, rel=0.015)


def test_the_jackknife_by_hand():
    singles = {number: np.full(3, seconds) for number, seconds in enumerate((2.0, 5.0, 3.0, 7.0))}
    found = Replicates.of_singles(singles, [0, 1, 2, 3])
    assert np.exp([found.whole, *found.without]) == pytest.approx([math.sqrt(2 * 3), 3, 2, 2, 2])
    logs = np.log([3, 2, 2, 2])
    assert found.estimate.error == pytest.approx(math.sqrt(3 / 4 * np.sum((logs - logs.mean()) ** 2)))
    assert found.estimate.freedom == 3
    assert math.isinf(Replicates.of_singles(singles, [0]).estimate.error)


def test_undisturbed_by_hand():
    """The 2nd percentiles of 51 steps are their second least; the two quicker processes count."""
    steps = [np.append(np.full(50, 10.0), 1.0) for _ in range(4)]
    for process, second in zip(steps, (2.0, 8.0, 3.0, 7.0), strict=True):
        process[0] = second
    assert np.exp(undisturbed(steps)) == pytest.approx(math.sqrt(2 * 3))


def test_what_slows_both_in_a_process_alike_is_no_error_of_their_ratio():
    slower = np.exp(np.random.default_rng(6).normal(0, 0.1, 10))
    timed = {name: {n: np.full(9, by * slower[n]) for n in range(10)} for name, by in (("a", 2.0), ("b", 1.0))}
    ratio = log_ratio("a", "b", None, timed)
    assert (ratio.mean, ratio.error) == pytest.approx((math.log(2), 0), abs=1e-12)
    assert Replicates.of_singles(timed["a"], range(10)).estimate.error > 0.01


@pytest.mark.parametrize("busy", [0.0, 0.5])
def test_the_interval_of_a_ratio_holds_from_run_to_run(busy):
    """Of two hundred runs of two equal steps."""
    random, hits = np.random.default_rng(3), 0
    for _ in range(200):
        timed = {name: _steps(random, busy=busy) for name in "ab"}
        low, high = log_ratio("a", "b", None, timed).interval()
        hits += low <= 0 <= high
    assert 0.9 <= hits / 200 <= 0.99


TIMES = ["seconds_per_step", "undisturbed_seconds_per_step"]


def _visits(run, **changes):
    """The same run, each of its visits with these changes."""
    records = (each | changes if each["record"] == "visit" else each for each in run.records)
    return replace(run, records=tuple(records))


def test_a_queue_is_timed_by_its_rounds():
    """A call only takes the time that queueing takes."""
    run = story(lambda *_: 0.001, 4, steps=8, singly=True)
    queued = _visits(run, throughput_seconds=0.02)
    assert frame.singles(queued) == {}
    slow = summaries.summarise(queued).loc[key_of("slow")]
    assert slow[TIMES].tolist() == pytest.approx([0.02 / 8, NAN], nan_ok=True)


def test_a_call_of_several_steps_is_divided_by_them():
    tenfold = _visits(story(lambda *_: 0.001, 4, steps=8, singly=True), steps=80)
    steps = frame.singles(tenfold)[key_of("base")][0]
    assert steps == pytest.approx(np.full(18, 0.0001))
