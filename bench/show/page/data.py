"""What the page shows, as plain JSON values: everything from journals, through the functions that the tables come from.

It must never compute an estimate of its own, nor leave anything out without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse import estimates, scaling, summaries
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.record import frame
from bench.schema.case import CONTROLS, DEFAULT_SHAPE, is_control
from bench.show import pages
from bench.show.page import code, history
from bench.show.page.headline import UNPROVEN, headline
from bench.show.page.values import Json, columns, plain
from bench.show.rows import name_of, with_shape

DETAILED = 20
"""Of more runs only the newest are shown with everything; of the others the estimates."""
MAX_ROUNDS = 30_000
"""Rounds that a page can hold and still open at once; of runs beyond them there is a median per process."""
ELSEWHERE = (
    "N", "D_in", "H", "D_out", "machine", "run", "python", "allocator", "steps_per_round", "yardsticks", "relative_error",
)  # fmt: skip
"""Columns of the summary that the page has in another place, or shows nowhere."""
PLACE = ("device", "dtype", "threads", "shape")


def gather(files: Sequence[Path], results: Path) -> Json:
    """Everything about the runs whose journals these are; the last one is the one that the page opens with."""
    detailed, told = [], []
    left_out: list[str] = []
    room = MAX_ROUNDS
    for file in reversed(files[-DETAILED:]):
        try:
            run = Run.read(file)
            room -= len(run.story.visits)
            told.append(about(run, every_round=room >= 0))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise UsageError(f"{file}: its records are not a run's ({error!r}); leave it out, or give another run.") from None
        detailed.append(run)
    detailed.reverse()
    if earlier := len(files) - len(detailed):
        left_out.append(f"Of the {earlier} earliest runs this page holds the estimates only.")
    if summarised := sum(not run["every_round"] for run in told):
        left_out.append(f"Of {summarised} runs this page holds a median per process instead of every round.")
    sources = {key: text for run in detailed for key, text in run.story.header.get("sources", {}).items()}
    groups = [run.story.header.get("sources", {}).keys() for run in detailed]
    return {
        "runs": told[::-1],
        "controls": CONTROLS,
        "place": PLACE,
        "sources": code.library(sources),
        "differences": code.pairs(sources, groups),
        **history.told(files, detailed, results, left_out),
        "left_out": left_out,
    }


def about(run: Run, every_round: bool) -> Json:
    """One run."""
    header = run.story.header
    rows = summary(run)
    samples = frame.samples(run.story)
    return {
        "name": header["run"],
        "machine": header["machine_name"],
        "facts": header["machine"],
        "settings": header["settings"],
        "command": pages.again(run),
        "doctor": header.get("doctor", []),
        "doubts": run.doubts,
        "margin": summaries.noise_floor(run.table),
        "headlines": headlines(rows, summaries.noise_floor(run.table), run.doubts),
        "start": start(rows),
        "table": columns(pd.DataFrame(rows).drop(columns=[*ELSEWHERE])),
        "every_round": every_round,
        "rounds": rounds(samples, every_round),
        "profiles": run.story.profiles,
        "scaling": scaled(samples, header["settings"]["baseline"]),
    }


def summary(run: Run) -> list[Json]:
    """The rows of `summary.csv` with their key, the label that people read, and their shape; None where there is no number.

    A run that cannot tell equal steps has no other verdict than that.
    """
    unproven = any(doubt.startswith(UNPROVEN) for doubt in run.doubts)
    keys = [case["key"] for case in run.story.header["cases"]]
    keys += [f"hole {number}" for number in range(len(run.table) - len(keys))]
    shown = summaries.only_ok_times(run.table).astype(object)
    rows = []
    for key, row in zip(keys, plain(with_shape(shown)), strict=True):
        verdict = UNPROVEN if unproven and row["verdict"] else row["verdict"]
        rows.append({"key": key, "label": name_of(row), **row, "verdict": verdict})
    return rows


def headlines(rows: list[Json], margin: float, doubts: list[str]) -> list[Json]:
    """A sentence for every device, dtype, thread count and shape."""
    places: dict[tuple[Any, ...], list[Json]] = {}
    for row in steps(rows):
        places.setdefault(tuple(row[name] for name in PLACE), []).append(row)
    by_key = {row["key"]: row for row in rows}
    return [
        {**dict(zip(PLACE, place, strict=True)), "text": headline(found, by_key, margin, doubts)}
        for place, found in places.items()
    ]


def start(rows: list[Json]) -> Json:
    """The dtype, threads and shape that the page opens with: those of most numbers, of the default shape if that is one."""
    found: dict[tuple[Any, ...], int] = {}
    usual = str(DEFAULT_SHAPE)
    for row in sorted(steps(rows), key=lambda row: row["shape"] != usual):
        where = tuple(row[name] for name in PLACE[1:])
        found[where] = found.get(where, 0) + (row["status"] == "ok")
    if not found:
        return {}
    best = max(found, key=lambda where: found[where])
    return dict(zip(PLACE[1:], best, strict=True))


def steps(rows: list[Json]) -> Iterator[Json]:
    return (row for row in rows if not is_control(row["kind"]))


def rounds(samples: pd.DataFrame, every: bool) -> Json:
    """Seconds per step of each case in throughput: a list per process, of its blocks or of their median alone.

    To six digits, which is more than any clock has.
    """
    blocks = np.exp(estimates.log_blocks(samples))
    found: Json = {}
    for case in blocks:
        passes = [values.dropna() for _, values in blocks[case].groupby("pass")]
        kept = [values.tolist() if every else [values.median()] for values in passes if len(values)]
        found[str(case)] = [[float(f"{value:.6g}") for value in process] for process in kept]
    return found


def scaled(samples: pd.DataFrame, baseline: str) -> Json | None:
    """Overheads, rates and crossings; None where no line has three shapes."""
    found = scaling.scale(samples, baseline)
    if found.fits.empty:
        return None
    return {name: columns(getattr(found, name)) for name in ("fits", "points", "crossings")}
