"""Commands that show stored runs, or write files from them."""

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

from bench.cli._arguments import command, margin, number, slower, write
from bench.errors import ExitCode, UsageError, missing, unknown
from bench.schema.case import is_control
from bench.settings import Settings
from bench.show import grid

BELOW = "a run's folder, or one above it"
SIDE = "a run's folder or its summary.csv; several are joined by commas, or stand in one folder"


def add(parsers: Any) -> None:
    shown = command(parsers, "show", show)
    shown.add_argument("run", nargs="?", help=f"{BELOW}: of several runs the latest; in results by default")
    shown.add_argument("--lines", nargs="+", metavar="WAY", help="the code of one way or two, with the time of each line")
    shown.add_argument("--controls", action="store_true", help="show the controls' rows too")
    shown.add_argument("--format", choices=("text", "md"), default="text", help="md: a text to paste into an issue")
    past = command(parsers, "history", history)
    past.add_argument("way", nargs="*", metavar="WAY", help="show each run of these ways; by default a row for each way")
    past.add_argument("--results", type=Path, metavar="DIR", help="the folder of stored runs; results by default")
    past.add_argument("--runs", type=number(1), default=20, metavar="N", help="so many of a way's newest runs; 20")
    compared = command(parsers, "compare", compare)
    compared.add_argument("base", help=SIDE)
    compared.add_argument("head", nargs="+", help=f"{SIDE}; of several heads each is compared with the base")
    compared.add_argument("--format", choices=("text", "md", "json"), default="text")
    compared.add_argument("--margin", type=margin, default="1%", metavar="PERCENT%", help="what counts as equal: 1%%")
    compared.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]", help="exit with 1 if a row is SLOWER")
    reported = command(parsers, "report", report)
    reported.add_argument("run", nargs="*", type=Path, help=f"{BELOW}; the latest run by default")
    reported.add_argument("-o", "--output", type=Path, help="the file; report.html in the last run's folder by default")
    reported.add_argument("--open", action="store_true", help="show it in the browser")
    command(parsers, "summary", summary).add_argument("path", nargs="*", type=Path, help=f"{BELOW}; results by default")
    exported = command(parsers, "export", export)
    exported.add_argument("run", nargs="+", type=Path, help=BELOW)
    exported.add_argument("--format", required=True, choices=("otava",))
    exported.add_argument("-o", "--output", type=Path, help="a file; stdout by default")
    exported.add_argument("--controls", action="store_true", help="the twin and the other controls too")


def show(arguments: argparse.Namespace) -> int:
    """Shows a stored run and writes nothing: its table and what it found, the time of each line, or Markdown."""
    from bench.analyse.summaries import Run
    from bench.show import code_lines, folder

    ways = list(arguments.lines or [])
    place = arguments.run or (ways.pop() if len(ways) > 1 and Path(ways[-1]).exists() else Settings.from_env().results)
    if len(ways) > 2:
        raise UsageError(f"--lines: {', '.join(ways)}: at most two ways stand side by side; name two and a run's folder.")
    run, console = Run.read(place), grid.console()
    if ways:
        code_lines.show([code_lines.of_way(run, way) for way in ways], console)
    elif arguments.format == "md":
        console.out(folder.markdown(run), end="")
    else:
        folder.show(run, console, arguments.controls)
    return ExitCode.FINE


def history(arguments: argparse.Namespace) -> int:
    """Shows stored runs in time order, and since when a way is slower or faster."""
    from bench.analyse import history, reading
    from bench.show import runs

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
    series = history.of_rows(stored.table, arguments.way)
    runs.show_history(series, arguments.runs if arguments.way else None, grid.console())
    return ExitCode.FINE


def compare(arguments: argparse.Namespace) -> int:
    """Compares runs and says which differences are real; exit code 1 for what --fail-on asks, 3 if nothing is proven."""
    from bench.analyse import comparison
    from bench.show import runs
    from bench.show.sentences import show_gate

    results, base = Settings.from_env().results, arguments.base
    compared: dict[str, comparison.Comparison] = {}
    codes: list[int] = []
    for head in arguments.head:
        try:
            versus = comparison.of_files(_paths(base), _paths(head), results, arguments.margin)
        except UsageError as error:
            print(f"bench: {error}", file=sys.stderr)
            codes.append(ExitCode.USAGE)
            continue
        compared[head] = versus
        sentences, code = versus.outcome(arguments.fail_on)
        codes.append(code)
        for sentence in (*sentences, *(versus.doubts if arguments.format == "json" else [])):
            print(f"bench: {sentence}", file=sys.stderr)
    if arguments.format == "text":
        runs.show_comparisons(base, compared, grid.console())
    else:
        print({"md": runs.markdown, "json": runs.as_json}[arguments.format](base, compared), end="")
    print(end="", flush=True)
    for versus in compared.values():
        show_gate(arguments.fail_on, versus.table, grid.console(sys.stderr), versus.doubts, "name")
    return next((code for code in (ExitCode.USAGE, ExitCode.UNPROVEN, ExitCode.WRONG) if code in codes), ExitCode.FINE)


def _paths(text: str) -> list[str]:
    return [text] if os.path.exists(text) else text.split(",")


def report(arguments: argparse.Namespace) -> int:
    """Writes one HTML file that shows stored runs in a browser, without a network."""
    from bench.record import frame

    try:
        from bench.show import page
    except ModuleNotFoundError as error:
        raise missing(str(error.name), "report", extra="report", run="make report") from None
    results = Settings.from_env().results
    files = frame.journals(*arguments.run) if arguments.run else frame.journals(results)[-1:]
    target = arguments.output or files[-1].parent / "report.html"
    write(page.build(files, results), target)
    grid.console().print(f"written: {target}", style="dim")
    if arguments.open:
        webbrowser.open(target.resolve().as_uri())
    return ExitCode.FINE


def summary(arguments: argparse.Namespace) -> int:
    """Rebuilds the tables of stored runs from their journals."""
    from bench.analyse.summaries import Run
    from bench.record import frame
    from bench.show import folder

    for story in frame.stories(*arguments.path):
        measured = Run.of(story)
        folder.show(measured, grid.console())
        folder.write(measured)
    return ExitCode.FINE


def export(arguments: argparse.Namespace) -> int:
    """Writes stored runs as files that other tools read."""
    from bench.record import frame
    from bench.show.runs import otava

    stories = frame.stories(*arguments.run)
    text, notes = otava(stories, arguments.controls)
    sys.stderr.writelines(f"bench: {note}\n" for note in notes)
    write(text, arguments.output)
    return ExitCode.FINE
