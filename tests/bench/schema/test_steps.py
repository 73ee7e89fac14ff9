"""If these fail, a single step's time is believed that its round does not bear out, or an honest one is not."""

import pytest

from bench.schema.steps import EVEN_STEPS, beside_calls, queues, seconds_per_step, timed_singly

STEP, STEPS = 1e-3, 20


def _visits(heavy=0.0, disturbed=lambda number: 0.0):
    """Twenty rounds, of each the last call `heavy` and, where somebody disturbs, another one so many seconds longer."""
    return [_visit([STEP] * (STEPS - 2) + [STEP + disturbed(number), STEP + heavy]) for number in range(20)]


def _visit(calls):
    seconds = sum(calls)
    return {"steps": STEPS, "throughput_seconds": seconds, "dispatch_seconds": seconds, "throughput_call_seconds": calls}


def test_what_calls_do_not_tell_is_that_of_rounds_with_the_quickest_calls():
    assert beside_calls(_visits(heavy=5 * STEP), [STEPS * STEP + 7e-3] * 20) == pytest.approx((7e-3, STEP))
    visits = _visits()
    visits[3]["throughput_call_seconds"] = [2 * STEP] * STEPS
    seconds = [0.0 if number == 3 else STEPS * STEP for number in range(20)]
    assert beside_calls(visits, seconds) == pytest.approx((0.0, STEP)), "its calls are none of the quickest"


@pytest.mark.parametrize(("heavy", "singly"), [(EVEN_STEPS - 0.1, True), (EVEN_STEPS + 0.1, False)])
def test_on_several_threads_a_row_rests_on_its_rounds_where_calls_do_not_add_up(heavy, singly):
    assert timed_singly(_visits(heavy * STEP), threads=2) is singly
    assert timed_singly(_visits(heavy * STEP)), "on one thread the audit has refused it"


def test_a_neighbour_in_most_rounds_leaves_single_steps_believed():
    assert timed_singly(_visits(disturbed=lambda number: 10 * STEP if number > 2 else 0.0), threads=2)


def test_queued_steps_and_those_that_nobody_timed_are_no_single_steps():
    queued, untimed = _visits(), _visits()
    for visit in queued[:10]:
        visit["dispatch_seconds"] = 0.7 * visit["throughput_seconds"]
    untimed[0]["throughput_call_seconds"] = None
    assert not timed_singly(queued)
    assert timed_singly([*queued[:9], *queued[10:], queued[11]]), "most were not"
    assert not timed_singly(untimed)
    assert timed_singly(_visits())


ROUND = {
    "steps": 4, "throughput_seconds": 5.0, "dispatch_seconds": 4.0, "latency_seconds": 8.0, "device_seconds": 6.0,
    "throughput_call_seconds": [2.0, 1.0, 1.0, 1.0], "latency_call_seconds": [5.0, 1.0, 1.0, 1.0],
}  # fmt: skip


@pytest.mark.parametrize(("dispatch", "throughput"), [(4.0, 1.0), (3.9, 5.0 / 4)])
def test_a_step_is_told_without_those_that_warm_up_unless_it_was_queued(dispatch, throughput):
    """Of what the device says of itself nothing is left out, and of fetched losses the first always."""
    visit = ROUND | {"dispatch_seconds": dispatch}
    assert queues(visit) == (dispatch == 3.9)
    assert seconds_per_step(visit, "throughput") == throughput
    assert seconds_per_step(visit, "latency") == 1.0
    assert seconds_per_step(visit, "device") == 6.0 / 4
