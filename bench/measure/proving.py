"""A step is proven before it is timed: that it is right, at other shapes too, and defers no work.

The judge asks and compares; arrays pass between it and the step through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench import units
from bench.measure.asking import CaseFailed, Reply, ask, ask_judge, compare, pass_arrays
from bench.measure.process import Process
from bench.measure.rounds import THROUGHPUT, TimedRound, VisitPlan, worst

REHEARSALS, ATTEMPTS = 3, 4
"""Rounds of a rehearsal, and how often it is repeated: a busy neighbor may spoil three in a row."""
DEFERRED_SHARE, DEFERRED_STEPS = 0.1, 2.0
"""What putting state in and taking it out may take, besides twice what they take without steps: a
share of the round, and some steps, since an interruption is as long however short the round is."""


def open_case(worker: Process, plan: VisitPlan, cpus: list[int], elsewhere: bool) -> Reply:
    """Loads, opens and proves a step on these cores.

    Returns the worker's reply to `open`, with the worst errors of the proof and the seed of its
    problems. `elsewhere`: also at other shapes, in turns, and with a rehearsal of what is timed.
    Raises `CaseFailed`.
    """
    case, backend = plan.case.as_json(), plan.backend
    ask(worker, "load", path=backend.path, libraries=list(backend.libraries), cpus=cpus)
    problem = ask_judge(plan.judge, "problem", case=case)
    reply = pass_arrays(plan.judge, problem, worker, "open", case=case, problem=problem["problem"])
    reply |= _prove(worker, plan, elsewhere) if backend.proven else {"errors": None}
    ask(worker, "settle")
    return reply


def _prove(worker: Process, plan: VisitPlan, elsewhere: bool) -> Reply:
    judge = plan.judge
    about = {"case": plan.case.as_json(), "steps_per_call": plan.backend.steps_per_call}
    errors: Any = None
    for number in range(1 + plan.small if elsewhere else 1):
        question = ask_judge(judge, "prove", number=number, **about)
        answers = _answers(worker, judge, question, "prove")
        found = compare(worker, answers, judge, "proven")["errors"]
        errors = errors or found  # the case's own shape comes first
    nonce = question["nonce"]
    if elsewhere:
        answers = _answers(worker, judge, ask_judge(judge, "turns", **about), "turns")
        compare(worker, answers, judge, "took_turns")
        errors = worst([errors, _rehearse(worker, plan)])
    return {"errors": errors, "nonce": nonce}


def _answers(worker: Process, judge: Process, question: Reply, do: str) -> Reply:
    """A worker's answers to a question."""
    request = {"problem": question["problem"], "calls": question["calls"]}
    return pass_arrays(judge, question, worker, do, **request)


def _rehearse(worker: Process, plan: VisitPlan) -> Any:
    """The errors of rounds like those that are timed; a step that defers work is found here."""
    lengths = (1, plan.calls)
    for _ in range(ATTEMPTS):
        draws = [each for calls in lengths for each in plan.draws({THROUGHPUT: calls})]
        ask_judge(plan.judge, "draw", blocks=[draws])
        short, rounds = (
            [plan.round(worker, THROUGHPUT, calls) for _ in range(REHEARSALS)] for calls in lengths
        )
        what = _deferred_work(rounds, short, plan.steps)
        if what is None:
            return worst([each.errors for each in rounds])
    raise CaseFailed("wrong", str(what))


def _deferred_work(
    rounds: Sequence[TimedRound], short: Sequence[TimedRound], steps: int
) -> str | None:
    """A phrase for a step that works outside `step()`, in rounds of so many steps; `short` are
    rounds of one call, which show what moving the state takes."""
    inside = median(each.run["seconds"] for each in rounds)
    more = DEFERRED_SHARE * inside + DEFERRED_STEPS * inside / steps
    for name, place in (("set_state()", "put_seconds"), ("get_state()", "take_seconds")):
        seconds = min(getattr(each, place) for each in rounds)
        without = min(getattr(each, place) for each in short)
        if seconds > 2 * without + more:
            return (
                f"spends {units.seconds(seconds)} in {name} and {units.seconds(inside)} in {steps} "
                "steps: it defers work until the clock has stopped, or does it before; do all of it "
                "in step(), or wait for it in synchronize()"
            )
    return None
