"""If these fail, the clock runs over more than a request, or a round is compared with another's."""

from dataclasses import replace

import numpy as np
import pytest

from bench.judge.comparing import worst
from bench.measure import rounds
from bench.measure.process import Failed, Process
from bench.measure.rounds import DEVICE, LATENCY, THROUGHPUT, WARM, TimedCase, draw
from bench.paths import BACKENDS
from bench.plan.sides import Backend
from bench.region import Region
from bench.schema.case import Case
from tests.proving import judge_of

CASE = Case("hand", "cpu", "float32", 1, "7x13x5x3")
STEP = Backend("hand", "hand.py", "", "", "rung", None)
LAYOUT = [["float64", [3]]]
OK = {"status": "ok"}


class Clock:
    """Stands still until a test moves it."""

    now = 100.0

    def __call__(self):
        return self.now


class Asked(Process):
    """A process that replies from a table, logs its requests, and moves the clock meanwhile."""

    def __init__(self, clock, log, replies, takes):
        self.clock, self.log, self.replies, self.takes = clock, log, replies, takes
        self.region = Region.new(1 << 12)

    def ask(self, do, **request):
        self.log.append((do, request))
        self.clock.now += self.takes.get(do, 0.0)
        reply = self.replies.get(do, {})
        return OK | (reply(**request) if callable(reply) else reply)


@pytest.fixture
def visit(monkeypatch):
    """(a case, all requests). A put takes 1 s, a run 10 s, a take 0.1 s; more each time."""
    clock, log = Clock(), []
    monkeypatch.setattr(rounds, "perf_counter", clock)
    judge = Asked(clock, log, {}, {"start": 1000.0, "judged": 1000.0})
    worker = Asked(clock, log, {}, {"put": 1.0, "run": 10.0, "take": 0.1, "settle": 500.0})
    numbers = iter(range(1, 100))

    def start(name):
        judge.region.write([np.array([len(name), 0.5, 7.0])])
        return {"arrays": LAYOUT}

    def run(mode, calls):
        worker.takes["run"] += 10.0
        worker.takes["put"] += 1.0
        seconds = worker.takes["run"] - 1
        throughput = {"queued": 0.25 * calls, "minor_faults": 5, "calls": [0.25] * calls}
        found = {"throughput": throughput, "device": {}}
        return {"seconds": seconds} | found.get(mode, {"calls": [seconds / calls] * calls})

    def take():
        worker.region.write([np.array([3.0, 1.0, 4.0])])
        worker.takes["take"] += 0.1
        return {"arrays": LAYOUT}

    def judged(**_):
        number = next(numbers)
        return {"errors": {"share": number, "arrays": {"w": 2 * number}, "noisy_runs": 1}}

    judge.replies |= {"start": start, "judged": judged}
    worker.replies |= {"run": run, "take": take}
    timed = TimedCase(judge, CASE, STEP, 4)
    timed.worker = worker
    yield timed, log
    for process in (judge, worker):
        process.region.close()


PLACE = "0 1"


def _name(name, steps, every=1):
    return f"0 1 7x13x5x3 float32 {name} {steps}/{every}"


def _round(name, mode, calls, every=1):
    """The requests of a round."""
    place = {"name": _name(name, calls * every, every)}
    yield "start", place
    yield "put", {"arrays": LAYOUT}
    yield "run", {"mode": mode, "calls": calls}
    yield "take", {}
    yield "judged", {"arrays": LAYOUT, **place}


@pytest.mark.parametrize("marks", [False, True])
def test_a_visit_asks_for_its_rounds_in_order_and_settles_once(marks, visit):
    timed, log = visit
    timed.marks = marks
    reply = timed.visit(PLACE)
    assert log == [
        *list(_round(WARM, "throughput", 1))[:3],
        *_round(THROUGHPUT, "throughput", 4),
        *_round(LATENCY, "latency", 4),
        *(_round(DEVICE, "device", 4) if marks else ()),
        ("settle", {}),
    ]
    assert reply == {
        "steps": 4,
        "throughput_seconds": 29.0,
        "dispatch_seconds": 1.0,
        "latency_seconds": 39.0,
        "throughput_call_seconds": [0.25] * 4,
        "latency_call_seconds": [39.0 / 4] * 4,
        "device_seconds": 49.0 if marks else None,
        "minor_faults": 5,
        "errors": {"share": 2 + marks, "arrays": {"w": 4 + 2 * marks}, "noisy_runs": 2 + marks},
    }


def test_a_round_is_timed_by_the_conductors_clock_without_the_judge(visit):
    found = visit[0].round(PLACE, THROUGHPUT, 4)
    times = found.put_seconds, found.take_seconds, found.span_seconds
    assert times == pytest.approx((1.0, 0.1, 11.1))


MALFORMED = "answers with a round whose "


@pytest.mark.parametrize(
    ("mode", "change", "status", "says"),
    [
        ("throughput", {"calls": [0.25] * 3}, "wrong", "3 calls that take 0.75 s, 4 take 1 s"),
        ("throughput", {"calls": [0.25] * 3 + [0.25 + 9e-9]}, "wrong", "4 calls that take 1 s"),
        ("throughput", {"calls": [0.25] * 3 + [0.25 - 9e-9]}, "wrong", "4 calls that take 1 s"),
        ("throughput", {"calls": [0.25] * 3 + [0.25 + 7e-9]}, None, ""),
        ("throughput", {"calls": None, "seconds": 5.0}, None, ""),
        ("latency", {"calls": [1.0] * 4, "seconds": 5.0}, "wrong", "4 calls that take 4 s, 4 take"),
        ("latency", {"calls": [1.0] * 5, "seconds": 5.0}, "wrong", "5 calls that take 5 s, 4 take"),
        ("latency", {"calls": [1.0] * 4, "seconds": 4.0}, None, ""),
        ("latency", {"calls": ["much"] * 4}, "failed", MALFORMED),
        ("latency", {"calls": [-1.0] * 4}, "failed", MALFORMED),
        ("latency", {"seconds": "long"}, "failed", MALFORMED),
    ],
)
def test_calls_are_as_many_as_asked_for_and_add_up_to_two_nanoseconds(mode, change, status, says, visit):
    timed, _ = visit
    run = timed.worker.replies["run"]
    timed.worker.replies["run"] = lambda **asked: run(**asked) | (change if asked["mode"] == mode else {})
    if status is None:
        timed.visit(PLACE)
        return
    with pytest.raises(Failed) as caught:
        timed.visit(PLACE)
    assert (caught.value.status, says in str(caught.value)) == (status, True)


def test_a_control_is_timed_and_never_compared(visit):
    timed, log = visit
    timed.backend = replace(STEP, kind="guard")
    assert timed.visit(PLACE)["errors"] is None
    assert "judged" not in [do for do, _ in log]
    assert not timed.drawn(PLACE, LATENCY, 4)["proven"]


def test_several_steps_in_one_call_are_named_counted_and_compared_as_steps(visit):
    timed, log = visit
    timed.backend, timed.about_steps = replace(STEP, steps_per_call=10), 49
    assert (timed.steps, timed.visit(PLACE)["steps"]) == (40, 40)
    assert log[3:8] == list(_round(THROUGHPUT, "throughput", 4, every=10))


def test_the_judge_draws_all_that_a_visit_asks_for_and_trains_no_warm_up(visit):
    timed, log = visit
    timed.marks, timed.case = True, replace(CASE, device="cuda")
    drawn = timed.rounds(PLACE)
    timed.visit(PLACE)
    asked = {request["name"] for do, request in log if do == "start"}
    assert {each["name"] for each in drawn} == asked
    judge = judge_of(BACKENDS)
    judge.forget()
    judge.draw([drawn])
    trained = {name: each.steps for name, (each,) in judge.questions.items() if "exact" in vars(each)}
    assert trained == {_name(mode, 4): 4 for mode in (THROUGHPUT, LATENCY, DEVICE)}


def test_rounds_are_shared_by_cases_of_one_shape_dtype_block_and_length(visit):
    timed, log = visit
    others = [replace(CASE, dtype="float64"), replace(CASE, shape="1x2x3x4"), replace(CASE, backend="other")]
    cases = [replace(timed, case=case) for case in (CASE, *others)]
    places = [(block, mode, n) for block in (PLACE, "0 0") for mode in (THROUGHPUT, LATENCY) for n in (4, 8)]
    timed.judge.replies["draw"] = {"nonces": ["x"]}
    assert draw(timed.judge, [case.drawn(*place) for case in cases for place in places]) == ["x"]
    (rounds,) = log[0][1]["blocks"]
    assert len({each["name"] for each in rounds}) == len(rounds) == 3 * 2 * 2 * 2


def test_a_round_that_a_control_shares_is_trained(visit):
    timed, log = visit
    control = replace(timed, backend=replace(STEP, kind="guard"))
    timed.judge.replies["draw"] = {"nonces": ["x"]}
    for pair in ((timed, control), (control, timed)):
        draw(timed.judge, [case.drawn(PLACE, LATENCY, 4) for case in pair])
        assert [each["proven"] for each in log[-1][1]["blocks"][0]] == [True]


def test_of_several_errors_the_largest_count_and_noisy_runs_add_up():
    first, second = (
        {"share": share, "arrays": {"a": a, "b": b}, "noisy_runs": runs} for share, a, b, runs in ((3, 1, 5, 1), (1, 4, 2, 2))
    )
    assert worst([first, None, second]) == {"share": 3, "arrays": {"a": 4, "b": 5}, "noisy_runs": 3}
    assert worst([None, second]) == second
    assert worst([None]) is None
