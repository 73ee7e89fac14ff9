"""Makes two sides: of revisions in git, of the files as they are, and of these under variables that libraries read; for
`python -m bench run --against REVISION` and `NAME=VALUE`.

It must never touch the checkout, nor leave a file behind.
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
NAME = "[A-Za-z_][A-Za-z0-9_]*="
"""How a variable begins; a value may hold commas."""
UNSAFE, LONGEST = re.compile(r"[^A-Za-z0-9._-]+"), 20
"""What no label has, and how many characters it has at most: of a revision the first ones, of variables the last words."""
SHARED = ("__init__.py", "api.py", "problem.py")
"""Files that both sides take from here: one contract and one reference prove both."""


@contextmanager
def against(revision: str, settings: Settings, head: str | None = None) -> Iterator[tuple[Side, Side]]:
    """The sides of `backends/` at a revision, in a folder that is gone afterwards, and at `head`; by default as they lie here.
    Either may be `NAME=VALUE,NAME=VALUE` instead: as they lie here, under these variables.

    Raises `UsageError` if there is no such revision, or no backends in it.
    """
    if settings.pythons:
        raise UsageError("BENCH_PYTHONS and --against: a run has the sides of one of them; leave the other out.")
    with tempfile.TemporaryDirectory(prefix="stepbench-against-") as name:
        base = _side(revision, Path(name).resolve() / "base", settings)
        now = _here(HERE, {})
        if head is not None:
            now = _side(head, Path(name).resolve() / "head", settings)
        yield base, replace(now, label=f"{now.label}-again") if now.label == base.label else now


def _here(label: str, variables: dict[str, str]) -> Side:
    return Side(label, variables=variables, facts={"commit": git.commit(), "variables": variables})


def _side(revision: str, folder: Path, settings: Settings) -> Side:
    """The problem folder and `backends/` at a revision, in a folder that does not exist yet; of
    variables, as they lie here."""
    if re.match(NAME, revision):
        pairs = (pair.partition("=") for pair in re.split(f",(?={NAME})", revision))
        safe = UNSAFE.sub("-", revision).strip("-")
        words = re.search(f"(^|(?<=[-_])).{{1,{LONGEST}}}$", safe)
        variables = {name: value for name, _, value in pairs}
        return _here(words[0] if words else safe[-LONGEST:], variables)
    asked = f"{revision}^{{commit}}"
    commit = _git(revision, "rev-parse", "--verify", "--end-of-options", asked).decode().strip()
    problem = _in_checkout(settings.problem_folder)
    places = {BACKENDS.name: BACKENDS, problem: settings.problem_folder}
    archive = _git(revision, "archive", "--format=zip", commit, *places)
    zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
    for place, here in places.items():
        _share(folder / place, here)
    return Side(
        label(revision, commit), folder=folder, problem=folder / problem, facts={"commit": commit}
    )


def _in_checkout(problem: Path) -> str:
    """Its path in the checkout. Raises `UsageError`."""
    if problem == BACKENDS:
        return BACKENDS.name
    if not problem.is_relative_to(ROOT):
        raise UsageError(f"BENCH_PROBLEM={problem}: is not in {ROOT}, whose revisions --against compares.")
    return problem.relative_to(ROOT).as_posix()


def _share(folder: Path, here: Path) -> None:
    """Replaces the shared files of a revision, and adds families that it lacks: a control of today
    may need one."""
    for file in SHARED:
        (folder / file).unlink(missing_ok=True)
    families = (family.name for family in here.glob("_[!_]*.py"))
    for file in (*SHARED, *families):
        if (here / file).exists() and not (folder / file).exists():
            (folder / file).symlink_to(here / file)


def label(revision: str, commit: str) -> str:
    """What names a revision's side in keys and tables: the revision in safe letters, the commit where none are left."""
    safe = UNSAFE.sub("-", revision)[:LONGEST].strip("-")
    return commit[:10] if safe in ("", HERE) else safe


def _git(revision: str, *arguments: str) -> bytes:
    try:
        return git.ask(ROOT, *arguments)
    except git.NotStarted as error:
        raise UsageError(f"--against={revision}: git cannot be started: {error}; install git.") from None
    except git.GitError as error:
        reason = str(error).splitlines()[-1].removeprefix("fatal: ").rstrip(".")
        raise UsageError(
            f"--against={revision}: git has no backends of that revision: {reason}; "
            "name a revision that holds them, and in a shallow checkout fetch it first."
        ) from None
