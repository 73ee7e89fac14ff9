"""How a process is asked: one JSON line in, one JSON line out, arrays beside them in memory that both sides share.

The lines have descriptors of their own: whatever else a process prints goes to standard error. NumPy must not be loaded before
`answer` asks for arrays: `about` is answered where it may be missing, and it reads threads and limits when it is loaded.
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
FOREIGN = (
    str(ROOT / "bench") + os.sep, "<", *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")},
)  # fmt: skip
"""How the paths of the harness and of Python's own library begin; of other libraries `INSTALLED` is a part."""
INSTALLED = {"site-packages", "dist-packages"}
Reply = dict[str, Any]


def end_with_parent() -> None:
    """Even a suspended process ends with whoever started it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def keep_orphans() -> None:
    """Whose parent has ended stays below this process, where it is counted, and ended with it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def streams() -> tuple[TextIO, TextIO]:
    """Takes descriptors 0 and 1 for the conversation alone: nobody else reads from 0, and prints go to standard error."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, replies


def serve(answered: Callable[[dict[str, Any]], Reply], requests: TextIO, replies: TextIO) -> None:
    """Answers until the requests end."""
    for line in requests:
        replies.write(json.dumps(answered(json.loads(line))) + "\n")
        replies.flush()


def answer(method: Callable[..., Reply], request: dict[str, Any], region: Any = None) -> Reply:
    """The reply of a method to a request; an exception becomes a status and a sentence.

    Arrays that a request or a reply tells of lie in `region`: the method takes and gives them as arrays.
    """
    try:
        if told := request.get("arrays"):
            request = request | {"arrays": region.read(told)}
        reply = method(**request)
        if given := reply.get("arrays"):
            reply = reply | {"arrays": region.write(given)}
        return {"status": "ok", **reply}
    except Wrong as error:
        return {"status": "wrong", "reason": str(error)}
    except UsageError as error:
        return {"status": "usage", "reason": str(error)}
    except BaseException as error:  # a backend may raise anything, SystemExit included
        return {"status": "failed", "reason": sentence(error)}


def sentence(error: BaseException) -> str:
    """What was raised, at the backend's line: not that of the library it called or of the harness that called it."""
    lines = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(FOREIGN) and not INSTALLED.intersection(Path(f.filename).parts)]
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"raised {type(error).__name__}{': ' + lines[0] if lines else ''}{place}"
