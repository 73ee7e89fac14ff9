"""Journals for the page's tests: every device, dtype and thread count, or texts that attack."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tests.made import PROBLEM, SHAPE, a_case, story, write

MISSING = "a library of the extra report is not installed"
HOSTILE = '<b></script><img src=x onerror="window.hacked=1">\'{{ 7*7 }}%{x}\u2028'
BASE = """import numpy as np


class Base:
    def step(self):
        # forward
        h = self.x @ self.w1
        return h
"""
SLOW = """class Slow:
    def step(self):
        # forward
        h = relu(self.x) @ self.w1
        return h


def relu(x):
    return x.clamp(min=0)
"""
FAST = "class Fast:\n    def step(self):\n        return 1\n"
SOURCES = {"base": BASE, "slow": SLOW, "fast": FAST, "arithmetic": "", "null": ""}
TIMES = {
    "base": 300e-6, "slow": 400e-6, "fast": 150e-6, "twin": 300e-6, "arithmetic": 200e-6,
    "null": 1e-7,
}  # fmt: skip


def journal(
    folder: Path, *, devices=("cpu",), dtypes=("float32",), threads=(1,), shapes=(SHAPE,),
    names=None, passes=4, blocks=3, machine="made-by-hand", cpu="a CPU", profile=False, holes=(),
    twin=1.0, seed=0, end=True,
) -> Path:  # fmt: skip
    """`names` maps the names in `TIMES` to others; the twin is made slower by the factor `twin`."""
    random = np.random.default_rng(seed)
    keys: dict[str, str] = names or {}

    def case(name: str, place: tuple[Any, ...]) -> dict[str, Any]:
        source = "base" if name == "twin" else name
        called = {"name": keys.get(name, name), "backend": keys.get(source, source)}
        about = dict(zip(("device", "dtype", "threads", "shape"), place, strict=True))
        about["flops"] = PROBLEM.operations(about["shape"])
        return a_case(name, **about, source_hash=source, **called)

    def seconds(name: str, number: int, block: int) -> float:
        known = {keys.get(own, own): value for own, value in TIMES.items()}
        slower = twin if name == "twin" else 1.0
        return known[name] * slower * float(np.exp(random.normal(0, 0.002)))

    def work(case: dict[str, Any]) -> float:
        device = 1 if case["device"] == "cpu" else 0.2
        return (int(case["shape"].partition("x")[0]) + 16) / 80 * device / case["threads"]

    places = product(devices, dtypes, threads, shapes)
    cases = [case(name, place) for place in places for name in TIMES]
    run = story(
        seconds, passes, blocks, end=False, work=work, cases=cases, holes=list(holes),
        run=folder.name, machine_name=machine, machine={"cpu": cpu, "python": "3.11"},
        sources=SOURCES,
        settings={
            "devices": [*devices], "backends": ["seed"], "dtypes": [*dtypes], "processes": 4,
            "threads": [*threads], "shapes": [*shapes],
        },
    )  # fmt: skip
    losses = [1000.0 / (epoch + 1) for epoch in range(10)]
    counted = {"operators": 12, "kernels": 0, "losses": losses, "expected_losses": losses}
    last = {"pass": max(passes - 1, 0), "at_seconds": float(passes)}
    profiles = [{"record": "profile", "case": each["key"], **counted, **last} for each in cases]
    ends = [{"record": "end", **last}]
    records = [run.header, *run.records, *(profiles if profile else []), *(ends if end else [])]
    return write(records, folder)
