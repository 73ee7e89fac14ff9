"""A step is proven before anything of it is timed: that it is right, here and elsewhere, and that it puts nothing off.

The judge asks and judges; what passes between it and the step passes through here.
"""

from __future__ import annotations

from typing import Any

from bench.judge.questions import SHAPES
from bench.measure import audit
from bench.measure.rounds import THROUGHPUT, Held, Refused, Reply, Visited, answer, forwarded, judges, worst

REHEARSALS, ATTEMPTS = 3, 4
"""Rounds of a rehearsal, and how often it is repeated before it is believed: a busy neighbour may spoil three in a row."""


def opened(worker: Held, visited: Visited, elsewhere: bool) -> Reply:
    """What the worker replies to opening the case, with the worst errors of proving it and what its problems were drawn from.

    `elsewhere`: at other shapes and in turns too, and with a rehearsal of what is timed. Raises `Refused`.
    """
    this: dict[str, Any] = {"path": visited.backend.path, "case": visited.case.as_json()}
    reply = forwarded(visited.judge, judges(visited.judge, "problem", case=this["case"]), worker, "open", **this)
    reply |= _proven(worker, visited, this, elsewhere) if visited.backend.proven else {"errors": None}
    answer(worker, "settle")
    return reply


def _proven(worker: Held, visited: Visited, this: dict[str, Any], elsewhere: bool) -> Reply:
    """The worst errors at the case's own shape, and what the problems were drawn from. Raises `Refused`."""
    judge, ranks = visited.judge, visited.case.ranks
    every = {"case": this["case"], "steps_per_call": visited.backend.steps_per_call}
    errors: Any = None
    for problem in range(1 + len(SHAPES) if elsewhere else 1):
        asked = judges(judge, "prove", number=problem, **every)
        given = forwarded(judge, asked, worker, "prove", calls=asked["calls"], **this)
        found = forwarded(worker, given, judge, "proven", ranks=ranks)["errors"]
        errors = errors or found  # the case's own shape comes first
    nonce = asked["nonce"]
    if elsewhere:
        asked = judges(judge, "turns", **every)
        given = forwarded(judge, asked, worker, "turns", calls=asked["calls"], **this)
        forwarded(worker, given, judge, "proven", ranks=ranks)
        errors = worst([errors, _rehearsed(worker, visited)])
    return {"errors": errors, "nonce": nonce}


def _rehearsed(worker: Held, visited: Visited) -> Any:
    """The errors of some rounds as they are timed later: a step that puts work off is found before it is timed."""
    lengths = (1, visited.calls)
    for _ in range(ATTEMPTS):
        judges(visited.judge, "draw", blocks=[[each for calls in lengths for each in visited.drawn({THROUGHPUT: calls})]])
        short, rounds = ([visited.round(worker, THROUGHPUT, calls) for _ in range(REHEARSALS)] for calls in lengths)
        what = audit.moved([each.outside for each in rounds], visited.steps, [[each.outside for each in short]])
        if what is None:
            return worst([each.errors for each in rounds])
    raise Refused("wrong", str(what))
