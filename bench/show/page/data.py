"""What the page shows, as plain values: pure functions of journals. Nothing is estimated here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.analyse import comparison, summaries
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.record import frame
from bench.schema.case import SIDE, is_control
from bench.show.page import code, figures, sentences
from bench.show.page.sentences import AS_IT_RAN, UNPROVEN, Json, Row
from bench.show.rows import DIMENSIONS, name_of, sides

RUNS = 20
"""The newest of more runs are shown; the foot of the page gives the number of the others."""
BARS = (
    "Solid: the time of a step that nothing disturbed, with its 95 % interval. Pale: as it ran, the "
    "mean of all rounds. Ratios are of undisturbed times, where nothing else is said."
)
DOTS = "Open: before; filled: after. The axis need not begin at 0."
HEAT = "Colors: the ratio to the baseline at the same sizes; figures: the least three at each."
OPEN = "torch_autograd"
UNDISTURBED = [f"undisturbed_seconds_per_step{end}" for end in ("", "_low", "_high")]


def gather(files: Sequence[Path], results: Path) -> Json:
    """Views of the runs whose journals these are, one for each device, dtype, thread count and shape
    of a run; the page opens with the last run."""
    runs = [Run.read(file) for file in files[-RUNS:]]
    views: list[Json] = []
    rows_of = [rows(run) for run in runs]
    for number, (run, own) in enumerate(zip(runs, rows_of, strict=True)):
        between = compare(runs[0], run, results) if number else None
        steps = [row for row in own if not row["control"]]
        for place in dict.fromkeys(_place(row) for row in steps):
            where = {"run": str(number), **dict(zip(DIMENSIONS, map(str, place), strict=True))}
            views.append({"place": where, **show(run, steps, place, between)})
    sources = {key: text for run in runs for key, text in run.story.header["sources"].items()}
    pairs = [*zip(runs, rows_of, strict=True)]
    return {"runs": pairs, "views": views, "sources": sources, "older": len(files) - len(runs)}


def rows(run: Run) -> list[Row]:
    """The rows of the summary, the quickest first, None where there is no number.

    Each has its `label`; its `time`, undisturbed or, where `of_rounds`, as it ran; and, in `of`,
    what its ratio is of. A run that is unproven has no other verdict than that.
    """
    singly = {key for key, timed in frame.singles(run.story).items() if timed.singly}
    table = summaries.only_ok_times(run.table).astype(object).reset_index()
    table.loc[~table["key"].isin(singly), UNDISTURBED] = None
    found = []
    for row in table.where(table.notna() & (table != float("inf")), None).to_dict("records"):
        time = row[UNDISTURBED[0]]
        of = "undisturbed" if {row["key"], row["baseline"]} <= singly else AS_IT_RAN
        verdict = UNPROVEN if _unproven(run) and row["verdict"] else row["verdict"] or ""
        row |= {"label": name_of(row), "time": time or row["seconds_per_step"], "of": of}
        row |= {"of_rounds": not time, "verdict": verdict, "control": is_control(row["kind"])}
        found.append(row)
    return sorted(found, key=lambda row: row["time"] or float("inf"))


def show(run: Run, steps: list[Row], place: tuple[Any, ...], between: Json | None) -> Json:
    """The parts of a view, each a sentence and a figure, and the ways whose code can be read."""
    group, (first, *later) = [row for row in steps if _place(row) == place], sides(run.table)
    mine = [row for row in group if row[SIDE] == first]
    ways = [row for row in group if row["time"] and row["source_hash"] in run.story.header["sources"]]
    pair, unproven = open_pair(ways, run.story.header["sources"]), _unproven(run)
    parts = [_between(between, place)] if between else []
    sweep = [row for row in steps if _place(row)[:3] == place[:3] and row[SIDE] == first]
    if len(shapes := dict.fromkeys(row["shape"] for row in sweep)) > 1:
        figure = figures.heat_map(sweep, [*shapes])
        parts.append(_part(sentences.sweep(sweep, unproven), figure, HEAT))
    for side in later:
        base = {row["backend"]: row["time"] for row in mine}
        there = [row for row in group if row[SIDE] == side]
        both = [row | {"times": [base.get(row["backend"]), row["time"]]} for row in there]
        figure = figures.pairs(both, [first, side], as_bars=False)
        parts.append(_part(sentences.changes(there, first, unproven), figure, DOTS))
    said = sentences.answer(mine, ways[pair[1]] if pair else None, unproven)
    parts.append(_part(said, figures.bars([row for row in mine if row["time"]]), BARS))
    profiles = run.story.profiles
    code_of = [
        {name: row[name] for name in ("label", "time", "of_rounds", "source_hash")}
        | {"lines": profiles.get(row["key"], {}).get("lines", {})}
        for row in ways
    ]
    return {"parts": parts, "ways": code_of, "pair": pair}


def open_pair(ways: list[Row], sources: dict[str, str]) -> list[int]:
    """The two ways whose code is open at first: the baseline and `OPEN`, else the way with the
    least code, or the first way whose code differs between two sides; empty without two ways."""
    if len(ways) < 2:
        return []
    changed = [
        [a, b]
        for b, row in enumerate(ways)
        for a, other in enumerate(ways)
        if other["key"] == row["baseline"] and other["backend"] == row["backend"]
        and other["source_hash"] != row["source_hash"]
    ]  # fmt: skip
    base = next((n for n, row in enumerate(ways) if sentences.is_baseline(row)), 0)
    others = [number for number in range(len(ways)) if number != base]
    least = min(
        others,
        key=lambda n: (ways[n]["label"] != OPEN, code.length(sources[ways[n]["source_hash"]])),
    )
    return changed[0] if changed else [base, least]


def compare(base: Run, head: Run, results: Path) -> Json:
    """The comparison of two runs as rows, with what limits it."""
    names = [f"{run.story.header['machine_name']} {run.story.header['run']}" for run in (base, head)]
    differ = base.story.header["machine_name"] != head.story.header["machine_name"]
    try:
        found = comparison.of_files([base.story.path], [head.story.path], results)
    except UsageError as error:
        return {"rows": [], "names": names, "notes": [str(error)], "machines": differ}
    table = found.table.astype(object).where(found.table.notna(), None)
    notes = [*found.doubts, *found.left_out]
    return {"rows": table.to_dict("records"), "names": names, "notes": notes, "machines": differ}


def _between(found: Json, place: tuple[Any, ...]) -> Json:
    """A sentence and a figure about a place in two runs."""
    own = [
        row | {"label": name_of(row), "times": [row["base_seconds_per_step"], row["head_seconds_per_step"]]}
        for row in found["rows"]
        if _place(row) == place and row["ratio"]
    ]
    if found["machines"]:
        said = sentences.machines(own, *found["names"])
    else:
        said = sentences.changes(own, found["names"][0], any(UNPROVEN in note for note in found["notes"]))
    figure = figures.pairs(own, found["names"], as_bars=found["machines"]) if own else None
    return _part(said, figure, DOTS, found["notes"])


def _part(sentence: str, figure: Json | None, caption: str, notes: Sequence[str] = ()) -> Json:
    return {"sentence": sentence, "figure": figure, "caption": caption, "notes": notes}


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in DIMENSIONS)


def _unproven(run: Run) -> bool:
    return any(doubt.startswith(UNPROVEN) for doubt in run.doubts)
