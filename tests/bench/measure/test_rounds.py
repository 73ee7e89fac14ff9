"""If these fail, the conductor's clock runs over something else than a request, or a round is judged by another's weights."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bench.errors import UsageError
from bench.judge.requests import Requests as Judge
from bench.measure import rounds
from bench.measure.process import Died
from bench.measure.rounds import AUDIT, DEVICE, LATENCY, THROUGHPUT, WARM, CaseFailed, VisitPlan, answer, forwarded, judges, worst
from bench.plan.sides import Backend
from bench.region import Region
from bench.schema.case import Case, Shape

CASE = Case("hand", "cpu", "float32", 1, Shape(7, 13, 5, 3))
STEP = Backend("hand", "hand.py", "", "", "rung", None)
TOLD = [["float64", [3]]]
OK = {"status": "ok"}


class Clock:
    """Seconds that pass by being asked for alone."""

    now = 100.0

    def __call__(self):
        return self.now


class Asked:
    """A process that answers from a table, notes what it was asked, and lets the clock run while it answers."""

    cpu_seconds_while_stopped = 0.0

    def __init__(self, clock, log, replies, takes=None):
        self.clock, self.log, self.replies, self.takes = clock, log, replies, takes or {}
        self.region = Region.new(1 << 12)
        self.computed = 1.0
        self.counters = SimpleNamespace(read=dict)

    def ask(self, do, **request):
        self.log.append((do, request))
        self.clock.now += self.takes.get(do, 0.0)
        self.computed += self.takes.get(do, 0.0) / 2
        reply = self.replies.get(do, {})
        return OK | (reply(**request) if callable(reply) else reply)

    def receive(self):
        return self.ask("")

    def cpu_seconds(self):
        self.clock.now += self.takes.get("count", 0.0)
        return self.computed


def _errors(number):
    return {"loss": number, "w1": 2 * number, "w2": 3 * number, "kinks": 1}


@pytest.fixture
def room(monkeypatch):
    """(visited, worker, the requests to both in their order). A put takes 1 s, a run 10 s and more each time, a take 0.1 s."""
    clock, log = Clock(), []
    monkeypatch.setattr(rounds, "perf_counter", clock)
    judge = Asked(clock, log, {}, {"weights": 1000.0, "judged": 1000.0})
    worker = Asked(clock, log, {}, {"put": 1.0, "run": 10.0, "take": 0.1, "settle": 500.0})
    numbers = iter(range(1, 100))

    def weights(name):
        judge.region.write([np.array([len(name), 0.5, 7.0])])
        return {"arrays": TOLD}

    def run(key, mode, calls):
        worker.takes["run"] += 10.0
        worker.takes["put"] += 1.0
        seconds = worker.takes["run"] - 1
        told = {"throughput": {"queued": 0.25 * calls, "faults": 5, "calls": [0.25] * calls}, "device": {}}
        return {"seconds": seconds} | told.get(mode, {"calls": [seconds / calls] * calls})

    def take(key):
        worker.region.write([np.array([3.0, 1.0, 4.0])])
        worker.takes["take"] += 0.1
        return {"arrays": TOLD, "readback_seconds": worker.takes["take"] / 2}

    judge.replies |= {"weights": weights, "judged": lambda **_: {"errors": _errors(next(numbers))}}
    worker.replies |= {"run": run, "take": take}
    yield VisitPlan(judge, CASE, STEP, 4, "pass 0 block 1"), worker, log
    for process in (judge, worker):
        process.region.close()


def _name(name, steps):
    return f"pass 0 block 1 7x13x5x3 float32 {name} {steps}"


def _round(name, mode, calls, every=1, proven=True):
    """The requests that a round consists of."""
    yield "weights", {"name": _name(name, calls * every)}
    yield "put", {"key": CASE.key, "arrays": TOLD}
    yield "run", {"key": CASE.key, "mode": mode, "calls": calls}
    yield "take", {"key": CASE.key}
    if proven:
        yield "judged", {"arrays": TOLD, "name": _name(name, calls * every), "every": every, "ranks": 1}


WARMED = list(_round(WARM, "throughput", 1))[:3]


def test_a_visit_asks_for_its_rounds_in_order_and_settles_once(room):
    visited, worker, log = room
    visited.visit(worker, audited=True, marks=True)
    assert log == [
        *WARMED,
        *_round(THROUGHPUT, "throughput", 4),
        *_round(AUDIT, "throughput", 8),
        *_round(LATENCY, "latency", 4),
        *_round(DEVICE, "device", 4),
        ("settle", {}),
    ]


def test_without_audit_and_device_clock_there_are_two_rounds(room):
    visited, worker, log = room
    said = visited.visit(worker, audited=False, marks=False)
    assert log == [*WARMED, *_round(THROUGHPUT, "throughput", 4), *_round(LATENCY, "latency", 4), ("settle", {})]
    assert said["device_seconds"] is None
    assert said["outside"]["device_seconds"] is None
    assert not [name for name in said["outside"] if name.startswith("audit")]


def test_what_the_hardware_counts_is_read_between_rounds_and_told_of_both_lengths(room):
    visited, worker, log = room
    reads = iter([{"cycles": 5, "instructions": 100}, {"cycles": 7, "instructions": 140}, {"instructions": 220}])

    def read():
        log.append(("counters", {}))
        return next(reads)

    worker.counters.read = read
    assert visited.visit(worker, audited=True, marks=False)["counts"] == {"instructions": [40, 80]}
    assert log[len(WARMED) :] == [
        ("counters", {}),
        *_round(THROUGHPUT, "throughput", 4),
        ("counters", {}),
        *_round(AUDIT, "throughput", 8),
        ("counters", {}),
        *_round(LATENCY, "latency", 4),
        ("settle", {}),
    ]


def test_where_nothing_can_be_counted_a_visit_tells_of_no_counts(room):
    visited, worker, _ = room
    assert "counts" not in visited.visit(worker, audited=True, marks=False)
    worker.counters.read = lambda: {"instructions": 1}
    assert "counts" not in visited.visit(worker, audited=False, marks=False)


def test_a_visit_tells_each_clock_under_its_name(room):
    """The judge's thousand seconds are in none of them; puts take 1, 2, ... s, runs 20, 30, ... s, takes 0.1, 0.2, ... s."""
    visited, worker, _ = room
    worker.takes |= {"run": 10.0, "count": 0.5}
    assert visited.visit(worker, audited=True, marks=True) == {
        "steps": 4,
        "throughput_seconds": 29.0,
        "dispatch_seconds": 1.0,
        "latency_seconds": 49.0,
        "throughput_call_seconds": [0.25] * 4,
        "latency_call_seconds": [49.0 / 4] * 4,
        "device_seconds": 59.0,
        "minor_faults": 5,
        "readback_seconds": pytest.approx(0.1),
        "errors": {"loss": 4, "w1": 8, "w2": 12, "kinks": 4},
        "outside": {
            "put_seconds": pytest.approx(5.0),
            "throughput_seconds": pytest.approx(20.0),
            "latency_seconds": pytest.approx(40.0),
            "device_seconds": pytest.approx(50.0),
            "take_seconds": pytest.approx(0.4),
            "span_seconds": pytest.approx(2.0 + 20.0 + 0.1),
            "cpu_seconds": pytest.approx((2.0 + 20.0 + 0.1) / 2),
            "cpu_span_seconds": pytest.approx(0.5 + 2.0 + 20.0 + 0.1 + 0.5),
            "audit_steps": 8,
            "audit_span_seconds": pytest.approx(3.0 + 30.0 + 0.2),
        },
    }


def test_a_process_that_woke_while_it_was_suspended_is_refused_before_it_is_asked_for_anything(room):
    visited, worker, log = room
    worker.cpu_seconds_while_stopped = 0.005
    visited.visit(worker, audited=False, marks=False)
    log.clear()
    worker.cpu_seconds_while_stopped = 0.006
    with pytest.raises(CaseFailed, match=r"^computes for 6\.00 ms while it is suspended and others are timed$") as caught:
        visited.visit(worker, audited=False, marks=False)
    assert (caught.value.status, log) == ("wrong", [])


def _with_calls(worker, mode, **told):
    run = worker.replies["run"]
    worker.replies["run"] = lambda **asked: run(**asked) | (told if asked["mode"] == mode else {})


@pytest.mark.parametrize(
    ("mode", "told", "says"),
    [
        ("throughput", {"calls": [0.25] * 3}, "tells of 3 calls that take 0.75 s, 4 take 1 s"),
        ("throughput", {"calls": [0.25] * 3 + [0.25 + 9e-9]}, "tells of 4 calls that take 1 s, 4 take 1 s"),
        ("throughput", {"calls": [0.25] * 3 + [0.25 - 9e-9]}, "tells of 4 calls that take 1 s, 4 take 1 s"),
        ("throughput", {"calls": [0.25] * 3 + [0.25 + 7e-9]}, None),
        ("throughput", {"calls": None}, None),
        ("throughput", {"seconds": 5.0}, None),
        ("latency", {"calls": [1.0] * 4, "seconds": 5.0}, "tells of 4 calls that take 4 s, 4 take 5 s"),
        ("latency", {"calls": [1.0] * 5, "seconds": 5.0}, "tells of 5 calls that take 5 s, 4 take 5 s"),
        ("latency", {"calls": [1.0] * 4, "seconds": 4.0}, None),
        ("latency", {"calls": ["much"] * 4}, None),
        ("latency", {"calls": [-1.0] * 4}, None),
        ("latency", {"calls": [1.0] * 4, "seconds": "long"}, None),
    ],
)
def test_calls_that_were_timed_each_are_as_many_as_were_asked_for_and_add_up(room, mode, told, says):
    """To two nanoseconds each, of what was queued and of what was waited for; what is no number is refused for what it is."""
    visited, worker, log = room
    worker.takes["run"] = 10.0
    _with_calls(worker, mode, **told)
    if says is None:
        visited.visit(worker, audited=False, marks=False)
        return
    with pytest.raises(CaseFailed) as caught:
        visited.visit(worker, audited=False, marks=False)
    assert (caught.value.status, str(caught.value)) == ("wrong", says)
    assert log[-1] == ("settle", {})


def test_weights_go_to_the_worker_and_answers_to_the_judge_as_they_are(room):
    visited, worker, log = room
    visited.visit(worker, audited=False, marks=False)
    name = log[0][1]["name"]
    visited._weights(worker, WARM, 1)
    assert worker.region.read(TOLD)[0].tolist() == [len(name), 0.5, 7.0]
    visited.round(worker, LATENCY, 4)
    assert visited.judge.region.read(TOLD)[0].tolist() == [3.0, 1.0, 4.0]


def test_a_control_is_timed_and_never_judged(room):
    visited, worker, log = room
    visited = replace(visited, backend=replace(STEP, kind="yardstick"))
    assert visited.visit(worker, audited=True, marks=False)["errors"] is None
    assert "judged" not in [do for do, _ in log]


def test_several_steps_in_one_call_are_named_counted_and_judged_as_steps(room):
    visited, worker, log = room
    visited = replace(visited, backend=replace(STEP, steps_per_call=10))
    said = visited.visit(worker, audited=True, marks=False)
    assert (visited.steps, said["steps"], said["outside"]["audit_steps"]) == (40, 40, 80)
    assert log[3:8] == list(_round(THROUGHPUT, "throughput", 4, every=10))


@pytest.mark.parametrize(
    ("calls", "every", "longer"), [(4, 1, 8), (50, 1, 100), (51, 1, 25), (5, 10, 10), (6, 10, 3), (1, 100, 1), (1, 1, 2)]
)
def test_an_audit_is_twice_as_long_or_half_where_twice_could_not_be_proven(calls, every, longer):
    visited = VisitPlan(None, CASE, replace(STEP, steps_per_call=every), calls, "")
    assert visited.longer == longer
    assert visited.lengths(True, False) == {WARM: 1, THROUGHPUT: calls, LATENCY: calls, AUDIT: longer}
    assert visited.lengths(False, True) == {WARM: 1, THROUGHPUT: calls, LATENCY: calls, DEVICE: calls}


def test_the_judge_draws_what_a_visit_asks_for_and_trains_no_warm_up(room):
    """What is drawn has the names that the visit asks for, and the judge understands it."""
    visited, worker, log = room
    drawn = list(visited.drawn(visited.lengths(audited=True, marks=True)))
    visited.visit(worker, audited=True, marks=True)
    assert {each["name"] for each in drawn} == {request["name"] for do, request in log if do == "weights"}
    assert [(each["name"], each["steps"], each["proven"]) for each in drawn] == [
        (_name(WARM, 1), 1, False),
        (_name(THROUGHPUT, 4), 4, True),
        (_name(LATENCY, 4), 4, True),
        (_name(DEVICE, 4), 4, True),
        (_name(AUDIT, 8), 8, True),
    ]
    judge = Judge(0)
    judge.draw([drawn])
    assert {name: len(each.expected.losses) for name, each in judge.rounds.items() if each.expected} == {
        each["name"]: each["steps"] for each in drawn[1:]
    }
    tenfold = replace(visited, backend=replace(STEP, steps_per_call=10))
    assert [each["steps"] for each in tenfold.drawn({LATENCY: 4})] == [40]
    control = replace(visited, backend=replace(STEP, kind="control"))
    assert [each["proven"] for each in control.drawn({LATENCY: 4})] == [False]


def test_rounds_of_other_shapes_dtypes_blocks_and_lengths_have_other_names():
    ways = [
        VisitPlan(None, case, STEP, 4, block)
        for case in (CASE, replace(CASE, dtype="float64"), replace(CASE, shape=Shape(1, 2, 3, 4)))
        for block in ("0 0", "0 1")
    ]
    names = {way._name(mode, calls) for way in ways for mode in (THROUGHPUT, AUDIT) for calls in (4, 8)}
    assert len(names) == 3 * 2 * 2 * 2
    assert ways[0]._name(AUDIT, 4) == replace(ways[0], case=replace(CASE, backend="other"))._name(AUDIT, 4), "shared"


class Process:
    """Replies, or raises, whatever it was given; whether it was asked or only heard is told."""

    def __init__(self, outcome):
        self.outcome, self.region = outcome, Region.new(64)

    def ask(self, do, **request):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome | {"asked": (do, request)}

    def receive(self):
        return self.outcome | {"asked": None}


def test_an_answer_is_to_what_is_asked_now_or_to_what_was_sent_before():
    assert answer(Process(OK), "take", key="a")["asked"] == ("take", {"key": "a"})
    assert answer(Process(OK))["asked"] is None


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        (Died("its process died of SIGSEGV"), "failed", "its process died of SIGSEGV"),
        ({"status": "wrong", "reason": "never updates w1"}, "wrong", "never updates w1"),
        ({"status": "failed", "reason": "raised"}, "failed", "raised"),
        ({"status": "splendid", "reason": 5}, "failed", "5"),
    ],
)
def test_anything_but_ok_refuses_the_case_with_its_reason(reply, status, reason):
    with pytest.raises(CaseFailed) as caught:
        answer(Process(reply), "run")
    assert (caught.value.status, str(caught.value)) == (status, reason)


def test_without_the_judge_nothing_goes_on():
    assert judges(Process(OK), "weights", name="a")["asked"] == ("weights", {"name": "a"})
    assert judges(Process(OK))["asked"] is None
    with pytest.raises(UsageError) as caught:
        judges(Process(Died("it was killed")), "weights", name="a")
    assert str(caught.value) == "the judge's process: it was killed; what was measured until then is kept, run again."


@pytest.mark.parametrize(
    "reply", [{}, {"arrays": None}, {"arrays": [["float16", [1]]]}, {"arrays": [["float64", [9]]]}, {"arrays": [5]}]
)
def test_arrays_that_are_none_refuse_the_case_and_reach_nobody(reply):
    receiver = Process(RuntimeError("was asked"))
    with pytest.raises(CaseFailed) as caught:
        forwarded(Process(OK), reply, receiver, "judged")
    assert caught.value.status == "failed"
    assert str(caught.value).startswith("answers with ")


def test_what_is_forwarded_goes_with_its_arrays():
    sender, receiver = Process(OK), Process(OK)
    told = sender.region.write([np.arange(3.0)])
    said = forwarded(sender, {"arrays": told}, receiver, "judged", name="a")
    assert said["asked"] == ("judged", {"arrays": told, "name": "a"})
    assert receiver.region.read(told)[0].tolist() == [0, 1, 2]


def test_of_several_errors_the_largest_count_and_kinks_add_up():
    some = [{"loss": 3, "w1": 1, "w2": 2, "kinks": 1}, None, {"loss": 1, "w1": 4, "w2": 0, "kinks": 2}]
    assert worst(some) == {"loss": 3, "w1": 4, "w2": 2, "kinks": 3}
    assert worst([None, some[2]]) == some[2]
    assert worst([None]) is None
