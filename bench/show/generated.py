"""Brings the generated parts of a checkout up to date: the README's run, the index of runs,
the tables of settings and of columns.

No word is changed that people wrote, and no run looked at that git does not know.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.analyse.run import Run
from bench.errors import UsageError
from bench.machine import git
from bench.record import journal
from bench.show import pages

RESULTS = "results"
RUN = re.compile(r"<!-- results: (\S+) -->\n")


def refresh(root: Path) -> list[Path]:
    """Writes what is stale in the checkout at `root`; returns what was written. Raises `UsageError`."""
    wanted = {path: text.encode() for path, text in texts(root).items()}
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_bytes() != content]
    for path in stale:
        path.write_bytes(wanted[path])
    return stale


def texts(root: Path) -> dict[Path, str]:
    """Page → what it should say."""
    folder, files = shown(root), committed(root)
    runs = [Run.read(path) for path in files if path.name == journal.NAME]
    others = [path for path in files if path.suffix == ".csv"]
    readme, settings, columns = root / "README.md", root / "docs" / "settings.md", root / "docs" / "files.md"
    name = folder.relative_to(root / RESULTS)
    part = pages.readme(Run.read(folder), f"{RESULTS}/{name}")
    return {
        root / RESULTS / "README.md": pages.index(root / RESULTS, runs, others),
        readme: _between(readme, f"<!-- results: {name} -->", part, "<!-- end of results -->"),
        settings: _between(settings, "<!-- settings -->", pages.settings_table(), "<!-- end of settings -->"),
        columns: _between(columns, "<!-- summary columns -->", pages.summary_columns(), "<!-- end of summary columns -->"),
    }


def shown(root: Path) -> Path:
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


def _between(page: Path, start: str, text: str, end: str) -> str:
    """A page with `text` between two of its lines."""
    before, opening, rest = page.read_text(encoding="utf-8").partition(f"{start}\n")
    _, closed, after = rest.partition(f"{end}\n")
    if not opening or not closed:
        raise UsageError(f"{page}: the lines {start} and {end} do not stand there once each; put them back.")
    return f"{before}{start}\n{text}{end}\n{after}"
