"""How a process is asked: a JSON line in, a JSON line out, arrays in memory that both sides share.

The lines have descriptors of their own: whatever else a process prints goes to standard error.
NumPy is not loaded before `answer` handles arrays: a worker sets its limits first.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from bench.errors import UsageError, Wrong
from bench.paths import ROOT

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
OURS = (f"{ROOT}/bench/", "<", *(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib")))
"""How the paths of the harness and of Python's library begin; `INSTALLED` marks other libraries."""
INSTALLED = {"site-packages", "dist-packages"}
Reply = dict[str, Any]


def end_with_parent() -> None:
    """Has the kernel kill this process, even a stopped one, when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Keeps descendants whose parent has ended below this process, so that they are counted and ended with it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def take_streams() -> tuple[TextIO, TextIO]:
    """Moves descriptors 0 and 1 to the conversation: later reads find nothing, prints go to standard error."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, replies


def serve(find: Callable[[str], tuple[Callable[..., Reply], Any]], requests: TextIO, replies: TextIO) -> None:
    """Answers until the requests end; `find` returns the method of a request's name, and the region of its arrays."""
    for line in requests:
        request = json.loads(line)
        method, region = find(request.pop("do"))
        replies.write(json.dumps(answer(method, request, region)) + "\n")
        replies.flush()


def answer(method: Callable[..., Reply], request: dict[str, Any], region: Any = None) -> Reply:
    """A method's reply to a request; an exception becomes a status and a sentence.

    The method takes and returns arrays; the lines hold their layout in `region`.
    """
    try:
        if layout := request.get("arrays"):
            request = request | {"arrays": region.read(layout)}
        reply = method(**request)
        if arrays := reply.get("arrays"):
            reply = reply | {"arrays": region.write(arrays)}
        return {"status": "ok", **reply}
    except (Wrong, UsageError) as error:
        return {"status": "wrong" if isinstance(error, Wrong) else "usage", "reason": str(error)}
    except BaseException as error:  # a backend may raise anything, SystemExit included
        return {"status": "failed", "reason": describe_error(error)}


def describe_error(error: BaseException) -> str:
    """What was raised, with the backend's line rather than that of a library or the harness."""
    lines = str(error).strip().splitlines()
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if not frame.filename.startswith(OURS) and not INSTALLED.intersection(file.parts):
            place = f" at {file.name}:{frame.lineno}"
    return f"raised {type(error).__name__}{': ' + lines[0] if lines else ''}{place}"
