"""What the commands of `python -m bench` do that read stored runs.

It must never measure, nor hold logic of its own: every command is a few calls into the rooms that do the work.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError, unknown
from bench.settings import Settings

if TYPE_CHECKING:
    from bench.record.journal import Story


def summary(arguments: argparse.Namespace) -> int:
    """Rebuilds the tables of stored runs from their journals."""
    from bench.analyse.run import Run
    from bench.record import frame
    from bench.show import folder, tables

    for story in frame.stories(*arguments.path):
        measured = Run.of(story)
        folder.show(measured, tables.console())
        folder.write(measured)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Shows a stored run and writes nothing: its tables, and a bar for each step; or Markdown for an issue."""
    from bench.analyse.run import Run
    from bench.record import frame
    from bench.show import bars, folder, pages, tables

    run = Run.of(_latest(arguments.run))
    console = tables.console()
    if arguments.format == "md":
        console.out(pages.issue(run), end="")
        return 0
    folder.show(run, console)
    bars.show(run.table, frame.samples(run.story), console)
    return 0


def picture(arguments: argparse.Namespace) -> int:
    """Draws the times of a stored run, with their intervals and limits."""
    from bench.analyse import summaries
    from bench.show import pictures, tables

    story = _latest(arguments.run)
    target = arguments.output or story.path.parent / pictures.NAME
    pictures.save(pictures.times(summaries.summarise(story)), target)
    tables.console().print(f"written: {target}", style="dim")
    return 0


def results(_: argparse.Namespace) -> int:
    """Rebuilds what the pages of a checkout show of its committed runs."""
    from bench.paths import ROOT
    from bench.show import generated, tables

    for path in generated.refresh(ROOT):
        tables.console().print(f"written: {path}", style="dim")
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Compares runs and says which differences are real; exit code 1 for what --fail-on asks, 3 if nothing is proven."""
    from bench.analyse import comparison
    from bench.show import comparison_tables, tables

    results = Settings.from_env().results
    found, codes = {}, []
    for head in (arguments.head, *arguments.more):
        try:
            one = comparison.of_files(arguments.base.split(","), head.split(","), arguments.campaign or (), results)
        except UsageError as error:
            print(f"bench: {error}", file=sys.stderr)
            codes.append(2)
            continue
        found[head] = one
        told, code = one.outcome(arguments.fail_on)
        codes.append(code)
        for line in (*told, *(one.doubts if arguments.format in ("csv", "json") else [])):
            print(f"bench: {line}", file=sys.stderr)
    comparison_tables.show(arguments.format, arguments.base, found, tables.console())
    if arguments.github_summary:
        comparison_tables.append(Path(arguments.github_summary), arguments.base, found)
    return next((code for code in (2, 3, 1) if code in codes), 0)


def scaling(arguments: argparse.Namespace) -> int:
    """Fits overhead and rate of each backend to a sweep of shapes, and tells where lines cross."""
    from bench.analyse import scaling
    from bench.record import frame
    from bench.show import scaling_views, tables

    story = _latest(arguments.run)
    rounds, baseline = frame.samples(story), arguments.baseline or story.header["settings"]["baseline"]
    if baseline not in (names := rounds["backend"].unique()):
        raise unknown("backend", baseline, list(names), "--baseline")
    found = scaling.scale(rounds, baseline)
    scaling_views.show(found, tables.console())
    for path in scaling_views.write(found, story.path.parent):
        tables.console().print(f"written: {path}", style="dim")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Writes one HTML file that shows stored runs in a browser, without a network."""
    from bench.record import frame
    from bench.show import tables

    try:
        from bench.show import page
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "plotly", "pygments"):
            raise
        missing = f"report: needs {error.name}, which is not installed; run `pip install '.[report]'`."
        raise UsageError(missing) from None
    results = Settings.from_env().results
    files = frame.journals(*arguments.run) if arguments.run else sorted(frame.journals(results), key=_begun)[-1:]
    target = arguments.output or files[-1].parent / "report.html"
    text = page.build(files, results)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}; name another file with -o.") from None
    tables.console().print(f"written: {target}", style="dim")
    if arguments.open:
        webbrowser.open(target.resolve().as_uri())
    return 0


def _begun(file: Path) -> str:
    """A run's folder is named by when it began, whatever machine's folder it is in."""
    return file.parent.name


def export(arguments: argparse.Namespace) -> int:
    """Writes stored runs as files that other tools read."""
    from bench import export
    from bench.record import frame

    files, told = export.export(frame.stories(*arguments.run), arguments.format, arguments.controls)
    sys.stderr.writelines(f"bench: {line}\n" for line in told)
    export.write(files, arguments.output)
    return 0


def _latest(path: Path) -> Story:
    """The run that a path names, of a folder of several the latest."""
    from bench.record import frame

    return frame.stories(path)[-1]
