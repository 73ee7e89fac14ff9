"""A fresh process that builds, proves and times the steps of one group, as its conductor asks: `python -m bench.worker SETUP`.

Every request is one JSON line in, one JSON line out, on descriptors of their own: whatever a backend prints goes to standard
error. What can be asked stands in `bench.worker.requests`, which is loaded once the process is set up, since the libraries that
it loads read threads, affinity and limits when they are loaded; only `about` is answered without, where NumPy may be missing.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import platform
import resource
import signal
import sys
import sysconfig
import traceback
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path
from typing import Any, TextIO

from bench.errors import UsageError, Wrong
from bench.paths import ROOT

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
FOREIGN = (
    str(ROOT / "bench") + os.sep, "<", *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")},
)  # fmt: skip
"""How the paths of the harness and of Python's own library begin; of other libraries `INSTALLED` is a part."""
INSTALLED = {"site-packages", "dist-packages"}


def about(needed: list[str], packages: list[str]) -> dict[str, Any]:
    """This interpreter, and which of the needed modules it lacks."""
    versions = {}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    missing = [name for name in needed if util.find_spec(name) is None]
    return {"python": platform.python_version(), "packages": versions, "missing": missing}


class Worker:
    """Answers requests by their names."""

    def __init__(self, seed: int, threads: int) -> None:
        self.seed, self.threads = seed, threads
        self.requests: Any = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request; an exception becomes a status and a sentence."""
        method = self._method(request.pop("do"))
        try:
            return {"status": "ok", **method(**request)}
        except Wrong as error:
            return {"status": "wrong", "reason": str(error)}
        except UsageError as error:
            return {"status": "usage", "reason": str(error)}
        except BaseException as error:  # a backend may raise anything, SystemExit included
            return {"status": "failed", "reason": _sentence(error)}

    def _method(self, name: str) -> Any:
        if name == "about":
            return about
        if self.requests is None:
            self.requests = importlib.import_module("bench.worker.requests").Requests(self.seed, self.threads)
        return getattr(self.requests, name)


def _sentence(error: BaseException) -> str:
    """What was raised, at the backend's line: not that of the library it called or of the harness that called it."""
    lines = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(FOREIGN) and not INSTALLED.intersection(Path(f.filename).parts)]
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"raised {type(error).__name__}{': ' + lines[0] if lines else ''}{place}"


def main(arguments: str) -> None:
    """Sets the process up before anything else is imported, then serves requests until standard input ends."""
    setup = json.loads(arguments)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # even a suspended worker ends with its conductor
    if setup["cpus"]:
        os.sched_setaffinity(0, setup["cpus"])  # threads that are started later inherit it
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    requests, replies = _conversation()
    worker = Worker(setup["seed"], setup["threads"])
    for line in requests:
        replies.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        replies.flush()


def _conversation() -> tuple[TextIO, TextIO]:
    """Takes descriptors 0 and 1 for the conductor alone: a backend reads nothing and prints to standard error."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    main(sys.argv[1])
