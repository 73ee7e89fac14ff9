"""Journals of runs that were never measured, for the page's tests."""

import random
from itertools import product
from pathlib import Path

from tests.made import KINDS, SHAPE, a_case, story, write

HOSTILE = '<b></script><img src=x onerror="window.hacked=1">\'{{ 7*7 }}%{x}\u2028'
TIMES = {"base": 300e-6, "slow": 470e-6, "fast": 140e-6, "twin": 300e-6, "arithmetic": 200e-6}
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
__all__ = ["HOSTILE", "SHAPE", "SOURCES", "TIMES", "journal"]


def journal(
    folder: Path, *, times=TIMES, devices=("cpu",), dtypes=("float32",), shapes=(SHAPE,), sides=("",),
    machine="m", twin=1.0, queued=(), lines=None, names=None, cpu="a CPU", passes=6, later=1.0,
) -> Path:  # fmt: skip
    """Writes a complete run of six passes in which a step takes `times` for 64 rows, and 1.2 times as long in two of three
    blocks.

    `queued` ways have no time of single steps; `twin` is how much slower the A/A control is made,
    `later` how much `slow` on a later side; `lines` is in the profile of `base`; `names`
    are other names of ways.
    """
    cases, took = [], {}
    for device, dtype, shape, side, name in product(devices, dtypes, shapes, sides, times):
        if (again := side != sides[0]) and name in KINDS:
            continue
        place, called = {"device": device, "dtype": dtype, "shape": shape}, (names or {}).get(name, name)
        case = a_case(called, **place, side=side, source_hash="base" if name == "twin" else name)
        if case["proven"]:
            case["baseline"] = a_case(called if again else "base", **place, side=sides[0])["key"]
        slower = later if again and name == "slow" else twin if name == "twin" else 1
        took[case["key"]] = times[name] * slower * int(shape.split("x")[0]) / 64
        cases.append(case)
    spread = random.Random(0)
    profile = [{"record": "profile", "pass": 0, "case": "base", "lines": lines}] if lines else []
    run = story(
        lambda name, p, b: 1.2 if b else 1.0, passes, 3, 8, singly=True, extra=profile, cases=cases,
        work=lambda case: took[case["key"]] * spread.uniform(0.999, 1.001), settings={"processes": 6}, run=folder.name,
        machine_name=machine, machine={"cpu": cpu}, doctor=[f"load: 9 {cpu}"], sources=SOURCES | {"arithmetic": "", "null": ""},
    )  # fmt: skip
    keys = [case["key"] for case in cases if case["name"] in queued]
    for record in run.records:
        if record["record"] == "visit" and record["case"] in keys:
            record |= {"throughput_call_seconds": None, "dispatch_seconds": None}
    return write(run, folder)
