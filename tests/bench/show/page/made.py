"""Journals made by hand for the page's tests: a run with two devices, dtypes and thread counts, or with texts that attack."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np

from tests.support import MACHINE

MISSING = "a library of the extra report is not installed"
HOSTILE = '<b></script><img src=x onerror="window.hacked=1">\'{{ 7*7 }}%{x}\u2028'
SOURCES = {
    "base": """import numpy as np

from tests.support import MACHINE


class Base:
    def step(self):
        # forward
        h = self.x @ self.w1
        return h
""",
    "slow": """class Slow:
    def step(self):
        # forward
        h = relu(self.x) @ self.w1
        return h


def relu(x):
    return x.clamp(min=0)
""",
    "fast": "class Fast:\n    def step(self):\n        return 1\n",
}
TIMES = {"base": 300e-6, "slow": 400e-6, "fast": 150e-6, "twin": 300e-6, "arithmetic": 200e-6, "null": 1e-7}
KINDS = {"twin": "twin", "arithmetic": "yardstick", "null": "control"}
SHAPE = [64, 1000, 100, 10]


def journal(
    folder: Path, *, devices=("cpu",), dtypes=("float32",), threads=(1,), shapes=(SHAPE,), names=None, passes=4, blocks=3,
    machine="made-by-hand", cpu="a CPU", profile=False, holes=(), twin=1.0, seed=0, end=True,
) -> Path:  # fmt: skip
    """Writes a journal; `names` maps the names in `TIMES` to others, `twin` is how much slower the twin is made."""
    random, names = np.random.default_rng(seed), names or {}
    cases, took = [], {}
    for device, dtype, count, shape in product(devices, dtypes, threads, shapes):
        place = f"-{device}-{dtype}-{count}-{'x'.join(map(str, shape))}"
        for name, seconds in TIMES.items():
            source = "base" if name == "twin" else name
            cases.append(
                {
                    "backend": names.get(source, source), "name": names.get(name, name), "device": device, "dtype": dtype,
                    "threads": count, "shape": list(shape), "twin": name == "twin", "side": "", "key": name + place,
                    "kind": KINDS.get(name, "seed"), "source_hash": source, "proven": name not in ("arithmetic", "null"),
                    "baseline": "base" + place if name not in ("arithmetic", "null") else None, "flops": 25_984_000,
                    "learning_rate": 1e-6, "tolerance": 1e-4, "versions": {"numpy": "2.0"},
                }
            )  # fmt: skip
            work = (shape[0] + 16) / 80 * (1 if device == "cpu" else 0.2) * (twin if name == "twin" else 1) / count
            took["".join((name, place))] = seconds * work
    settings = {
        "devices": list(devices), "backends": ["seed"], "dtypes": list(dtypes), "threads": list(threads),
        "shapes": ["x".join(map(str, shape)) for shape in shapes], "baseline": "base", "processes": 4, "blocks": blocks,
        "steps": 10, "seed": 0, "allocator": "pinned", "path": [], "pythons": [], "results": "results", "timeout": 120.0,
    }  # fmt: skip
    header = {
        "record": "header", "schema": 1, "run": folder.name, "machine_name": machine, "settings": settings, "cases": cases,
        "machine": {**MACHINE, "python": "3.11", "cpu": cpu, "time": "2026-01-02T03:04:05+00:00"},
        "holes": list(holes), "sources": SOURCES | {"arithmetic": "", "null": ""},
    }  # fmt: skip
    errors = {"loss": 1e-6, "w1": 2e-6, "w2": 3e-6, "kinks": 0}
    records = [header]
    for number in range(passes):
        records.append({"record": "pass", "pass": number})
        records += [
            {"record": "open", "pass": number, "case": key, "first_step_seconds": 0.5, "errors": errors} for key in took
        ]
        for block, (position, key) in product(range(blocks), enumerate(took)):
            seconds = 10 * took[key] * float(np.exp(random.normal(0, 0.002)))
            records.append(
                {
                    "record": "visit", "pass": number, "block": block, "position": position, "case": key, "steps": 10,
                    "throughput_seconds": seconds, "latency_seconds": seconds, "device_seconds": None, "minor_faults": 0,
                    "readback_seconds": 0.0, "errors": errors,
                }
            )  # fmt: skip
    if profile:
        losses = [1000.0 / (epoch + 1) for epoch in range(10)]
        told = {"operators": 12, "kernels": 0, "losses": losses, "expected_losses": losses}
        records += [{"record": "profile", "case": key, "pass": 0, **told} for key in took]
    folder.mkdir(parents=True)
    path = folder / "journal.jsonl"
    path.write_text("\n".join(map(json.dumps, [*records, *([{"record": "end", "pass": 0}] if end else [])])) + "\n")
    return path


def hole(reason: str, backend="absent") -> dict:
    """A case that could not run."""
    return {
        "backend": backend, "name": backend, "device": "cpu", "dtype": "float32", "threads": 1, "shape": SHAPE, "twin": False,
        "side": "", "kind": "rung", "key": f"{backend}-cpu-float32-1-64x1000x100x10", "reason": reason,
    }  # fmt: skip


def in_ranks(path: Path, name: str, slower: float) -> Path:
    """The same journal with a step of this name in two ranks too, which takes so many times one process's time.

    It has to hold the shape of half the batch; every step is timed by itself.
    """
    header, *records = map(json.loads, path.read_text().splitlines())
    whole = next(case for case in header["cases"] if case["name"] == name)
    shared = {**whole, "ranks": 2, "key": f"{whole['key']}-2ranks"}
    header["cases"].append(shared)
    kept = []
    for record in records:
        if record["record"] == "visit":
            record |= {"dispatch_seconds": None, "throughput_call_seconds": [record["throughput_seconds"] / 10] * 10}
        kept.append(record)
        if record.get("case") == whole["key"]:
            record = {**record, "case": shared["key"]}
            if record["record"] == "visit":
                seconds = record["throughput_seconds"] * slower
                record |= {"throughput_seconds": seconds, "throughput_call_seconds": [seconds / 10] * 10, "position": 99}
            kept.append(record)
    path.write_text("\n".join(map(json.dumps, [header, *kept])) + "\n")
    return path
