"""Times as bars in the terminal: one line a step, each with its interval, its bound and its baseline.

Nothing is estimated: a bar draws what stands in the table, a sparkline the medians of the processes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from bench.analyse.estimates import log_blocks
from bench.schema.case import Case, is_control
from bench.show.grid import Row
from bench.show.rows import arranged, bound_of, key_of, name_of, place_of
from bench.units import seconds

EIGHTHS = " ▏▎▍▌▋▊▉"
WITHIN, BEYOND, BOUND, BASELINE, FURTHER = "▓░┃┊→"
STYLES = {WITHIN: "bright_blue", BEYOND: "bright_blue", BOUND: "bold red", BASELINE: "bold yellow", FURTHER: "bright_blue"}
LEVELS = "▁▂▃▄▅▆▇█"
PROCESSES = 20
"""Characters of a sparkline at most; with more processes a character stands for several."""
WIDE = 30
"""The slowest over the fastest from which on a linear scale shows no more than the slowest."""


def is_wide(times: Sequence[float]) -> bool:
    """Whether times need a logarithmic scale."""
    return bool(times) and max(times) > WIDE * min(times)


def show(table: pd.DataFrame, rounds: pd.DataFrame, to: Console) -> None:
    """Prints a bar for every step of a summary that has a time; `rounds` are the run's `frame.samples`."""
    rows, varying = arranged(table)
    times = {key_of(row): row["seconds_per_step"] for row in rows}
    rows = [row for row in rows if not is_control(row["kind"])]
    if not rows:
        return
    processes = log_blocks(rounds).groupby("pass").median()
    sparks, legend = sparklines([processes[key_of(row)] for row in rows])
    named = max(len(name_of(row)) for row in rows)
    cells = to.width - named - len(" 1.23 ms  ") - len(sparks[0])
    if cells < PROCESSES:  # the bars come first
        cells, sparks, legend = cells + len(sparks[0]), [""] * len(rows), ""
    scales = {row["shape"]: Scale.of([other for other in rows if other["shape"] == row["shape"]], cells) for row in rows}
    shown = ""
    for row, spark in zip(rows, sparks, strict=True):
        scale = scales[row["shape"]]
        if (heading := " · ".join(filter(None, (place_of(row, varying), str(scale))))) != shown:
            to.print(heading, style="bold")
            shown = heading
        line = Text(f"{name_of(row):{named}} ")
        for cell in scale.bar(row, times.get(row["baseline"], math.nan)):
            line.append(cell, STYLES.get(cell, "blue"))
        line.append(f" {seconds(row['seconds_per_step']):>7} {spark}".rstrip())
        to.print(line)
    for text in filter(None, (_marks(rows), legend)):
        to.print(text, style="dim")


@dataclass(frozen=True)
class Scale:
    """From seconds to cells of a line."""

    start: float
    end: float
    cells: int
    log: bool

    @classmethod
    def of(cls, rows: list[Row], cells: int) -> Scale:
        """A scale that begins at 0 or, where times are far apart, is logarithmic and begins at a power of ten."""
        times = [row["seconds_per_step"] for row in rows]
        bounds = [row["bound_seconds_per_step"] for row in rows if math.isfinite(row["bound_seconds_per_step"])]
        highs = [row["seconds_per_step_high"] for row in rows if math.isfinite(row["seconds_per_step_high"])]
        end = min(max([*times, *highs]), 1.25 * max(times))  # an interval of two processes would leave no room for bars
        log = is_wide(times)
        return cls(10.0 ** math.floor(math.log10(min([*times, *bounds]) / 1.01)) if log else 0.0, end, cells, log)

    def at(self, value: float) -> float:
        """Where a time stands, in cells from the left; NaN for one that is unknown."""
        share = math.log(value / self.start) / math.log(self.end / self.start) if self.log else value / self.end
        return self.cells * share

    def bar(self, row: Row, baseline: float) -> list[str]:
        """A row's cells: to its time, the interval to scale, so that a narrow one shows nothing; marks on top."""
        whole, eighth = divmod(round(8 * self.at(row["seconds_per_step"])), 8)
        cells = ["█"] * whole + [EIGHTHS[eighth]] * (eighth > 0)
        low, high = self.at(row["seconds_per_step_low"]), self.at(row["seconds_per_step_high"])
        if math.isfinite(low + high):
            inside, outside = max(round(low), 0), min(round(high), self.cells)
            cells[inside:whole] = WITHIN * max(whole - inside, 0)
            cells += BEYOND * (outside - len(cells))
        cells += " " * (self.cells - len(cells))
        if high > self.cells + 0.5:
            cells[-1] = FURTHER
        for mark, value in ((BASELINE, baseline), (BOUND, row["bound_seconds_per_step"])):
            place = self.at(value)
            if 0 <= place < self.cells and cells[int(place)] not in EIGHTHS[1:]:  # the end of the bar matters more
                cells[int(place)] = mark
        return cells

    def __str__(self) -> str:
        return f"log scale, {seconds(self.start)} to {seconds(self.end)}" if self.log else f"0 to {seconds(self.end)}"


def _marks(rows: list[Row]) -> str:
    """A legend of what the bars show beside times."""
    known = [f"{WITHIN}{BEYOND} 95 % interval"] if any(math.isfinite(row["seconds_per_step_low"]) for row in rows) else []
    known += [f"{BOUND} {name}"] if (name := bound_of(rows)) else []
    names = list(dict.fromkeys(Case.parse(row["baseline"]).name for row in rows if isinstance(row["baseline"], str)))
    known += [f"{BASELINE} baseline {names[0]}" if len(names) == 1 else f"{BASELINE} its baseline"] if names else []
    return ", ".join(known)


def sparklines(logs: list[pd.Series[float]]) -> tuple[list[str], str]:
    """For each step its processes' log times in measured order, all to one scale around the step's own middle; a legend."""
    parts = [np.array_split(logs_of.to_numpy(float), min(len(logs_of), PROCESSES)) for logs_of in logs]
    means = [np.array([part.mean() for part in logs_of]) for logs_of in parts]
    apart = [logs_of - np.nanmedian(logs_of) if np.isfinite(logs_of).any() else logs_of for logs_of in means]
    widest = max((float(np.nanmax(np.abs(logs_of))) for logs_of in apart if np.isfinite(logs_of).any()), default=0.0)
    if not widest:  # a single process drifts nowhere
        return [""] * len(logs), ""
    sparks = ["".join(_level(value / widest) for value in logs_of) for logs_of in apart]
    low, high = math.exp(-widest), math.exp(widest)
    return sparks, f"right: processes in measured order; {LEVELS[0]} is {low:.2f}, {LEVELS[-1]} {high:.2f} of the row's middle"


def _level(value: float) -> str:
    """A character for a value from -1 to 1."""
    return LEVELS[round((value + 1) / 2 * (len(LEVELS) - 1))] if math.isfinite(value) else " "
