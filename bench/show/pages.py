"""Stored runs as Markdown: one to paste into an issue, the one that the README shows, and the index of them all.

No number is written that is not in a journal.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable
from pathlib import Path

from bench.analyse.run import Run
from bench.plan.revisions import HERE
from bench.schema.case import is_control
from bench.schema.records import SideFacts
from bench.schema.summary import COLUMNS
from bench.settings import Settings
from bench.show import findings, tables
from bench.show.rows import common

WIDTH = 80
"""Characters of the README's table: the columns that matter most."""


def issue(run: Run) -> str:
    """A run to paste into an issue: where and with what it was measured, its doubts, its table, and how to repeat it."""
    doubts = [part for doubt in run.doubts for part in (f"**{doubt}**", "")]
    table = f"{common(run.table)}\n\n{tables.markdown(run.table).rstrip()}"
    commit = run.story.header["machine"].get("commit")
    at = f", at commit {commit.replace('+dirty', ' with changes')}" if commit else ""
    return "\n".join([f"{machine(run)}, {_date(run)}:", "", *doubts, table, "", f"Again{at}:", "", f"    {again(run)}", ""])


def again(run: Run) -> str:
    """The command that measures the same once more."""
    header = run.story.header
    variables = Settings.assignments(header["settings"])
    sides = {} if "BENCH_PYTHONS" in variables else header["machine"].get("sides", {})
    named = [shlex.quote(_named(facts)) for label, facts in sides.items() if label != HERE]
    command = f"run --against {named[0]}" if len(named) == 1 else " ".join(["race" if named else "run", *named])
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), f"python -m bench {command}"])


def _named(side: SideFacts) -> str:
    """A side as the command line names it: its variables, else its commit."""
    variables = side.get("variables", {})
    return ",".join(f"{name}={value}" for name, value in variables.items()) or str(side.get("commit"))


def machine(run: Run) -> str:
    """What a run was measured on, and with which libraries: `AMD EPYC 9755, 2 cores, Linux, numpy 2.4.6`."""
    return ", ".join([_host(run), *_libraries(run)])


def readme(run: Run, folder: str) -> str:
    """What the README shows of the run in `folder`, seen from the top of the checkout, without controls."""
    found, ways = "\n".join(findings.told(run)), run.table[~run.table["kind"].map(is_control)]
    return f"""{machine(run)}; {common(run.table)}; [complete run]({folder}), [all ways, all runs](results/README.md):

{tables.markdown(ways, WIDTH)}
{found}
"""


def index(results: Path, runs: Iterable[Run], others: Iterable[Path]) -> str:
    """The page of all runs below `results`: a part for each folder, in it a table for each run, and the other files there."""
    lines = ["# Results", "", "Made by `python -m bench results` from the journals that git knows: change nothing here.", ""]
    for folder, group in itertools.groupby(sorted(runs, key=lambda run: run.folder), key=lambda run: run.folder.parent):
        newest_first = list(group)[::-1]
        lines += [f"## {folder.relative_to(results)}", "", f"{_host(newest_first[0])}.", ""]
        for run in newest_first:
            about = _about(run, results)
            lines += [f"<details open><summary>{about}</summary>", "", tables.markdown(run.table), "</details>", ""]
        beside = [f"[{path.name}]({path.relative_to(results)})" for path in sorted(others) if path.parent == folder]
        lines += [f"Other files: {', '.join(beside)}.", ""] if beside else []
    return "\n".join(lines)


def settings_table() -> str:
    """Every setting, with its default and meaning."""
    rows = []
    for name, setting in Settings.variables().items():
        default = setting.metadata["default"]
        rows.append(f"| `{name}` | {f'`{default}`' if default else 'none'} | {setting.metadata['help']} |")
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows, ""])


def summary_columns() -> str:
    """Every column of `summary.csv`, with its unit, its meaning and the module that fills it."""
    rows = []
    for columns in COLUMNS:
        names = ", ".join(f"`{name}`" for name in columns.names)
        rows.append(f"| {names} | {columns.unit} | {columns.meaning} | {columns.filled_by} |")
    return "\n".join(["| column | unit | meaning | filled by |", "|---|---|---|---|", *rows, ""])


def _about(run: Run, results: Path) -> str:
    """One line of a run: its folder, date, steps, libraries, commit and doubts."""
    commit = str(run.story.header["machine"].get("commit") or "")
    at = f"commit {commit[:10]}{' and changes' if commit.endswith('+dirty') else ''}" if commit else ""
    link = f'<a href="{run.folder.relative_to(results)}">{run.folder.name}</a>'
    python = f"Python {run.story.header['machine']['python']}"
    return ", ".join(filter(None, [link, common(run.table), python, *_libraries(run), at, *run.doubts]))


def _host(run: Run) -> str:
    facts = run.story.header["machine"]
    gpus = [gpu["name"] for gpu in facts["gpus"]]
    return ", ".join([facts["cpu"], f"{len(facts['cores'])} cores", *gpus, facts["system"].partition(" ")[0]])


def _date(run: Run) -> str:
    return str(run.story.header["machine"]["time"])[:10]


def _libraries(run: Run) -> list[str]:
    """Each library that a step was measured with, controls aside, and its version."""
    pairs = {pair for case in run.story.header["cases"] if case["proven"] for pair in case["versions"].items()}
    return [f"{name} {version}" for name, version in sorted(pairs)]
