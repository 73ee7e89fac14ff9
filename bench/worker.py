"""A fresh process that builds, proves and times the steps of one group, as its conductor asks line by line.

It must never decide what to run, nor keep a result to itself: every request is one JSON line in, one JSON line out.
Whatever a backend prints goes to standard error; the conversation has a descriptor of its own.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, reduce
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@dataclass
class Opened:
    """A step that is ready to be visited."""

    case: Any
    step: Any
    proven: bool
    shortest_readback: float = float("inf")


class Worker:
    """Answers requests; `bench.conductor` sends them. Imports wait until the process is set up."""

    def __init__(self, seed: int, threads: int) -> None:
        self.seed, self.threads = seed, threads
        self.opened: dict[str, Opened] = {}
        self.before: dict[str, Any] = {}

    def devices(self) -> dict[str, Any]:
        """The devices that are present: `cpu`, and `cuda` or, if there are several, `cuda:0`, `cuda:1`, ..."""
        try:
            import torch
        except ModuleNotFoundError:
            return {"devices": ["cpu"]}
        count = torch.cuda.device_count()
        return {"devices": ["cpu", *(["cuda"] if count == 1 else [f"cuda:{index}" for index in range(count)])]}

    def describe(self, path: str, devices: list[str]) -> dict[str, Any]:
        from bench import discovery

        return {"facts": discovery.describe(Path(path), devices)}

    def open(self, path: str, libraries: list[str], case: dict[str, Any], proven: bool, proof_seed: int) -> dict[str, Any]:
        """Imports, then times the first step (construction included), then proves the step."""
        from bench import discovery, isolation, verify
        from bench.cases import Case

        fields = {name: value for name, value in case.items() if name != "key"}
        this = Case(**{**fields, "shape": tuple(case["shape"])})
        for library in libraries:  # whatever a library sets when it is loaded is not the backend's doing
            with suppress(ImportError):  # a distribution's name need not be a module's
                importlib.import_module(library)
        before = isolation.snapshot()
        build = discovery.load(Path(path))
        problem = this.problem(self.seed)  # its own copy: no step may reach another's data
        start = perf_counter()
        step = build(problem, this.device, this.dtype)
        float(step.step())
        step.synchronize()
        first_step_seconds = perf_counter() - start
        threads = isolation.thread_counts()
        if wrong := [f"{pool} uses {n}" for pool, n in threads.items() if n != self.threads]:
            raise verify.Wrong(f"runs with other threads than asked for: {', '.join(wrong)}, asked for {self.threads}")
        errors = verify.prove(build, this.device, this.dtype, this.shape, proof_seed, before) if proven else None
        self.opened[case["key"]] = Opened(this, step, proven)
        self.before = isolation.snapshot()
        return {
            "first_step_seconds": first_step_seconds,
            "errors": asdict(errors) if errors else None,
            "threads": threads,
        }

    def visit(self, key: str, seed: int, steps: int) -> dict[str, Any]:
        """One throughput and one latency round from weights never seen before, each proven after it was timed."""
        import numpy as np

        from bench import isolation, rounds, verify

        opened = self.opened[key]
        step, case = opened.step, opened.case
        plain = replace(case, backend="", device="", twin=False)  # all backends share weights and reference
        expected = _expected(plain, self.seed, seed, steps) if opened.proven else None
        start = expected.start if expected else _weights(case.shape, seed)

        def put(turn: int) -> None:
            step.set_weights(*(np.ascontiguousarray(w, case.dtype) for w in _turned(start, turn)))
            step.synchronize()

        put(1)
        step.step()  # warms caches and clocks
        step.synchronize()
        short, _ = verify.readback_seconds(step)
        put(0)
        seconds, loss, faults = rounds.throughput(step, steps)
        readback, weights = verify.readback_seconds(step)
        seen = [(0, [float(loss)], weights)]
        put(2)
        latency_seconds, losses = rounds.latency(step, steps)
        seen.append((2, losses, step.get_weights()))
        device_seconds = None
        if step.mark() is not None:
            put(3)
            device_seconds, loss = rounds.device(step, steps)
            seen.append((3, [float(loss)], step.get_weights()))
        errors = None
        if expected:
            found = [verify.compare(_turned_trajectory(expected, turn), losses, w, case.dtype) for turn, losses, w in seen]
            errors = reduce(verify.Errors.worst, found)
            opened.shortest_readback = min(opened.shortest_readback, readback)
            verify.judge_readback(short, opened.shortest_readback, seconds)
        if changed := isolation.changes(self.before, isolation.snapshot()):
            raise verify.Wrong(f"changes global state: {'; '.join(changed)}; leave the process as it was found")
        return {
            "steps": steps,
            "throughput_seconds": seconds,
            "latency_seconds": latency_seconds,
            "device_seconds": device_seconds,
            "minor_faults": faults,
            "readback_seconds": readback,
            "errors": asdict(errors) if errors else None,
        }


@lru_cache(maxsize=4)
def _weights(shape: tuple[int, int, int, int], seed: int) -> Any:
    from backends.api import Problem

    fresh = Problem.random(*shape, seed=seed)
    return fresh.w1, fresh.w2


def _turned(weights: Any, turn: int) -> Any:
    """The same network with its hidden units in another order: other weights, the same losses."""
    import numpy as np

    w1, w2 = weights
    return np.roll(w1, turn, axis=1), np.roll(w2, turn, axis=0)


def _turned_trajectory(trajectory: Any, turn: int) -> Any:
    """So one reference proves every round of a visit, each of which starts from weights that the step has not seen."""
    w1, w2 = _turned((trajectory.w1, trajectory.w2), turn)
    return replace(trajectory, start=_turned(trajectory.start, turn), w1=w1, w2=w2)


@lru_cache(maxsize=4)
def _expected(case: Any, seed: int, weights_seed: int, steps: int) -> Any:
    from threadpoolctl import ThreadpoolController

    from bench import verify

    starts = (_weights(case.shape, weights_seed + number) for number in range(verify.TRIES))
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        return verify.expect(case.problem(seed), steps, case.dtype, starts)


def answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request; an exception becomes a status and a sentence."""
    from bench.errors import UsageError
    from bench.verify import Wrong

    method = getattr(worker, request.pop("do"))
    try:
        return {"status": "ok", **method(**request)}
    except Wrong as wrong:
        return {"status": "wrong", "reason": str(wrong)}
    except UsageError as error:
        return {"status": "usage", "reason": str(error)}
    except BaseException as error:  # a backend may raise anything, SystemExit included
        return {"status": "failed", "reason": _sentence(error)}


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    # the backend's line, not that of the library it called or of the harness that called it
    ours = [f for f in frames if not any(part in f.filename for part in ("site-packages", "/lib/python", "/bench/", "<"))]
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"raised {type(error).__name__}{': ' + lines[0] if lines else ''}{place}"


def main(arguments: str) -> None:
    """Sets the process up before anything else is imported, then serves requests until standard input ends."""
    setup = json.loads(arguments)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # even a suspended worker ends with its conductor
    if setup["cpus"]:
        os.sched_setaffinity(0, setup["cpus"])  # threads that are started later inherit it
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    requests, replies = _conversation()
    worker = Worker(setup["seed"], setup["threads"])
    for line in requests:
        replies.write(json.dumps(answer(worker, json.loads(line))) + "\n")
        replies.flush()


def _conversation() -> tuple[TextIO, TextIO]:
    """Takes descriptors 0 and 1 for the conductor alone: a backend reads nothing and prints to standard error."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    main(sys.argv[1])
