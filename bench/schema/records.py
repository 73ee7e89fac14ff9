"""The journal's records, a JSON object a line: what a run consists of, and what everything else is made from.

Fields are added and none is renamed; what an older journal lacks is `NotRequired`, or filled in by `bench.record.journal`.
"""

# No `from __future__ import annotations`: NotRequired would go unseen (python/cpython#97727).
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict, get_args


class Bound(NamedTuple):
    """What a value has to keep beside its type, in words and as a test."""

    expected: str
    holds: Callable[[Any], bool]


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


Above0 = Annotated[float, Bound("a number above 0", lambda value: value > 0)]
AtLeast0 = Annotated[float, Bound("a number of at least 0", lambda value: value >= 0)]
Count = Annotated[int, Bound("a whole number of at least 0", lambda value: value >= 0)]
Number = Annotated[int, Bound("a whole number of at least 1", lambda value: value >= 1)]
Together = Annotated[int, Bound("a whole number from 1 to 10", lambda value: 1 <= value <= 10)]
Time = Annotated[str, Bound("a time as ISO 8601 writes it", _is_time)]
Rounds = Annotated[list[Count], Bound("two whole numbers of at least 0", lambda value: len(value) == 2)]
Sizes = Annotated[list[Number], Bound("four whole numbers of at least 1", lambda value: len(value) == 4)]


class Named(TypedDict):
    """What names a case: the fields of `bench.schema.case.Case`, its key, and its kind."""

    backend: str
    name: str
    """The backend's, or `twin`."""
    device: str
    dtype: str
    threads: Number
    shape: Sizes
    twin: bool
    side: str
    """The label of an interpreter, a revision or variables; empty where a run has no sides."""
    ranks: NotRequired[Number]
    """Processes that compute the step together; one where an older journal does not tell."""
    key: str
    kind: str


class CaseRecord(Named):
    """What is measured, controls included."""

    baseline: str | None
    """The key of the case that the ratio refers to."""
    proven: bool
    selected: NotRequired[bool]
    """Whether the settings ask for it; other cases come along."""
    flops: Count
    bytes: Count
    """Operations and bytes of a step: what the problem needs, or what a control says that it does."""
    steps_per_call: NotRequired[Together]
    learning_rate: float
    tolerance: float | None
    source_hash: str
    versions: dict[str, str]
    idea: str
    group: NotRequired[str]
    """Cases of one group share a process."""


Operations = Annotated[list[Count], Bound("operations and bytes", lambda value: len(value) == 2)]


class Described(TypedDict):
    """What a worker tells of a backend's file, which may be foreign: see `bench.plan.discovery.describe`.

    Where a library is missing it is less.
    """

    source: str
    hash: str
    kind: str
    missing: str | None
    idea: str
    libraries: list[str]
    steps_per_call: NotRequired[Together]
    parallel: NotRequired[bool]
    dtypes: NotRequired[list[str]]
    versions: NotRequired[dict[str, str]]
    work: NotRequired[dict[str, dict[str, Operations]]]
    why_not: NotRequired[dict[str, dict[str, str | None]]]


class Hole(Named):
    """What was selected and cannot run."""

    reason: str


class Load(TypedDict, total=False):
    """What else a machine was doing."""

    load_average: list[float]
    steal_seconds: float
    """Taken by other virtual machines since boot."""


class SideFacts(TypedDict, total=False):
    """What tells a side of a run from the others."""

    commit: str | None
    variables: dict[str, str]
    """Of its workers' environment, beside those of all sides."""
    python: str
    packages: dict[str, str]


class MachineFacts(Load):
    """The machine and the software."""

    time: Time
    """When the run began."""
    cpu: str
    cpus: Number
    cores: list[list[int]]
    cpu_quota: NotRequired[float | None]
    memory_bytes: Count
    gpus: list[dict[str, Any]]
    system: str
    libc: NotRequired[str]
    python: str
    python_build: NotRequired[str]
    packages: NotRequired[dict[str, str]]
    commit: str | None
    kernel_choices: NotRequired[dict[str, str]]
    """Environment variables that choose a library's kernels; older journals do not tell."""
    sides: NotRequired[dict[str, SideFacts]]
    """By label."""


class SettingsRecord(TypedDict):
    """The settings that estimates depend on; the others, which repeat the run, are plain JSON values beside them."""

    baseline: str
    processes: Number
    blocks: Number
    steps: Number
    allocator: str
    margin: NotRequired[Above0]
    """Steps that differ by less count as equal; 1 % where an older journal does not tell."""


class Header(TypedDict):
    """The first line: all that is needed to understand every later one."""

    record: Literal["header"]
    schema: int
    run: str
    machine_name: str
    settings: SettingsRecord
    machine: MachineFacts
    cases: list[CaseRecord]
    holes: list[Hole]
    sources: NotRequired[dict[str, str]]
    """Hash -> the backend's file, and that of the step it inherits."""
    doctor: NotRequired[list[str]]
    """What is known to make the machine a bad instrument, a sentence each."""


class ErrorsRecord(TypedDict):
    """Relative errors against the reference: see `bench.judge.proof.Errors`."""

    loss: float
    w1: float
    w2: float
    kinks: Count


Timed = TypedDict("Timed", {"pass": Count, "at_seconds": NotRequired[float]})
"""What every later record has: the pass, from 0, and seconds since the run began."""


class Pass(Timed, Load):
    """A pass begins: every group of cases gets a fresh process."""

    record: Literal["pass"]
    other_runs: NotRequired[int]
    """Runs that measure here at the same time."""


class Outside(TypedDict):
    """What the conductor's clock says of a visit: seconds of its requests, waits for the answers included."""

    put_seconds: Above0
    """Weights in; the longest of the visit's rounds of `steps`, so that no round is a place to hide in."""
    throughput_seconds: Above0
    """The request whose inner part is `throughput_seconds` of the visit; so are the next two."""
    latency_seconds: Above0
    device_seconds: Above0 | None
    take_seconds: Above0
    """Losses and weights out, likewise."""
    span_seconds: Above0
    """Of the throughput round as a whole, from weights in to weights out."""
    cpu_seconds: AtLeast0
    """That the worker's processes computed in it."""
    cpu_span_seconds: NotRequired[Above0]
    """In which they did: the span with the counting at both its ends."""
    audit_steps: NotRequired[Number]
    """Of a further round, now and then, of another length."""
    audit_span_seconds: NotRequired[Above0]


class Open(Timed):
    """A step was built and proven."""

    record: Literal["open"]
    case: str
    first_step_seconds: Above0
    """Construction and first step."""
    errors: ErrorsRecord | None
    """Of the proof; a control has none."""
    threads: NotRequired[dict[str, int]]
    """Thread pool -> the threads that it computes with."""
    marks: NotRequired[bool]
    """Whether its device has a clock of its own."""
    nonce: NotRequired[str]
    """What its proof's problems were drawn from."""
    unclosed: NotRequired[list[str]]
    """Of foreign code: what it could not be kept from on this machine."""


class Visit(Timed):
    """A step was timed: one round in each mode, each of `steps` training steps. Seconds are those of whole rounds."""

    record: Literal["visit"]
    block: Count
    position: Count
    case: str
    steps: Number
    throughput_seconds: Above0
    dispatch_seconds: AtLeast0 | None
    """Of the throughput round, until its last step was queued."""
    latency_seconds: Above0
    throughput_call_seconds: NotRequired[list[AtLeast0] | None]
    """Of each call of the throughput round, a wait at its end left out; none on a device that queues."""
    latency_call_seconds: NotRequired[list[AtLeast0]]
    """Likewise, its loss fetched."""
    device_seconds: Above0 | None
    minor_faults: Count
    readback_seconds: float
    """Fetching the weights after the throughput round."""
    errors: ErrorsRecord | None
    outside: NotRequired[Outside]
    counts: NotRequired[dict[str, Rounds]]
    """Of each hardware event that could be counted: what the worker's processes did of it in the throughput round and in the
    further one of another length, weights in and out included."""


class Block(Timed):
    """A block is complete: every case was visited once, in random order."""

    record: Literal["block"]
    block: Count
    nonce: NotRequired[str]
    """What its rounds' weights were drawn from."""
    gpus: NotRequired[list[dict[str, Any]]]


class Profile(Timed):
    """What a step consists of, counted outside timing, per training step; what cannot be counted is left out."""

    record: Literal["profile"]
    case: str
    losses: NotRequired[list[Any]]
    expected_losses: NotRequired[list[Any]]
    """Of ten epochs, and the reference's."""
    operators: NotRequired[float]
    kernels: NotRequired[float]
    allocated_bytes: NotRequired[float]
    peak_bytes: NotRequired[float]
    uncounted: NotRequired[str]
    """What a library would have counted that is not installed."""
    reason: NotRequired[str]
    """Why the step could not be looked at."""


class Failure(Timed):
    """A step is wrong or failed; its case is not visited again."""

    record: Literal["failure"]
    case: str
    status: Literal["wrong", "failed"]
    reason: str


class End(Timed):
    """The run is complete."""

    record: Literal["end"]


Record = Pass | Open | Visit | Block | Profile | Failure | End
KINDS = {get_args(kind.__annotations__["record"])[0]: kind for kind in get_args(Record)}
"""What a record's field `record` says -> its type."""
