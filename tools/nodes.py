"""A data-parallel step over several machines, where torchrun starts the ranks: proven in each, timed, told by the first.

    torchrun --nnodes 2 --nproc-per-node 1 --node-rank 0 --master-addr HOST --master-port 29500 -m tools.nodes torch_ddp

Here a rank knows the reference and holds the only clock: it measures one's own step, and judges nobody else's.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.distributed as dist

from bench.analyse.single_steps import LOW
from bench.errors import ExitCode, UsageError, Wrong
from bench.judge.questions import Proof, Round, arrays, told_by
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.schema.case import Case, Shape
from bench.schema.steps import warm_up
from bench.units import seconds
from bench.worker import gate, timing


def main(arguments: Sequence[str]) -> ExitCode:
    """Of one rank. What a user did wrong is one sentence, and so is what is wrong with the step."""
    parser = argparse.ArgumentParser(prog="tools.nodes", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("backend", help="a backend that ranks can compute together")
    parser.add_argument("--shape", type=Shape.parse, default=Shape(64, 1000, 100, 10), help="of the whole batch")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--steps", type=int, default=20, help="of a round")
    asked = parser.parse_args(arguments)
    try:
        told = _measured(asked)
    except UsageError as error:
        print(error, file=sys.stderr)
        return ExitCode.USAGE
    except Wrong as wrong:
        print(f"{asked.backend} {wrong}", file=sys.stderr)
        return ExitCode.WRONG
    if told:
        print(told)
    return ExitCode.FINE


def _measured(asked: argparse.Namespace) -> str:
    """What the first rank has to say; nothing from the others. Raises `Wrong` in each if any is wrong, and `UsageError`."""
    if "RANK" not in os.environ:
        raise UsageError("tools.nodes: no RANK in the environment; start it with torchrun, as its first lines show.")
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    case = Case(asked.backend, asked.device, "float32", 1, asked.shape, ranks=ranks)
    build = discovery.runnable(asked.backend, asked.device, case.dtype, discovery.find([BACKENDS]), "tools.nodes")
    if not build.parallel:
        raise UsageError(f"tools.nodes: {asked.backend} computes in one process; name torch_all_reduce or another for ranks.")
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")  # the same in every rank
    proof = Proof(case.shape, case.dtype, build.steps_per_call, name, "proof")
    proven = gate.prove(build, case.device, case.dtype, proof.given, proof.calls, rank, ranks)
    proof.judge(_of_all(proven), ranks)
    step = build(gate.problem_from(arrays(case.problem(0)), rank, ranks), case.device, case.dtype)
    steps: list[float] = []
    for number in range(asked.rounds):
        drawn = Round.draw(case, 0, name, f"round {number}", asked.steps, proven=True)
        step.set_weights(*drawn.given)
        step.synchronize()
        dist.barrier()
        ran = timing.throughput(step, asked.steps, each=True)
        ((losses, weights),) = told_by(_of_all(gate.handed_out(step, [ran.loss], case.dtype)), ranks)
        drawn.judge_each(losses, weights, build.steps_per_call)
        readings: list[Any] = [None] * ranks
        dist.all_gather_object(readings, ran.readings)
        calls = max((np.diff(each) for each in readings), key=np.sum)
        steps += calls[warm_up(calls) :].tolist()
    low, middle = np.percentile(steps, [LOW, 50])
    told = f"undisturbed {seconds(low)}, typical {seconds(middle)} a step of the slowest rank"
    return f"{case.label}: {told}, over {asked.rounds} rounds; every rank was right in each" if rank == 0 else ""


def _of_all(answers: Sequence[Any]) -> list[Any]:
    """What every rank answered, one after the other: each rank judges all, so that all go on or none."""
    every: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(every, [np.asarray(array) for array in answers])
    return [array for some in every for array in some]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
