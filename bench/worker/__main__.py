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
from bench.machine.devices import versions

Reply = dict[str, Any]


def about(needed: list[str], packages: list[str]) -> Reply:
    """This interpreter, and which of the needed modules it lacks."""
    missing = [name for name in needed if util.find_spec(name) is None]
    return {"python": platform.python_version(), "packages": versions(packages), "missing": missing}


def preload(libraries: list[str]) -> Reply:
    """Imports what every child needs; what a library sets on import is not the backend's doing."""
    for library in ("bench.worker.requests", "bench.region", *libraries):
        with suppress(ImportError):  # a distribution's name need not be a module's
            importlib.import_module(library)
    gc.freeze()  # children share these pages until they write to them
    return {}


def reap(pid: int) -> Reply:
    """The exit code of a child as subprocess has it; None while the child runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return {"code": os.waitstatus_to_exitcode(status) if ended else None}


class Worker:
    """Answers requests by their names."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.setup = setup
        self.streams = conversation.take_streams()
        self.early: dict[str, Callable[..., Reply]] = {
            "about": about, "preload": preload, "reap": reap, "fork": self.fork,
        }  # fmt: skip
        """Requests that are answered without NumPy, or by a fork server."""
        self.requests: Any = None
        self.region: Any = None

    def respond(self, request: dict[str, Any]) -> Reply:
        name = request.pop("do")
        if name in self.early:
            return conversation.answer(self.early[name], request)
        if self.requests is None:
            module = importlib.import_module("bench.worker.requests")
            self.requests = module.Requests(self.setup["threads"])
            self.region = importlib.import_module("bench.region").Region(self.setup["region"])
        return conversation.answer(getattr(self.requests, name), request, self.region)

    def fork(self) -> Reply:
        """Starts a child with the streams and the region whose descriptors the socket brings."""
        with socket.socket(fileno=os.dup(self.setup["socket"])) as connection:
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
            for stream in self.streams:  # these and the rest are for the server alone
                stream.close()
            for descriptor in (waits, begins, self.setup["socket"], self.setup["region"]):
                os.close(descriptor)
            *theirs, region = descriptors
            for number, descriptor in enumerate(theirs):
                os.dup2(descriptor, number)
                os.close(descriptor)
            run({**self.setup, "region": region, "socket": None}, parent)
        finally:
            os._exit(1)


def run(setup: dict[str, Any], parent: int | None = None) -> None:
    """Sets the process up, then serves requests until standard input ends."""
    conversation.end_with_parent()
    if parent is not None and os.getppid() != parent:
        return  # it ended before it could take this process with it
    conversation.adopt_orphans()
    if setup["cpus"]:
        os.sched_setaffinity(0, setup["cpus"])
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    worker = Worker(setup)
    conversation.serve(worker.respond, *worker.streams)


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
