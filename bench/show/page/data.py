"""What the page shows, as plain JSON values: everything from journals, through the functions that the tables come from.

No estimate is computed here, and whatever is left out is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import units
from bench.analyse import estimates, scaling, summaries
from bench.analyse.run import Run
from bench.record import frame
from bench.schema.case import CONTROLS, is_control
from bench.show import pages
from bench.show.bars import WIDE
from bench.show.page import code, history
from bench.show.page.headline import UNPROVEN, headline
from bench.show.page.values import Json, columns, plain
from bench.show.rows import DIMENSIONS, name_of

DETAILED = 20
"""Of more runs only the newest are shown with everything; of the others the estimates."""
MAX_ROUNDS = 30_000
"""Rounds that a page can hold and still open at once; of runs beyond them there is a median per process."""
ELSEWHERE = (
    "machine", "run", "python", "allocator", "steps_per_round", "relative_error",
)  # fmt: skip
"""Columns of the summary that the page has in another place, or shows nowhere."""


def gather(files: Sequence[Path], results: Path) -> Json:
    """Everything about the runs whose journals these are; the last one is the one that the page opens with."""
    detailed = [Run.read(file) for file in files[-DETAILED:]]
    visits = [len(run.story.visits) for run in detailed]
    in_full = [sum(visits[number:]) <= MAX_ROUNDS for number in range(len(visits))]
    early = files[: len(files) - len(detailed)]
    times, unread = history.times(early, detailed)
    comparisons, not_compared = history.comparisons(files[0].parent, detailed, results)
    shortened = [f"Of the {len(early)} earliest runs this page holds the estimates only."] if early else []
    if summarised := in_full.count(False):
        shortened.append(f"Of {summarised} runs this page holds a median per process instead of every round.")
    sources_of = [run.story.header.get("sources", {}) for run in detailed]
    sources = {key: text for texts in sources_of for key, text in texts.items()}
    return {
        "runs": [about(run, every_round) for run, every_round in zip(detailed, in_full, strict=True)],
        "controls": CONTROLS,
        "dimensions": DIMENSIONS,
        "wide": WIDE,
        "units": {"times": units.TIMES, "sizes": units.SIZES},
        "sources": code.library(sources),
        "differences": code.pairs(sources, sources_of),
        "history": times,
        "comparisons": comparisons,
        "left_out": [*shortened, *unread, *not_compared],
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
        "margin": (margin := float(run.table["margin"].iloc[0])),
        "headlines": headlines(rows, margin, run.doubts),
        "start": start(rows, header["problem"]["default"]),
        "table": columns(pd.DataFrame(rows).drop(columns=[*ELSEWHERE])),
        "every_round": every_round,
        "rounds": rounds(samples, every_round),
        "profiles": run.story.profiles,
        "scaling": scaled(run, samples),
    }


def summary(run: Run) -> list[Json]:
    """The rows of `summary.csv` with their key, the label that people read, and their shape; None where there is no number.

    A run that cannot tell equal steps has no other verdict than that.
    """
    unproven = any(doubt.startswith(UNPROVEN) for doubt in run.doubts)
    shown = summaries.only_ok_times(run.table).astype(object)
    rows = []
    for row in plain(shown.reset_index()):
        verdict = UNPROVEN if unproven and row["verdict"] else row["verdict"]
        rows.append({"key": row["key"], "label": name_of(row), **row, "verdict": verdict})
    return rows


def headlines(rows: list[Json], margin: float, doubts: list[str]) -> list[Json]:
    """A sentence, with its details, for every device, dtype, thread count and shape."""
    groups: dict[tuple[Any, ...], list[Json]] = {}
    for row in steps(rows):
        groups.setdefault(tuple(row[name] for name in DIMENSIONS), []).append(row)
    by_key = {row["key"]: row for row in rows}
    return [
        {**dict(zip(DIMENSIONS, values, strict=True)), **headline(group, by_key, margin, doubts)._asdict()}
        for values, group in groups.items()
    ]


def start(rows: list[Json], usual: str) -> Json:
    """The dtype, threads and shape that the page opens with: those of most numbers, of the `usual` shape if that is one."""
    counts: dict[tuple[Any, ...], int] = {}
    for row in sorted(steps(rows), key=lambda row: row["shape"] != usual):
        values = tuple(row[name] for name in DIMENSIONS[1:])
        counts[values] = counts.get(values, 0) + (row["status"] == "ok")
    if not counts:
        return {}
    most = max(counts, key=lambda values: counts[values])
    return dict(zip(DIMENSIONS[1:], most, strict=True))


def steps(rows: list[Json]) -> Iterator[Json]:
    return (row for row in rows if not is_control(row["kind"]))


def rounds(samples: pd.DataFrame, every: bool) -> Json:
    """Seconds per step of each case in throughput: a list per process, of its blocks or of their median alone.

    To six digits, which is more than any clock has.
    """
    blocks = np.exp(estimates.log_blocks(samples))
    by_case: Json = {}
    for case in blocks:
        processes = [values.dropna() for _, values in blocks[case].groupby("pass")]
        kept = [values.tolist() if every else [values.median()] for values in processes if len(values)]
        by_case[str(case)] = [[float(f"{value:.6g}") for value in process] for process in kept]
    return by_case


def scaled(run: Run, samples: pd.DataFrame) -> Json | None:
    """Overheads, rates and crossings; None where no line has three shapes."""
    header = run.story.header
    operations = {case["key"]: case["flops"] for case in header["cases"]}
    sweep = scaling.scale(samples, frame.singles(run.story), operations, header["settings"]["baseline"])
    if sweep.fits.empty:
        return None
    tables = {name: columns(getattr(sweep, name)) for name in ("fits", "points", "crossings")}
    return {**tables, "tolerated": scaling.TOLERATED}
