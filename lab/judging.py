"""How often the judge refuses honest steps, and which errors it sees: many rounds, untimed.

python -m lab.judging ROUNDS [--problem FOLDER] [--dtype float64] [--backends a,b]

Each round is a fresh start of the timed problem. Every way takes the same steps from it in this
process; the judge compares. Then one operand of a product, or an update, is made wrong on purpose.
"""

from __future__ import annotations

import argparse
import collections
import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import Wrong
from bench.judge.comparing import Question
from bench.judge.requests import Requests, judge
from bench.plan.discovery import MissingLibrary, files, load
from bench.problem import Definition

STEPS = (1, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--problem", type=Path, default=Path("backends"))
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--backends", default="")
    parser.add_argument("--seed", default=str(os.getpid()))
    asked = parser.parse_args()
    definition = Definition.load(asked.problem)
    requests = Requests(0, str(asked.problem))
    problem = requests.timed_problem(definition.default, asked.dtype)
    steps = _steps(asked, problem)
    judged: collections.Counter[str] = collections.Counter()
    refused: collections.Counter[str] = collections.Counter()
    near = 0
    worst = 0.0
    smallest: dict[str, list[float]] = {name: [] for name in problem.state}
    for number in range(asked.rounds):
        for count in STEPS:
            place = definition.default, asked.dtype, count, 1
            question = requests.round(asked.seed, f"{number} {count}", *place, proven=True)
            for name, step in steps.items():
                answers = _take(step, question, count)
                judged[name] += 1
                try:
                    errors = judge(question, answers)
                except Wrong as wrong:
                    refused[name] += 1
                    print(f"refused: {name}, round {number}, {count} steps: {wrong}", flush=True)
                    continue
                worst, near = max(worst, errors["share"]), near + bool(errors["noisy_runs"])
            if count == 1 and number < 20:
                for name, share in question.relative_allowed().items():
                    if name in smallest:
                        smallest[name].append(share)
    print(f"{asked.problem} {asked.dtype}: {sum(judged.values())} rounds of {len(steps)} ways")
    print(f"refused: {sum(refused.values())} {dict(refused)}; largest error over allowed {worst:.2f}")
    print(f"near a noisy run only: {near}")
    for name, shares in smallest.items():
        print(f"error of {name} that one step may have, of its update: {np.median(shares):.2g}")


def _steps(asked: argparse.Namespace, problem: Any) -> dict[str, Any]:
    """The ways that can run here, each built once."""
    found = {}
    chosen = asked.backends.split(",") if asked.backends else None
    for path in files([asked.problem]):
        if chosen and path.stem not in chosen:
            continue
        try:
            build = load(path)
        except MissingLibrary:
            continue
        alone = build.least_threads == 1 and build.steps_per_call == 1
        if alone and build.why_not("cpu", asked.dtype) is None:
            found[path.stem] = build(problem, "cpu", asked.dtype)
    return found


def _take(step: Any, question: Question, count: int) -> list[Any]:
    step.set_state(*question.given)
    losses = [float(step.step()) for _ in range(count)]
    step.synchronize()
    return [np.array(losses), *step.get_state()]


if __name__ == "__main__":
    main()
