"""Packs a run for a pull request, and files it: what does not follow from known code is refused.

    python -m tools.contributing submit results   # the latest run, as MACHINE-RUN.jsonl.gz
    python -m tools.contributing accept FILE ...  # checks each and files it below results/MACHINE

Detects numbers that contradict each other, the code or the machine's peaks; it cannot detect consistent inventions.
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import re
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from bench.analyse.summaries import Run
from bench.errors import ExitCode, UsageError
from bench.fleet.folder import writing
from bench.fleet.home import without_names
from bench.machine import git
from bench.paths import BACKENDS, CONTROLS, ROOT
from bench.plan.discovery import hash_of
from bench.record import frame, journal
from bench.record.frame import GRAIN
from bench.settings import Settings
from bench.show import folder

MAX_BYTES = 200_000_000
"""Of a journal; that of a run of all ways has 2 MB."""
PATH = re.compile(r"(?<![\w.:/+-])~?(?:/[\w.@+~-]+)+/?")
NAMES = {"machine_name": r"[a-z0-9][a-z0-9+-]*", "run": r"\d{8}T\d{6}Z(-[a-z0-9]+)*"}
"""Of the folders that a run is filed in."""
LIMITS = (
    ("bound_share", 1.05, "of the least time that the peaks of the run allow it"),  # the peak has noise too
    ("error_share", 1, "of the error that rounding may cause"),
)
"""Columns, what a step's value may be at most, and of what that is a share."""


def submit(story: journal.Story) -> bytes:
    """A run's journal, compressed, without names of hosts and paths; every other file follows from it.

    Raises `UsageError`, also for what `accept` would refuse.
    """
    header: Mapping[str, Any] = story.header
    first, *records = map(_public, (header, *story.records))
    problem = (ROOT / header["settings"].get("problem", "")).resolve()
    if problem.is_relative_to(ROOT):
        first["settings"]["problem"] = problem.relative_to(ROOT).as_posix()
    first["settings"]["results"] = "results"
    first["sources"] = header["sources"]  # known code, or the run is refused
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in (first, *records)).encode()
    with TemporaryDirectory() as name:
        (Path(name) / journal.NAME).write_bytes(text)
        try:
            _checked(Path(name))
        except UsageError as error:
            raise UsageError(f"{story.path.parent}: would be refused: {error}") from None
    return gzip.compress(text, mtime=0)


def accept(archive: Path, results: Path) -> tuple[Path, str]:
    """Checks what `submit` wrote and files its run: the run's folder, and what disturbed it. Raises `UsageError`."""
    with TemporaryDirectory() as name:
        place = Path(name)
        try:
            with gzip.open(archive) as file:
                text = file.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                raise UsageError(f"it unpacks to more than {MAX_BYTES / 1e6:g} MB, which no run has.")
            (place / journal.NAME).write_bytes(text)
            story = _checked(place).story
            target = results / story.header["machine_name"] / story.header["run"]
            if target.exists():
                raise UsageError(f"{target} is there already.")
        except UsageError as error:
            raise UsageError(f"{archive}: refused: {str(error).replace(f'{name}/', '')}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(f"{archive}: refused: it is damaged, or no file of `submit`: {error}.") from None
        with writing(target / journal.NAME):
            for each in place.iterdir():
                shutil.copyfile(each, target / each.name)
    return target, folder.disturbed(story)


def _public(value: Any) -> Any:
    """A JSON value in which `home` stands for this host, and a path's last part for the path."""
    if isinstance(value, str):
        return PATH.sub(lambda path: PurePath(path[0]).name, without_names(value.replace(str(Path.home()), "~"), {}))
    if isinstance(value, Mapping):
        return {name: _public(each) for name, each in value.items()}
    return [*map(_public, value)] if isinstance(value, list) else value


def _checked(place: Path) -> Run:
    """The run of a journal, its files written, if it is sound and its numbers are possible. Raises `UsageError`."""
    story = journal.read(place)
    header: Mapping[str, Any] = story.header
    for name, pattern in NAMES.items():
        if not re.fullmatch(pattern, header[name]):
            raise UsageError(f"{name} is {header[name]!r}, which names no folder of a run.")
    if header["machine"].get("sides"):
        raise UsageError("it has sides, which say nothing about a machine; submit a run without --against and BENCH_PYTHONS.")
    if any(record.get("other_runs") for record in story.passes):
        raise UsageError("another run of stepbench measured there meanwhile; measure again.")
    _check_sources(header)
    _check_times(story)
    try:
        run = Run.of(story)
        folder.write(run)
    except Exception as error:  # a journal can be valid record by record and make no sense
        raise UsageError(f"its journal makes no table: {type(error).__name__}: {error}.") from None
    if run.doubts:
        raise UsageError(run.doubts[0])
    rows = run.table[run.table["status"] == "ok"]
    for column, most, what in LIMITS:
        if len(wrong := rows[rows[column] > most]):
            raise UsageError(f"{wrong.index[0]} has {wrong[column].iloc[0]:.2f} {what}, so it cannot be right.")
    return run


def _check_times(story: journal.Story) -> None:
    """Calls make up their round, and rounds fit between the records."""
    before = 0.0
    for number, record in enumerate(story.records, 2):
        room, before, fits = record["at_seconds"] - before, record["at_seconds"], True
        if record["record"] == "visit":
            queued, whole, latency = record["dispatch_seconds"] or 0.0, record["throughput_seconds"], record["latency_seconds"]
            room = min(room - whole - latency, whole + GRAIN - queued)
            rounds = ((record["throughput_call_seconds"], queued), (record["latency_call_seconds"], latency))
            fits = all(not calls or abs(sum(calls) - total) <= GRAIN * len(calls) for calls, total in rounds)
        if room < 0 or not fits:
            raise UsageError(f"{journal.NAME}:{number}: its times contradict each other or those of the line above.")


def _check_sources(header: Mapping[str, Any]) -> None:
    """Every step is that of a commit from which this checkout descends, which the run says it has measured."""
    commit, problem = header["machine"]["commit"] or "no commit", str(header["settings"].get("problem"))
    places = [BACKENDS.name, CONTROLS.relative_to(ROOT).as_posix(), problem]
    try:
        if not re.fullmatch(r"[0-9a-f]{40}", commit) or not re.fullmatch(r"\w+(/\w+)*", problem):
            raise git.GitError(commit)
        git.ask(ROOT, "merge-base", "--is-ancestor", commit, "HEAD")
        archive = zipfile.ZipFile(io.BytesIO(git.ask(ROOT, "archive", "--format=zip", commit, *sorted({*places}))))
    except git.GitError:
        hint = "commit and publish what was changed and measure again, or fetch it here"
        raise UsageError(f"it measured {problem} at {commit}, which is not in the history of this checkout; {hint}.") from None
    texts = {PurePath(name): archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    known = {path.stem: text for place in places for path, text in texts.items() if path.parent == PurePath(place)}
    if header["problem"]["hash"] != hash_of(known.get("problem", ""))[:12]:
        raise UsageError(f"its problem is not that of {problem} at {commit[:10]}; submit a run of a problem in this project.")
    for case in header["cases"]:
        way, digest = case["backend"], case["source_hash"]
        shown = header["sources"].get(digest, "")
        if way not in known or digest not in _hashes(way, known) or not shown.startswith(known[way]):
            raise UsageError(f"{way} has the source {digest}, not that of commit {commit[:10]}; submit known ways only.")


def _hashes(way: str, known: Mapping[str, str]) -> Iterator[str]:
    """The hashes that a way may have: of its file, and of any of the modules that it imports, in any order."""
    family = [way]
    for each in family:  # which grows by what they import
        words = re.findall(r"\w+", " ".join(re.findall(r"^(?:from|import) .*", known[each], re.M)))
        family += sorted({*words} & {*known} - {*family, "api", "problem"})
    for some in (some for number in range(len(family)) for some in itertools.permutations(family[1:], number)):
        yield hash_of(known[way], *map(known.__getitem__, some))


def main(argv: Sequence[str] | None = None) -> ExitCode:
    """Packs the latest run below each path, or files each path; USAGE if one is refused."""
    parser = argparse.ArgumentParser("python -m tools.contributing", description="Packs runs for a pull request or files them.")
    parser.add_argument("command", choices=("submit", "accept"))
    parser.add_argument("path", nargs="+", type=Path, help="a run's folder, or one above it; what `submit` wrote")
    arguments, code = parser.parse_args(argv), ExitCode.FINE
    for path in arguments.path:
        try:
            if arguments.command == "accept":
                print(f"{path}: accepted as {'; '.join(filter(None, map(str, accept(path, Settings.from_env().results))))}")
                continue
            story = journal.read(frame.journals(path)[-1])
            target = Path(f"{story.header['machine_name']}-{story.header['run']}.jsonl.gz")
            target.write_bytes(submit(story))
            print(f"written: {target}")
        except UsageError as error:
            print(error, file=sys.stderr)
            code = ExitCode.USAGE
    return code


if __name__ == "__main__":
    sys.exit(main())
