"""Summaries as tables: in the terminal, as wide as it is, and as Markdown. Here seconds get their unit."""

import math

import pandas as pd
from rich.console import Console

from bench.analyse.estimates import MEASURED
from bench.schema.case import SIDE, Case, is_control
from bench.show import grid
from bench.show.grid import MEAN, Column, Row, arranged, column, is_baseline, place_of, sides, summary_rows
from bench.units import giga, seconds, size, span

MANY = 1000
"""So many passes are no advice."""
CELLS = (10, 30)
"""Characters of a bar: fewer say nothing, and more say no more."""


def terminal(table: pd.DataFrame, to: Console, controls: bool = False) -> None:
    """Prints a row for each way to fit the console, a bar at its end, and below it what the columns mean."""
    rows, varying = arranged(table)
    rows = [row for row in rows if controls or not is_control(row["kind"])]
    columns = grid.fit(_columns(varying), rows, to.width - max(CELLS[0] + 2, to.width // 7))
    room = [to.width - grid.total(columns, rows, gap) - gap for gap in (2, 1)]
    if cells := next((min(CELLS[1], cells) for cells in room if cells >= CELLS[0]), 0):
        columns.append(_bars(rows, varying, cells))
    grid.show(columns, rows, to, dim=lambda row: is_control(row["kind"]))
    for line in _legend(table, rows, columns):
        to.print(line, style="dim")


def markdown(table: pd.DataFrame, width: int = grid.MARKDOWN) -> str:
    """The same for an issue, a README or `summary.md`, with the columns that `width` has room for; controls are folded."""
    rows, varying = arranged(table)
    ways, controls = ([row for row in rows if is_control(row["kind"]) == control] for control in (False, True))
    columns = _columns(varying)
    above = [*grid.pipes(columns, ways, width), ""] if ways else []
    fold = "<details><summary>Controls in the same blocks</summary>"
    folded = ["", fold, "", *grid.pipes(columns, controls, width), "", "</details>"] if controls else []
    below = [f"- {line}" for line in (*_legend(table, ways, grid.fit(columns, ways, width)), *notes(table))]
    return "\n".join([*above, *below, *folded]) + "\n"


def notes(table: pd.DataFrame) -> list[str]:
    """What is to be said of every row without a number, or with fewer passes than planned; a line for each reason."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    passes: dict[str, float] = {}
    for row in summary_rows(table):
        if row["status"] != "ok":
            name, reason = row["backend"], str(row["reason"])
            place = "" if reason.startswith(name) else f"[{', '.join(filter(None, (row['device'], row[SIDE])))}] "
            names = lines.setdefault((row["status"], place, reason), [])
            if place and name not in names:  # a reason that begins with the name needs no other
                names.append(name)
        if (needed := row["processes_to_decide"] or MANY) < MANY and not is_control(row["kind"]):
            passes[row["label"]] = max(passes.get(row["label"], 0), needed)
    found = [f"{status}: {', '.join(names)}{place}{reason}" for (status, place, reason), names in lines.items()]
    each = ", ".join(f"{name} {needed:.0f}" for name, needed in passes.items())
    return [*found, *([f"UNDECIDED: about so many passes (BENCH_PROCESSES) would decide: {each}"] if each else [])]


def _legend(table: pd.DataFrame, rows: list[Row], columns: list[Column]) -> list[str]:
    """What the shown columns mean in this table."""
    lines = []
    first, *later = sides(table)
    baselines = [(row, Case.parse(row["baseline"])) for row in rows if row["baseline"]]
    names = dict.fromkeys(baseline.name for row, baseline in baselines if row[SIDE] == first)
    if rows:
        ratio = f"ratio: to {', '.join(names)}, with its 95 % interval; " if names else ""
        lines.append(f"step: its undisturbed time; {ratio}as it ran: the mean of loops.")
    if any(row["mean"] or row["of_means"] for row in rows):
        lines.append(
            "*: no undisturbed time, since steps are queued or several threads' calls do not add up: step is the mean of "
            "loops, ratio that of loops in the same block."
        )
    dtypes = dict.fromkeys((row["dtype"], baseline.dtype) for row, baseline in baselines)
    lines += [f"ratio of a {own} row: to the baseline in {other}." for own, other in dtypes if own != other]
    if later:
        lines.append(f"ratio and verdict on {', '.join(later)}: to the same backend on {first}.")
    if any(column.title == "of bound" for column in columns):
        lines.append("of bound: the least time for a step's arithmetic at the peak measured in this run, over the step.")
    return lines


def _bars(rows: list[Row], varying: list[str], cells: int) -> Column:
    """To the slowest way of each place; logarithmic from a tenth of the fastest where times are far apart."""
    times: dict[str, list[float]] = {}
    for row in rows:
        if not is_control(row["kind"]):
            times.setdefault(place_of(row, varying), []).append(row["time"])
    wide = any(map(grid.is_wide, times.values()))

    def text(row: Row) -> str:
        if is_control(row["kind"]):
            return ""
        here = times[place_of(row, varying)]
        slowest, start = max(here), min(here) / 10
        share = math.log(row["time"] / start) / math.log(slowest / start) if wide else row["time"] / slowest
        return grid.bar(share, cells)

    return Column("log scale" if wide else "", text, right=False)


def _columns(varying: list[str]) -> list[Column]:
    return [
        Column("way", lambda r: f"{r['backend']}{' (incomplete)' * (r['status'] == 'incomplete')}", right=False),
        *map(column, varying),
        column("step", 0, lambda time, mean: seconds(time) + "*" * mean, "time", "mean"),
        column("ratio", 0, lambda ratio, means: f"{ratio:.3f}" + "*" * means, "ratio", "of_means"),
        column("95 % interval", 2, lambda low, high: span(low, high) if low != high else "", "ratio_low", "ratio_high"),
        Column("verdict", lambda r: r["verdict"] or ("baseline" if is_baseline(r) else ""), right=False),
        column("latency", 4, seconds, "latency_seconds_per_step"),
        column("device", 6, seconds, "device_seconds_per_step"),
        column("GF/s", 5, giga, "flop_per_second"),
        # empty where no peak was measured: relative to the fastest step, `ratio` says as much
        column("of bound", 4, lambda share, by, mean: f"{share:.0%}" * (by == MEASURED and not mean),
               "bound_share", "bound_by", "mean"),
        column("first", 7, seconds, "first_step_seconds"),
        column("pays after", 8, _count, "break_even_steps"),
        column("kernels", 8, _count, "kernels_per_step"),
        column("peak", 8, size, "peak_bytes_per_step"),
        column("as it ran", 1, seconds, MEAN),
    ]  # fmt: skip


def _count(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}" if math.isfinite(value) else "∞"
