"""What a worker replies to the requests of a round; the conductor checks every reply."""

# No `from __future__ import annotations`: NotRequired would go unseen (python/cpython#97727).
from typing import NotRequired, TypedDict

from bench.schema.records import Above0, AtLeast0, Count


class RunReply(TypedDict):
    """To `run`."""

    seconds: Above0
    """Of the whole round."""
    queued: NotRequired[AtLeast0]
    """Until its last step was queued."""
    calls: NotRequired[list[AtLeast0] | None]
    """Of each call."""
    faults: NotRequired[Count]
    """Minor page faults."""


class TakeReply(TypedDict):
    """To `take`, besides the arrays."""

    readback_seconds: AtLeast0
