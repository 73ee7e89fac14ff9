"""A process that runs one step as the conductor asks: `python -m bench.worker SETUP`.

With a `socket` in its setup it is a fork server: it loads libraries and forks a worker for each
request `fork`. Libraries read threads, affinity and limits on import, so those are set first;
only `about` is answered without NumPy.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import platform
import resource
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import util
from typing import Any

from bench import conversation
from bench.conversation import Reply
from bench.machine.devices import versions


class Worker:
    """Answers requests by their names: those that need no NumPy and a fork server's here, others in `bench.worker.requests`."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup
        self._streams = conversation.take_streams()
        self._requests: Any = None
        self._region: Any = None

    def serve(self) -> None:
        conversation.serve(self._find, *self._streams)

    def _find(self, name: str) -> tuple[Callable[..., Reply], Any]:
        """The method of a request, and the region of its arrays."""
        if hasattr(self, name):
            return getattr(self, name), None
        if self._requests is None:
            self._requests = importlib.import_module("bench.worker.requests").Requests(self._setup["threads"])
            self._region = importlib.import_module("bench.region").Region(self._setup["region"])
        return getattr(self._requests, name), self._region

    def about(self, needed: list[str], packages: list[str]) -> Reply:
        """This interpreter, and which of the needed modules it lacks."""
        missing = [name for name in needed if util.find_spec(name) is None]
        return {"python": platform.python_version(), "packages": versions(packages), "missing": missing}

    def preload(self, libraries: list[str]) -> Reply:
        """Imports what every child needs; what a library sets on import is not the backend's doing."""
        for library in ("bench.worker.requests", "bench.region", *libraries):
            with suppress(ImportError):  # a distribution's name need not be a module's
                importlib.import_module(library)
        gc.freeze()  # children share these pages until they write to them
        return {}

    def reap(self, pid: int) -> Reply:
        """The exit code of a child as subprocess has it; None while the child runs."""
        ended, status = os.waitpid(pid, os.WNOHANG)
        return {"code": os.waitstatus_to_exitcode(status) if ended else None}

    def fork(self) -> Reply:
        """Starts a child that serves on the descriptors which the socket brings, in the place of the server's own."""
        with socket.socket(fileno=os.dup(self._setup["socket"])) as connection:
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 4)
        parent = os.getpid()
        waits, begins = os.pipe()
        if pid := os.fork():
            for descriptor in (*descriptors, begins):
                os.close(descriptor)
            os.read(waits, 1)  # until the child has a process group by which it can be ended
            os.close(waits)
            return {"pid": pid}
        try:
            os.setsid()
            own = [*(stream.fileno() for stream in self._streams), 2, self._setup["region"]]
            for theirs, number in zip(descriptors, own, strict=True):
                os.dup2(theirs, number, inheritable=number == 2)
            os.dup2(2, 1)
            for descriptor in (*descriptors, waits, begins, self._setup["socket"]):
                os.close(descriptor)
            conversation.end_with_parent()
            if os.getppid() == parent:  # else it ended before it could take this process with it
                conversation.adopt_orphans()
                self.serve()
        finally:
            os._exit(1)


def run(setup: dict[str, Any]) -> None:
    """Sets the process up, then serves requests until standard input ends."""
    conversation.end_with_parent()
    conversation.adopt_orphans()
    if setup["cpus"]:
        os.sched_setaffinity(0, setup["cpus"])
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    Worker(setup).serve()


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
