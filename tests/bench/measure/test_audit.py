"""If these fail, a worker's clock could be bent, or work be hidden from it; or an honest step be called a cheat."""

import math
import re

import numpy as np
import pytest

from bench.measure import audit
from bench.units import seconds

STEPS, STEP, ASKING = 20, 350e-6, 300e-6

JUST = [(0.99, False), (1.01, True)]
"""Shares of what is allowed, and whether a step is refused with them."""


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
        }  # fmt: skip
        if visit % every == 0:
            more = put + longer * (1 + hidden) + ASKING + take
            outside |= {"audit_steps": 2 * STEPS, "audit_span_seconds": more}
        inner = {"throughput_call_seconds": [ran * clock / STEPS] * STEPS, "steps": STEPS, "pass": visit // 5}
        inner |= {"throughput_seconds": ran * clock, "latency_seconds": ran * clock, "device_seconds": None}
        inner["dispatch_seconds"] = inner["throughput_seconds"]
        visits.append(inner | {"outside": outside})
    return visits


IDLE = _visits(step=1e-9)


def _fault(visits, threads=1, least=STEP * 0.7, peak=False):
    return audit.fault(visits, [IDLE], threads, least, peak=peak)


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
    assert "something else does their work" in _fault(_shaped(*shape, share=share))


def _heavy(more, number=100, computed=1.0, steps=STEPS):
    """Visits of rounds of calls of 1 ms that span so many calls more; all of it computes, or a share."""
    calls = [1e-3] * 20
    whole = {"throughput_seconds": sum(calls), "latency_seconds": sum(calls), "device_seconds": None}
    span = sum(calls) + more * 1e-3
    outside = whole | {"put_seconds": 0.0, "take_seconds": 0.0, "span_seconds": span, "cpu_seconds": computed * span}
    whole["dispatch_seconds"] = sum(calls)
    told = whole | {"steps": steps, "throughput_call_seconds": calls, "outside": outside}
    return [told | {"pass": n // 5} for n in range(number)]


@pytest.mark.parametrize(("share", "refused"), JUST)
@pytest.mark.parametrize(("controls", "allowed"), [([], 4.0), ([0.0, -3.0], 4.0), ([0.0, 5.0], 9.0)])
def test_a_round_may_span_four_steps_more_than_its_calls_say_and_what_a_control_does(share, refused, controls, allowed):
    """A control has them, too, where the first call of each finds everything cold, and weights go in and out."""
    says = audit.fault(_heavy(share * allowed), [_heavy(each) for each in controls], 1, 0.0)
    assert (says is not None) == refused
    if refused:
        whole = seconds((20 + share * allowed) * 1e-3)
        assert says.startswith(f"takes 1.00 ms for a step by itself, {whole} for 20 of them with weights in and out, where")


def test_of_calls_with_several_steps_the_four_that_may_be_more_are_steps():
    assert audit.fault(_heavy(0.39, steps=10 * STEPS), [], 1, 0.0) is None
    assert "takes 100 µs for a step by itself" in audit.fault(_heavy(0.41, steps=10 * STEPS), [], 1, 0.0)


@pytest.mark.parametrize(("more", "refused"), [(7.9, False), (8.1, True)])
def test_of_few_passes_eight_steps_are_allowed(more, refused):
    """Few rounds hold the quickest calls then, and a neighbour may have met all of them: an honest step had 3.9."""
    assert (audit.fault(_heavy(more, number=20), [], 1, 0.0) is not None) == refused
    assert audit.fault(_heavy(more, number=25), [], 1, 0.0) is not None, "five are many"


def test_what_a_neighbour_takes_the_core_away_for_is_computed_by_nobody():
    assert audit.fault(_heavy(10, computed=0.7), [], 1, 0.0) is None
    assert "something else does their work" in audit.fault(_heavy(10, computed=0.9), [], 1, 0.0)


def test_on_several_threads_nobody_is_accused_of_what_another_thread_may_have_waited_for():
    assert audit.fault(_heavy(10, computed=1.7), [], 2, 0.0) is None


@pytest.mark.parametrize(("even", "refused"), [(9, True), (10, False)])
def test_a_tenth_of_the_quickest_calls_has_to_be_in_rounds_that_add_up(even, refused):
    assert (audit.fault(_heavy(0, even) + _heavy(10, 100 - even), [], 1, 0.0) is not None) == refused


def test_calls_that_nobody_timed_each_have_nothing_to_add_up_to():
    visits = _heavy(10)
    assert audit.fault(visits, [], 1, 0.0) is not None
    visits[0]["throughput_call_seconds"] = None
    assert audit.fault(visits, [], 1, 0.0) is None, "a case is timed singly or not"


def test_the_calls_of_a_queue_are_no_steps():
    """What asking takes; the work is waited for at the end of each round."""
    whole = {"throughput_seconds": 0.04}
    visits = [visit | whole | {"outside": visit["outside"] | whole} for visit in _heavy(10)]
    assert audit.fault(visits, [], 1, 0.0) is None


def test_a_slow_first_call_and_loud_neighbours_are_believed():
    """The first call finds everything cold; a neighbour takes the core away for some milliseconds in nine rounds of ten."""
    visits = _shaped(1.8, 1.1, *[1.0] * 18)
    assert _fault(visits) is None
    for visit in visits[10:]:
        visit["throughput_call_seconds"][7] += 4e-3
    assert _fault(visits) is None


@pytest.mark.parametrize("step", [2e-6, 50e-6, 20e-3])
def test_wide_weights_may_take_as_much_longer_as_they_are_wider(step):
    """Forty times the bytes of a control's; and no more than that."""
    visits = _visits(step=step, put=12e-3, take=6e-3)
    assert audit.fault(visits, [IDLE], 1, step * 0.7, wider=40.0) is None
    if step < 1e-3:
        assert audit.fault(visits, [IDLE], 1, step * 0.7) is not None
        assert audit.fault(_visits(step=step, put=60e-3), [IDLE], 1, step * 0.7, wider=40.0) is not None


def test_latency_is_ranked_by_what_its_number_counts():
    """Three rounds of five are done while weights go in, and padded in the calls that warm up: they make the median."""
    visits = _visits(noise=0)
    for visit in visits:
        visit["latency_call_seconds"] = [STEP] * STEPS
        if visit["pass"] * 5 + 3 > visits.index(visit):
            visit["latency_call_seconds"] = [10 * STEP] * 5 + [1e-6] * 15
            visit["latency_seconds"] = sum(visit["latency_call_seconds"])
            visit["outside"]["latency_seconds"] = visit["latency_seconds"] + ASKING
            visit["outside"]["put_seconds"] = STEPS * STEP
    assert "in set_weights()" in _fault(visits)


@pytest.mark.parametrize("step", [2e-6, 50e-6, 20e-3])
def test_short_steps_and_long_ones_are_believed(step):
    assert _fault(_visits(step=step), least=step) is None


def test_a_few_visits_that_were_all_interrupted_say_nothing():
    visits = _visits(9)
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


def test_a_clock_at_half_speed_is_told_with_both_times():
    says = _fault(_visits(clock=0.5, noise=0))
    assert says == "says by its own clock that a step takes 175 µs, from outside it takes 365 µs"
    assert "from outside" in _fault(_visits(clock=0.85))


@pytest.mark.parametrize(("where", "what"), [("put", "set_weights"), ("take", "get_weights")])
def test_work_that_is_moved_out_of_the_steps_is_told_with_its_place(where, what):
    says = _fault(_visits(step=1e-6, noise=0, **{where: STEPS * STEP}), least=0)
    assert says == (
        f"spends 7.00 ms in {what}() and 20.0 µs in 20 steps: it puts work off until the clock has stopped, or does it before; "
        "do all of it inside step() or wait for it in synchronize()"
    )


def test_work_that_only_the_whole_span_sees_is_in_the_slope():
    assert "something else does their work" in _fault(_visits(hidden=0.3))

    def queued(**how):
        return [visit | {"throughput_call_seconds": None} for visit in _visits(**how)]

    assert "for each further step" in _fault(queued(hidden=0.3))
    assert _fault(queued(hidden=0.3, noise=0)) == (
        "takes 455 µs for each further step from weights in to weights out, its own clock says 350 µs: it does work where the "
        "clock does not run"
    )
    assert _fault(queued(hidden=0.3, every=1000)) is None, "without audits there is no slope"


def test_more_cores_than_threads_are_counted():
    assert _fault(_visits(cores=1.9)) == "computes on 1.9 cores, asked for 1"
    assert _fault(_visits(cores=1.9), threads=2) is None
    assert _fault(_visits(cores=1.9), threads=None) is None, "on a device of its own the CPU only waits"


@pytest.mark.parametrize(("quick", "slow", "says"), [(1.4, 1.0, "computes on 1.4 cores, asked for 1"), (1.2, 1.9, None)])
def test_cores_are_counted_in_the_rounds_that_make_the_number(quick, slow, says):
    """In three of five; in all of them it were 1.24 and 1.48."""
    visits, others = _visits(cores=quick, noise=0), _visits(cores=slow, step=1.01 * STEP, noise=0)
    assert _fault([others[n] if n % 5 > 2 else visits[n] for n in range(100)]) == says


def test_a_child_that_a_list_missed_once_is_no_core():
    """All that it ever computed seems to fall into one visit."""
    visits = _visits()
    visits[3]["outside"]["cpu_seconds"] += 5.0
    assert _fault(visits) is None


def test_of_the_visits_that_make_numbers_a_tenth_may_be_counted_wrongly_those_with_most_cores():
    """Of sixty six, three of each pass; they are told by cores, however long they took."""
    visits = _visits()
    for visit in visits[:10]:
        visit["outside"]["cpu_seconds"] *= 9000
    for visit in visits[10:]:
        visit["outside"] |= {name: 100 * visit["outside"][name] for name in ("span_seconds", "cpu_seconds")}
    assert _fault(visits, threads=2) is None
    for visit in visits[10:15]:
        visit["outside"]["cpu_seconds"] *= 9000
    assert "computes on" in _fault(visits, threads=2)


def test_less_time_than_the_arithmetic_needs_is_no_feat():
    says = _fault(_visits(step=60e-6, noise=0), least=300e-6)
    assert says.startswith("takes 60.0 µs a step, in which this machine can do 20% of a step's arithmetic at most")
    assert _fault(_visits(step=250e-6), least=300e-6) is None, "a ceiling is an average, no bound"
    assert "can do 83% of a step's arithmetic" in _fault(_visits(step=250e-6, noise=0), least=300e-6, peak=True)
    assert _fault(_visits(step=295e-6, noise=0), least=300e-6, peak=True) is None, "a clock may rise between the two"
    once = _visits(step=250e-6, noise=0)
    once[:5] = _visits(5, step=60e-6, noise=0)
    assert "takes 60.0 µs a step" in _fault(once, least=300e-6), "no pass may be that quick"


def test_older_visits_that_nobody_timed_from_outside_say_nothing():
    assert audit.fault([{"throughput_seconds": 1e-9}], [], 1, 1.0) is None


def test_ten_visits_that_make_numbers_of_two_passes_are_enough_to_refuse_a_clock():
    """Of a pass of five, three."""
    assert _fault(_visits(15, clock=0.5)) is None
    assert "from outside" in _fault(_visits(16, clock=0.5))
    assert _fault([visit | {"pass": 0} for visit in _visits(100, clock=0.5)]) is None
    assert "from outside" in _fault([visit | {"pass": visit["pass"] % 2} for visit in _visits(100, clock=0.5)])


def test_the_run_of_wide_weights_waits_no_longer_than_that_of_others():
    visits = _waiting(*[{"run": 2 * 100e-6 + 1.01 * INSIDE * math.expm1(0.05)}] * 4)
    assert "from outside" in audit.fault(visits, [_waiting(*[{"run": 100e-6}] * 4)], None, 0.0, wider=40.0)


INSIDE = 0.01
"""Seconds of a round by its own clock, of those whose waits are made up."""
NOWHERE = {"put": 0.0, "take": 0.0, "run": 0.0}


def _waiting(*passes, mode="throughput", steps=STEPS):
    """Visits of passes, each with the waits of its five visits, or of all of them, outside of the worker's clock."""
    visits = []
    for number, waits in enumerate(passes):
        for wait in [waits] * 5 if isinstance(waits, dict) else waits:
            inner = {f"{name}_seconds": INSIDE for name in ("throughput", "latency", "device")}
            wait = NOWHERE | wait
            outside = inner | {f"{place}_seconds": wait[place] for place in ("put", "take")}
            outside |= {"span_seconds": 1.0, "cpu_seconds": 1.0, f"{mode}_seconds": INSIDE + wait["run"]}
            inner["throughput_call_seconds"] = None
            visits.append(inner | {"steps": steps, "pass": number, "outside": outside})
    return visits


def _says(visits, *controls):
    return audit.fault(visits, controls, None, 0.0)


@pytest.mark.parametrize(("share", "refused"), JUST)
@pytest.mark.parametrize("mode", ["throughput", "latency", "device"])
@pytest.mark.parametrize(("controls", "asking"), [([], 1e-3), ([100e-6], 100e-6), ([100e-6, 300e-6], 300e-6)])
def test_clocks_may_part_by_a_twentieth_of_a_round_and_twice_what_asking_takes(share, refused, mode, controls, asking):
    """Asking takes what it does of the slowest control; a millisecond, perhaps, without one. Shares are of logarithms."""
    apart = share * (2 * asking + INSIDE * math.expm1(0.05))
    says = _says(_waiting(*[{"run": apart}] * 4, mode=mode), *(_waiting(*[{"run": each}] * 4, mode=mode) for each in controls))
    assert (says is not None) == refused
    if refused:
        own, others = INSIDE / STEPS, (INSIDE + apart) / STEPS
        assert says == f"says by its own clock that a step takes {seconds(own)}, from outside it takes {seconds(others)}"


@pytest.mark.parametrize(("share", "refused"), JUST)
@pytest.mark.parametrize(("place", "told"), [("put", "set_weights()"), ("take", "get_weights()")])
@pytest.mark.parametrize("steps", [10, 40])
def test_weights_may_take_a_tenth_of_a_timed_round_two_steps_and_twice_what_controls_take(share, refused, place, told, steps):
    wait = share * (2 * 100e-6 + INSIDE * math.expm1(0.1 + 2 / steps))
    idle = dict.fromkeys(NOWHERE, INSIDE) | {place: 100e-6}  # as much as that may be anywhere else
    says = _says(_waiting(*[{place: wait}] * 4, steps=steps), _waiting(*[idle] * 4))
    assert (says is not None) == refused
    assert not refused or says.startswith(f"spends {seconds(wait)} in {told} and 10.0 ms in {steps} steps: it puts work off")


@pytest.mark.parametrize(("share", "refused"), JUST)
def test_all_that_is_outside_may_be_a_quarter_more_than_asking_takes_and_three_twentieths_of_a_round(share, refused):
    wait = share * (1.25 * 3e-3 + INSIDE * math.expm1(0.15))
    says = _says(_waiting(*[dict.fromkeys(NOWHERE, wait / 3)] * 4), _waiting(*[dict.fromkeys(NOWHERE, 1e-3)] * 4))
    assert (says is not None) == refused
    around = f"says 10.0 ms for 20 steps and spends {seconds(wait)} around them, more than weights in and out take: it does"
    assert not refused or says == f"{around} work where the clock does not run"


@pytest.mark.parametrize(("share", "refused"), JUST)
@pytest.mark.parametrize(("places", "times"), [(["run"], 2), (NOWHERE, 1.25)])
@pytest.mark.parametrize("steps", [1, 4])
def test_whoever_interrupts_a_short_round_takes_as_long_as_ever(places, times, steps, share, refused):
    """An honest twin with one step a round had to wait for 2.7 ms in two of five passes, beside 0.4 ms a step."""
    asking = dict.fromkeys(places, 1e-5)
    wait = share * (times * sum(asking.values()) + INSIDE * math.expm1(1 / steps))
    mine = dict.fromkeys(places, wait / len(asking))
    says = _says(_waiting(*[mine] * 4, steps=steps), _waiting(*[asking] * 4, steps=steps))
    assert (says is not None) == refused


LONG, SHORT = {"run": 0.5}, {"run": 0.0}


@pytest.mark.parametrize(
    ("passes", "visits", "interrupted", "refused"),
    [
        (12, 2, 11, False), (12, 2, 12, True), (6, 3, 2, False), (6, 3, 3, True),
        (6, 4, 2, False), (6, 4, 3, True), (6, 5, 1, False), (6, 5, 2, True),
    ],
)  # fmt: skip
def test_where_few_rounds_make_a_number_more_passes_may_have_been_interrupted(passes, visits, interrupted, refused):
    """Half of a pass's visits make its number: of two a single one."""
    says = _says(_waiting(*[[LONG if number < interrupted else SHORT] * visits for number in range(passes)]))
    assert (says is not None) == refused


@pytest.mark.parametrize(
    ("number", "interrupted", "refused"),
    [(4, 3, False), (4, 4, True), (5, 1, False), (5, 2, True), (19, 1, False), (19, 2, True), (20, 2, False), (20, 3, True)],
)
def test_of_a_few_passes_all_but_one_may_have_been_interrupted_and_of_more_a_tenth_or_one(number, interrupted, refused):
    says = _says(_waiting(*[LONG] * interrupted, *[SHORT] * (number - interrupted)), _waiting(SHORT, SHORT))
    assert (says is not None) == refused


@pytest.mark.parametrize(("passes", "refused"), [(4, False), (5, True)])
def test_what_a_number_lacks_is_a_mean_over_its_passes(passes, refused):
    """A tenth in so many of eight, of which the worst does not count: three and four sevenths of it."""
    tenth = {"run": INSIDE * math.expm1(0.1)}
    says = _says(_waiting(*[tenth] * passes, *[SHORT] * (8 - passes)), _waiting(SHORT, SHORT))
    assert (says is not None) == refused


@pytest.mark.parametrize(("interrupted", "refused"), [(2, False), (3, True)])
def test_one_quick_round_of_those_that_make_a_median_is_enough_to_believe_it(interrupted, refused):
    """Three of five make it; the longer two say nothing, and were it that they waited for nobody."""
    visits = _waiting(*[[LONG] * interrupted + [SHORT] * (5 - interrupted)] * 4)
    for visit in visits:
        if visits.index(visit) % 5 > 2:
            visit["throughput_seconds"] *= 2
            visit["outside"]["throughput_seconds"] *= 2
    assert (_says(visits, _waiting(SHORT, SHORT)) is not None) == refused


@pytest.mark.parametrize(("share", "refused"), JUST)
def test_a_step_may_have_waited_three_times_as_long_for_neighbours_as_the_unluckiest_control(share, refused):
    """Four of a control's ten passes waited by a tenth, of which the worst does not count: a third of it."""
    luckless = _waiting(*[{"run": INSIDE * math.expm1(0.1)}] * 4, *[SHORT] * 6)
    step = _waiting(*[{"run": INSIDE * math.expm1(share * (0.05 + 3 * 0.1 / 3))}] * 10)
    assert (_says(step, _waiting(SHORT, SHORT), luckless) is not None) == refused


def _moved(put, take=0.0, others=((0.0,),)):
    """Of 20 steps that take 10 ms; `others`: what it takes without work, in some rounds of each."""
    rounds = [{"throughput_seconds": 0.01, "put_seconds": each, "take_seconds": take} for each in put]
    return audit.deferred_work(rounds, 20, [[{"put_seconds": each, "take_seconds": each} for each in other] for other in others])


@pytest.mark.parametrize(("share", "refused"), JUST)
@pytest.mark.parametrize(
    ("others", "asking"), [([[300e-6]], 300e-6), ([[300e-6], [500e-6]], 500e-6), ([[300e-6, 500e-6, 1.0]], 300e-6)]
)
def test_weights_may_take_a_tenth_of_a_round_two_steps_and_twice_what_they_take_without_work(share, refused, others, asking):
    allowed = 0.1 * 0.01 + 2 * 0.01 / 20 + 2 * asking
    for put, take in ((share * allowed, 0.0), (0.0, share * allowed)):
        assert (_moved([put] * 4, take, others) is not None) == refused


def test_weights_that_are_slow_in_all_rounds_of_a_rehearsal_are_no_accident():
    assert _moved([1.0] * 8).startswith("spends 1.00 s in set_weights() and 10.0 ms in 20 steps")
    assert _moved([1.0] * 7 + [0.0]) is None


def _sloped(*ratios):
    """Visits whose further steps take so many times what the worker's clock says of the first ones."""
    visits = _visits(len(ratios), noise=0, every=1)
    for visit, ratio in zip(visits, ratios, strict=True):
        visit["outside"]["audit_span_seconds"] = visit["outside"]["span_seconds"] + ratio * visit["throughput_seconds"]
    return _fault(visits + _visits(20, noise=0, every=1000)[1:])


@pytest.mark.parametrize(
    ("ratios", "refused"),
    [
        ([2.0] * 9, False),
        ([2.0] * 10, True),
        ([1.0] + [2.0] * 9, True),
        ([1.0] * 2 + [2.0] * 8, False),
        ([1.0] + [1.019] + [2.0] * 8, False),
        ([1.0] + [1.021] + [2.0] * 8, True),
        ([1.07] * 10, False),
        ([1.09] * 10, True),
        ([1.07] * 40, True),
        ([1.15] * 5 + [1.35] * 5, False),
        ([1.3] * 5 + [1.5] * 5, True),
    ],
)
def test_a_slope_is_too_steep_if_all_audits_but_one_say_so_and_their_median_by_five_standard_errors(ratios, refused):
    """A standard error of 1.25 spreads over the root of their number; a spread of 3 % at least."""
    assert (_sloped(*ratios) is not None) == refused


def test_cores_are_those_of_the_time_in_which_cpu_time_was_counted():
    visits = _visits(cores=1.9)
    for visit in visits:
        visit["outside"]["cpu_span_seconds"] = 1.6 * visit["outside"]["span_seconds"]
    assert _fault(visits) is None
    for visit in visits:
        visit["outside"]["cpu_span_seconds"] = 1.4 * visit["outside"]["span_seconds"]
    assert _fault(visits) == "computes on 1.4 cores, asked for 1"


@pytest.mark.parametrize(("wild", "refused"), [(1, False), (2, True)])
def test_a_tenth_of_the_visits_that_make_the_number_may_have_been_counted_wrongly(wild, refused):
    visits = _visits(20, noise=0)
    for visit in visits[:wild]:
        visit["outside"]["cpu_seconds"] *= 100
    assert ("cores" in (_fault(visits) or "")) == refused


def test_what_is_just_allowed_is_allowed():
    visits = _visits(16, noise=0)
    for visit in visits:
        visit["throughput_call_seconds"] = None  # a span of its own
        visit["outside"] |= {"span_seconds": 0.5, "cpu_seconds": 0.625}
    assert _fault(visits) is None
    for visit in visits:
        visit["outside"]["cpu_seconds"] += 0.01
    assert _fault(visits) == "computes on 1.3 cores, asked for 1"
    still = [{"throughput_seconds": 0.0, "put_seconds": 0.0, "take_seconds": 0.0}]
    assert audit.deferred_work(still, 20, [still]) is None
    visits = _visits(16, noise=0)
    for visit in visits:
        visit["outside"]["throughput_seconds"] = STEPS * 0.5
        visit["throughput_seconds"] = STEPS * 0.5
    assert audit.fault(visits, [IDLE], 1, 1.0) is None
    assert "can do 50%" in audit.fault(visits, [IDLE], 1, 1.001)
