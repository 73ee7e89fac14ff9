"""What git knows of a checkout. It is only asked, never told to change anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.paths import ROOT


class GitError(Exception):
    """git gave no answer: what it wrote to standard error."""


class NotStarted(GitError):
    """There is no git to ask: the system's reason."""


def ask(checkout: Path, *arguments: str) -> bytes:
    """What git prints. Raises `GitError`."""
    try:
        done = subprocess.run(["git", "--no-optional-locks", "-C", str(checkout), *arguments], capture_output=True)
    except OSError as error:
        raise NotStarted(error.strerror) from None
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}")
    return done.stdout


def commit(checkout: Path = ROOT, *paths: str) -> str | None:
    """The commit of a checkout, by default of this code's; `+dirty` if files in `paths` differ."""
    try:
        head = ask(checkout, "rev-parse", "HEAD").decode().strip()
        changes = ask(checkout, "status", "--porcelain", "--", *(paths or ("backends", "bench")))
    except GitError:
        return None
    return head + ("+dirty" if changes.strip() else "")
