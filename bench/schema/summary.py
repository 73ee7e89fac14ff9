"""The columns of `summary.csv`, each with its unit, its meaning and who fills it: what `docs/files.md` shows and readers check.

Seconds, bytes, operations and plain ratios; columns are added, none is renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.schema.case import SIDE


@dataclass(frozen=True)
class Columns:
    """Columns that share a meaning, next to each other."""

    names: tuple[str, ...]
    meaning: str
    filled_by: str  # the module below `bench/` that computes them
    unit: str = ""
    only_ok: bool = False  # whether files leave them empty in a row that is not `ok`
    check: Literal["", "name", "status", "count", "time", "amount", "text", "machine", "version", "hash"] = ""
    """What `bench.analyse.reading` asks of them in files that are compared; it does not read those without."""


def _interval(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


COLUMNS = (
    Columns(("backend", "device", "dtype"), "the case; `twin` is the baseline under another name", "plan/cases", check="name"),
    Columns(("threads",), "that the worker computes with", "plan/cases", check="count"),
    Columns(("shape",), "the problem's sizes, such as `64x1000x100x10`; of a control always the default ones",
            "plan/cases", check="name"),
    Columns(("status",), "`ok`, `wrong`, `failed`, `unavailable` or `incomplete`; only a row that is `ok` has times",
            "analyse/summaries", check="status"),
    Columns(("reason",), "why it is not `ok`", "analyse/summaries", check="text"),
    Columns(_interval("seconds_per_step"), "throughput: steps queued, one wait; where nothing is queued without"
            " the first quarter of a round, which warms up", "analyse/estimates", unit="s", only_ok=True, check="time"),
    Columns(_interval("ratio"), "undisturbed time over the baseline's; of rounds in the same block where one of them is queued"
            " or its calls were not timed", "analyse/estimates", only_ok=True, check="time"),
    Columns(("kind",), "`seed`, `rung`, `twin`, `control`, `guard` or `peak`",
            "plan/cases", check="text"),
    Columns(("baseline",), "the key of the case that the ratio refers to", "plan/cases"),
    Columns(_interval("latency_seconds_per_step"), "the loss fetched after every step",
            "analyse/estimates", unit="s", only_ok=True),
    Columns(_interval("dispatch_seconds_per_step"), "of a throughput round, until its last step was queued",
            "analyse/estimates", unit="s", only_ok=True),
    Columns(_interval("device_seconds_per_step"), "by the device's own clock; none on a CPU",
            "analyse/estimates", unit="s", only_ok=True),
    Columns(("flop_per_second",), "floating-point operations that the step needs, over its undisturbed time",
            "analyse/roofline", unit="1/s", only_ok=True, check="amount"),
    Columns(("byte_per_second",), "of a peak: what it moves, over its time", "analyse/roofline", unit="B/s",
            only_ok=True),
    Columns(
        ("first_step_seconds",),
        "construction and first step in a fresh process, without the import; the median over passes",
        "analyse/estimates", unit="s", only_ok=True,
    ),
    Columns(("break_even_steps",), "the step from which on a row that is FASTER has made up for its slower start",
            "analyse/summaries", only_ok=True),
    Columns(("minor_faults_per_step",), "minor page faults while the clock ran, over all throughput rounds",
            "analyse/estimates"),
    Columns(("kernels_per_step",), "kernels that it starts on a GPU", "worker/profiling"),
    Columns(("allocated_bytes_per_step",), "all the memory that it asks for", "worker/profiling", unit="B"),
    Columns(("peak_bytes_per_step",), "the most that it holds besides what it keeps", "worker/profiling", unit="B"),
    Columns(
        ("error_loss", "error_state"),
        "the largest relative errors of a loss and of the update of an array, against the reference",
        "judge/comparing",
    ),
    Columns(("error_share",), "the largest error over what rounding may cause", "judge/comparing"),
    Columns(("processes",), "passes that have a round", "analyse/summaries", check="amount"),
    Columns(("rounds",), "throughput rounds", "analyse/summaries", check="amount"),
    Columns(("steps_per_round",), "training steps a round", "analyse/summaries", check="amount"),
    Columns(("problem",), "the folder of the problem, and a hash of its `problem.py`; runs of different problems are not"
            " compared", "problem", check="text"),
    Columns(("source_hash",), "of the source of the step; the journal's header has the text", "plan/discovery", check="hash"),
    Columns(("versions",), "of the libraries that the step uses: `numpy==2.4.6`, separated by spaces",
            "plan/discovery", check="text"),
    Columns(("verdict",), "FASTER, SLOWER, EQUAL or UNDECIDED, compared with the baseline",
            "analyse/verdicts", only_ok=True, check="text"),
    Columns((SIDE,), "the label of an interpreter or a revision; empty where a run has no sides", "plan/sides", check="text"),
    Columns(("relative_error",), "standard error of the log of the undisturbed time, or of `seconds_per_step` without one",
            "analyse/estimates", only_ok=True, check="amount"),
    Columns(("machine",), "the folder of its runs", "session", check="machine"),
    Columns(("run",), "its folder", "session", check="text"),
    Columns(("python",), "the version that the run was started with", "machine/environment", check="version"),
    Columns(("idea",), "what the backend is, in one sentence", "plan/discovery"),
    Columns(("margin",), "steps that differ by less than this share count as equal", "settings"),
    Columns(("processes_to_decide",), "about how many passes would decide a row that is UNDECIDED, its ratio staying as it is",
            "analyse/verdicts", only_ok=True),
    Columns(_interval("undisturbed_seconds_per_step"), "the 2nd percentile of a process's single steps, warm-up left out; the"
            " mean over the quicker half of the processes", "analyse/estimates", unit="s", only_ok=True, check="time"),
    Columns(
        ("kernels",),
        "environment variables and settings of processes that change how libraries compute, such as `OPENBLAS_CORETYPE=Haswell`"
        " or `nice=10`, or `default`",
        "machine/environment", check="text",
    ),
    Columns(("bound_seconds_per_step",), "the least time that a step can take undisturbed, by what `bound_by` says",
            "analyse/roofline", unit="s", only_ok=True),
    Columns(("bound_share",), "that over the row's own undisturbed time", "analyse/roofline", only_ok=True),
    Columns(("bound_by",), "`peak`: the peak that this run measured in registers and caches; `best seen`: the fastest that this"
            " run saw anything do, which no row can pass", "analyse/roofline", only_ok=True),
)  # fmt: skip
SUMMARY = [name for columns in COLUMNS for name in columns.names]
ONLY_OK = [name for columns in COLUMNS if columns.only_ok for name in columns.names]
CHECKS: dict[str, str] = {
    name: "end" if columns.check == "time" and name.endswith(("_low", "_high")) else columns.check
    for columns in COLUMNS
    for name in columns.names
    if columns.check
}
"""Column → its `check`. Ends of intervals have one of their own, for no plausible range bounds them: of two passes that
disagree they are orders of magnitude apart."""
