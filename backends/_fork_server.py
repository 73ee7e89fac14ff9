"""Starts processes that construct a step as this process does, in some milliseconds each.

Importing torch takes more than a second, so one process imports it and forks the others. It never
computes, since the threads of a library do not survive a fork.
"""

import atexit
import ctypes
import inspect
import os
import pickle
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NoReturn

import torch  # noqa: F401  # before any fork

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Each rank computes on one thread; OpenBLAS would start more when it is loaded, before any fork."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
SERVE = """import sys
sys.path[:] = sys.argv[1:]
from backends._fork_server import serve
serve()"""


def start(build: type, *arguments: Any) -> None:
    """Starts a process that calls `build(*arguments).follow()` and ends with this process."""
    requests = _server(os.getpid()).stdin
    request = sys.path, inspect.getfile(build), build.__name__, pickle.dumps(arguments)
    pickle.dump(request, requests)
    requests.flush()


def end(processes: Sequence[int]) -> None:
    """Ends processes by their pidfds, which no later process can have."""
    for process in processes:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        os.close(process)


@cache
def _server(parent: int) -> subprocess.Popen[bytes]:
    """The server of this process, whose number is `parent`; a fork of this process has another."""
    environ = os.environ | dict.fromkeys(ONE_THREAD, "1")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, *sys.path], stdin=subprocess.PIPE, env=environ
    )
    atexit.register(_end_server, server)
    return server


def _end_server(server: subprocess.Popen[bytes]) -> None:
    server.kill()
    server.communicate()


def serve() -> None:
    """Forks a process for each request on standard input, until its parent ends."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel removes a process that has ended
    load = cache(runpy.run_path)
    while True:
        try:
            sys.path[:], file, name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        build = load(file)[name]
        if os.fork() == 0:
            _run(build, arguments)


def _end_with_parent() -> None:
    """SIGKILL reaches a stopped process, too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(build: type[Any], arguments: bytes) -> NoReturn:
    try:
        _end_with_parent()
        build(*pickle.loads(arguments)).follow()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)
