"""Where the time of each step goes, in the terminal: a stacked bar a row, with each part's share.

Nothing is estimated: a bar draws what stands in the table.
"""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console

from bench.analyse.decomposition import LARGE, PARTS
from bench.schema.case import is_control
from bench.show.grid import Row
from bench.show.rows import arranged, bound_of, name_of, place_of
from bench.units import seconds

CELLS = dict(zip(PARTS, "█▓▒░·", strict=True))
WIDTH = 30


def show(table: pd.DataFrame, to: Console) -> None:
    """Prints a bar for every step whose rest is known, and which rests are large."""
    rows, varying = arranged(table)
    rows = [row for row in rows if not is_control(row["kind"]) and math.isfinite(row["rest_seconds_per_step"])]
    if not rows:
        return
    named = max(len(name_of(row)) for row in rows)
    shown = ""
    for row in rows:
        if (heading := " · ".join(filter(None, ("undisturbed time and its parts", place_of(row, varying))))) != shown:
            to.print(heading, style="bold")
            shown = heading
        told = {part: f"{share:.0%}" for part, share in shares(row).items() if round(100 * share)}
        text = " ".join(f"{part} {share}" for part, share in told.items())
        time = seconds(row["undisturbed_seconds_per_step"])
        to.print(f"{name_of(row):{named}} {bar(shares(row))} {time:>7} {text}")
    known = [f"{cell} {bound_of(rows) if part == 'bound' else part}" for part, cell in CELLS.items()]
    to.print(", ".join(known), style="dim")
    large = list(dict.fromkeys(name_of(row) for row in rows if abs(shares(row)["rest"]) > LARGE))
    if large:
        to.print(f"A rest above {LARGE:.0%}, which no count of the run explains: {', '.join(large)}.")


def shares(row: Row) -> dict[str, float]:
    """Of the undisturbed time; a part that nobody could tell is 0, and in the rest. They add up to 1."""
    parts = {part: row[f"{part}_seconds_per_step"] / row["undisturbed_seconds_per_step"] for part in PARTS}
    return {part: share if math.isfinite(share) else 0.0 for part, share in parts.items()}


def bar(parts: dict[str, float]) -> str:
    """Cells of each part in turn, cut off where the parts are more than the time."""
    ends, end = {}, 0.0
    for part, share in parts.items():
        end += share
        ends[part] = min(max(round(WIDTH * end), 0), WIDTH)
    cells = ""
    for part, last in ends.items():
        cells += CELLS[part] * (last - len(cells))
    return f"{cells:{WIDTH}}"
