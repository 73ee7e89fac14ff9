"""A sweep's scaling as people see it: tables in the terminal, CSV files, and a picture on log axes.

No line is drawn without the points that it was fitted to, and none where it does not fit them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.analyse.scaling import LINE, TOLERATED, Scaling
from bench.schema.case import SIDE
from bench.show import grid
from bench.show.grid import Column, Row
from bench.show.pictures import COLOURS, MARKERS
from bench.show.rows import name_of, records
from bench.units import flop, giga, seconds

FILES = {"fits": "scaling.csv", "points": "scaling_points.csv", "crossings": "crossings.csv"}
PICTURE = "scaling.svg"


def show(found: Scaling, sizes: Sequence[str], to: Console) -> None:
    """Prints overhead, rate and half-performance size of lines that fit, the times of the others, and where lines cross."""
    if found.fits.empty:
        to.print("no line has three shapes; sweep them with BENCH_SHAPES=1x1000x100x10,16x1000x100x10,...")
        return
    shapes = _named(found.points, sizes)
    off = Column("off", lambda r: f"{r['worst_left_out']:+.1%} at {shapes[r['worst_shape']]}", 0, right=False)
    _print(found.fits, [*_FITS, off], to)
    to.print(
        "time = overhead + operations / rate, fitted per process; off: the shape that the line through the others predicts "
        f"worst. Beyond {TOLERATED:.0%} the line does not fit and has no numbers.",
        style="dim",
    )
    if not found.fits["fits"].all():
        to.print("\nLines that do not fit, by their measured times:")
        times = found.points.pivot(index=LINE, columns="shape", values="seconds_per_step")
        unfit = found.fits.loc[~found.fits["fits"], LINE].join(times, on=LINE)
        _print(unfit, [_time(shape, name) for shape, name in shapes.items()], to)
    if len(found.crossings):
        to.print("\nWhere the faster side changes, by measured operations a step, at 95 % for all sizes of a line:")
        for _, rows in found.crossings.groupby(LINE, sort=False):
            to.print(crossed(records(rows), shapes))


def crossed(rows: list[Row], shapes: dict[str, str]) -> str:
    """What a line's crossings, in rising order, say of it beside its baseline: `faster up to ..., slower from ... on`."""

    def name(shape: str) -> str:  # a line of two shapes crosses, too, and may have one that no fitted line has
        return shapes.get(shape, shape)

    def size(row: Row, end: str) -> str:
        return f"{flop(row[f'flops_{end}'])} ({name(row[f'shape_{end}'])})"

    words = ("slower", "faster") if rows[0]["faster"] == "above" else ("faster", "slower")
    parts = [f"{words[0]} up to {size(rows[0], 'low')}"]
    for number, row in enumerate(rows):
        low, next_low = size(row, "high"), size(rows[number + 1], "low") if row is not rows[-1] else ""
        where = f"from {low} on" if not next_low else f"at {low}" if low == next_low else f"from {low} to {next_low}"
        parts.append(f"{words[(number + 1) % 2]} {where}")
    undecided = ", ".join(map(name, rows[0]["undecided"].split()))
    line = f"{name_of(rows[0])}[{rows[0]['device']}, {rows[0]['dtype']}] beside {rows[0]['than']}"
    return f"{line}: {', '.join(parts)}{f'; undecided at {undecided}' if undecided else ''}"


def write(sweep: Scaling, folder: Path) -> list[Path]:
    """Writes `FILES`, and `PICTURE` where matplotlib is installed; returns what was written.

    Nothing where no line has three shapes.
    """
    if sweep.fits.empty:
        return []
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
    lines = dict(tuple(sweep.points.groupby(LINE, sort=False)))
    slowest_first = sorted(lines.items(), key=lambda item: -float(item[1]["seconds_per_step"].iloc[-1]))
    for number, (line, points) in enumerate(slowest_first):
        label = " ".join(str(part) for part in dict.fromkeys(line) if part not in ("", "cpu", "float32", 1))
        look = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
        seconds_per_step = points["seconds_per_step"]
        ends = [(points[f"seconds_per_step_{end}"] - seconds_per_step).abs() for end in ("low", "high")]
        axes.errorbar(points["flops"], seconds_per_step, ends, linestyle="", markersize=4, capsize=2, label=label, **look)
        axes.plot(points["flops"], points["model_seconds_per_step"], linewidth=1, color=look["color"])
        if points["model_seconds_per_step"].isna().all():
            axes.plot(points["flops"], seconds_per_step, linewidth=0.6, linestyle=":", color=look["color"])
    axes.set(xscale="log", yscale="log", xlabel="floating-point operations a step", ylabel="time of a step")
    axes.yaxis.set_major_formatter(EngFormatter(unit="s"))
    title = "points: measured, with 95 % intervals; lines: overhead + operations / rate; dotted: no such line fits"
    axes.set_title(title, fontsize=10)
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


def _named(points: pd.DataFrame, sizes: Sequence[str]) -> dict[str, str]:
    """What shapes are called, smallest first: by the one size that varies, such as N=16, or in full."""
    shapes = list(dict.fromkeys(points.sort_values("flops")["shape"]))
    varying = [n for n, values in enumerate(zip(*(s.split("x") for s in shapes), strict=True)) if len({*values}) > 1]
    if len(varying) != 1:
        return {shape: shape for shape in shapes}
    (place,) = varying
    return {shape: f"{sizes[place]}={shape.split('x')[place]}" for shape in shapes}


def _time(shape: str, name: str) -> Column:
    return Column(name, lambda r: seconds(r[shape]), 0)


def _span(name: str, text_of: Callable[[float], str]) -> Column:
    def text(row: Row) -> str:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        if not math.isfinite(low + high):
            return ""
        return f"{text_of(low)}–{text_of(high)}"

    return Column("95 % interval", text, 2)


_FITS = [
    Column("overhead", lambda r: seconds(r["overhead_seconds"]) if r["fits"] else "no line", 0),
    _span("overhead_seconds", seconds),
    Column("GF/s", lambda r: giga(r["flop_per_second"]), 0),
    _span("flop_per_second", giga),
    Column("half performance", lambda r: flop(r["half_performance_flop"]), 1),
    _span("half_performance_flop", flop),
]
