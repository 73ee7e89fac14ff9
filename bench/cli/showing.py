"""Commands that show stored runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._arguments import Parsers, command, margin, slower
from bench.errors import ExitCode, UsageError, unknown
from bench.settings import Settings

if TYPE_CHECKING:
    from bench.record.journal import Story

LATEST = "a run's folder, or one above it: of several runs the latest"
SIDE = "a run's folder or one of its files; several are joined by commas, or stand in one folder"


def add(parsers: Parsers) -> None:
    shown = command(parsers, "show", show)
    shown.add_argument("run", type=Path, help=LATEST)
    shown.add_argument("--format", choices=("text", "md"), default="text", help="md: a table to paste into an issue")
    drawn = command(parsers, "picture", picture)
    drawn.add_argument("run", type=Path, help=LATEST)
    drawn.add_argument("-o", "--output", type=Path, metavar="FILE", help="its suffix says the format; times.svg by default")
    compared = command(parsers, "compare", compare)
    compared.add_argument("base", help=SIDE)
    compared.add_argument("head", help=SIDE)
    compared.add_argument("more", nargs="*", help="further heads, each compared with the same base")
    compared.add_argument("--format", choices=("text", "md", "csv", "json"), default="text")
    compared.add_argument("--margin", type=margin, default="1%", metavar="PERCENT%", help="what counts as equal: 1%%")
    compared.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]", help="exit with 1 if a row is SLOWER")
    compared.add_argument("--github-summary", metavar="FILE", help="append Markdown to it: $GITHUB_STEP_SUMMARY")
    scaled = command(parsers, "scaling", scaling)
    scaled.add_argument("run", type=Path, help="a run over several shapes, of a folder the latest")
    scaled.add_argument("--baseline", help="what lines are crossed with; the run's baseline by default")


def show(arguments: argparse.Namespace) -> int:
    """Shows a stored run and writes nothing: tables and a bar for each step; or Markdown for an issue."""
    from bench.analyse.run import Run
    from bench.record import frame
    from bench.show import bars, folder, grid, pages

    run = Run.of(_latest(arguments.run))
    console = grid.console()
    if arguments.format == "md":
        console.out(pages.issue(run), end="")
        return ExitCode.FINE
    folder.show(run, console)
    bars.show(run.table, frame.samples(run.story), console)
    return ExitCode.FINE


def picture(arguments: argparse.Namespace) -> int:
    """Draws the times of a stored run, with their intervals and limits."""
    from bench.analyse import summaries
    from bench.show import grid, pictures

    story = _latest(arguments.run)
    target = arguments.output or story.path.parent / pictures.NAME
    pictures.save(pictures.times(summaries.summarise(story)), target)
    grid.console().print(f"written: {target}", style="dim")
    return ExitCode.FINE


def compare(arguments: argparse.Namespace) -> int:
    """Compares runs and says which differences are real; exit code 1 for what --fail-on asks, 3 if nothing is proven."""
    from bench.analyse import comparison
    from bench.show import comparison_tables, grid

    results = Settings.from_env().results
    compared: dict[str, comparison.Comparison] = {}
    codes: list[int] = []
    for head in (arguments.head, *arguments.more):
        try:
            versus = comparison.of_files(arguments.base.split(","), head.split(","), results, arguments.margin)
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
    return next((code for code in (ExitCode.USAGE, ExitCode.UNPROVEN, ExitCode.WRONG) if code in codes), ExitCode.FINE)


def scaling(arguments: argparse.Namespace) -> int:
    """Fits overhead and rate of each backend to a sweep of shapes, and tells where lines cross."""
    from bench.analyse import scaling
    from bench.record import frame
    from bench.show import grid, scaling_views

    story = _latest(arguments.run)
    rounds, baseline = frame.samples(story), arguments.baseline or story.header["settings"]["baseline"]
    if baseline not in (names := rounds["backend"].unique()):
        raise unknown("backend", baseline, list(names), "--baseline")
    operations = {case["key"]: case["flops"] for case in story.header["cases"]}
    scaled = scaling.scale(rounds, frame.singles(story), operations, baseline)
    scaling_views.show(scaled, story.header["problem"]["sizes"], grid.console())
    for path in scaling_views.write(scaled, story.path.parent):
        grid.console().print(f"written: {path}", style="dim")
    return ExitCode.FINE


def _latest(path: Path) -> Story:
    """The run that a path names, of a folder of several the latest."""
    from bench.record import frame

    return frame.stories(path)[-1]
