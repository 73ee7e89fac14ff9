"""How a step's time grows with its work: overhead and rate of each backend over a sweep of shapes, and where lines cross.

Every point's residual is told: no bad fit is hidden.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from backends.api import step_flops
from bench.analyse.verdicts import Estimate
from bench.schema.case import CONTROLS, SIDE

LINE = ["backend", "device", "dtype", "threads", SIDE]
"""What one line of a sweep has in common; its points differ in shape."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Scaling:
    """`fits` has a row per line, `points` one per line and shape, `crossings` one per line and baseline that meet."""

    fits: pd.DataFrame
    points: pd.DataFrame
    crossings: pd.DataFrame


def scale(rounds: pd.DataFrame, baseline: str) -> Scaling:
    """Fits `seconds = overhead + operations / rate` to a run's throughput rounds, as `bench.load` returns them.

    Each process is fitted by itself, relative errors squared, neither term negative; intervals are Student's t over
    processes. The half-performance size is the number of operations that take as long as the overhead (Hockney & Jesshope,
    1981). Two lines cross where the ratio of their times passes 1, interpolated on log axes between shapes at which an interval
    excludes 1.
    """
    steps = (rounds["mode"] == "throughput") & (rounds["status"] == "ok") & ~rounds["kind"].isin(CONTROLS)
    rounds = rounds[steps]
    flops = [step_flops(*shape) for shape in zip(*(rounds[name] for name in ("N", "D_in", "H", "D_out")), strict=True)]
    rounds = rounds.assign(flops=flops)
    medians = rounds.groupby([*LINE, "flops", "N", "D_in", "H", "D_out", "pass"], sort=False)["seconds_per_step"].median()
    table = medians.reset_index()
    fitted = [
        _fit(dict(zip(LINE, line, strict=True)), rows)
        for line, rows in table.groupby(LINE, sort=False)
        if rows["flops"].nunique() > 2
    ]
    fits, points = [line for line, _ in fitted], [point for _, points in fitted for point in points]
    return Scaling(pd.DataFrame(fits), pd.DataFrame(points), pd.DataFrame(_crossings(table, baseline)))


def _fit(line: Row, rows: pd.DataFrame) -> tuple[Row, list[Row]]:
    """A line's row of `Scaling.fits`, and its rows of `Scaling.points`."""
    grid = rows.pivot(index="pass", columns="flops", values="seconds_per_step").dropna()
    flops = grid.columns.to_numpy(float)
    terms = np.array([fit(flops, seconds) for seconds in grid.to_numpy()])
    overhead, seconds_per_flop = terms.T
    row: Row = dict(line)
    for name, values in {
        "overhead_seconds": overhead,
        "flop_per_second": 1 / np.maximum(seconds_per_flop, np.finfo(float).tiny),
        "half_performance_flop": overhead / np.maximum(seconds_per_flop, np.finfo(float).tiny),
    }.items():
        estimate = Estimate.of(values)
        low, high = estimate.interval()
        row |= {name: estimate.mean, f"{name}_low": max(low, 0.0), f"{name}_high": high}
    predicted = np.mean(overhead) + flops * np.mean(seconds_per_flop)
    measured = np.exp(np.log(grid).mean().to_numpy())
    residuals = measured / predicted - 1
    worst = float(residuals[np.abs(residuals).argmax()])
    row |= {"worst_residual": worst, "points": len(flops), "processes": len(grid)}
    shapes = rows.drop_duplicates("flops").set_index("flops")[["N", "D_in", "H", "D_out"]]
    points = []
    ends = [[float(np.exp(end)) for end in Estimate.of(np.log(column)).interval()] for column in grid.to_numpy(float).T]
    for flop, seconds, (low, high), model, residual in zip(flops, measured, ends, predicted, residuals, strict=True):
        point = {"flops": flop, "seconds_per_step": seconds, "seconds_per_step_low": low, "seconds_per_step_high": high}
        point |= {"model_seconds_per_step": model, "residual": residual}
        points.append(line | shapes.loc[flop].to_dict() | point)
    return row, points


def fit(flops: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """(overhead in seconds, seconds per operation), neither negative, of least squared relative error."""
    equations = np.column_stack([1 / seconds, flops / seconds])
    scale = equations.max(axis=0)
    solution, _ = nnls(equations / scale, np.ones(len(seconds)))
    overhead, slope = solution / scale
    return float(overhead), float(slope)


def _crossings(table: pd.DataFrame, baseline: str) -> Iterator[Row]:
    """Where a line meets the baseline's of the same dtype, threads and side, on its own device or else on the CPU."""
    lines = dict(tuple(table.groupby(LINE, sort=False)))
    for key, rows in lines.items():
        line = dict(zip(LINE, key, strict=True))
        others = [(baseline, device, *key[2:]) for device in dict.fromkeys((line["device"], "cpu"))]
        base = next((lines[other] for other in others if other in lines and other != key), None)
        if base is None:
            continue
        both = rows.merge(base, on=["pass", "flops"], suffixes=("", "_base"))
        both = both.assign(ratio=np.log(both["seconds_per_step"].astype(float) / both["seconds_per_step_base"].astype(float)))
        grid = both.pivot(index="pass", columns="flops", values="ratio")
        signs = [(float(str(flops)), _sign(logs.dropna().to_numpy(float))) for flops, logs in grid.items()]
        certain = [(flops, sign) for flops, sign in signs if sign]
        for (below, before), (above, after) in itertools.pairwise(certain):
            if before != after:
                yield line | {"faster": "above" if after < 0 else "below", "than": baseline} | _place(grid, below, above)


def _sign(logs: np.ndarray) -> int:
    """-1 where the baseline is slower, 1 where it is faster, 0 where the interval over processes does not tell."""
    low, high = Estimate.of(logs).interval()
    return 1 if low > 0 else -1 if high < 0 else 0


def _place(grid: pd.DataFrame, below: float, above: float) -> Row:
    """Operations at which log ratios pass 0 between two shapes that they are certain at, one estimate per process."""
    share = (grid[below] / (grid[below] - grid[above])).to_numpy(float)
    crossed = share[(share >= 0) & (share <= 1)]  # where noise hides the change of sign, a process tells no place
    estimate = Estimate.of(np.log(below) + crossed * np.log(above / below))
    low, high = (np.exp(end) for end in estimate.interval())
    return {
        "flops": float(np.exp(estimate.mean)),
        "flops_low": float(np.fmax(low, below)),
        "flops_high": float(np.fmin(high, above)),
        "processes": len(crossed),
    }
