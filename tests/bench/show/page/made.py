"""Journals of runs that were never measured, for the page's tests."""

import json
from itertools import product
from pathlib import Path

from bench.record import journal as records
from bench.schema.case import CONTROL, GUARD, TWIN, Case

SHAPE = "64x1000x100x10"
HOSTILE = '<b></script><img src=x onerror="window.hacked=1">\'{{ 7*7 }}%{x}\u2028'
TIMES = {"base": 300e-6, "slow": 470e-6, "fast": 140e-6, "twin": 300e-6, "arithmetic": 200e-6}
KINDS = {"twin": TWIN, "arithmetic": GUARD, "null": CONTROL}
BASE = """class Base(TrainStep):
    def __init__(self, problem):
        self.x = problem.x

    def step(self):
        # forward
        h = self.x @ self.w1
        # loss
        loss = (h**2).sum()
        # backward
        grad = 2 * h
        # update
        self.w1 -= grad
        return loss
"""
SLOW = """class Slow(Base):
    def __init__(self, problem):
        self.train = compile(whole)

    def step(self):
        return self.train()

def whole(x):
    # forward, loss and backward
    loss = relu(x).sum()
    # update
    return loss
"""
SOURCES = {"base": BASE, "slow": SLOW, "fast": "class Fast(Base):\n    options = 1\n"}


def journal(
    folder: Path, *, times=TIMES, devices=("cpu",), dtypes=("float32",), shapes=(SHAPE,), sides=("",),
    machine="m", twin=1.0, queued=(), lines=None, names=None, cpu="a CPU", passes=6, later=1.0,
) -> Path:  # fmt: skip
    """Writes a complete run in which a step takes `times` for 64 rows.

    `queued` ways have no time of single steps; `twin` is how much slower the A/A control is made,
    `later` how much `slow` on a later side; `lines` is in the profile of the first case; `names`
    are other names of ways.
    """
    cases, took = [], {}
    for device, dtype, shape, side, name in product(devices, dtypes, shapes, sides, times):
        if (again := side != sides[0]) and name in KINDS:
            continue
        source, kind = "base" if name == "twin" else name, KINDS.get(name, "seed")
        place, proven = (device, dtype, 1, shape), kind in ("seed", TWIN)
        case = Case((names or {}).get(source, source), *place, twin=name == "twin", side=side)
        base = Case(case.backend if again else "base", *place, side=sides[0]).key
        cases.append(
            case.as_json() | {
                "name": case.name, "kind": kind, "baseline": base if proven else None, "proven": proven,
                "selected": kind == "seed", "flops": 1000, "bytes": 0, "steps_per_call": 1, "constants": {},
                "source_hash": source, "versions": {"numpy": "2.0"}, "idea": "an idea",
            }
        )  # fmt: skip
        slower = later if again and name == "slow" else twin if name == "twin" else 1
        took[case.key] = times[name] * slower * int(shape.split("x")[0]) / 64
    story = [_header(folder.name, machine, cpu, cases)]
    for number in range(passes):
        when = {"pass": number, "at_seconds": float(number)}
        story.append({"record": "pass", **when})
        for case in cases:
            opened = {"case": case["key"], "first_step_seconds": 0.5, "errors": _errors(case), "threads": {}}
            story.append({"record": "open", "marks": False, **opened, **when})
        for block, (position, case) in product(range(3), enumerate(cases)):
            step = took[case["key"]] * (1 + 0.001 * ((number + position) % 3 - 1))
            calls = None if case["name"] in queued else [1.2 * step] * 4 + [step] * 4
            whole = sum(calls) if calls else 8 * 1.1 * step
            story.append(
                {
                    "record": "visit", "block": block, "position": position, "case": case["key"], "steps": 8,
                    "throughput_seconds": whole, "dispatch_seconds": whole if calls else None,
                    "latency_seconds": whole, "throughput_call_seconds": calls, "device_seconds": None,
                    "latency_call_seconds": calls or [step], "minor_faults": 0, "readback_seconds": 0.0,
                    "errors": _errors(case), **when,
                }
            )  # fmt: skip
    late = {"pass": passes, "at_seconds": 9.0}
    story += [{"record": "profile", "case": cases[0]["key"], "lines": lines, **late}] if lines else []
    folder.mkdir(parents=True)
    path = folder / records.NAME
    path.write_text("".join(json.dumps(record) + "\n" for record in [*story, {"record": "end", **late}]))
    return path


def _errors(case):
    arrays = {"loss": 1e-6, "w1": 2e-6}
    return {"share": 0.01, "arrays": arrays, "noisy_runs": 0} if case["proven"] else None


def _header(run, machine, cpu, cases):
    settings = {"baseline": "base", "processes": 6, "blocks": 3, "steps": 8, "allocator": "pinned", "margin": 0.01}
    sizes = ["N", "D_in", "H", "D_out"]
    return {
        "record": "header", "schema": records.SCHEMA, "run": run, "machine_name": machine, "cases": cases,
        "holes": [], "settings": settings, "doctor": [f"load: 9 {cpu}"],
        "problem": {"name": "backends", "hash": "p", "sizes": sizes, "default": SHAPE},
        "machine": {
            "time": "2026-01-02T03:04:05+00:00", "cpu": cpu, "cpus": 2, "cores": [[0], [1]], "cpu_quota": None,
            "memory_bytes": 8_000_000_000, "gpus": [], "system": "Linux", "libc": "glibc", "python": "3.11.7",
            "python_build": "a build", "packages": {"numpy": "2.0"}, "commit": None, "kernel_choices": {},
        },
        "sources": SOURCES | {"arithmetic": "", "null": ""},
    }  # fmt: skip
