"""A run as people read it: in sentences, in the terminal, and as the files of its folder.

No sentence says more than the verdicts do, and no number is written that is not in the journal.
"""

import json
import math
import os
import shlex
import sys
from collections.abc import Iterator
from itertools import chain

from rich.console import Console

from bench.analyse import summaries
from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.machine import devices
from bench.plan.revisions import HERE
from bench.record import frame
from bench.record.journal import Story
from bench.schema.case import SIDE, TWIN, is_control
from bench.schema.records import UNREAD
from bench.settings import Settings
from bench.show import sentences, tables
from bench.show.grid import Row, arranged, common, place_of, records, sides
from bench.units import span

PLACES = 3
"""A run of more places than these has no sentence about each."""


def write(run: Run) -> None:
    """(Re)builds every file of the run's folder but the journal, from the journal, each under a temporary name first.

    Raises `UsageError` if there is no room for them; the journal is not touched.
    """
    header = run.story.header
    texts = {
        "summary.csv": summaries.only_ok_times(run.table).to_csv(index=False),
        "samples.csv": frame.samples(run.story).to_csv(index=False),
        "environment.json": json.dumps({**header["machine"], "settings": header["settings"]}, indent=2) + "\n",
        "summary.md": markdown(run),
    }
    try:
        for name, text in texts.items():
            temporary = run.folder / f".{name}.{os.getpid()}"
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(run.folder / name)
    except OSError as error:
        raise UsageError(
            f"{run.folder}: its tables cannot be written: {error.strerror}; the journal is safe, so make room and run "
            f"`python -m bench summary {run.folder}`."
        ) from None


def markdown(run: Run) -> str:
    """The run as `summary.md` and as a text for an issue: what the terminal shows, the software, and how to repeat it."""
    doubts = [f"**{doubt}**" for doubt in run.doubts]
    above = filter(None, [measured(run), f"{software(run)}.", disturbed(run.story), *findings(run), *doubts])
    parts = [f"# {run.story.header['run']}", *above, tables.markdown(run.table).rstrip(), "Again:", f"    {again(run)}\n"]
    return "\n\n".join(parts)


def show(run: Run, to: Console, controls: bool = False) -> None:
    """Prints what was measured, the run's table, what it found, its doubts, and what to do next."""
    to.print(measured(run))
    if text := disturbed(run.story):
        to.print(text, style="yellow")
    tables.terminal(run.table, to, controls)
    for sentence in findings(run):
        to.print(sentence)
    for doubt in run.doubts:
        to.print(doubt, style="bold red")
    for note in tables.notes(run.table):
        to.print(note)
    for number, command in enumerate(next_commands(run)):
        to.print(f"{'next:' if number == 0 else '     '} {command}", soft_wrap=True)
    to.print(f"saved in {run.folder}", soft_wrap=True)


def measured(run: Run) -> str:
    """What was measured, on what and how often."""
    settings = run.story.header["settings"]
    return f"{common(run.table)} on {host(run)}; {settings['processes']} passes of {settings['blocks']} blocks"


def host(run: Run) -> str:
    """`AMD EPYC 9755, 2 cores, NVIDIA H200`."""
    machine = run.story.header["machine"]
    return ", ".join([machine["cpu"], f"{len(machine['cores'])} cores", *(gpu["name"] for gpu in machine["gpus"])])


def software(run: Run) -> str:
    """Python, each library that a step was measured with, controls aside, and the commit."""
    facts = run.story.header["machine"]
    pairs = {pair for case in run.story.header["cases"] if case["proven"] for pair in case["versions"].items()}
    commit = str(facts.get("commit") or "")
    at = [f"commit {commit[:10]}{' and changes' if commit.endswith('+dirty') else ''}"] if commit else []
    return ", ".join([f"Python {facts['python']}", *(f"{name} {version}" for name, version in sorted(pairs)), *at])


def again(run: Run) -> str:
    """The command that measures the same once more."""
    header = run.story.header
    variables = Settings.assignments(header["settings"])
    sides = {} if "BENCH_PYTHONS" in variables else header["machine"].get("sides", {})
    named = []
    for facts in (facts for label, facts in sides.items() if label != HERE):
        chosen = ",".join(f"{name}={value}" for name, value in facts.get("variables", {}).items())
        named.append(shlex.quote(chosen or str(facts.get("commit"))))
    command = f"run --against {named[0]}" if len(named) == 1 else " ".join(["race" if named else "run", *named])
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), f"python -m bench {command}"])


def disturbed(story: Story) -> str:
    """What else the machine did, as the journal has it; empty if nothing is known."""
    parts = [sentence.partition(";")[0] for sentence in story.header["doctor"] if not sentence.startswith(UNREAD)]
    load = max((record["load_average"][0] for record in story.passes if record.get("load_average")), default=0.0)
    if load > (cpus := story.header["machine"]["cpus"]):
        parts = [part for part in parts if not part.startswith("load")]
        parts.insert(0, f"load up to {load:.1f} on {cpus} CPUs")
    if number := sum(bool(record.get("other_runs")) for record in story.passes):
        parts.append(f"another run of stepbench measured here in {number} of {len(story.passes)} passes")
    if any(devices.is_accelerator(case["device"]) for case in story.header["cases"]):
        parts += _held_back(story)
    return f"disturbed: {'; '.join(parts)}" if parts else ""


def _held_back(story: Story) -> Iterator[str]:
    """Which GPUs did not reach their clock, in how many blocks, and why."""
    blocks = [record["gpus"] for record in story.records if record["record"] == "block"]
    for index in range(max(map(len, blocks), default=0)):
        held = [why for gpus in blocks for gpu in gpus[index : index + 1] if (why := devices.held_back(gpu))]
        if held:
            reasons = ", ".join(dict.fromkeys(chain(*held)))
            yield f"GPU {index} was held back ({reasons}) in {len(held)} of {len(blocks)} blocks"


def findings(run: Run) -> list[str]:
    """What stands below the table."""
    return [*filter(None, (*answers(run), proven(run), control(run)))]


def answers(run: Run) -> list[str]:
    """Which way is the fastest, and what the slowest costs; of a run with sides, which ways changed."""
    unproven = sentences.is_unproven(run.doubts)
    rows, varying = arranged(run.table[run.table["status"] == "ok"])
    ways = [row for row in rows if not is_control(row["kind"])]
    first, *later = sides(run.table)
    if later:
        return [sentences.changes([row for row in ways if row[SIDE] == label], first, unproven) for label in later]
    places: dict[str, list[Row]] = {}
    for row in ways:
        places.setdefault(place_of(row, varying), []).append(row)
    found = {place: sentences.answer(some, unproven) for place, some in places.items()}
    return [f"{place}: {text}" if place else text for place, text in found.items()] if len(found) <= PLACES else []


def proven(run: Run) -> str:
    """How many steps were proven; empty where none was to be."""
    rows = [row for row in records(run.table) if not is_control(row["kind"]) and row["status"] != "unavailable"]
    shares = [row["error_share"] for row in rows if row["status"] in ("ok", "incomplete") and row["error_share"] is not None]
    if not shares:
        return ""
    every = f"All {len(rows)} were" if rows[1:] else "The step was"
    count = every if len(shares) == len(rows) else f"{len(shares)} of {len(rows)} were"
    return f"{count} proven against a float64 reference before and after timing; largest error {max(shares):.0%} of allowed."


def control(run: Run) -> str:
    """What the A/A control found; empty without one. Of several, the one that is furthest off."""
    twins = [row for row in records(run.table[run.table["kind"] == TWIN]) if row["ratio"]]
    if not twins:
        return ""
    worst = max(twins, key=lambda row: abs(math.log(row["ratio"])))
    floor = summaries.noise_floor(run.table)
    below = f"; this run cannot show differences below {floor:.1%}" if math.isfinite(floor) else ""
    interval = span(*(worst[end] or math.nan for end in ("ratio_low", "ratio_high")))
    return f"A/A control: the baseline against itself is {worst['ratio']:.3f} ({interval}), {worst['verdict']}{below}."


def next_commands(run: Run) -> list[str]:
    """Three things to do with the run."""
    command, folder = f"{os.path.relpath(sys.executable)} -m bench", os.path.relpath(run.folder)
    rows = [row for row in arranged(run.table)[0] if not is_control(row["kind"])]
    pair = dict.fromkeys(row["backend"] for row in sentences.opened(rows))
    lines = [f"{command} show --lines {' '.join(pair)} {folder}"] if pair else []
    return [*lines, f"{command} report --open {folder}", f"{command} show --controls {folder}"]
