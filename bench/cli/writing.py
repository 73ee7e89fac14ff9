"""Commands that write files from stored runs."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import Any

from bench.cli._arguments import command, write
from bench.errors import ExitCode, UsageError, missing
from bench.paths import ROOT
from bench.settings import Settings
from bench.show import grid


def add(parsers: Any) -> None:
    rebuilt = command(parsers, "summary", summary)
    rebuilt.add_argument("path", nargs="*", type=Path, help="a run's folder, or one above it; results by default")
    reported = command(parsers, "report", report)
    reported.add_argument("run", nargs="*", type=Path, help="a run's folder, or one above it; the latest run by default")
    reported.add_argument("-o", "--output", type=Path, help="the file; report.html in the last run's folder by default")
    reported.add_argument("--open", action="store_true", help="show it in the browser")
    exported = command(parsers, "export", export)
    exported.add_argument("run", nargs="+", type=Path, help="a run's folder, or one above it")
    exported.add_argument("--format", required=True, choices=("otava",))
    exported.add_argument("-o", "--output", type=Path, help="a file; stdout by default")
    exported.add_argument("--controls", action="store_true", help="the twin and the other controls too")
    submitted = command(parsers, "submit", submit)
    submitted.add_argument("run", type=Path, help="a run's folder, or one above it: of several runs the latest")
    submitted.add_argument("-o", "--output", type=Path, help="the file; MACHINE-RUN.jsonl.gz here by default")
    accepted = command(parsers, "accept", accept)
    accepted.add_argument("file", nargs="+", type=Path, help="what `submit` wrote")
    command(parsers, "results", results)


def summary(arguments: argparse.Namespace) -> int:
    """Rebuilds the tables of stored runs from their journals."""
    from bench.analyse.run import Run
    from bench.record import frame
    from bench.show import folder

    for story in frame.stories(*arguments.path):
        measured = Run.of(story)
        folder.show(measured, grid.console())
        folder.write(measured)
    return ExitCode.FINE


def report(arguments: argparse.Namespace) -> int:
    """Writes one HTML file that shows stored runs in a browser, without a network."""
    from bench.record import frame

    try:
        from bench.show import page
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "plotly", "pygments"):
            raise
        raise missing(error.name, "report", extra="report", run="make report") from None
    results = Settings.from_env().results
    files = frame.journals(*arguments.run) if arguments.run else frame.journals(results)[-1:]
    target = arguments.output or files[-1].parent / "report.html"
    write(page.build(files, results), target)
    grid.console().print(f"written: {target}", style="dim")
    if arguments.open:
        webbrowser.open(target.resolve().as_uri())
    return ExitCode.FINE


def export(arguments: argparse.Namespace) -> int:
    """Writes stored runs as CSV for Apache Otava, which looks for change points."""
    from bench.export import otava
    from bench.record import frame

    text, notes = otava(frame.stories(*arguments.run), arguments.controls)
    sys.stderr.writelines(f"bench: {note}\n" for note in notes)
    write(text, arguments.output)
    return ExitCode.FINE


def submit(arguments: argparse.Namespace) -> int:
    """Packs a run, without host name and paths, for a pull request."""
    from bench import contributing
    from bench.record import frame

    story = frame.latest(arguments.run)
    target = arguments.output or Path(f"{story.header['machine_name']}-{story.header['run']}.jsonl.gz")
    write(contributing.submit(story), target)
    grid.console().print(f"written: {target}", style="dim")
    return ExitCode.FINE


def accept(arguments: argparse.Namespace) -> int:
    """Checks contributed runs and files each below results/<machine>/; exit code 2 if one is refused."""
    from bench import contributing

    results, code = Settings.from_env().results, ExitCode.FINE
    for file in arguments.file:
        try:
            target, disturbed = contributing.accept(file, results)
            grid.console().print(f"{file}: accepted as {target}" + (f"; {disturbed}" if disturbed else ""), soft_wrap=True)
        except UsageError as error:
            print(f"bench: {error}", file=sys.stderr)
            code = ExitCode.USAGE
    return code


def results(_: argparse.Namespace) -> int:
    """Rebuilds what the pages of a checkout show of its committed runs."""
    from bench.show import pages

    for path in pages.refresh(ROOT):
        grid.console().print(f"written: {path}", style="dim")
    return ExitCode.FINE
