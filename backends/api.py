"""The contract of every backend: a `Problem` to train on and a `TrainStep` that trains on it.

This module imports no framework: a library is named in the files of the backends that use it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, SupportsFloat

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = Sequence[Array]
"""Arrays in the order of the problem's state."""


@dataclass(frozen=True)
class Problem:
    """One batch, the state before the first step, and constants, by the names of `problem.py`.

    Arrays are NumPy arrays in float64 that cannot be written to. Every name of data, state and
    constants is an attribute: `problem.x` is `problem.data["x"]`.
    """

    shape: tuple[int, ...]
    """The sizes, in the order of `problem.SIZES`."""
    data: Mapping[str, NDArray[np.float64]]
    state: Mapping[str, NDArray[np.float64]]
    constants: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (*self.data.values(), *self.state.values()):
            array.flags.writeable = False

    def __getattr__(self, name: str) -> Any:
        for group in ("data", "state", "constants"):
            if name in (values := self.__dict__.get(group, {})):
                return values[name]
        raise AttributeError(f"the problem has no data, state or constant named {name!r}")


@dataclass(frozen=True)
class Dtype:
    """A precision in which a step computes."""

    weights: str
    """NumPy's name of the dtype of the state: a reduced precision starts from float32."""
    rounding: float
    """The largest relative error of rounding a number."""
    product_rounding: float
    """Of rounding an operand of a matrix product."""
    decimals: int
    """Of a loss, the decimals on which all orders of summation agree after ten epochs."""


DTYPES = {
    "float32": Dtype("float32", 2**-24, 2**-24, 4),
    "float64": Dtype("float64", 2**-53, 2**-53, 12),
    "tf32": Dtype("float32", 2**-24, 2**-10, 2),
    "bfloat16": Dtype("float32", 2**-24, 2**-8, 1),
}


def weights_dtype(dtype: str) -> str:
    """NumPy's name of the dtype in which state goes in and out."""
    return DTYPES[dtype].weights


class TrainStep(ABC):
    """One way of writing the training step, with its data in place and its clock outside.

    Concrete classes are final: one per file, found by a directory listing.
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    """Distributions that compute the step; a worker imports them before the backend's file."""
    kind: ClassVar[str] = "rung"
    """`seed` for the ways that are measured by default, `rung` for the rest of the ladder."""
    least_threads: ClassVar[int] = 1
    """The smallest thread count with which the step can run."""
    steps_per_call: ClassVar[int] = 1
    """Training steps that one `step()` does, at most 10; its loss is that of the last one."""

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        """None, or one sentence why this step cannot run on that device and dtype here."""
        if device.partition(":")[0] not in cls.devices:
            return f"has code for {', '.join(cls.devices)} only, not for {device}"
        if dtype not in cls.dtypes:
            return f"has code for {', '.join(cls.dtypes)} only, not for {dtype}"
        return None

    @abstractmethod
    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        """Untimed but for the first step: place the data, allocate, compile, capture."""

    @abstractmethod
    def step(self) -> SupportsFloat:
        """TIMED: forward, loss, backward, update, nothing else.

        Returns the loss *before* the update as the library's own 0-d value: `float(loss)` fetches
        it, `step` does not.
        """

    @abstractmethod
    def get_state(self) -> State:
        """Untimed: host copies of the state, in the problem's order and shapes and in the
        `weights_dtype` of the step's dtype."""

    @abstractmethod
    def set_state(self, *state: Array) -> None:
        """Untimed: copies the state into place, so that a captured or compiled step stays valid.

        The arrays are contiguous, in the problem's order and in the `weights_dtype` of the step's
        dtype, and may be overwritten as soon as this returns.
        """

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        """Floating-point operations and bytes of a step, by a control that measures a peak."""
        return 0, 0

    def is_compiled(self) -> bool:
        """False where a compiler should have made the step and was switched off: such a step is
        wrong, since its times are those of another way. Asked after the first step."""
        return True

    def synchronize(self) -> None:  # noqa: B027  # right for a step that is done on return
        """Waits for all queued work; only the harness calls it."""

    def mark(self) -> Any:
        """A point in the device's queue, for `seconds_between`; None without a device clock."""
        return None

    def seconds_between(self, start: Any, end: Any) -> float:
        """Device seconds between two marks, once the queue has been synchronized."""
        raise NotImplementedError("this step has no device clock: mark() returns None")


class Control(TrainStep):
    """Fixed work that is not the training step: measured with every plan, never proven.

    It keeps the state it is given, so that the harness can visit it like any other step.
    """

    kind = "control"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.state = [a.astype(weights_dtype(dtype)) for a in problem.state.values()]

    def get_state(self) -> State:
        return [array.copy() for array in self.state]

    def set_state(self, *state: Array) -> None:
        self.state = [array.copy() for array in state]
