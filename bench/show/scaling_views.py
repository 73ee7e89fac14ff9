"""A sweep's scaling as people see it: tables in the terminal, CSV files, and a picture on log axes.

No line is drawn without the points that it was fitted to.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.analyse.scaling import LINE, Scaling
from bench.schema.case import SIDE
from bench.show import grid
from bench.show.grid import Column, Row
from bench.show.pictures import COLOURS, MARKERS
from bench.show.rows import records
from bench.units import flop, seconds

FILES = {"fits": "scaling.csv", "points": "scaling_points.csv", "crossings": "crossings.csv"}
PICTURE = "scaling.svg"


def show(found: Scaling, to: Console) -> None:
    """Prints overhead, rate and half-performance size of every line, and where lines cross."""
    if found.fits.empty:
        to.print("no line has three shapes; sweep them with BENCH_SHAPES=1x1000x100x10,16x1000x100x10,...")
        return
    _print(found.fits, _FITS, to)
    to.print("time = overhead + operations / rate, fitted per process; off: the point that fits worst", style="dim")
    for row in records(found.crossings):
        place = f"{flop(row['flops'])} ({flop(row['flops_low'])} to {flop(row['flops_high'])})"
        name = f"{row['backend']}[{row['device']}, {row['dtype']}]"
        to.print(f"{name} is faster than {row['than']} {row['faster']} {place} a step")


def write(sweep: Scaling, folder: Path) -> list[Path]:
    """Writes `FILES`, and `PICTURE` where matplotlib is installed; returns what was written."""
    written = []
    for name, file in FILES.items():
        (folder / file).write_text(getattr(sweep, name).to_csv(index=False), encoding="utf-8")
        written.append(folder / file)
    return [*written, *draw(sweep, folder / PICTURE)]


def draw(sweep: Scaling, target: Path) -> list[Path]:
    """Times over operations on log axes, measured points and fitted lines; nothing without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        return []
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter

    figure, axes = pyplot.subplots(figsize=(10, 6), layout="constrained", facecolor="white")
    lines = dict(tuple(sweep.points.groupby(LINE, sort=False))) if len(sweep.points) else {}
    slowest_first = sorted(lines.items(), key=lambda item: -float(item[1]["seconds_per_step"].iloc[-1]))
    for number, (line, points) in enumerate(slowest_first):
        label = " ".join(str(part) for part in dict.fromkeys(line) if part not in ("", "cpu", "float32", 1))
        look = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
        seconds_per_step = points["seconds_per_step"]
        ends = [(points[f"seconds_per_step_{end}"] - seconds_per_step).abs() for end in ("low", "high")]
        axes.errorbar(points["flops"], seconds_per_step, ends, linestyle="", markersize=4, capsize=2, label=label, **look)
        axes.plot(points["flops"], points["model_seconds_per_step"], linewidth=1, color=look["color"])
    axes.set(xscale="log", yscale="log", xlabel="floating-point operations a step", ylabel="time of a step")
    axes.yaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.set_title("points: measured, with 95 % intervals; lines: overhead + operations / rate", fontsize=10)
    axes.grid(which="major", linewidth=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)
    return [target]


def _print(table: pd.DataFrame, measures: list[Column], to: Console) -> None:
    rows = records(table)
    varying = [grid.dimension(name) for name in ("device", "dtype", "threads", SIDE) if table[name].nunique() > 1]
    columns = [grid.plain("backend"), *varying, *measures]
    grid.show(grid.fit(columns, rows, to.width), rows, to)


def _span(name: str) -> Column:
    def text(row: Row) -> str:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        if not math.isfinite(low + high):
            return ""
        return f"{seconds(low)}–{seconds(high)}" if name == "overhead_seconds" else f"{low / 1e9:.3g}–{high / 1e9:.3g}"

    return Column("95 % interval", text, 2)


_FITS = [
    Column("overhead", lambda r: seconds(r["overhead_seconds"]), 0),
    _span("overhead_seconds"),
    Column("GF/s", lambda r: f"{r['flop_per_second'] / 1e9:.3g}", 0),
    _span("flop_per_second"),
    Column("half performance", lambda r: flop(r["half_performance_flop"]), 1),
    Column("off", lambda r: f"{r['worst_residual']:+.0%}", 0),
]
