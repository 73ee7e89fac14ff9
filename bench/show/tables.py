"""Summaries as people read them: in the terminal, as wide as it is, and as Markdown.

The last formatter: here seconds get their unit.
"""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console

from bench.analyse import roofline
from bench.analyse.summaries import noise_floor
from bench.schema.case import SIDE, Case, is_control
from bench.show import grid
from bench.show.grid import Column, Row
from bench.show.rows import arranged, common, name_of, records, sides
from bench.units import giga, seconds, size, span, spread

MANY = 1000
"""So many passes are no advice."""


def terminal(table: pd.DataFrame, to: Console) -> None:
    """Prints the summary to fit the console: what is common stands above, what has no number below."""
    rows, varying = arranged(table)
    to.print(common(table))
    columns = grid.fit(_columns(varying), rows, to.width)
    grid.show(columns, rows, to, dim=lambda row: is_control(row["kind"]))
    for line in _legend(table, columns):
        to.print(line, style="dim")
    for line in notes(table):
        to.print(line)


def markdown(table: pd.DataFrame, width: int = 140) -> str:
    """The same table for an issue, a README or `summary.md`, with the columns that `width` has room for."""
    rows, varying = arranged(table)
    columns = grid.fit(_columns(varying), rows, width)
    lines = [common(table), "", *grid.pipes(columns, rows), ""]
    return "\n".join([*lines, *_legend(table, columns), *(f"- {note}" for note in notes(table))]) + "\n"


def notes(table: pd.DataFrame) -> list[str]:
    """What is to be said of every row without a number, or with fewer passes than planned; a line for each reason."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in records(table[table["status"] != "ok"]):
        name, reason = str(row["backend"]), str(row["reason"])
        place = "" if reason.startswith(name) else f"[{', '.join(filter(None, (row['device'], row[SIDE])))}] "
        names = lines.setdefault((str(row["status"]), place, reason), [])
        if place and name not in names:  # a reason that begins with the name needs no other
            names.append(name)
    told = [f"{status}: {', '.join(names)}{place}{reason}" for (status, place, reason), names in lines.items()]
    each = [f"{name_of(row)} {row['processes_to_decide']:.0f}" for row in records(table) if row["processes_to_decide"] < MANY]
    hint = "UNDECIDED: about so many passes (BENCH_PROCESSES) would decide, the ratio staying as it is: "
    return [*told, *([hint + ", ".join(each)] if each else [])]


def _legend(table: pd.DataFrame, columns: list[Column]) -> list[str]:
    """What the shown columns mean in this table."""
    lines = []
    first, *later = sides(table)
    baselines = [(row, Case.parse(row["baseline"])) for row in records(table) if isinstance(row["baseline"], str)]
    if names := dict.fromkeys(baseline.name for row, baseline in baselines if row[SIDE] == first):
        singly = table["undisturbed_seconds_per_step"].notna().any()
        time, beside = ("undisturbed time", ", of rounds where steps are queued") if singly else ("time", " in the same block")
        lines.append(f"ratio: {time} over that of {', '.join(names)}{beside}; ± and intervals: 95 %, in this run.")
        lines.append(f"EQUAL: within ±{table['margin'].max():.1%} of it{_left_open(table)}.")
    dtypes = dict.fromkeys((row["dtype"], baseline.dtype) for row, baseline in baselines)
    lines += [f"ratio of a {own} row: to the baseline in {other}." for own, other in dtypes if own != other]
    if later:
        lines.append(f"ratio and verdict on {', '.join(later)}: beside the same backend on {first}.")
    told = {
        "of bound": "what a step takes at the peaks measured in this run, over its undisturbed time",
        "of best": "what a step takes at the best seen in this run, for want of peaks, over its undisturbed time",
    }
    lines += [f"{column.title}: {told[column.title]}." for column in columns if column.title in told]
    controls = table[table["kind"].map(is_control)]
    if len(controls):
        listed = ", ".join(dict.fromkeys(controls["backend"]))
        lines.append(f"controls: {listed}; the twin is the baseline once more.")
    return lines


def _left_open(table: pd.DataFrame) -> str:
    """What the run cannot tell from nothing: the far end of its A/A controls' intervals."""
    floor = noise_floor(table)
    return f"; the A/A control leaves ±{floor:.1%} open" if math.isfinite(floor) else ""


def _columns(varying: list[str]) -> list[Column]:
    return [_name_column(), *(grid.dimension(name) for name in varying), *_MEASURES]


def _name_column() -> Column:
    def name(row: Row) -> str:
        return f"{row['backend']}{' (incomplete)' if row['status'] == 'incomplete' else ''}"

    return Column("backend", name, 0, right=False)


def _bound(row: Row, by: str) -> str:
    return _share(row["bound_share"]) if row["bound_by"] == by else ""


def _count(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}" if math.isfinite(value) else ""


def _share(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else ""


def _pays_after(row: Row) -> str:
    """The break-even step with its interval: `6 (1–12)`."""
    steps, low, high = (row[f"break_even_steps{end}"] for end in ("", "_low", "_high"))
    return f"{_count(steps)} ({_count(low)}–{_count(high) or '∞'})" if math.isfinite(steps) else ""


_MEASURES = [
    Column("time/step", lambda r: seconds(r["seconds_per_step"]), 0),
    Column("±95%", lambda r: spread(r["seconds_per_step_low"], r["seconds_per_step_high"]), 1),
    Column("undisturbed", lambda r: seconds(r["undisturbed_seconds_per_step"]), 0),
    Column("typical", lambda r: seconds(r["typical_seconds_per_step"]), 9),
    Column("latency", lambda r: seconds(r["latency_seconds_per_step"]), 4),
    Column("host", lambda r: seconds(r["dispatch_seconds_per_step"]), 9),
    Column("device", lambda r: seconds(r["device_seconds_per_step"]), 6),
    Column("ratio", lambda r: f"{r['ratio']:.3f}" if math.isfinite(r["ratio"]) else "", 0),
    Column("95 % interval", lambda r: span(r["ratio_low"], r["ratio_high"]) if r["ratio_low"] != r["ratio_high"] else "", 2),
    Column("GF/s", lambda r: giga(r["flop_per_second"]), 5),
    Column("of bound", lambda r: _bound(r, roofline.MEASURED), 4),
    Column("of best", lambda r: _bound(r, roofline.SEEN), 4),  # all of "best seen" would cost a column in 80 characters
    Column("GB/s", lambda r: giga(r["byte_per_second"]), 11),
    Column("first", lambda r: seconds(r["first_step_seconds"]), 7),
    Column("pays after", _pays_after, 8),
    Column("ops", lambda r: _count(r["operators_per_step"]), 8),
    Column("kernels", lambda r: _count(r["kernels_per_step"]), 8),
    Column("peak", lambda r: size(r["peak_bytes_per_step"]), 8),
    Column("allocates", lambda r: size(r["allocated_bytes_per_step"]), 10),
    Column("verdict", lambda r: r["verdict"] if isinstance(r["verdict"], str) else "", 3),
    Column("faults/step", lambda r: f"{r['minor_faults_per_step']:.1f}", 8),
    Column("of allowed error", lambda r: _share(r["error_share"]), 9),
    Column("error loss", lambda r: f"{r['error_loss']:.0e}" if math.isfinite(r["error_loss"]) else "", 10),
    Column("processes", lambda r: f"{r['processes']:.0f}", 11),
]
