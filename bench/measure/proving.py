"""A step is proven before it is timed: that it is right, at other shapes too, and defers no work.

The judge asks and compares; arrays pass between it and the step through here.
"""

from __future__ import annotations

from typing import Any

from bench.judge.questions import SHAPES
from bench.measure import audit
from bench.measure.asking import CaseFailed, Handle, Reply, ask, ask_judge, compare, pass_arrays
from bench.measure.rounds import THROUGHPUT, VisitPlan, worst

REHEARSALS, ATTEMPTS = 3, 4
"""Rounds of a rehearsal, and how often it is repeated: a busy neighbor may spoil three in a row."""


def open_case(worker: Handle, plan: VisitPlan, elsewhere: bool) -> Reply:
    """The worker's reply to `open`, with the worst errors of the proof and the seed of its problems.

    `elsewhere`: also at other shapes, in turns, and with a rehearsal of what is timed. Raises
    `CaseFailed`.
    """
    case = plan.case.as_json()
    problem = ask_judge(plan.judge, "problem", case=case)
    reply = pass_arrays(plan.judge, problem, worker, "open", case=case)
    reply |= _prove(worker, plan, elsewhere) if plan.backend.proven else {"errors": None}
    ask(worker, "settle")
    return reply


def _prove(worker: Handle, plan: VisitPlan, elsewhere: bool) -> Reply:
    judge = plan.judge
    about = {"case": plan.case.as_json(), "steps_per_call": plan.backend.steps_per_call}
    errors: Any = None
    for number in range(1 + len(SHAPES) if elsewhere else 1):
        question = ask_judge(judge, "prove", number=number, **about)
        found = _exchange(worker, judge, question, "prove")
        errors = errors or found  # the case's own shape comes first
    nonce = question["nonce"]
    if elsewhere:
        _exchange(worker, judge, ask_judge(judge, "turns", **about), "turns")
        errors = worst([errors, _rehearse(worker, plan)])
    return {"errors": errors, "nonce": nonce}


def _exchange(worker: Handle, judge: Handle, question: Reply, do: str) -> Any:
    """Has the worker answer a question and the judge compare; the errors."""
    answers = pass_arrays(judge, question, worker, do, calls=question["calls"])
    return compare(worker, answers, judge, "proven")


def _rehearse(worker: Handle, plan: VisitPlan) -> Any:
    """The errors of rounds like those that are timed; a step that defers work is found here."""
    lengths = (1, plan.calls)
    for _ in range(ATTEMPTS):
        draws = [each for calls in lengths for each in plan.draws({THROUGHPUT: calls})]
        ask_judge(plan.judge, "draw", blocks=[draws])
        short, rounds = (
            [plan.round(worker, THROUGHPUT, calls) for _ in range(REHEARSALS)] for calls in lengths
        )
        what = audit.deferred_work(
            [each.outside for each in rounds], plan.steps, [[each.outside for each in short]]
        )
        if what is None:
            return worst([each.errors for each in rounds])
    raise CaseFailed("wrong", str(what))
