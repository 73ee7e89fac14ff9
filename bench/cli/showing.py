"""Commands that show stored runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from bench.cli._arguments import command, margin, number, slower
from bench.errors import ExitCode, UsageError, unknown
from bench.schema.case import is_control
from bench.settings import Settings
from bench.show import grid

LATEST = "a run's folder, or one above it: of several runs the latest"
SIDE = "a run's folder or its summary.csv; several are joined by commas, or stand in one folder"


def add(parsers: Any) -> None:
    shown = command(parsers, "show", show)
    shown.add_argument("run", nargs="?", help=f"{LATEST}; in results by default")
    shown.add_argument("--lines", nargs="+", metavar="WAY", help="the code of one way or two, with the time of each line")
    shown.add_argument("--controls", action="store_true", help="show the controls' rows too")
    shown.add_argument("--format", choices=("text", "md"), default="text", help="md: a table to paste into an issue")
    past = command(parsers, "history", history)
    past.add_argument("way", nargs="*", metavar="WAY", help="show each run of these ways; by default a row for each way")
    past.add_argument("--results", type=Path, metavar="DIR", help="the folder of stored runs; results by default")
    past.add_argument("--runs", type=number(1), default=20, metavar="N", help="so many of a way's newest runs; 20")
    compared = command(parsers, "compare", compare)
    compared.add_argument("base", help=SIDE)
    compared.add_argument("head", help=SIDE)
    compared.add_argument("more", nargs="*", help="further heads, each compared with the same base")
    compared.add_argument("--format", choices=("text", "md", "csv", "json"), default="text")
    compared.add_argument("--margin", type=margin, default="1%", metavar="PERCENT%", help="what counts as equal: 1%%")
    compared.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]", help="exit with 1 if a row is SLOWER")
    compared.add_argument("--github-summary", metavar="FILE", help="append Markdown to it: $GITHUB_STEP_SUMMARY")


def show(arguments: argparse.Namespace) -> int:
    """Shows a stored run and writes nothing: its table and what it found, the time of each line, or Markdown."""
    from bench.analyse.summaries import Run
    from bench.record import frame
    from bench.show import code_lines, folder, pages

    ways = list(arguments.lines or [])
    place = arguments.run or (ways.pop() if len(ways) > 1 and Path(ways[-1]).exists() else Settings.from_env().results)
    if len(ways) > 2:
        raise UsageError(f"--lines: {', '.join(ways)}: at most two ways stand side by side; name two and a run's folder.")
    run, console = Run.of(frame.latest(Path(place))), grid.console()
    if ways:
        code_lines.show([code_lines.of_way(run, way) for way in ways], console)
    elif arguments.format == "md":
        console.out(pages.issue(run), end="")
    else:
        folder.show(run, console, arguments.controls)
    return ExitCode.FINE


def history(arguments: argparse.Namespace) -> int:
    """Shows stored runs in time order, and since when a way is slower or faster."""
    from bench.analyse import history, reading
    from bench.show import history_tables

    place = arguments.results or Settings.from_env().results
    stored = reading.stored(sorted({file.parts[-3] for file in place.glob(f"*/*/{reading.SUMMARY}")}), place)
    if stored.table.empty:
        raise UsageError([*stored.left_out, f"{place}: holds no stored run; `python -m bench run` writes one."][0])
    for sentence in stored.left_out:
        print(f"bench: {sentence}", file=sys.stderr)
    ways = sorted({*stored.table.loc[~stored.table["kind"].map(is_control), "backend"]})
    for way in arguments.way:
        if way not in ways:
            raise unknown("way", way, ways, str(place))
    series, console = history.of_rows(stored.table, arguments.way), grid.console()
    if arguments.way:
        history_tables.runs(series, arguments.runs, console)
    else:
        history_tables.overview(series, console)
    return ExitCode.FINE


def compare(arguments: argparse.Namespace) -> int:
    """Compares runs and says which differences are real; exit code 1 for what --fail-on asks, 3 if nothing is proven."""
    from bench.analyse import comparison
    from bench.show import comparison_tables, gates

    results = Settings.from_env().results
    compared: dict[str, comparison.Comparison] = {}
    codes: list[int] = []
    for head in (arguments.head, *arguments.more):
        try:
            sides = (_paths(arguments.base), _paths(head))
            versus = comparison.of_files(*sides, results, arguments.margin)
        except UsageError as error:
            print(f"bench: {error}", file=sys.stderr)
            codes.append(ExitCode.USAGE)
            continue
        compared[head] = versus
        sentences, code = versus.outcome(arguments.fail_on)
        codes.append(code)
        for sentence in (*sentences, *(versus.doubts if arguments.format in ("csv", "json") else [])):
            print(f"bench: {sentence}", file=sys.stderr)
    comparison_tables.show(arguments.format, arguments.base, compared, grid.console())
    if arguments.github_summary:
        comparison_tables.append(Path(arguments.github_summary), arguments.base, compared)
    if arguments.fail_on is not None:
        print(end="", flush=True)
        for versus in compared.values():
            gates.show(arguments.fail_on, versus.named, grid.console(sys.stderr), versus.doubts, "name")
    return next((code for code in (ExitCode.USAGE, ExitCode.UNPROVEN, ExitCode.WRONG) if code in codes), ExitCode.FINE)


def _paths(text: str) -> list[str]:
    """Paths joined by commas; a comma may be a part of one that exists."""
    parts, paths = text.split(","), []
    while parts:
        joined = (",".join(parts[:count]) for count in range(len(parts), 0, -1))
        path = next((path for path in joined if os.path.exists(path)), parts[0])
        paths.append(path)
        del parts[: path.count(",") + 1]
    return paths
