"""If these fail, workers run side by side, or a failure is lost, blamed on another case or unseen."""

import collections
import itertools
import time
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.measure import conductor
from bench.measure.process import DIED, Failed
from tests.support import FakeExecutor, described, small_plan

GONE = Failed(DIED, "it is gone")
CASES = ("numpy_manual", "other", "twin", "null")


@pytest.fixture(scope="module")
def plan():
    """Two steps, and the controls of a run."""
    backends = described("numpy_manual", "null")
    return small_plan(backends | {"other": replace(backends["numpy_manual"], name="other")})


def _measure(plan, change=lambda name, do, reply: reply):
    executor = FakeExecutor(change)
    return list(conductor.measure(plan, executor=executor)), executor


def _kinds(records):
    return [record["record"] for record in records]


def _name(record):
    return record["case"].partition("-")[0]


def test_a_run_is_passes_of_starts_and_blocks_of_visits(plan):
    records, _ = _measure(plan)
    cases = len(CASES)
    block = ["visit"] * cases + ["block"]
    whole = ["pass"] + ["open"] * cases + 2 * block
    profiles = ["profile"] * 3  # of what trains, once
    assert _kinds(records) == [*whole, *profiles, *whole, "end"]
    seen = collections.Counter((_name(r), r["pass"], r.get("block")) for r in records if r["record"] in ("open", "visit"))
    assert seen == dict.fromkeys(itertools.product(CASES, (0, 1), (None, 0, 1)), 1)
    assert plan.visits == _kinds(records).count("visit")


def test_every_case_of_every_pass_has_a_worker_of_its_own_that_runs_alone_and_for_its_visits(plan):
    executor = FakeExecutor()
    for _ in conductor.measure(plan, executor=executor):
        assert not any(worker.running for worker in executor.workers)
    assert executor.most_running == 1
    assert len(executor.workers) == 2 * len(CASES)
    assert all(worker.ended for worker in executor.workers)
    for name in CASES:
        events = ("start", "resume", "stop", "end")
        mine = [event for who, event in executor.log if who == name and event in events]
        profiled = ["resume", "stop"] * (name in ("numpy_manual", "other", "twin"))
        visited = ["start", "stop", *["resume", "stop"] * 2]
        assert mine == [*visited, *profiled, "end", *visited, "end"]
    passes = [event for who, event in executor.log if who == "executor"]
    assert passes == [*["begin_pass", "end_pass"] * 2, "end_pass", "exit"]


def test_a_record_is_dated_when_it_is_complete(plan):
    """Its rounds lie between it and the record before."""

    def slowly(name, do, reply):
        time.sleep(1e-3 if do == "run" else 0)
        return reply

    records, _ = _measure(plan, slowly)
    pairs = itertools.pairwise(records)
    took = [after["at_seconds"] - before["at_seconds"] for before, after in pairs if after["record"] == "visit"]
    assert min(took) >= 3e-3, "a warm-up and two rounds"


def test_orders_differ_from_block_to_block_and_follow_from_the_seed(plan):
    def orders(seed):
        records, _ = _measure(replace(plan, settings=replace(plan.settings, seed=seed)))
        names = [_name(record) for record in records if record["record"] == "visit"]
        return [tuple(names[start : start + 4]) for start in range(0, len(names), 4)]

    assert orders(0) == orders(0) != orders(1)
    assert len(set(orders(0))) > 2


def test_peaks_are_measured_in_every_third_pass_and_the_last():
    backends = described("numpy_manual", "null")
    backends["bound"] = replace(backends["null"], name="bound", kind="peak")
    plan = small_plan(backends, processes=6, blocks=1)
    records, _ = _measure(plan)
    seen = [record for record in records if record["record"] == "visit"]
    assert {r["pass"] for r in seen if _name(r) == "bound"} == {0, 3, 5}
    assert {r["pass"] for r in seen if _name(r) == "null"} == {0, 1, 2, 3, 4, 5}
    assert plan.visits == len(seen)


def test_a_proof_starts_every_case_once_and_times_none(plan):
    wrong = replace(plan.sides[0].backends["null"], name="wrong", kind="rung")
    side = replace(plan.sides[0], backends=plan.sides[0].backends | {"wrong": wrong})
    cases = (*plan.cases, replace(plan.cases[0], backend="wrong"))
    executor = FakeExecutor()
    settings = replace(plan.settings, processes=1, blocks=0)
    proven = replace(plan, sides=(side,), cases=cases, settings=settings)
    records = list(conductor.measure(proven, controls=False, executor=executor))
    assert sorted(_kinds(records)) == ["end", "failure", "open", "open", "pass"]
    (reason,) = [record["reason"] for record in records if record.get("status") == "wrong"]
    assert reason.startswith("wrong[cpu, float32] never updates w1")


def _once(case, request, answer, after=0):
    """Replaces, or adds to, one reply to a case; `after` so many that are left alone."""
    seen = []

    def change(name, do, reply):
        if (name, do) != (case, request):
            return reply
        seen.append(do)
        if len(seen) != after + 1:
            return reply
        if isinstance(answer, Exception):
            raise answer
        return reply | answer

    return change


REHEARSED = 12
"""Rounds before the first visit: those that a proof in the first pass rehearses."""
VISIT = REHEARSED + 1
WRONG = {"status": "wrong", "reason": "changes x"}


@pytest.mark.parametrize(
    ("asked", "answer", "after", "status", "says"),
    [
        ("start", GONE, 0, "failed", "it is gone (in pass 1, before timing)."),
        ("load", GONE, 0, "failed", "it is gone (in pass 1, before timing)."),
        ("open", WRONG, 0, "wrong", "changes x (in pass 1, before timing)."),
        ("open", {"first_step_seconds": "x"}, 0, "failed", "open whose first_step_seconds is 'x'"),
        ("open", {"status": "splendid", "reason": 5}, 0, "failed", "] 5 (in pass 1, before"),
        ("prove", {"arrays": [["float16", [1]]]}, 0, "failed", "with an array of float16 [1]"),
        ("prove", {"arrays": None}, 0, "failed", "answers with "),
        ("take", {"arrays": [5]}, 0, "failed", "answers with "),
        ("take", {"arrays": [["float64", [1 << 30]]]}, 0, "failed", "answers with arrays of more"),
        ("run", GONE, VISIT, "failed", "it is gone (in pass 1, block 1)."),
        ("run", {"seconds": 0.0}, VISIT, "failed", "round whose seconds is 0.0, expected"),
        ("run", {"minor_faults": -1}, VISIT, "failed", "visit whose minor_faults is -1"),
        ("take", {"arrays": []}, REHEARSED, "wrong", "answers with 0 arrays, expected 3"),
        ("settle", WRONG, 1, "wrong", "changes x (in pass 1, block 1)."),
        ("take", GONE, REHEARSED + 6, "failed", "it is gone (in pass 2, "),
    ],
)
def test_a_case_that_fails_ends_alone_with_a_sentence(asked, answer, after, status, says, plan):
    records, executor = _measure(plan, _once("other", asked, answer, after))
    (failure,) = [record for record in records if record["record"] == "failure"]
    assert (_name(failure), failure["status"]) == ("other", status)
    assert failure["reason"].startswith("other[cpu, float32] ")
    assert says in failure["reason"]
    later = records[records.index(failure) + 1 :]
    assert "other" not in {_name(record) for record in later if "case" in record}
    visits = [_name(record) for record in records if record["record"] == "visit"]
    assert [visits.count(name) for name in CASES if name != "other"] == [4, 4, 4]
    assert all(worker.ended for worker in executor.workers)
    assert executor.most_running == 1


def test_a_run_ends_with_the_pass_in_which_its_last_case_failed(plan):
    refuse = lambda name, do, reply: WRONG if do == "run" and name != "null" else reply  # noqa: E731
    kinds = _kinds(_measure(plan, refuse)[0])
    assert (kinds[-1], kinds.count("pass")) == ("end", 1)


def test_a_reply_cannot_overwrite_what_the_conductor_says(plan):
    """Nor can what a worker says go anywhere but to its own case."""
    forged = {"record": "end", "pass": 7, "block": 7, "case": "another"}
    change = lambda name, do, reply: reply | forged if name == "other" else reply  # noqa: E731
    records, honest = _measure(plan, change)[0], _measure(plan)[0]
    for record, right in zip(records, honest, strict=True):
        for place in forged.keys() & right.keys():
            assert record[place] == right[place]


ENDS = [(asked, GONE) for asked in ("draw", "problem", "prove", "start", "judged")]


@pytest.mark.parametrize(("asked", "answer"), [*ENDS, ("start", {"status": "failed", "reason": "it is gone"})], ids=str)
def test_a_run_without_its_judge_ends_and_blames_no_case(asked, answer, plan):
    executor, records = FakeExecutor(_once("judge", asked, answer)), []
    says = "^the judge's process: it is gone; what was measured so far is kept, run again.$"
    with pytest.raises(UsageError, match=says):
        records.extend(conductor.measure(plan, executor=executor))
    assert "failure" not in _kinds(records)
    assert all(worker.ended for worker in executor.workers)


def test_leaving_early_ends_every_worker(plan):
    executor = FakeExecutor()
    records = conductor.measure(plan, executor=executor)
    next(record for record in records if record["record"] == "visit")
    records.close()
    assert [worker.ended for worker in executor.workers] == [True] * len(CASES)
    assert executor.log[-1] == ("judge", "end")


def test_a_profile_is_made_after_timing_and_its_failure_costs_no_time(plan):
    records, _ = _measure(plan, _once("other", "profile", GONE))
    profiles = {_name(record): record for record in records if record["record"] == "profile"}
    assert set(profiles) == {"numpy_manual", "other", "twin"}
    assert profiles["other"]["reason"] == "it is gone"
    assert "failure" not in _kinds(records)
    assert [_name(r) for r in records if r["record"] == "visit"].count("other") == 4
