"""What ranks make of a step: its efficiency beside one process, and the parts that its time consists of.

Pure functions of a run's cases and times; nothing is assumed of how ranks reduce.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.analyse.estimates import with_interval
from bench.analyse.single_steps import figures
from bench.analyse.verdicts import Estimate
from bench.record.frame import Singles
from bench.schema.case import COLLECTIVE, DEFAULT_SHAPE, Case

UNDISTURBED = "undisturbed_seconds_per_step"


def columns(
    case: Case, kinds: Mapping[str, str], timed: Mapping[str, Singles], ratio: Callable[[str], Estimate | None]
) -> dict[str, float]:
    """The columns that only a step in ranks has; none without what they are relative to.

    `kinds` and `timed` hold the kind of each of the run's right cases and the steps of each, by key; `ratio` is the log ratio
    of this case's time to that of another one.
    """
    if case.ranks == 1:
        return {}
    row: dict[str, float] = {}
    part, whole = case.part.key, replace(case, ranks=1).key
    for name, other, share in (("strong", whole, case.ranks), ("weak", part, 1)):
        if other in kinds and (estimate := ratio(other)):
            row |= with_interval(
                f"{name}_efficiency", Estimate(-estimate.mean - math.log(share), estimate.error, estimate.freedom)
            )
    if part in kinds and part in timed:
        row["local_seconds_per_step"] = figures(timed[part])[UNDISTURBED]
    if case.shape[1:] == DEFAULT_SHAPE[1:] and (alone := _collective(case, kinds, timed)):
        row["collective_seconds_per_step"] = figures(timed[alone])[UNDISTURBED]
    return row


def _collective(case: Case, kinds: Mapping[str, str], timed: Mapping[str, Singles]) -> str | None:
    """The key of what such ranks exchange, alone."""
    mine = (case.device, case.dtype, case.threads, case.ranks)
    others = {key: Case.parse(key) for key, kind in kinds.items() if kind == COLLECTIVE and key in timed}
    return next((key for key, other in others.items() if (other.device, other.dtype, other.threads, other.ranks) == mine), None)
