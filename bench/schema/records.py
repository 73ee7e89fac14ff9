"""The journal's records, one JSON object a line: all that a run measured; last, what workers reply in a round.

`NotRequired` marks what a step, a library or a machine may not have.
"""

# No `from __future__ import annotations`: NotRequired would go unseen (python/cpython#97727).
from typing import Any, Literal, NotRequired, TypedDict, get_args

from bench.schema.checking import Above0, AtLeast0, Count, Number, Shape, Time, Together


class Named(TypedDict):
    """What names a case: the fields of `bench.schema.case.Case`, its key, and its kind."""

    backend: str
    name: str
    """The backend's, or `twin`."""
    device: str
    dtype: str
    threads: Number
    shape: Shape
    twin: bool
    side: str
    """The label of an interpreter, a revision or variables; empty where a run has no sides."""
    key: str
    kind: str


class CaseRecord(Named):
    """What is measured, controls included."""

    baseline: str | None
    """The key of the case that the ratio refers to."""
    proven: bool
    selected: bool
    """Whether the settings ask for it; the baseline and the controls are measured anyway."""
    flops: Count
    bytes: Count
    """Operations and bytes of a step: what the problem needs, or what a control says it does."""
    steps_per_call: Together
    constants: dict[str, float]
    """Of the problem, such as its learning rate."""
    source_hash: str
    versions: dict[str, str]
    idea: str


class Hole(Named):
    """What was selected and cannot run."""

    reason: str


class Load(TypedDict, total=False):
    """What else a machine was doing."""

    load_average: list[float]
    steal_seconds: float
    """Taken by other virtual machines since boot."""


class SideFacts(TypedDict, total=False):
    """In what a side of a run differs from the others."""

    commit: str | None
    variables: dict[str, str]
    """Of its workers' environment, besides those of all sides."""
    python: str
    packages: dict[str, str]


class MachineFacts(Load):
    """The machine and the software."""

    time: Time
    """When the run began."""
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
    kernel_choices: dict[str, str]
    """What changes how libraries compute: see `bench.machine.environment.kernel_choices`."""
    sides: NotRequired[dict[str, SideFacts]]
    """By label."""


class SettingsRecord(TypedDict):
    """The settings that estimates depend on; the others, which repeat the run, are plain JSON values."""

    baseline: str
    processes: Number
    blocks: Number
    steps: Number
    allocator: str
    margin: Above0
    """Steps that differ by less count as equal."""


class ProblemRecord(TypedDict):
    """The problem whose steps were measured."""

    name: str
    hash: str
    """Of its `problem.py`."""
    sizes: list[str]
    """The names of the numbers in a shape."""
    default: str
    """The shape that is measured by default."""


UNREAD = "cannot be read here"
"""How a sentence of `Header.doctor` begins that says what could not be checked."""


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
    sources: dict[str, str]
    """Hash -> the backend's file, and that of the step it inherits."""
    doctor: list[str]
    """What is known to disturb measurements on this machine, a sentence each."""


class ErrorsRecord(TypedDict):
    """Errors against the reference: see `bench.judge.comparing.Errors`."""

    share: float
    arrays: dict[str, float]
    noisy_runs: Count


Timed = TypedDict("Timed", {"pass": Count, "at_seconds": float})
"""What every later record has: the pass, from 0, and seconds since the run began."""


class Pass(Timed, Load):
    """A pass begins: every case gets a process of its own."""

    record: Literal["pass"]
    other_runs: NotRequired[int]
    """Runs that measure here at the same time."""


class Open(Timed):
    """A step was built and proven."""

    record: Literal["open"]
    case: str
    first_step_seconds: Above0
    """Construction and first step."""
    errors: ErrorsRecord | None
    """Of the proof; a control has none."""
    threads: dict[str, int]
    """Thread pool -> the threads that it computes with."""
    marks: bool
    """Whether its device has a clock of its own."""
    nonce: NotRequired[str]
    """The seed of its proof's problems; a control has none."""


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
    throughput_call_seconds: list[AtLeast0] | None
    """Of each call of the throughput round, without the wait at its end; null on queued devices."""
    latency_call_seconds: list[AtLeast0]
    """Of each call of the latency round, its loss fetched."""
    device_seconds: Above0 | None
    minor_faults: Count
    readback_seconds: float
    """Fetching the weights after the throughput round."""
    errors: ErrorsRecord | None


class GpuRecord(TypedDict):
    """A GPU at the end of a block: what `bench.machine.devices.gpus` says of it, most of which nobody reads."""

    throttle_reasons: NotRequired[Count]


class Block(Timed):
    """A block is complete: every case was visited once, in random order."""

    record: Literal["block"]
    block: Count
    nonce: str
    """The seed of its rounds' weights."""
    gpus: list[GpuRecord]


class Profile(Timed):
    """What a step consists of, counted outside timing, per training step; what cannot be counted is left out."""

    record: Literal["profile"]
    case: str
    losses: NotRequired[list[Any]]
    expected_losses: NotRequired[list[Any]]
    """Of ten epochs, and the reference's."""
    kernels: NotRequired[float]
    allocated_bytes: NotRequired[float]
    peak_bytes: NotRequired[float]
    lines: NotRequired[dict[str, AtLeast0]]
    """Line of the backend's source, as `Header.sources` has it -> seconds per step, as measured by
    line_profiler, which makes the step slower; on a queued device until the line returned."""
    backward: NotRequired[dict[str, AtLeast0]]
    """What autograd evaluates -> seconds per step, as measured by torch.profiler."""
    uncounted: NotRequired[str]
    """What libraries would have counted that are not installed."""
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


COUNTERS = ("minor_faults",)
"""The fields of `Visit` that a worker counts in its throughput round; samples have them as columns, the summary per step."""


class RunReply(TypedDict):
    """A worker's reply to `run`, besides its `COUNTERS`."""

    seconds: Above0
    """Of the whole round."""
    queued: NotRequired[AtLeast0]
    """Until its last step was queued."""
    calls: NotRequired[list[AtLeast0] | None]
    """Of each call."""


class TakeReply(TypedDict):
    """A worker's reply to `take`, besides the arrays."""

    readback_seconds: AtLeast0
