"""The times of a run as a picture: for each step a dot with its 95 % interval, its bound, and a line at the baseline.

The same table is the same picture, whenever and with whichever preferences it is drawn.
"""

from __future__ import annotations

import io
import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse.step import step_seconds
from bench.errors import UsageError, missing
from bench.schema.case import is_control
from bench.show.bars import is_wide
from bench.show.grid import Row
from bench.show.rows import arranged, bound_of, common, key_of, name_of, place_of
from bench.units import seconds

NAME = "times.svg"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito, *Color Universal Design*, 2008: told apart by those who see fewer colours. Their yellow is lost on white."""
MARKERS = "osD^vP"
BOUND = {"marker": "|", "linestyle": "", "markersize": 9, "markeredgewidth": 1.5}
BASELINE = {"linestyle": ":", "linewidth": 1}


def times(table: pd.DataFrame) -> Any:
    """A matplotlib `Figure` of a summary: a line per backend, a colour for each device, dtype or whatever else varies.

    Raises `UsageError` without matplotlib, or if no step has a time.
    """
    rows, varying = arranged(table)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if not is_control(row["kind"]):
            groups.setdefault(place_of(row, varying), []).append(row)
    steps = sorted((row for group in groups.values() for row in group), key=step_seconds)
    if not steps:
        raise UsageError("picture: no step of this run has a time; `python -m bench show` says why.")
    names = list(dict.fromkeys(map(name_of, steps)))
    with _style():
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter

        figure = Figure(figsize=(8, 1.4 + len(names) * (0.22 + 0.06 * len(groups))), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        for number, (place, group) in enumerate(groups.items()):
            aside = 0.7 * ((number + 0.5) / len(groups) - 0.5)  # of one line, groups stand above each other
            heights = [names.index(name_of(row)) + aside for row in group]
            look = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
            _draw(axes, group, heights, look | {"label": place or "undisturbed time, 95 % interval"})
            for row in group:
                if key_of(row) == row["baseline"]:
                    axes.axvline(step_seconds(row), color=look["color"], **BASELINE)
            if len(groups) == 1:
                _tell(axes, group, heights)
        axes.plot([], [], color="grey", label=bound_of(steps) or "bound", **BOUND)
        axes.plot([], [], color="grey", label="baseline", **BASELINE)
        _scale(axes, steps)
        axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)  # the quickest on top
        axes.grid(axis="x", linewidth=0.3)
        axes.set_title(common(table), fontsize=10)
        axes.set_xlabel("time of a step")
        ncols = max(1, 100 // (max(map(len, groups)) + 10))
        figure.legend(loc="outside lower center", ncols=ncols, frameon=False, fontsize=9)
        return figure


def svg(figure: Any) -> bytes:
    """The same bytes for the same figure, whenever it is drawn."""
    out = io.BytesIO()
    with _style():
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def save(figure: Any, target: Path) -> None:
    """Writes a figure in the format of the name's suffix. Raises `UsageError` for a suffix or a place that cannot be had."""
    known = sorted(figure.canvas.get_supported_filetypes())
    if (kind := target.suffix.removeprefix(".")) not in known:
        raise UsageError(f"-o {target}: the suffix says the format; end the name in one of {', '.join(known)}.")
    try:
        if kind == "svg":
            target.write_bytes(svg(figure))
        else:
            with _style():
                figure.savefig(target, dpi=150)
    except OSError as error:
        raise UsageError(f"-o {target}: cannot be written: {error.strerror}; name another file.") from None


def _draw(axes: Any, group: list[Row], heights: list[float], look: dict[str, str]) -> None:
    """Dots, intervals and bounds of the rows that share a place."""
    middles = [step_seconds(row) for row in group]
    ends = [[abs(step_seconds(row, end) - step_seconds(row)) for row in group] for end in ("_low", "_high")]
    axes.errorbar(middles, heights, xerr=ends, linestyle="", elinewidth=1.2, capsize=3, markersize=5, **look)
    axes.plot([row["bound_seconds_per_step"] for row in group], heights, color=look["color"], **BOUND)


def _tell(axes: Any, group: list[Row], heights: list[float]) -> None:
    """Each time in words, right of its interval."""
    for row, height in zip(group, heights, strict=True):
        end = max(step_seconds(row), step_seconds(row, "_high"))
        text = seconds(step_seconds(row))
        axes.annotate(text, (end, height), (6, 0), textcoords="offset points", va="center", fontsize=9)


def _scale(axes: Any, rows: list[Row]) -> None:
    """From 0, or logarithmic where times are far apart; an interval of two processes must not push the others aside."""
    middles = [step_seconds(row) for row in rows]
    if is_wide(middles):
        axes.set_xscale("log")
        return
    highs = [high for row in rows if math.isfinite(high := step_seconds(row, "_high"))]
    axes.set_xlim(0, 1.1 * min(max([*middles, *highs]), 1.25 * max(middles)))


def _style() -> AbstractContextManager[None]:
    """matplotlib's own defaults, whatever its user prefers."""
    try:
        from matplotlib import style
    except ModuleNotFoundError:
        raise missing("matplotlib", "picture", extra="pictures") from None
    context: AbstractContextManager[None] = style.context(["default", {"svg.hashsalt": "stepbench"}])
    return context
