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
import platform
import resource
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Worker:
    """Answers requests; `bench.measure.conductor` sends them. Imports wait until the process is set up."""

    def __init__(self, seed: int, threads: int) -> None:
        self.seed, self.threads = seed, threads
        self.opened: dict[str, Any] = {}
        self.before: dict[str, Any] = {}

    def about(self, needed: list[str], packages: list[str]) -> dict[str, Any]:
        """This interpreter, and which of the needed modules it lacks."""
        from importlib import metadata, util

        found = {}
        for name in packages:
            with suppress(metadata.PackageNotFoundError):
                found[name] = metadata.version(name)
        missing = [name for name in needed if util.find_spec(name) is None]
        return {"python": platform.python_version(), "packages": found, "missing": missing}

    def devices(self) -> dict[str, Any]:
        from bench.machine import devices

        return {"devices": devices.present()}

    def describe(self, path: str, devices: list[str]) -> dict[str, Any]:
        from bench.plan import discovery

        return {"facts": discovery.describe(Path(path), devices)}

    def open(
        self, path: str, libraries: list[str], case: dict[str, Any], proven: bool, proof_seed: int, elsewhere: bool
    ) -> dict[str, Any]:
        """Imports, then times the first step (construction included), then proves the step as `gate.prove` does."""
        from bench.judge import proof
        from bench.plan import discovery
        from bench.plan.cases import Case
        from bench.worker import gate, isolation, visits

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
            raise proof.Wrong(f"runs with other threads than asked for: {', '.join(wrong)}, asked for {self.threads}")
        errors = None
        if proven:
            errors = gate.prove(build, this.device, this.dtype, this.shape, proof_seed, before, elsewhere)
        self.opened[case["key"]] = visits.Opened(this, step, proven)
        self.before = isolation.snapshot()
        return {
            "first_step_seconds": first_step_seconds,
            "errors": asdict(errors) if errors else None,
            "threads": threads,
        }

    def visit(self, key: str, seed: int, steps: int) -> dict[str, Any]:
        from bench.judge import proof
        from bench.worker import isolation, visits

        reply = visits.visit(self.opened[key], self.seed, seed, steps)
        if changed := isolation.changes(self.before, isolation.snapshot()):
            raise proof.Wrong(f"changes global state: {'; '.join(changed)}; leave the process as it was found")
        return reply

    def profile(self, key: str) -> dict[str, Any]:
        from bench.worker import profiling

        return profiling.profile(self.opened[key], self.seed)


def answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request; an exception becomes a status and a sentence."""
    method = getattr(worker, request.pop("do"))
    try:
        return {"status": "ok", **method(**request)}
    except BaseException as error:  # a backend may raise anything, SystemExit included
        return _refusal(error)


def _refusal(error: BaseException) -> dict[str, Any]:
    from bench.errors import UsageError
    from bench.judge.proof import Wrong  # not before: it needs NumPy, and `about` has to answer without

    if isinstance(error, Wrong):
        return {"status": "wrong", "reason": str(error)}
    if isinstance(error, UsageError):
        return {"status": "usage", "reason": str(error)}
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
