"""A step is proven before it is timed: that it is right, at other shapes too, and defers no work.

The judge asks and compares; arrays pass between it and the step through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench import units
from bench.conversation import Reply
from bench.measure.process import Failed
from bench.measure.rounds import THROUGHPUT, Round, TimedCase, draw, worst

REHEARSALS, SHORT, ATTEMPTS = 3, 9, 4
"""Rounds of a rehearsal, and rounds of one call; how often more are taken: a busy neighbor may spoil three in a row."""
DEFERRED_SHARE, DEFERRED_STEPS = 0.1, 2.0
"""What putting state in and taking it out may take, besides twice what they take without steps: a
share of the round, and some steps, since an interruption is as long however short the round is."""


def open_case(timed: TimedCase, cpus: list[int], elsewhere: bool) -> Reply:
    """Loads, opens and proves a step on these cores.

    Returns the worker's reply to `open`, with the worst errors of the proof and the seed of its
    problems. `elsewhere`: also at other shapes, in turns, and with a rehearsal of what is timed.
    Raises `Failed`.
    """
    case, backend, worker = timed.case.as_json(), timed.backend, timed.worker
    worker.ask("load", path=backend.path, libraries=list(backend.libraries), cpus=cpus)
    given = timed.judge.ask("problem", **timed.place)
    arrays = worker.copied(timed.judge, given)
    reply = worker.ask("open", case=case, problem=given["problem"], arrays=arrays)
    timed.marks = reply.get("marks") is True
    reply |= _prove(timed, given["proofs"] if elsewhere else 1, elsewhere) if backend.proven else {"errors": None}
    worker.ask("settle")
    return reply


def _prove(timed: TimedCase, proofs: int, elsewhere: bool) -> Reply:
    about = {**timed.place, "every": timed.backend.steps_per_call}
    found = []
    for number in range(proofs):
        question = timed.judge.ask("prove", number=number, **about)
        found.append(_compare(timed, "prove", question, "proven")["errors"])
    errors = found[0]
    if elsewhere:
        _compare(timed, "turns", timed.judge.ask("turns", **about), "took_turns")
        errors = worst([errors, _rehearse(timed)])
    return {"errors": errors, "nonce": question["nonce"]}


def _compare(timed: TimedCase, do: str, question: Reply, verdict: str) -> Reply:
    """The judge's verdict on a worker's answers to a question."""
    arrays = timed.worker.copied(timed.judge, question)
    answers = timed.worker.ask(do, arrays=arrays, problem=question["problem"], calls=question["calls"])
    return timed.judge.ask(verdict, arrays=timed.judge.copied(timed.worker, answers))


def _rehearse(timed: TimedCase) -> Any:
    """The errors of rounds like those that are timed; a step that defers work is found here."""
    place, short, rounds = ("rehearsal", THROUGHPUT), list[Round](), list[Round]()
    for _ in range(ATTEMPTS):
        draw(timed.judge, [timed.drawn(*place, calls) for calls in (1, timed.calls)])
        short += [timed.round(*place, 1) for _ in range(SHORT)]
        rounds += [timed.round(*place, timed.calls) for _ in range(REHEARSALS)]
        what = _deferred_work(rounds, short, timed.steps)
        if what is None:
            return worst([each.errors for each in rounds])
    raise Failed("wrong", str(what))


def _deferred_work(rounds: Sequence[Round], short: Sequence[Round], steps: int) -> str | None:
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
