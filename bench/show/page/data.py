"""What the page shows, as plain values: pure functions of journals. Nothing is estimated here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import units
from bench.analyse import comparison, history, lines, reading, summaries
from bench.analyse.between_runs import LEAST
from bench.analyse.run import Run
from bench.analyse.verdicts import UNPROVEN
from bench.errors import UsageError
from bench.record import frame
from bench.schema.case import SIDE, is_control
from bench.schema.summary import COLUMNS
from bench.show import code_lines, history_tables, sentences
from bench.show.page import figures
from bench.show.rows import DIMENSIONS, name_of, records, sides
from bench.show.sentences import AS_IT_RAN, Json, Row

RUNS = 20
"""The newest of more runs are shown; the foot of the page gives the number of the others."""
UNDISTURBED = [f"undisturbed_seconds_per_step{end}" for end in ("", "_low", "_high")]
FIRST = (UNDISTURBED[0], "ratio", "verdict", "seconds_per_step")
"""The table's first columns."""
TEXTS = {"s": units.seconds, "B": units.size, "1/s": "{:.3g}/s".format, "B/s": "{:.3g} B/s".format}


def gather(files: Sequence[Path], results: Path) -> Json:
    """Runs with their rows, the views that the page can show (one for each device, dtype, thread
    count and shape of a run) and the sources of the steps."""
    runs = [(run, rows(run)) for run in map(Run.read, files[-RUNS:])]
    past = over_time(files) if len(files) >= LEAST else {}
    newest = {run.story.header["machine_name"]: number for number, (run, _) in enumerate(runs)}
    views: list[Json] = []
    for number, (run, own) in enumerate(runs):
        between = compare(runs[0][0], run, results) if number else None
        machine = run.story.header["machine_name"]
        steps = [row for row in own if not row["control"]]
        for place in dict.fromkeys(map(_place, steps)):
            names = {"run": str(number), **dict(zip(DIMENSIONS, map(str, place), strict=True))}
            usual = place[-1] == run.story.header["problem"]["default"]
            trend = past.get((machine, *place)) if newest[machine] == number else None
            views.append({"place": names, "usual": usual, **show(run, steps, place, between, trend)})
    sources = {key: text for run, _ in runs for key, text in run.story.header["sources"].items()}
    return {"runs": runs, "views": views, "sources": sources, "older": len(files) - len(runs)}


def rows(run: Run) -> list[Row]:
    """The rows of the summary, the quickest first, None where there is no number.

    Each has its `label`; its `time`, undisturbed or, where `of_rounds`, as it ran; and, in `of`,
    what its ratio is of. A run that is unproven has no other verdict than that.
    """
    singly = {key for key, timed in frame.singles(run.story).items() if timed.singly}
    table = summaries.only_ok_times(run.table).astype(object).reset_index()
    table.loc[~table["key"].isin(singly), UNDISTURBED] = None
    finite = table.where(table.notna() & (table != float("inf")), None)
    found = records(finite)
    for row in found:
        row["of_rounds"] = not row[UNDISTURBED[0]]
        row["time"] = row["seconds_per_step"] if row["of_rounds"] else row[UNDISTURBED[0]]
        row["of"] = "undisturbed" if {row["key"], row["baseline"]} <= singly else AS_IT_RAN
        row["label"], row["control"] = name_of(row), is_control(row["kind"])
        row["verdict"] = UNPROVEN if row["verdict"] and _unproven(run.doubts) else row["verdict"] or ""
    return sorted(found, key=lambda row: row["time"] or float("inf"))


def show(run: Run, steps: list[Row], place: tuple[Any, ...], between: Json | None, trend: Json | None) -> Json:
    """The parts of a view, each a sentence and a figure, and the ways whose code can be read."""
    sources = run.story.header["sources"]
    group, (first, *later) = [row for row in steps if _place(row) == place], sides(run.table)
    by_side = {side: [_of_side(row) for row in group if row[SIDE] == side] for side in (first, *later)}
    ways = [row for row in group if row["time"] and row["source_hash"] in sources]
    pair, unproven = open_pair(ways), _unproven(run.doubts)
    said = sentences.answer(by_side[first], ways[pair[1]] if pair else None, unproven)
    parts = [trend] if trend else [_between(between, place)] if between else []
    sweep = [_of_side(row) for row in steps if _place(row)[:3] == place[:3] and row[SIDE] == first]
    if len({row["shape"] for row in sweep}) > 1:
        parts.append(_part("heat", sentences.sweep(sweep, unproven), figures.heat_map, sweep))
        said = said if unproven else f"At {place[3]}: {said}"
    for side in later:
        base = {row["backend"]: row["time"] for row in by_side[first]}
        both = [row | {"times": [base.get(row["backend"]), row["time"]]} for row in by_side[side]]
        told = sentences.changes(both, first, unproven)
        parts.append(_part("dots", told, figures.pairs, both, [first, side], False))
    timed = [row for row in by_side[first] if row["time"]]
    parts.append(_part("bars", said, figures.bars, timed))
    names = ("label", "time", "seconds_per_step", "of_rounds", "source_hash")
    codes = [{name: row[name] for name in names} for row in ways]
    for row, way in zip(ways, codes, strict=True):
        way |= _lines(run, row)
    return {"parts": parts, "ways": codes, "pair": pair}


def _lines(run: Run, row: Row) -> Json:
    """The times of a way's lines as `show --lines` has them, what its backward pass consists of, and its heading."""
    try:
        step = lines.of_way(run, row["key"])
    except UsageError:
        ran = f", {AS_IT_RAN}" if row["of_rounds"] else ""
        heading = f"{row['label']}: {units.seconds(row['time'])} a step{ran}"
        return {"heading": heading, "note": "", "lines": {}, "backward": []}
    timed = step.table.dropna(subset=["seconds"])
    numbers = dict(zip(map(str, timed["line"]), timed["seconds"], strict=True))
    heading, _, note = code_lines.heading(replace(step, way=row["label"])).partition("; ")
    backward = [*step.backward.items()][: code_lines.OPERATORS]
    return {"heading": heading, "note": note[:1].upper() + note[1:], "lines": numbers, "backward": backward}


def over_time(files: Sequence[Path]) -> dict[tuple[Any, ...], Json]:
    """Machine and place → a part with the times of its ways over time, where a way has `LEAST` runs."""
    try:
        found = reading.read([*dict.fromkeys(file.parent for file in files)])
    except UsageError:  # no run can be compared: `compare` says so of each
        return {}
    places: dict[tuple[Any, ...], list[history.Series]] = {}
    for one in history.of_rows(found.table):
        if len(own := one.rows[one.rows["time"] != ""]) >= LEAST:
            places.setdefault((own["machine"].iloc[0], *own[[*DIMENSIONS]].iloc[0]), []).append(one)
    parts = {}
    for place, series in places.items():
        runs = len({run for one in series for run in one.rows["run"]})
        changed = {_line(one)["label"]: any(change.verdict != UNPROVEN for change in one.changes) for one in series}
        said = sentences.over_time([name for name, has in changed.items() if has], runs)
        told = [history_tables.since(one, change) for one in series for change in one.changes]
        part = _part("history", said, figures.over_time, [_line(one) for one in series])
        parts[place] = part | {"notes": [*told, *found.left_out]}
    return parts


def _line(series: history.Series) -> Row:
    """A way's times with the ends of their intervals, and its change points."""
    rows = records(series.rows.astype(object).where(series.rows.notna(), None))
    changes = [
        {"time": rows[change.place]["time"], "what": change.what, "ratio": math.exp(change.estimate.mean)}
        for change in series.changes
    ]
    ends = {end: [row[f"undisturbed_seconds_per_step{end}"] for row in rows] for end in ("_low", "_high")}
    seconds = [math.exp(row["log"]) for row in rows]
    return {"label": name_of(rows[0]), "at": [row["time"] for row in rows], "seconds": seconds, "changes": changes, **ends}


def open_pair(ways: list[Row]) -> list[int]:
    """The places of the two ways whose code is open at first: the first whose code differs between
    sides, else the baseline and `sentences.beside_baseline`; empty without two ways."""
    at = {row["key"]: number for number, row in enumerate(ways)}
    for number, row in enumerate(ways):
        before = ways[at.get(row["baseline"], number)]
        if row["backend"] == before["backend"] and row["source_hash"] != before["source_hash"]:
            return [at[before["key"]], number]
    base = next((n for n, row in enumerate(ways) if sentences.is_baseline(row)), 0)
    other = sentences.beside_baseline([row for n, row in enumerate(ways) if n != base and row[SIDE] == ways[base][SIDE]])
    return [base, at[other["key"]]] if other else []


def compare(base: Run, head: Run, results: Path) -> Json:
    """The comparison of two runs as rows, with what limits it."""
    headers = [run.story.header for run in (base, head)]
    machines = [header["machine_name"] for header in headers]
    differ = machines[0] != machines[1]
    names = machines if differ else [f"run {header['run']}" for header in headers]
    try:
        found = comparison.of_files([base.story.path], [head.story.path], results)
    except UsageError as error:
        return {"rows": [], "names": names, "notes": [str(error)], "differ": differ}
    table = found.table.astype(object).where(found.table.notna(), None)
    notes = [] if differ else [*found.doubts, *found.left_out, *found.lost]
    return {"rows": table.to_dict("records"), "names": names, "notes": notes, "differ": differ}


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


def _between(found: Json, place: tuple[Any, ...]) -> Json:
    """A sentence and a figure about a place in two runs, and what limits their comparison."""
    own = [_of_side(row) for row in found["rows"] if _place(row) == place and row["ratio"]]
    unproven, differ, names = _unproven(found["notes"]), found["differ"], found["names"]
    for row in own:
        row["times"] = [row[f"{name}_seconds_per_step"] for name in ("base", "head")]
        row["verdict"] = UNPROVEN if unproven else row["verdict"]
    said = sentences.machines(own, *names) if differ else sentences.changes(own, names[0], unproven)
    reasons = "; ".join(row["reason"] for row in own if not differ).split("; ")
    notes = [*found["notes"], *dict.fromkeys(filter(None, reasons))]
    return _part("dots", said, figures.pairs, own, names, differ) | {"notes": notes}


def _part(kind: str, sentence: str, draw: Any, own: list[Row], *arguments: Any) -> Json:
    figure = draw(own, *arguments) if own else None
    return {"kind": kind, "sentence": sentence, "figure": figure, "notes": []}


def _of_side(row: Row) -> Row:
    """Without the side's name in its label: the figure is about one side, or names both."""
    return row | {"label": row["backend"]}


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in DIMENSIONS)


def _unproven(doubts: Sequence[str]) -> bool:
    return any(doubt.startswith(UNPROVEN) for doubt in doubts)
