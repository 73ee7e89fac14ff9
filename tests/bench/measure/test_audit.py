"""If these fail, a worker's clock could be bent, or work be hidden from it; or an honest step be called a cheat."""

import re

import numpy as np
import pytest

from bench.measure import audit

STEPS, STEP, ASKING = 20, 350e-6, 300e-6


def _visits(number=100, step=STEP, noise=0.05, seed=0, *, clock=1.0, put=ASKING, take=ASKING, hidden=0.0, cores=1, every=10):
    """As beside neighbours, one in `every` with a longer round; `hidden` steps a step are outside the worker's clock."""
    random = np.random.default_rng(seed)
    visits = []
    for visit in range(number):
        ran, longer = (STEPS * n * step * (1 + abs(random.normal(0, noise))) for n in (1, 2))
        span = put + ran * (1 + hidden) + ASKING + take
        outside = {
            "put_seconds": put, "throughput_seconds": ran + ASKING, "latency_seconds": ran + ASKING, "device_seconds": None,
            "take_seconds": take, "span_seconds": span, "cpu_seconds": cores * span,
            "run_cpu_seconds": cores * ran,
        }  # fmt: skip
        if visit % every == 0:
            more = put + longer * (1 + hidden) + ASKING + take
            outside |= {"audit_steps": 2 * STEPS, "audit_span_seconds": more}
        inner = {"throughput_call_seconds": [ran / STEPS] * STEPS, "steps": STEPS, "pass": visit // 5}
        inner |= {"throughput_seconds": ran * clock, "latency_seconds": ran * clock, "device_seconds": None}
        visits.append(inner | {"outside": outside})
    return visits


IDLE = _visits(step=1e-9)


def _fault(visits, threads=1, least=STEP * 0.7):
    return audit.fault(visits, [IDLE], threads, least)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("number", [2, 6, 100])
def test_an_honest_step_is_believed_also_beside_loud_neighbours(number, noise, seed):
    assert _fault(_visits(number, noise=noise, seed=seed)) is None


def _shaped(*shape, number=100, share=1.0):
    """Visits whose calls take these many steps each, in a share of them."""
    visits = _visits(number)
    for visit in visits[: int(number * share)]:
        step = visit["throughput_seconds"] / STEPS
        visit["throughput_call_seconds"] = [step * of for of in shape]
    return visits


@pytest.mark.parametrize(
    "shape",
    [
        [20.0, *[1e-3] * 19],  # a trajectory in the first call
        [1.0] * 10 + [5.5, 0.5] + [0.5] * 8,
        [2.0, 0.0] * 10,  # two at once
    ],
)
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_a_call_that_does_the_work_of_others_is_seen(shape, share):
    assert "some do the work of others" in _fault(_shaped(*shape, share=share))


def test_a_slow_first_call_and_loud_neighbours_are_believed():
    """The first call finds everything cold; a neighbour takes the core away for some milliseconds in nine rounds of ten."""
    visits = _shaped(1.8, 1.1, *[1.0] * 18)
    assert _fault(visits) is None
    for visit in visits[10:]:
        visit["throughput_call_seconds"][7] += 4e-3
    assert _fault(visits) is None


@pytest.mark.parametrize("step", [2e-6, 50e-6, 20e-3])
def test_short_steps_and_long_ones_are_believed(step):
    assert _fault(_visits(step=step), least=step) is None


def test_a_few_visits_that_were_all_interrupted_say_nothing():
    visits = _visits(5)
    for visit in visits:
        visit["outside"]["throughput_seconds"] += 0.1
    assert _fault(visits) is None


def test_an_interruption_between_the_two_clocks_is_no_bent_clock():
    visits = _visits(100)
    for visit in visits[::3]:
        visit["outside"]["throughput_seconds"] += 0.1
    assert _fault(visits) is None


def test_a_pass_in_which_everybody_waited_says_nothing_of_one():
    visits, idle = _visits(100), _visits(step=1e-9)
    for visit in (*visits[:5], *idle[:5]):
        visit["outside"]["throughput_seconds"] += 0.1
        visit["outside"]["put_seconds"] += 0.1
    assert audit.fault(visits, [idle], 1, STEP * 0.7) is None


@pytest.mark.parametrize("mode", ["throughput_seconds", "latency_seconds"])
def test_honest_rounds_do_not_hide_those_that_make_the_number(mode):
    """A pass's number is a median: three rounds of five are enough, and a few passes of all."""
    for some in ([n for n in range(100) if n % 5 < 3], range(20)):
        visits = _visits(100)
        for number in some:
            outside = visits[number]["outside"]
            outside["put_seconds"] += visits[number][mode]
            visits[number][mode], outside[mode] = 1e-6, 1e-6 + ASKING
        assert re.search("set_weights|around them", _fault(visits))
    visits = _visits(100)
    for number in range(20):
        visits[number][mode] /= 1000
    assert "by its own clock" in _fault(visits)


def test_a_little_everywhere_is_too_much_in_all():
    assert "around them" in _fault(_visits(put=3.5 * ASKING, take=3.5 * ASKING, every=1000))


def test_a_clock_at_half_speed_is_told_with_both_times():
    says = _fault(_visits(clock=0.5, noise=0))
    assert says == "says by its own clock that a step takes 175 µs, from outside it takes 365 µs"
    assert "from outside" in _fault(_visits(clock=0.85))


def test_one_clock_of_two_is_enough_to_be_refused():
    visits = _visits()
    for visit in visits:
        visit["latency_seconds"] /= 100
    assert "from outside" in _fault(visits)


@pytest.mark.parametrize(("where", "what"), [("put", "set_weights"), ("take", "get_weights")])
def test_work_that_is_moved_out_of_the_steps_is_told_with_its_place(where, what):
    says = _fault(_visits(step=1e-6, **{where: STEPS * STEP}), least=0)
    assert says.startswith("spends 7.00 ms in ")
    assert what in says


def test_work_that_only_the_whole_span_sees_is_in_the_slope():
    says = _fault(_visits(hidden=0.3))
    assert "for each further step" in says
    assert _fault(_visits(hidden=0.3, every=1000)) is None, "without audits there is no slope"


def test_more_cores_than_threads_are_counted():
    assert _fault(_visits(cores=1.9)) == "computes on 1.9 cores, asked for 1"
    assert _fault(_visits(cores=1.9), threads=2) is None
    assert _fault(_visits(cores=1.9), threads=None) is None, "on a device of its own the CPU only waits"


def test_less_time_than_the_arithmetic_needs_is_no_feat():
    says = _fault(_visits(step=60e-6, noise=0), least=300e-6)
    assert says.startswith("takes 60.0 µs a step, in which this machine can do 20% of a step's arithmetic at most")
    assert _fault(_visits(step=250e-6), least=300e-6) is None, "a ceiling is an average, no bound"


def test_older_visits_that_nobody_timed_from_outside_say_nothing():
    assert audit.fault([{"throughput_seconds": 1e-9}], [], 1, 1.0) is None
