"""A run in sentences: what was measured, what disturbed it, what it found, and what to do next.

No sentence says more than the verdicts do.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.analyse.run import Run
from bench.analyse.step import ratio_of_means, step_seconds
from bench.analyse.summaries import noise_floor
from bench.analyse.verdicts import UNPROVEN
from bench.record.journal import NAME, Story
from bench.schema.case import SIDE, TWIN, is_control
from bench.schema.records import UNREAD
from bench.settings import Settings
from bench.show import sentences
from bench.show.grid import Row
from bench.show.rows import arranged, common, key_of, name_of, place_of, records, sides
from bench.units import span

PLACES = 3
"""Of more places than these the table alone speaks."""
QUICK = 3
"""A run of so few passes has wide intervals."""


def measured(run: Run) -> str:
    """What was measured, on what and how often."""
    machine, settings = run.story.header["machine"], run.story.header["settings"]
    devices = [gpu["name"] for gpu in machine["gpus"]]
    host = ", ".join([machine["cpu"], f"{len(machine['cores'])} cores", *devices])
    quick = "quick, " if settings["processes"] <= QUICK else ""
    return f"{common(run.table)} on {host}; {quick}{settings['processes']} passes of {settings['blocks']} blocks"


def disturbed(story: Story) -> str:
    """What else the machine did, as the journal has it; empty if nothing is known."""
    parts = [sentence.partition(";")[0] for sentence in story.header["doctor"] if not sentence.startswith(UNREAD)]
    load = max((record["load_average"][0] for record in story.passes if record.get("load_average")), default=0.0)
    if load > (cpus := story.header["machine"]["cpus"]):
        parts = [part for part in parts if not part.startswith("load")]
        parts.insert(0, f"load up to {load:.1f} on {cpus} CPUs")
    if number := sum(bool(record.get("other_runs")) for record in story.passes):
        parts.append(f"another run of stepbench measured here in {number} of {len(story.passes)} passes")
    return f"disturbed: {'; '.join(parts)}" if parts else ""


def answers(run: Run) -> list[str]:
    """Which way is the fastest, and what the slowest costs; of a run with sides, which ways changed."""
    unproven = any(doubt.startswith(UNPROVEN) for doubt in run.doubts)
    rows, varying = arranged(run.table[run.table["status"] == "ok"])
    by_key = {key_of(row): row for row in rows}
    places: dict[str, list[Row]] = {}
    for row in rows:
        if not is_control(row["kind"]):
            places.setdefault(place_of(row, varying), []).append(_worded(row, by_key))
    first, *later = sides(run.table)
    if later:
        ways = [row for some in places.values() for row in some]
        return [sentences.changes([row for row in ways if row[SIDE] == label], first, unproven) for label in later]
    found = {place: sentences.answer(some, sentences.beside_baseline(some), unproven) for place, some in places.items()}
    return [f"{place}: {text}" if place else text for place, text in found.items()] if len(found) <= PLACES else []


def _worded(row: Row, by_key: dict[str, Row]) -> Row:
    """A row as `bench.show.sentences` takes it."""
    known = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
    of = sentences.AS_IT_RAN if ratio_of_means(row, by_key) else ""
    label = row["backend"] if row[SIDE] else name_of(row)
    return {**known, "key": key_of(row), "label": label, "time": step_seconds(row), "of": of}


def proven(run: Run) -> str:
    """How many steps were proven; empty where none was to be."""
    rows = [row for row in records(run.table) if not is_control(row["kind"]) and row["status"] != "unavailable"]
    good = [row for row in rows if row["status"] in ("ok", "incomplete") and math.isfinite(row["error_share"])]
    if not good:
        return ""
    every = f"All {len(rows)} were" if rows[1:] else "The step was"
    count = every if len(good) == len(rows) else f"{len(good)} of {len(rows)} were"
    worst = max(row["error_share"] for row in good)
    return f"{count} proven against a float64 reference before and after timing; largest error {worst:.0%} of allowed."


def control(run: Run) -> str:
    """What the A/A control found; empty without one. Of several, the one that is furthest off."""
    twins = [row for row in records(run.table[run.table["kind"] == TWIN]) if math.isfinite(row["ratio"])]
    if not twins:
        return ""
    worst = max(twins, key=lambda row: abs(math.log(row["ratio"])))
    floor = noise_floor(run.table)
    below = f"; this run cannot show differences below {floor:.1%}" if math.isfinite(floor) else ""
    interval = span(worst["ratio_low"], worst["ratio_high"])
    return f"A/A control: the baseline against itself is {worst['ratio']:.3f} ({interval}), {worst['verdict']}{below}."


def next_commands(run: Run) -> list[str]:
    """Three things to do with the run; it is not named if it is the latest one, which commands use by default."""
    ours = shutil.which("stepbench") == str(Path(sys.executable).with_name("stepbench"))
    command = "stepbench" if ours else f"{os.path.relpath(sys.executable)} -m bench"
    rows = [row | {"key": key_of(row)} for row in arranged(run.table)[0] if not is_control(row["kind"])]
    ways = [row["backend"] for row in rows if sentences.is_baseline(row)] or [row["backend"] for row in rows]
    other = sentences.beside_baseline(rows)
    results = Settings.from_env().results
    latest = max(results.rglob(NAME), key=lambda file: file.parent.name, default=results).parent
    folder = "" if latest.resolve() == run.folder.resolve() else f" {os.path.relpath(run.folder)}"
    pair = dict.fromkeys([*ways[:1], *([other["backend"]] if other else [])])
    lines = [f"{command} show --lines {' '.join(pair)}{folder}"] if pair else []
    return [*lines, f"{command} report --open{folder}", f"{command} show --controls{folder}"]


def told(run: Run) -> Iterable[str]:
    """What stands below the table."""
    return filter(None, (*answers(run), proven(run), control(run)))
