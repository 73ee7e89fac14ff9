"""The columns of `summary.csv`, each with its unit and meaning, which `docs/files.md` shows, and what readers check.

Seconds, bytes, operations and plain ratios; columns are added, none is renamed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.schema.case import SIDE


class Check(NamedTuple):
    """What the values of a column have to be, in words, their type, and a test; a number that is NaN is none."""

    expected: str
    kind: type
    holds: Callable[[Any], object]


STATUSES = ("ok", "wrong", "failed", "unavailable", "incomplete")
NAME = Check("a name", str, bool)
TEXT = Check("a text", str, lambda text: True)
STATUS = Check(f"one of {', '.join(STATUSES)}", str, STATUSES.__contains__)
MACHINE = Check("a machine's name of letters, digits, dots, pluses and dashes", str, re.compile(r"[\w.+-]{0,200}").fullmatch)
VERSION = Check("a version such as 3.11.7", str, re.compile(r"([1-9]\.\d{1,2}\.\d{1,2}(\D.*)?)?").fullmatch)
HASH = Check("a hash of letters and digits", str, re.compile(r"\w*").fullmatch)
COUNT = Check("a whole number of at least 1", int, lambda n: 1 <= n <= 2**53 and n % 1 == 0)
TIME = Check("a number between 1e-12 and 1e9, with a decimal point", float, lambda n: math.isnan(n) or 1e-12 < n < 1e9)
END = Check("a number above 0, with a decimal point", float, lambda n: math.isnan(n) or 0 < n < math.inf)
"""Of an interval: of two passes that disagree its ends are orders of magnitude apart, and no plausible range bounds them."""
AMOUNT = Check("a number of at least 0, with a decimal point", float, lambda n: math.isnan(n) or n >= 0)


@dataclass(frozen=True)
class Columns:
    """Columns that share a meaning, next to each other."""

    names: tuple[str, ...]
    meaning: str
    unit: str = ""
    only_ok: bool = False  # whether files leave them empty in a row that is not `ok`
    check: Check | None = None  # of files that are compared, of which no other column is read


def _interval(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


COLUMNS = (
    Columns(("backend", "device", "dtype"), "the case; `twin` is the baseline under another name", check=NAME),
    Columns(("threads",), "that the worker computes with", check=COUNT),
    Columns(("shape",), "the problem's sizes, such as `64x1000x100x10`; of a control always the default ones", check=NAME),
    Columns(("status",), "`ok`, `wrong`, `failed`, `unavailable` or `incomplete`; only a row that is `ok` has times",
            check=STATUS),
    Columns(("reason",), "why it is not `ok`", check=TEXT),
    Columns(_interval("seconds_per_step"), "throughput: steps queued, one wait; where nothing is queued without"
            " the first quarter of a round, which warms up", "s", only_ok=True, check=TIME),
    Columns(_interval("ratio"), "undisturbed time over the baseline's; of rounds in the same block where one of them is queued"
            " or its calls were not timed", only_ok=True, check=TIME),
    Columns(("kind",), "`seed`, `rung`, `twin`, `control`, `guard` or `peak`", check=TEXT),
    Columns(("baseline",), "the key of the case that the ratio refers to"),
    Columns(_interval("latency_seconds_per_step"), "the loss fetched after every step", "s", only_ok=True),
    Columns(_interval("dispatch_seconds_per_step"), "of a throughput round, until its last step was queued", "s", only_ok=True),
    Columns(_interval("device_seconds_per_step"), "by the device's own clock; none on a CPU", "s", only_ok=True),
    Columns(("flop_per_second",), "floating-point operations that the step needs, over its undisturbed time", "1/s",
            only_ok=True, check=AMOUNT),
    Columns(("first_step_seconds",), "construction and first step in a fresh process, without the import; the median over"
            " passes", "s", only_ok=True),
    Columns(("break_even_steps",), "the step from which on a row that is FASTER has made up for its slower start",
            only_ok=True),
    Columns(("minor_faults_per_step",), "minor page faults while the clock ran, over all throughput rounds"),
    Columns(("kernels_per_step",), "kernels that it starts on a GPU"),
    Columns(("peak_bytes_per_step",), "the most that it holds besides what it keeps", "B"),
    Columns(("error_share",), "the largest error over what rounding may cause"),
    Columns(("processes",), "passes that have a round", check=AMOUNT),
    Columns(("rounds",), "throughput rounds", check=AMOUNT),
    Columns(("steps_per_round",), "training steps a round", check=AMOUNT),
    Columns(("problem",), "the folder of the problem, and a hash of its `problem.py`; runs of different problems are not"
            " compared", check=TEXT),
    Columns(("source_hash",), "of the source of the step; the journal's header has the text", check=HASH),
    Columns(("versions",), "of the libraries that the step uses: `numpy==2.4.6`, separated by spaces", check=TEXT),
    Columns(("verdict",), "FASTER, SLOWER, EQUAL or UNDECIDED, compared with the baseline", only_ok=True, check=TEXT),
    Columns((SIDE,), "the label of an interpreter or a revision; empty where a run has no sides", check=TEXT),
    Columns(("relative_error",), "standard error of the log of the undisturbed time, or of `seconds_per_step` without one",
            only_ok=True, check=AMOUNT),
    Columns(("machine",), "the folder of its runs", check=MACHINE),
    Columns(("run",), "its folder", check=TEXT),
    Columns(("python",), "the version that the run was started with", check=VERSION),
    Columns(("margin",), "steps that differ by less than this share count as equal"),
    Columns(("processes_to_decide",), "about how many passes would decide a row that is UNDECIDED, its ratio staying as it is",
            only_ok=True),
    Columns(_interval("undisturbed_seconds_per_step"), "the 2nd percentile of a process's single steps, warm-up left out; the"
            " mean over the quicker half of the processes", "s", only_ok=True, check=TIME),
    Columns(("kernels",), "environment variables and settings of processes that change how libraries compute, such as"
            " `OPENBLAS_CORETYPE=Haswell` or `nice=10`, or `default`", check=TEXT),
    Columns(("bound_seconds_per_step",), "the least time that a step can take undisturbed, by what `bound_by` says", "s",
            only_ok=True),
    Columns(("bound_share",), "that over the row's own undisturbed time", only_ok=True),
    Columns(("bound_by",), "`peak`: the peak that this run measured in registers and caches; `best seen`: the fastest that this"
            " run saw anything do, which no row can pass", only_ok=True),
)  # fmt: skip
SUMMARY = [name for columns in COLUMNS for name in columns.names]
ONLY_OK = [name for columns in COLUMNS if columns.only_ok for name in columns.names]
CHECKS = {
    name: END if columns.check == TIME and name.endswith(("_low", "_high")) else columns.check
    for columns in COLUMNS
    for name in columns.names
    if columns.check
}
"""Column → its check."""
