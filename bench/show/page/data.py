"""What the page shows, as plain values: pure functions of journals. Nothing is estimated here."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import units
from bench.analyse import comparison, history, reading, summaries
from bench.analyse.between_runs import LEAST
from bench.analyse.summaries import Run
from bench.analyse.verdicts import UNPROVEN
from bench.errors import UsageError
from bench.schema.case import SIDE, is_control
from bench.schema.summary import COLUMNS
from bench.show import code_lines, runs, sentences
from bench.show.grid import DIMENSIONS, MEAN, UNDISTURBED, Row, place, records, sides, summary_rows
from bench.show.page import figures
from bench.show.sentences import is_unproven

RUNS = 20
"""The newest of more runs are shown; the foot of the page gives the number of the others."""
FIRST = (UNDISTURBED, "ratio", "verdict", MEAN)
"""The table's first columns."""
TEXTS = {"s": units.seconds, "B": units.size, "1/s": "{:.3g}/s".format, "B/s": "{:.3g} B/s".format}
Json = dict[str, Any]
Place = tuple[Any, ...]


def gather(files: Sequence[Path], results: Path) -> Json:
    """Runs with their rows, the views that the page can show (one for each device, dtype, thread
    count and shape of a run) and the sources of the steps."""
    read = [(run, rows(run)) for run in map(Run.read, files[-RUNS:])]
    past = over_time(files) if len(files) >= LEAST else {}
    newest = {run.story.header["machine_name"]: number for number, (run, _) in enumerate(read)}
    views: list[Json] = []
    for number, (run, own) in enumerate(read):
        machine, usual = run.story.header["machine_name"], run.story.header["problem"]["default"]
        before = compare(read[0][0], run, results) if number else None
        steps = [row for row in own if not is_control(row["kind"])]
        for here in dict.fromkeys(map(place, steps)):
            trend = past.get((machine, *here)) if newest[machine] == number else None
            first = [trend] if trend else [between(read[0][0], run, *before, here)] if before else []
            names = {"run": str(number), **dict(zip(DIMENSIONS, map(str, here), strict=True))}
            views.append({"place": names, "usual": here[-1] == usual, **view(run, steps, here, first)})
    sources = {key: text for run, _ in read for key, text in run.story.header["sources"].items()}
    return {"runs": read, "views": views, "sources": sources, "older": len(files) - len(read)}


def rows(run: Run) -> list[Row]:
    """The rows of the summary, the quickest first; a run that is unproven has no other verdict than that."""
    found = summary_rows(summaries.only_ok_times(run.table))
    for row in found:
        row["verdict"] = UNPROVEN if row["verdict"] and is_unproven(run.doubts) else row["verdict"] or ""
    return sorted(found, key=lambda row: row["time"] or math.inf)


def view(run: Run, steps: list[Row], here: Place, parts: list[Json]) -> Json:
    """What is shown of a place: `parts`, each a sentence and a figure, after those of other runs, and the ways whose code can
    be read."""
    group, (first, *later) = [row for row in steps if place(row) == here], sides(run.table)
    timed = [row for row in group if row["time"] and row[SIDE] == first]
    unproven = is_unproven(run.doubts)
    said = sentences.answer(timed, unproven)
    sweep = [row for row in steps if place(row)[:3] == here[:3] and row[SIDE] == first]
    if len({row["shape"] for row in sweep}) > 1:
        parts = [*parts, _part("heat", sentences.sweep(sweep, unproven), figures.heat_map(sweep))]
        said = said if unproven else f"At {here[3]}: {said}"
    base = {row["backend"]: row["time"] for row in timed}
    for side in later:
        own = [row | {"times": [base.get(row["backend"]), row["time"]]} for row in group if row[SIDE] == side]
        parts = [*parts, _part("dots", sentences.changes(own, first, unproven), figures.pairs(own, [first, side]))]
    ways = [row for row in group if row["time"] and row["source_hash"] in run.story.header["sources"]]
    parts = [*parts, _part("bars", said, figures.bars(timed))]
    return {"parts": parts, "ways": [_code(run, row) for row in ways], "pair": open_pair(ways)}


def _code(run: Run, row: Row) -> Json:
    """A way whose code can be read, with the times that `show --lines` has of its lines and of its backward pass."""
    heading = f"{row['label']}: {units.seconds(row['time'])} a step{f', {sentences.AS_IT_RAN}' * row['mean']}"
    way = {name: row[name] for name in ("label", "time", MEAN, "mean", "source_hash")} | {"heading": heading}
    try:
        step = code_lines.of_way(run, row["key"])
    except UsageError:
        return way | {"note": "", "lines": {}, "backward": []}
    timed = step.table.dropna(subset=["seconds"])
    lines = dict(zip(map(str, timed["line"]), timed["seconds"], strict=True))
    backward = [*step.backward.items()][: code_lines.OPERATORS]
    return way | {"note": code_lines.remark(step), "lines": lines, "backward": backward}


def open_pair(ways: list[Row]) -> list[int]:
    """The places of the two ways whose code is open at first: the first whose code differs between
    sides, else `sentences.opened` of the baseline's side; empty without two ways."""
    at = {row["key"]: number for number, row in enumerate(ways)}
    for number, row in enumerate(ways):
        before = ways[at.get(row["baseline"], number)]
        if row["backend"] == before["backend"] and row["source_hash"] != before["source_hash"]:
            return [at[before["key"]], number]
    pair = sentences.opened([row for row in ways if row[SIDE] == sentences.opened(ways)[0][SIDE]])
    return [at[row["key"]] for row in pair] if len(pair) == 2 else []


def over_time(files: Sequence[Path]) -> dict[Place, Json]:
    """Machine and place → a part with the times of its ways over time, where a way has `LEAST` runs."""
    try:
        found = reading.read([*dict.fromkeys(file.parent for file in files)])
    except UsageError:  # no run can be compared: `compare` says so of each
        return {}
    places: dict[Place, list[history.Series]] = {}
    for one in history.of_rows(found.table):
        if len(own := one.rows[one.rows["time"] != ""]) >= LEAST:
            places.setdefault(tuple(own[["machine", *DIMENSIONS]].iloc[0]), []).append(one)
    parts = {}
    for here, series in places.items():
        changed = [one for one in series if any(change.verdict != UNPROVEN for change in one.changes)]
        number = len({run for one in series for run in one.rows["run"]})
        said = sentences.over_time([runs.name(one) for one in changed], number)
        told = [runs.since(one, change) for one in series for change in one.changes]
        parts[here] = _part("history", said, figures.over_time(series), [*told, *found.left_out])
    return parts


def compare(base: Run, head: Run, results: Path) -> tuple[list[Row], list[str]]:
    """The rows of a comparison of two runs, and what limits it."""
    try:
        found = comparison.of_files([base.story.path], [head.story.path], results)
    except UsageError as error:
        return [], [str(error)]
    rows, limits = records(found.table), [*found.doubts, *found.left_out, *found.lost]
    for row in rows:
        row["times"] = [row["base_seconds_per_step"], row["head_seconds_per_step"]]
        row["verdict"] = UNPROVEN if is_unproven(limits) else row["verdict"]
    return rows, limits


def between(base: Run, head: Run, compared: list[Row], limits: list[str], here: Place) -> Json:
    """A sentence and a figure about a place in two runs; those of different machines are not judged."""
    headers = [run.story.header for run in (base, head)]
    own = [row for row in compared if place(row) == here and row["ratio"]]
    names = [header["machine_name"] for header in headers]
    if names[0] != names[1]:
        own = [row | {"verdict": "", "ratio_low": None} for row in own]
        return _part("dots", sentences.machines(own, *names), figures.pairs(own, names), [] if compared else limits)
    names = [f"run {header['run']}" for header in headers]
    reasons = filter(None, "; ".join(row["reason"] for row in own).split("; "))
    said = sentences.changes(own, names[0], is_unproven(limits))
    return _part("dots", said, figures.pairs(own, names), [*limits, *dict.fromkeys(reasons)])


def _part(kind: str, sentence: str, figure: Json | None, notes: Sequence[str] = ()) -> Json:
    return {"kind": kind, "sentence": sentence, "figure": figure, "notes": notes}


def columns(own: Sequence[Row]) -> tuple[list[Json], dict[str, str]]:
    """The columns in which rows differ, with a text for each row, and the others' names and texts."""
    found, same = [], {}
    for group in COLUMNS:
        interval = len(group.names) == 3 and group.names[1].endswith("_low")
        for names in [group.names] if interval else [(name,) for name in group.names]:
            title, texts = names[0].replace("_", " "), [_cell(row, names, group.unit) for row in own]
            if len({*texts}) == 1 and texts[0]:
                same[title] = texts[0]
            elif len({*texts}) > 1 and names[0] != "backend":
                column = {"name": names[0], "title": title, "meaning": group.meaning}
                found.append(column | {"texts": {row["key"]: text for row, text in zip(own, texts, strict=True)}})
    found.sort(key=lambda one: FIRST.index(one["name"]) if one["name"] in FIRST else len(FIRST))
    return found, same


def _cell(row: Row, names: Sequence[str], unit: str) -> str:
    """A value, and its interval in parentheses."""
    form = TEXTS.get(unit, "{:.4g}".format)
    value, *ends = [v if isinstance(v, str) else "" if v is None else form(v) for v in map(row.get, names)]
    return f"{value} ({'–'.join(ends)})" if value and any(ends) else value
