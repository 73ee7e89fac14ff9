"""How a step's time grows with its work: overhead and rate of each backend over a sweep of shapes, and where lines cross.

A line that does not predict its own points has no overhead and no rate; where lines cross is told by measured sizes alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from bench.analyse.single_steps import undisturbed
from bench.analyse.verdicts import CONFIDENCE, Estimate
from bench.record.frame import Singles
from bench.schema.case import CONTROLS, SIDE

LINE = ["backend", "device", "dtype", "threads", SIDE]
"""What one line of a sweep has in common; its points differ in shape."""
TOLERATED = 0.1
"""A line fits if the line through the other shapes tells the time of each within this share. Of made sweeps every true line
passes whose processes vary by 4 % at each shape, and none whose rate changes by 30 % at N=64 or above; in what passes the
intervals hold the truth (`tests/bench/analyse/test_scaling.py`)."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Scaling:
    """`fits` has a row per line, `points` one per line and shape, `crossings` one per line and change of the faster side."""

    fits: pd.DataFrame
    points: pd.DataFrame
    crossings: pd.DataFrame


def scale(
    rounds: pd.DataFrame, singles: Mapping[str, Singles], operations: Mapping[str, int], baseline: str
) -> Scaling:
    """Fits `seconds = overhead + operations / rate` to a run's throughput rounds, as `bench.load` returns them.

    A process's time is the undisturbed one of its single steps where `singles` has them, by case, else its rounds' median.
    Each process is fitted by itself, relative errors squared, neither term negative. The half-performance size is the number
    of operations that take as long as the overhead (Hockney & Jesshope, 1981). An interval holds what differs between
    processes and what leaving out a shape changes (`_with_lack_of_fit`). Where a shape, predicted by the line through the
    others, is off by more than `TOLERATED`, `fits` is False and overhead, rate, half-performance size and fitted times are NaN.

    Two lines cross between two measured sizes: the last at which one is certainly faster and the first at which the other is.
    Certainly: Student's t over the processes' ratios excludes 1, at all sizes of a line together with 95 % (Bonferroni). Ratios
    are of undisturbed times where both have them, else of medians.
    """
    steps = (rounds["mode"] == "throughput") & (rounds["status"] == "ok") & ~rounds["kind"].isin(CONTROLS)
    rounds = rounds[steps]
    rounds = rounds.assign(flops=rounds["case"].map(operations))
    processes = rounds.groupby([*LINE, "flops", "shape", "case", "pass"], sort=False)["seconds_per_step"]
    table = processes.median().reset_index()
    table["undisturbed"] = [
        math.exp(undisturbed([singles[case].by_pass[number]])) if case in singles and singles[case].singly else math.nan
        for case, number in zip(table["case"], table["pass"], strict=True)
    ]
    fitted = [
        _fit(dict(zip(LINE, line, strict=True)), rows)
        for line, rows in table.groupby(LINE, sort=False)
        if rows["flops"].nunique() > 2
    ]
    fits, points = [line for line, _ in fitted], [point for _, points in fitted for point in points]
    return Scaling(pd.DataFrame(fits), pd.DataFrame(points), pd.DataFrame(_crossings(table, baseline)))


def _fit(line: Row, rows: pd.DataFrame) -> tuple[Row, list[Row]]:
    """A line's row of `Scaling.fits`, and its rows of `Scaling.points`."""
    rows = rows.assign(seconds=rows["undisturbed"].fillna(rows["seconds_per_step"]))
    grid = rows.pivot(index="pass", columns="flops", values="seconds").dropna()
    flops, seconds = grid.columns.to_numpy(float), grid.to_numpy(float)
    all_but_one = ~np.eye(len(flops), dtype=bool)
    terms = np.array([fit(flops, process) for process in seconds])  # of each process: overhead, seconds per operation
    without = np.array([[fit(flops[kept], process[kept]) for process in seconds] for kept in all_but_one])  # [shape, process]
    measured = np.exp(np.log(seconds).mean(axis=0))
    left_out = measured / _line(without.mean(axis=1), flops) - 1
    model = _line(terms.mean(axis=0), flops)
    residuals = measured / model - 1
    worst = np.abs(left_out).argmax()
    fits = bool(abs(left_out[worst]) <= TOLERATED)
    shapes = _shapes(rows)
    row = line | {"fits": fits, "worst_left_out": float(left_out[worst]), "worst_shape": shapes[flops[worst]]}
    one_less = _measures(without)
    for name, values in _measures(terms).items():
        estimate = _with_lack_of_fit(values, one_less[name])
        low, high = estimate.interval()
        told = (estimate.mean, max(low, 0.0), high) if fits else (math.nan,) * 3
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), told, strict=True))
    row |= {"worst_residual": float(residuals[np.abs(residuals).argmax()]), "points": len(flops), "processes": len(grid)}
    ends = [[float(np.exp(end)) for end in Estimate.of(np.log(column)).interval()] for column in seconds.T]
    points = [
        {
            **line,
            "shape": shapes[flops[number]],
            "flops": flops[number],
            "seconds_per_step": measured[number],
            "seconds_per_step_low": low,
            "seconds_per_step_high": high,
            "model_seconds_per_step": model[number] if fits else math.nan,
            "residual": residuals[number],
            "left_out": left_out[number],
        }
        for number, (low, high) in enumerate(ends)
    ]
    return row, points


def fit(flops: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """(overhead in seconds, seconds per operation), neither negative, of least squared relative error."""
    equations = np.column_stack([1 / seconds, flops / seconds])
    scale = equations.max(axis=0)
    solution, _ = nnls(equations / scale, np.ones(len(seconds)))
    overhead, slope = solution / scale
    return float(overhead), float(slope)


def _line(terms: np.ndarray, flops: np.ndarray) -> np.ndarray:
    """Seconds a step of each shape; terms of shape (2,), or (shapes, 2) with a line for each."""
    return np.asarray(terms[..., 0] + flops * terms[..., 1])


def _measures(terms: np.ndarray) -> dict[str, np.ndarray]:
    """Overhead in seconds, operations a second and operations of half performance of terms (..., 2).

    NaN where times do not grow with the work, for then no rate is approached.
    """
    overhead, slope = terms[..., 0], terms[..., 1]
    rate = 1 / np.where(slope > 0, slope, math.nan)
    return {"overhead_seconds": overhead, "flop_per_second": rate, "half_performance_flop": overhead * rate}


def _with_lack_of_fit(processes: np.ndarray, without: np.ndarray) -> Estimate:
    """The mean of (processes,), with what it would be without each shape, (shapes, processes), in its error.

    Two variances are added: between processes, and the jackknife's over shapes, taken about the estimate itself (Tukey 1958;
    Efron, *The Jackknife, the Bootstrap and Other Resampling Plans*, 1982). In a regression the latter is right whatever the
    size of each point's deviation (Hinkley 1977; MacKinnon & White 1985), and the interval holds every estimate that leaves
    one shape out. Degrees of freedom by Satterthwaite (1946).
    """
    between, shapes = Estimate.of(processes), len(without)
    lack = (shapes - 1) / shapes * float(((without.mean(axis=1) - between.mean) ** 2).sum())
    variance = between.error**2 + lack
    share = lack / variance if variance else 0.0
    freedom = 1 / ((1 - share) ** 2 / between.freedom + share**2 / (shapes - 2))
    return Estimate(between.mean, math.sqrt(variance), freedom)


def _shapes(rows: pd.DataFrame) -> dict[float, str]:
    """By operations."""
    found = rows.drop_duplicates("flops")
    return {float(flops): str(shape) for flops, shape in zip(found["flops"], found["shape"], strict=True)}


def _crossings(table: pd.DataFrame, baseline: str) -> Iterator[Row]:
    """Where a line meets the baseline's of the same dtype, threads and side, on its own device or the CPU."""
    lines = dict(tuple(table.groupby(LINE, sort=False)))
    for key, rows in lines.items():
        line = dict(zip(LINE, key, strict=True))
        others = [(baseline, device, *key[2:]) for device in dict.fromkeys((line["device"], "cpu"))]
        base = next((lines[other] for other in others if other in lines and other != key), None)
        if base is None:
            continue
        both = rows.merge(base, on=["pass", "flops"], suffixes=("", "_base"))
        calm, median = (both[name] / both[f"{name}_base"] for name in ("undisturbed", "seconds_per_step"))
        both = both.assign(ratio=np.log(calm.fillna(median).astype(float)))
        sizes = {float(str(flops)): logs.to_numpy(float) for flops, logs in both.groupby("flops")["ratio"]}
        signs = {flops: _sign(logs, len(sizes)) for flops, logs in sizes.items()}
        shapes = _shapes(rows)
        for low, high in itertools.pairwise(flops for flops, sign in signs.items() if sign):
            if signs[low] != signs[high]:
                yield {
                    **line,
                    "faster": "above" if signs[high] < 0 else "below",
                    "than": baseline,
                    "flops": math.sqrt(low * high),
                    "flops_low": low,
                    "flops_high": high,
                    "processes": min(len(sizes[low]), len(sizes[high])),
                    "shape_low": shapes[low],
                    "shape_high": shapes[high],
                    "undecided": " ".join(shapes[flops] for flops, sign in signs.items() if not sign),
                }


def _sign(logs: np.ndarray, sizes: int) -> int:
    """-1 where the baseline is slower, 1 where it is faster, 0 where the interval over processes, one of `sizes`, holds 1."""
    low, high = Estimate.of(logs).interval(1 - (1 - CONFIDENCE) / sizes)
    return 1 if low > 0 else -1 if high < 0 else 0
