"""How the conductor asks its processes: failures of a case are exceptions, arrays pass through.

Without the judge nothing can be proven, so a failing judge ends the run.
"""

from __future__ import annotations

from typing import Any

from bench.errors import UsageError
from bench.measure.process import Died, Process

Reply = dict[str, Any]


class CaseFailed(Exception):
    """A case that is not visited again: its status, and a phrase that says why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = "wrong" if status == "wrong" else "failed"


def ask(process: Process, do: str, **request: Any) -> Reply:
    """A process's reply to a request. Raises `CaseFailed`."""
    try:
        return _checked(process.ask(do, **request))
    except Died as died:
        raise CaseFailed("failed", str(died)) from None


def ask_judge(judge: Process, do: str, **request: Any) -> Reply:
    """The judge's reply to a request. Raises `UsageError`."""
    judge.send(do, **request)
    return receive_from_judge(judge)


def receive_from_judge(judge: Process) -> Reply:
    """The judge's reply to what was sent before. Raises `UsageError`."""
    try:
        reply = judge.receive()
        if reply["status"] == "usage":
            raise UsageError(str(reply.get("reason")))
        return _checked(reply)
    except (CaseFailed, Died) as failed:
        raise _judge_failed(failed) from None


def pass_arrays(sender: Process, reply: Reply, receiver: Process, do: str, **request: Any) -> Reply:
    """Asks `receiver` with the arrays of a reply of `sender`. Raises `CaseFailed`."""
    copy_arrays(sender, reply, receiver)
    return ask(receiver, do, arrays=reply["arrays"], **request)


def compare(worker: Process, reply: Reply, judge: Process, do: str, **request: Any) -> Reply:
    """The judge's reply about the arrays in a worker's reply, once they are copied.

    Raises `CaseFailed` for a wrong step and `UsageError` for a judge that has died.
    """
    copy_arrays(worker, reply, judge)
    return judge_copied(judge, reply, do, **request)


def judge_copied(judge: Process, reply: Reply, do: str, **request: Any) -> Reply:
    """As `compare`, for arrays that are in the judge's region already."""
    try:
        return _checked(judge.ask(do, arrays=reply["arrays"], **request))
    except Died as died:
        raise _judge_failed(died) from None


def copy_arrays(sender: Process, reply: Reply, receiver: Process) -> None:
    """Copies the arrays of a reply into the receiver's region. Raises `CaseFailed`."""
    try:
        receiver.region.copy_from(sender.region, reply["arrays"])
    except (KeyError, TypeError, ValueError) as error:
        raise CaseFailed("failed", f"answers with {error}") from None


def _judge_failed(failed: Exception) -> UsageError:
    return UsageError(
        f"the judge's process: {failed}; what was measured so far is kept, run again."
    )


def _checked(reply: Reply) -> Reply:
    if reply["status"] != "ok":
        raise CaseFailed(reply["status"], str(reply.get("reason")))
    return reply
