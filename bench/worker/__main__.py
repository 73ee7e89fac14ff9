"""A fresh process that builds and runs the steps of one group, as its conductor asks: `python -m bench.worker SETUP`.

What can be asked stands in `bench.worker.requests`, which is loaded once the process is set up, since the libraries that it
loads read threads, affinity and limits when they are loaded; only `about` is answered without, where NumPy may be missing.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import platform
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata, util
from typing import Any

from bench import conversation
from bench.worker import sandbox


def about(needed: list[str], packages: list[str]) -> dict[str, Any]:
    """This interpreter, and which of the needed modules it lacks."""
    versions = {}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    missing = [name for name in needed if util.find_spec(name) is None]
    return {"python": platform.python_version(), "packages": versions, "missing": missing}


class Worker:
    """Answers requests by their names; arrays come and go in the memory of this descriptor."""

    def __init__(
        self, threads: int, descriptor: int = -1, unclosed: Sequence[str] = (), place: tuple[int, int] = (0, 1)
    ) -> None:
        self.threads, self.descriptor, self.unclosed, self.place = threads, descriptor, list(unclosed), place
        self.requests: Any = None
        self.region: Any = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request.pop("do")
        if name == "about":
            return conversation.answer(about, request)
        if self.requests is None:
            self.requests = importlib.import_module("bench.worker.requests").Requests(self.threads, self.unclosed, self.place)
            if self.descriptor >= 0:
                self.region = importlib.import_module("bench.region").Region(self.descriptor)
        return conversation.answer(getattr(self.requests, name), request, self.region)


def main(arguments: str) -> None:
    """Sets the process up before anything else is imported, then serves requests until standard input ends."""
    setup = json.loads(arguments)
    conversation.end_with_parent()
    conversation.keep_orphans()
    if setup["cpus"]:
        os.sched_setaffinity(0, setup["cpus"])  # the conductor's own are others
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unclosed = sandbox.enter(setup["writable"]) if setup["writable"] else []
    faulthandler.enable()
    streams = conversation.streams()
    conversation.serve(Worker(setup["threads"], setup["region"], unclosed, setup["place"]).answer, *streams)


if __name__ == "__main__":
    main(sys.argv[1])
