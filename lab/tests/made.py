"""A campaign whose truth is known: journals of runs in which every time is made of a weather, a spread and a slowdown."""

import json

import numpy as np
from ours import SLOWED, TARGET
from steps import SEED

from bench.record import journal
from tests.support import a_header

YARDSTICKS = ("arithmetic", "dispatch", "traffic")
SHAPE = "64x1000x100x10"
SIZE = {name: share for share, name in SLOWED.items()}
PASSES, BLOCKS, STEPS = 5, 2, 4


def _case(name):
    kind = "yardstick" if name in YARDSTICKS else "slowed" if name in SIZE else "twin" if name == "twin" else "seed"
    proven = kind != "yardstick"
    return {
        "backend": "numpy_manual" if name == "twin" else name, "device": "cpu", "dtype": "float32", "threads": 1,
        "shape": [64, 1000, 100, 10], "twin": name == "twin", "side": "", "key": f"{name}-cpu-float32-1-{SHAPE}", "name": name,
        "kind": kind, "baseline": f"numpy_manual-cpu-float32-1-{SHAPE}" if proven else None, "proven": proven, "flops": 1000,
        "bytes": 0, "learning_rate": 1e-6, "tolerance": 1e-4, "source_hash": "x", "versions": {"numpy": "2"}, "idea": "",
    }  # fmt: skip


NAMES = (*SEED, *SIZE, "twin", *YARDSTICKS)


def story(name, random, slower=None, weather=0.02, between=0.0005, within=0.001):
    """A run called `name`. All times share its weather; each case differs from run to run by `between`, blocks by `within`.

    `slower` maps names to logs that are added; a slowed step takes its share longer than its original in each block.
    """
    cases = [_case(each) for each in NAMES]
    header = a_header(run=name, cases=cases)
    header["settings"] |= {"processes": PASSES, "blocks": BLOCKS, "steps": STEPS, "baseline": "numpy_manual"}
    log = {each: np.log(1e-4) + random.normal(0, between) + (slower or {}).get(each, 0) for each in NAMES}
    log |= {each: log[TARGET] + np.log1p(share) for each, share in SIZE.items()}
    run_weather = random.normal(0, weather)
    errors = {"loss": 1e-7, "w1": 1e-7, "w2": 1e-7, "kinks": 0}
    records = []
    for number in range(PASSES):
        records.append({"record": "pass", "pass": number})
        for case in cases:
            proof = errors if case["proven"] else None
            records.append({"record": "open", "pass": number, "case": case["key"], "first_step_seconds": 0.5, "errors": proof})
        for block in range(BLOCKS):
            for position, case in enumerate(cases):
                took, late = (STEPS * np.exp(log[case["name"]] + run_weather + random.normal(0, within)) for _ in range(2))
                records.append(
                    {
                        "record": "visit", "pass": number, "block": block, "position": position, "case": case["key"],
                        "steps": STEPS, "throughput_seconds": took, "dispatch_seconds": None, "latency_seconds": late,
                        "throughput_call_seconds": [took / STEPS] * STEPS, "latency_call_seconds": [late / STEPS] * STEPS,
                        "device_seconds": None, "minor_faults": 5, "readback_seconds": 0.01,
                        "errors": errors if case["proven"] else None,
                    }
                )  # fmt: skip
    return journal.Story(None, header, (*records, {"record": "end", "pass": PASSES - 1}))


def on_two_sides(told):
    """The same run with its five steps on a further side, where they took exactly as long."""
    header = told.header
    cases = [
        case | {"side": "then"} | {name: _at(case[name], "then") for name in ("key", "baseline")} for case in header["cases"]
    ]
    later = [case | {"side": "now", "key": _at(case["key"], "now"), "baseline": case["key"]} for case in cases]
    later = [case for case in later if case["kind"] == "seed"]
    own = [record | {"case": _at(record["case"], "then")} if "case" in record else record for record in told.records]
    keys = {case["baseline"] for case in later}
    both = [
        each
        for record in own
        for each in ([record, record | {"case": _at(record["case"], "now")}] if record.get("case") in keys else [record])
    ]
    return journal.Story(None, header | {"cases": cases + later}, tuple(both))


def _at(key, side):
    return key and f"{key.partition('@')[0]}@{side}"


def name_of(number):
    return f"20260101T{number // 60:02}{number % 60:02}00Z"


def write(told, folder, seconds=80):
    """A finished run of ours in a campaign's folder."""
    place = folder / "m" / told.header["run"]
    place.mkdir(parents=True)
    lines = [json.dumps(record) for record in (told.header, *told.records)]
    (place / journal.NAME).write_text("\n".join(lines) + "\n")
    (folder / "seconds").write_text(f"{seconds}\n")


def write_other(folder, random, spread=0.001):
    """A finished run of pytest-benchmark, of equal and of slowed steps."""
    folder.mkdir(parents=True)
    means = {name: 1e-4 * np.exp(random.normal(0, spread)) for name in SEED}
    means |= {name: means[TARGET] * (1 + share) for name, share in SIZE.items()}
    report = {"benchmarks": [{"params": {"name": name}, "stats": {"mean": float(mean)}} for name, mean in means.items()]}
    (folder / "run.json").write_text(json.dumps(report))
    (folder / "seconds").write_text("11\n")
