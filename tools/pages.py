"""Writes the generated parts of this checkout's pages: the README's run, the index of runs, the tables of settings and columns.

`make results` runs it. No number is written that is not in a journal, no word is changed that people wrote, and no run is read
that git does not know.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.machine import git
from bench.paths import ROOT
from bench.record import journal
from bench.schema.case import is_control
from bench.schema.summary import COLUMNS
from bench.settings import Settings
from bench.show import folder, grid, tables

WIDTH = 80
"""Characters of the README's table: the columns that matter most."""
RESULTS = "results"
RUN = re.compile(r"<!-- results: (\S+) -->\n")


def texts(root: Path) -> dict[Path, str]:
    """Page → what it should say. Raises `UsageError`."""
    shown, files = readme_run(root), committed(root)
    runs = [Run.read(path) for path in files if path.name == journal.NAME]
    others = [path for path in files if path.suffix == ".csv"]
    name = shown.relative_to(root / RESULTS)
    return {
        root / RESULTS / "README.md": index(root / RESULTS, runs, others),
        **_between(root / "README.md", f"results: {name}", readme(Run.read(shown), f"{RESULTS}/{name}")),
        **_between(root / "docs" / "settings.md", "settings", settings_table()),
        **_between(root / "docs" / "files.md", "summary columns", summary_columns()),
    }


def readme_run(root: Path) -> Path:
    """The folder of the run that the README's marker names."""
    if not (marker := RUN.search((root / "README.md").read_text(encoding="utf-8"))):
        raise UsageError(f"{root / 'README.md'}: no line <!-- results: MACHINE/RUN --> says which run it shows; add it.")
    return root / RESULTS / marker[1]


def committed(root: Path) -> list[Path]:
    """The files of results that git knows, those included that are only staged."""
    try:
        names = git.ask(root, "ls-files", "-z", RESULTS).decode().split("\0")
    except git.GitError as error:
        raise UsageError(f"{root}: git cannot list its results: {error}; this needs a checkout with git.") from None
    return [root / name for name in sorted(names) if name]


def _between(page: Path, mark: str, text: str) -> dict[Path, str]:
    """A page with `text` between the lines `<!-- mark -->` and `<!-- end of mark -->`."""
    start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark.partition(':')[0]} -->\n"
    before, opening, rest = page.read_text(encoding="utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not opening or not closed:
        raise UsageError(f"{page}: the lines {start.strip()} and {end.strip()} do not stand there once each; put them back.")
    return {page: f"{before}{start}{text}{end}{after}"}


def readme(run: Run, folder_name: str) -> str:
    """What the README shows of a run, whose folder is seen from the top of the checkout, without controls."""
    found, ways = "\n".join(folder.findings(run)), run.table[~run.table["kind"].map(is_control)]
    links = f"[complete run]({folder_name}), [all ways, all runs](results/README.md)"
    return f"""{folder.host(run)}, {folder.software(run)}; {grid.common(run.table)}; {links}:

{tables.markdown(ways, WIDTH)}
{found}
"""


def index(results: Path, runs: Iterable[Run], others: Iterable[Path]) -> str:
    """The page of all runs below `results`: a part for each folder, in it a table for each run, and the other files there."""
    lines = ["# Results", "", "Made by `make results` from the journals that git knows: change nothing here.", ""]
    for above, group in itertools.groupby(sorted(runs, key=lambda run: run.folder), key=lambda run: run.folder.parent):
        newest_first = list(group)[::-1]
        lines += [f"## {above.relative_to(results)}", "", f"{folder.host(newest_first[0])}.", ""]
        for run in newest_first:
            link = f'<a href="{run.folder.relative_to(results)}">{run.folder.name}</a>'
            about = ", ".join([link, grid.common(run.table), folder.software(run), *run.doubts])
            lines += [f"<details open><summary>{about}</summary>", "", tables.markdown(run.table), "</details>", ""]
        beside = [f"[{path.name}]({path.relative_to(results)})" for path in sorted(others) if path.parent == above]
        lines += [f"Other files: {', '.join(beside)}.", ""] if beside else []
    return "\n".join(lines)


def settings_table() -> str:
    """Every setting, with its default and meaning."""
    rows = []
    for name, setting in Settings.variables().items():
        default = setting.metadata["default"]
        rows.append((f"`{name}`", f"`{default}`" if default else "none", setting.metadata["help"]))
    return _table(("variable", "default", "meaning"), rows)


def summary_columns() -> str:
    """Every column of `summary.csv`, with its unit and meaning."""
    rows = [(", ".join(f"`{name}`" for name in each.names), each.unit, each.meaning) for each in COLUMNS]
    return _table(("column", "unit", "meaning"), rows)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    columns = [*map(grid.column, titles)]
    return "\n".join([*grid.pipes(columns, [dict(zip(titles, row, strict=True)) for row in rows], sys.maxsize), ""])


def main() -> None:
    """Writes the stale pages."""
    for path, text in texts(ROOT).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path}")


if __name__ == "__main__":
    main()
