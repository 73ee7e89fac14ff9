"""Asks git about a checkout; changes nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.errors import UsageError
from bench.paths import ROOT

KEPT = ("GIT_CONFIG", "GIT_CEILING_DIRECTORIES", "GIT_EXEC_PATH")
"""Variables of git that say how it works. The others, such as GIT_DIR in a hook, name a repository."""


class GitError(Exception):
    """git gave no answer: what it wrote to standard error."""


def ask(checkout: Path, *arguments: str) -> bytes:
    """What git prints of the repository in which this folder lies. Raises `GitError`, without git `UsageError`."""
    env = {name: text for name, text in os.environ.items() if not name.startswith("GIT_") or name.startswith(KEPT)}
    try:
        command = ["git", "--no-optional-locks", "-C", str(checkout), *arguments]
        done = subprocess.run(command, capture_output=True, env=env)
    except OSError as error:
        raise UsageError(f"git cannot be started: {error.strerror}; install git.") from None
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}")
    return done.stdout


def commit(checkout: Path = ROOT, *paths: str) -> str | None:
    """The commit of a checkout, by default of this code's; `+dirty` if files in `paths` differ.

    None where git does not track them, as of an installation inside another repository.
    """
    paths = paths or ("backends", "bench")
    try:
        ask(checkout, "ls-files", "--error-unmatch", "--", *paths)
        head = ask(checkout, "rev-parse", "HEAD").decode().strip()
        changes = ask(checkout, "status", "--porcelain", "--", *paths)
    except (GitError, UsageError):
        return None
    return head + ("+dirty" if changes.strip() else "")
