"""Makes two sides, for `run --against`, `race` and `bisect`: of the problem's folder at revisions in git,
as it lies here, and under variables that libraries read.

Changes nothing in the checkout and leaves no file behind.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.errors import UsageError
from bench.machine import git
from bench.paths import BACKENDS, ROOT
from bench.plan.sides import Side
from bench.settings import Settings

HERE = "here"
NAME = "[A-Za-z_][A-Za-z0-9_]*="  # how a variable begins; a value may hold commas
UNSAFE, LONGEST = re.compile(r"[^A-Za-z0-9._-]+"), 20
"""What no label has, and how many characters it has at most: of a revision the first ones, of variables the last."""
SHARED = ("__init__.py", "api.py", "problem.py")  # what both sides take from here: one contract and one reference prove both


@contextmanager
def against(revision: str, settings: Settings, head: str | None = None) -> Iterator[tuple[Side, Side]]:
    """The sides of the problem's folder at a revision, in a folder that is gone afterwards, and at
    `head`; by default as it lies here.

    Either may be `NAME=VALUE,NAME=VALUE` instead: as it lies here, under these variables. Raises
    `UsageError` if there is no such revision, or no such folder in it.
    """
    if settings.pythons:
        raise UsageError("BENCH_PYTHONS and --against: a run has the sides of one of them; leave the other out.")
    problem = settings.problem_folder
    with tempfile.TemporaryDirectory(prefix="stepbench-against-") as name:
        folder = Path(name).resolve()
        base = _side(revision, folder / "base", problem)
        now = _here(HERE, {}, problem) if head is None else _side(head, folder / "head", problem)
        yield base, replace(now, label=f"{now.label}-again") if now.label == base.label else now


def between(good: str, bad: str, settings: Settings) -> dict[str, str]:
    """Commit → subject: `good`, and after it, oldest first, those on the way of first parents to
    `bad` that change what a side takes from a revision. Raises `UsageError`."""
    problem = settings.problem_folder
    top, path = _place(bad, problem)
    first, last = (_commit(revision, top) for revision in (good, bad))
    try:
        git.ask(top, "merge-base", "--is-ancestor", first, last)
    except git.GitError:
        text = f"bisect {good} {bad}: {bad} does not descend from {good}; name two that do, the faster one first."
        raise UsageError(text) from None
    ours = [path, *(f":(exclude){path}/{file}" for file in SHARED)]
    log = ("log", "--first-parent", "--reverse", "--format=%h%x09%s")
    changes = _git(bad, top, *log, f"{first}..{last}", "--", *ours)
    if not changes:
        raise UsageError(f"bisect {good} {bad}: no commit between them changes {path}/; name others.")
    lines = (_git(good, top, *log, "-1", first) + changes).decode(errors="replace").splitlines()
    return dict(line.split("\t", 1) for line in lines)


def _here(label: str, variables: dict[str, str], problem: Path) -> Side:
    commit = git.commit() if problem == BACKENDS else git.commit(problem, ".")
    return Side(label, variables=variables, facts={"commit": commit, "variables": variables})


def _side(revision: str, folder: Path, problem: Path) -> Side:
    """The problem's folder at a revision, in a folder that does not exist yet; of variables, as it
    lies here."""
    if re.match(NAME, revision):
        pairs = (pair.partition("=") for pair in re.split(f",(?={NAME})", revision))
        return _here(UNSAFE.sub("-", revision).strip("-")[-LONGEST:], {name: value for name, _, value in pairs}, problem)
    is_ours, (top, path) = problem == BACKENDS, _place(revision, problem)
    commit, then = _commit(revision, top), folder / path
    zipfile.ZipFile(io.BytesIO(_git(revision, top, "archive", "--format=zip", commit, path))).extractall(folder)
    for name in SHARED:
        (then / name).unlink(missing_ok=True)
    families = problem.glob("_[!_]*.py") if is_ours else ()  # a control of today may need a family that it lacks
    for file in (*(problem / name for name in SHARED), *families):
        if file.exists() and not (then / file.name).exists():
            (then / file.name).symlink_to(file)
    return Side(label(revision, commit), folder=folder if is_ours else ROOT, problem=then, facts={"commit": commit})


def _place(revision: str, problem: Path) -> tuple[Path, str]:
    """The repository that contains a problem's folder, and the folder's path there."""
    if problem == BACKENDS:
        return ROOT, BACKENDS.name
    found = _git(revision, problem, "rev-parse", "--show-toplevel").decode().rstrip("\n")
    return Path(found), problem.relative_to(found).as_posix()


def _commit(revision: str, repository: Path) -> str:
    named = ("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    return _git(revision, repository, *named).decode().strip()


def label(revision: str, commit: str) -> str:
    """What names a revision's side in keys and tables: the revision in safe letters, the commit where none are left."""
    safe = UNSAFE.sub("-", revision).strip("-")[:LONGEST].rstrip("-")
    return commit[:10] if safe in ("", HERE) else safe


def _git(revision: str, repository: Path, *arguments: str) -> bytes:
    try:
        return git.ask(repository, *arguments)
    except git.GitError as error:
        reason = str(error).splitlines()[-1].removeprefix("fatal: ").rstrip(".")
        raise UsageError(
            f"revision {revision}: git has no backends of that revision: {reason}; "
            "name a revision that holds them, and in a shallow checkout fetch it first."
        ) from None
