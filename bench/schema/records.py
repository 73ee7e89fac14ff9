"""The journal's records, one JSON object a line: all that a run measured; last, what workers reply in a round.

`NotRequired` marks what a step, a library or a machine may not have.
"""

# No `from __future__ import annotations`: NotRequired would go unseen (python/cpython#97727).
from typing import Any, Literal, NotRequired, TypedDict, get_args

from bench.schema.checking import Above0, AtLeast0, Count, Number, Shape, Time, Together


class Named(TypedDict):
    """What names a case: the fields of `bench.schema.case.Case`, its key, and its kind."""

    backend: str
    name: str  # the backend's, or `twin`
    device: str
    dtype: str
    threads: Number
    shape: Shape
    twin: bool
    side: str  # the label of an interpreter, a revision or variables; empty where a run has no sides
    key: str
    kind: str


class CaseRecord(Named):
    """What is measured, controls included."""

    baseline: str | None  # the key of the case that the ratio refers to
    proven: bool
    selected: bool  # whether the settings ask for it; the baseline and the controls are measured anyway
    flops: Count
    bytes: Count  # operations and bytes of a step: what the problem needs, or what a control says it does
    steps_per_call: Together
    constants: dict[str, float]  # of the problem, such as its learning rate
    source_hash: str
    versions: dict[str, str]


class Hole(Named):
    """What was selected and cannot run."""

    reason: str


class Load(TypedDict, total=False):
    """What else a machine was doing."""

    load_average: list[float]
    steal_seconds: float  # taken by other virtual machines since boot


class SideFacts(TypedDict, total=False):
    """In what a side of a run differs from the others."""

    commit: str | None
    variables: dict[str, str]  # of its workers' environment, besides those of all sides
    python: str
    packages: dict[str, str]


class MachineFacts(Load):
    time: Time  # when the run began
    cpu: str
    cpus: Number
    cores: list[list[int]]
    cpu_quota: float | None
    memory_bytes: Count
    gpus: list[dict[str, Any]]
    system: str
    libc: str
    python: str
    python_build: str
    packages: dict[str, str]
    commit: str | None
    kernel_choices: dict[str, str]  # what changes how libraries compute: see `bench.machine.environment.kernel_choices`
    sides: NotRequired[dict[str, SideFacts]]  # by label


class SettingsRecord(TypedDict):
    """The settings that estimates depend on; the others, which repeat the run, are plain JSON values."""

    baseline: str
    processes: Number
    blocks: Number
    steps: Number
    margin: Above0  # steps that differ by less count as equal


class ProblemRecord(TypedDict):
    name: str
    hash: str  # of its `problem.py`
    sizes: list[str]  # the names of the numbers in a shape
    default: str  # the shape that is measured by default


UNREAD = "cannot be read here"  # how a sentence of `Header.doctor` begins that says what could not be checked


class Header(TypedDict):
    """The first line: all that is needed to understand every later one."""

    record: Literal["header"]
    schema: int
    run: str
    machine_name: str
    settings: SettingsRecord
    problem: ProblemRecord
    machine: MachineFacts
    cases: list[CaseRecord]
    holes: list[Hole]
    sources: dict[str, str]  # hash -> the backend's file, and that of the step it inherits
    doctor: list[str]  # what is known to disturb measurements on this machine, a sentence each


class ErrorsRecord(TypedDict):
    """Errors against the reference: see `bench.judge.comparing.Question.compare`."""

    share: float
    arrays: dict[str, float]
    noisy_runs: Count


Timed = TypedDict("Timed", {"pass": Count, "at_seconds": float})
"""What every later record has: the pass, from 0, and seconds since the run began."""


class Pass(Timed, Load):
    """A pass begins: every case gets a process of its own."""

    record: Literal["pass"]
    other_runs: NotRequired[int]  # 1 if another run measured here at the same time


class Open(Timed):
    """A step was built and proven."""

    record: Literal["open"]
    case: str
    first_step_seconds: Above0  # construction and first step
    errors: ErrorsRecord | None  # of the proof; a control has none
    threads: dict[str, int]  # thread pool -> the threads that it computes with
    marks: bool  # whether its device has a clock of its own
    nonce: NotRequired[str]  # the seed of its proof's problems; a control has none


class Visit(Timed):
    """A step was timed: one round in each mode, each of `steps` training steps. Seconds are those of whole rounds."""

    record: Literal["visit"]
    block: Count
    case: str
    steps: Number
    throughput_seconds: Above0
    dispatch_seconds: AtLeast0 | None  # of the throughput round, until its last step was queued
    latency_seconds: Above0
    throughput_call_seconds: list[AtLeast0] | None  # of each call, without the wait at its end; null on queued devices
    latency_call_seconds: list[AtLeast0]  # of each call of the latency round, its loss fetched
    device_seconds: Above0 | None
    minor_faults: Count
    errors: ErrorsRecord | None


class GpuRecord(TypedDict):
    """A GPU at the end of a block: the fields of `bench.machine.devices.gpus`, of which tables need this one."""

    throttle_reasons: NotRequired[Count]


class Block(Timed):
    """A block is complete: every case was visited once, in random order."""

    record: Literal["block"]
    block: Count
    nonce: str  # the seed of its rounds' weights
    gpus: list[GpuRecord]


class Profile(Timed):
    """What a step consists of, counted outside timing, per training step; what cannot be counted is left out."""

    record: Literal["profile"]
    case: str
    kernels: NotRequired[float]
    allocated_bytes: NotRequired[float]
    peak_bytes: NotRequired[float]
    lines: NotRequired[dict[str, AtLeast0]]
    """Line of the backend's source, as `Header.sources` has it -> seconds per step, as measured by
    line_profiler, which makes the step slower; on a queued device until the line returned."""
    backward: NotRequired[dict[str, AtLeast0]]  # what autograd evaluates -> seconds per step, by autograd's profiler
    uncounted: NotRequired[str]  # what libraries would have counted that are not installed
    reason: NotRequired[str]  # why the step could not be looked at


class Failure(Timed):
    """A step is wrong or failed; its case is not visited again."""

    record: Literal["failure"]
    case: str
    status: Literal["wrong", "failed"]
    reason: str


class End(Timed):
    record: Literal["end"]


Record = Pass | Open | Visit | Block | Profile | Failure | End
KINDS = {get_args(kind.__annotations__["record"])[0]: kind for kind in get_args(Record)}
"""What a record's field `record` says -> its type."""


COUNTERS = ("minor_faults",)
"""Fields of `Visit` that a worker counts in its throughput round; samples have them as columns, the summary per step."""


class RunReply(TypedDict):
    """A worker's reply to `run`, besides its `COUNTERS`."""

    seconds: Above0  # of the whole round
    queued: NotRequired[AtLeast0]  # until its last step was queued
    calls: NotRequired[list[AtLeast0] | None]  # of each call
