"""If these fail, a round is lost, or a step's own time is believed that its round does not confirm."""

import pytest

from bench.record.frame import COLUMNS, EVEN_STEPS, queues, samples, seconds_per_step, timed_singly
from tests.made import story

STEP, STEPS = 1e-3, 20


def _visits(heavy=0.0, disturbed=lambda number: 0.0):
    """Twenty rounds; the last call of each is `heavy`, another one maybe disturbed."""
    calls = ([STEP] * 18 + [STEP + disturbed(number), STEP + heavy] for number in range(20))
    return [_visit(each) for each in calls]


def _visit(calls):
    seconds = {"throughput_seconds": sum(calls), "dispatch_seconds": sum(calls)}
    return {"steps": STEPS, "throughput_call_seconds": calls, **seconds}


@pytest.mark.parametrize(("heavy", "singly"), [(EVEN_STEPS - 0.1, True), (EVEN_STEPS + 0.1, False)])
def test_on_several_threads_calls_have_to_add_up_to_rounds(heavy, singly):
    assert timed_singly(_visits(heavy * STEP), threads=2) is singly
    assert timed_singly(_visits(heavy * STEP)), "on one thread the audit has refused it"


@pytest.mark.parametrize("factor", [1, 2])
def test_a_neighbour_in_most_rounds_leaves_single_steps_believed(factor):
    """Rounds without any of the quickest calls have no say, whatever they take besides."""
    visits = _visits(disturbed=lambda number: 10 * STEP if number > 2 else 0.0)
    for visit in visits[3:]:
        visit["throughput_call_seconds"] = [factor * STEP] * STEPS
        visit["dispatch_seconds"] = visit["throughput_seconds"] = STEPS * STEP * (1 + 20 * (factor - 1))
    assert timed_singly(visits, threads=2)


def test_queued_and_untimed_steps_are_no_single_steps():
    queued, untimed = _visits(), _visits()
    for visit in queued[:10]:
        visit["dispatch_seconds"] = 0.7 * visit["throughput_seconds"]
    untimed[0]["throughput_call_seconds"] = None
    assert timed_singly(_visits())
    assert [timed_singly(each) for each in (queued, queued[1:], untimed)] == [False, True, False]


ROUND = {
    "steps": 4, "throughput_seconds": 5.0, "latency_seconds": 8.0, "device_seconds": 6.0,
    "throughput_call_seconds": [2.0, 1.0, 1.0, 1.0], "latency_call_seconds": [5.0, 1.0, 1.0, 1.0],
}  # fmt: skip


@pytest.mark.parametrize(
    ("dispatch", "calls", "seconds"),
    [
        (4.0, True, {"throughput": 1.0, "latency": 1.0, "device": 1.5, "dispatch": 2 / 3}),
        (3.9, True, {"throughput": 1.25, "latency": 1.0, "device": 1.5, "dispatch": 3.9 / 4}),
        (4.0, False, {"throughput": 1.25, "latency": 1.0, "device": 1.5, "dispatch": 1.0}),
    ],
)
def test_a_step_is_told_without_those_that_warm_up_unless_it_was_queued(dispatch, calls, seconds):
    visit = ROUND | {"dispatch_seconds": dispatch}
    visit |= {} if calls else {"throughput_call_seconds": None}
    assert queues(visit) == (dispatch == 3.9)
    assert {mode: seconds_per_step(visit, mode) for mode in seconds} == pytest.approx(seconds)


def test_each_round_is_a_row_and_only_those_of_throughput_have_counters():
    table = samples(story(lambda *_: 1e-4, passes=1, blocks=1, singly=True))
    assert [*table.columns] == COLUMNS
    assert table["mode"].tolist() == ["throughput", "latency", "dispatch"] * 3
    assert table["minor_faults"].notna().tolist() == [True, False, False] * 3
