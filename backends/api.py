"""The contract of every backend: a `Problem` to train on and a `TrainStep` that trains on it.

This module imports no framework: a library is named in the files of the backends that use it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import numpy as np
from numpy.typing import NDArray

Weights = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Problem:
    """One batch, initial weights and a learning rate, in read-only float64 NumPy arrays.

    The network has two layers, a ReLU and no biases: `y_pred = max(x @ w1, 0) @ w2`. Its loss is the *sum* of squared
    errors, so the factor 2 of the gradient stays and nothing is divided by N.

    Shapes: x (N, D_in), y (N, D_out), w1 (D_in, H), w2 (H, D_out).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    w1: NDArray[np.float64]
    w2: NDArray[np.float64]
    learning_rate: float = 1e-6

    def __post_init__(self) -> None:
        N, D_in, H, D_out = self.shape
        expected = {"x": (N, D_in), "y": (N, D_out), "w1": (D_in, H), "w2": (H, D_out)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float64:
                raise ValueError(f"Problem.{name} is {array.dtype} {array.shape}, expected float64 {shape}.")
            array.flags.writeable = False

    @classmethod
    def random(
        cls,
        N: int = 64,
        D_in: int = 1000,
        H: int = 100,
        D_out: int = 10,
        *,
        seed: int = 0,
        learning_rate: float = 1e-6,
    ) -> Problem:
        """Standard normal data and weights, the same for the same seed on every machine."""
        normal = np.random.default_rng(seed).standard_normal
        return cls(normal((N, D_in)), normal((N, D_out)), normal((D_in, H)), normal((H, D_out)), learning_rate)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, D_in, H, D_out)."""
        return (*self.x.shape, *self.w2.shape)

    @property
    def flops(self) -> int:
        """Floating-point operations of one step on this problem."""
        return step_flops(*self.shape)


@dataclass(frozen=True)
class Dtype:
    """A precision in which a step computes."""

    weights: str
    """NumPy's name of the dtype of weights: a reduced precision computes from float32 weights."""
    rounding: float
    """The largest relative error of rounding a number."""
    decimals: int
    """Of a loss, the decimals on which all orders of summation agree after ten epochs."""


DTYPES = {
    "float32": Dtype("float32", 2**-24, 4),
    "float64": Dtype("float64", 2**-53, 12),
    "tf32": Dtype("float32", 2**-10, 2),
    "bfloat16": Dtype("float32", 2**-8, 1),
}


def weights_dtype(dtype: str) -> str:
    """NumPy's name of the dtype in which weights go in and out."""
    return DTYPES[dtype].weights


def step_flops(N: int, D_in: int, H: int, D_out: int) -> int:
    """Floating-point operations of one step: two products of N·D_in·H, three of N·H·D_out, two FLOP a term."""
    return 4 * N * D_in * H + 6 * N * H * D_out


def step_bytes(N: int, D_in: int, H: int, D_out: int, itemsize: int) -> int:
    """Bytes that a step has to move at least: data and weights are read once, weights are written once."""
    return itemsize * (N * D_in + N * D_out + 2 * (D_in * H + H * D_out))


def steady_learning_rate(N: int, D_in: int, H: int, D_out: int) -> float:
    """A learning rate at which standard normal data of this shape trains without overshooting.

    Gradient descent on a quadratic is stable below 2/λ, λ the largest curvature (LeCun et al., *Efficient BackProp*,
    1998). λ is estimated here per layer from the largest singular values of standard normal matrices,
    (√rows + √columns), and from the mean √(D_in/2π) that the ReLU leaves in `h_relu`.
    """
    w1_curvature = 2 * (math.sqrt(N) + math.sqrt(D_in)) ** 2 * (math.sqrt(H) + math.sqrt(D_out)) ** 2
    w2_curvature = N * H * D_in / math.pi + D_in * (math.sqrt(N) + math.sqrt(H)) ** 2
    return 1 / (w1_curvature + w2_curvature)


class TrainStep(ABC):
    """One way of writing the training step, with its data in place and its clock outside.

    Concrete classes are final: one per file, found by a directory listing.
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    """Distributions that compute the step; a worker imports them before the backend's file."""
    kind: ClassVar[str] = "rung"
    """`seed` for the five ways the project grew from, `rung` for the rest of the ladder."""

    least_threads: ClassVar[int] = 1
    """The smallest thread count with which the step can run."""
    steps_per_call: ClassVar[int] = 1
    """Training steps that one `step()` does, at most 10; its loss is that before the last one's update."""

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

        Returns the loss *before* the update as the library's own 0-d value: `float(loss)` fetches it, `step` does not.
        """

    @abstractmethod
    def get_weights(self) -> Weights:
        """Untimed: host copies of w1 (D_in, H) and w2 (H, D_out) in the `weights_dtype` of the step's dtype."""

    @abstractmethod
    def set_weights(self, w1: NDArray[Any], w2: NDArray[Any]) -> None:
        """Untimed: copies both into place, so that a captured or compiled step stays valid.

        They come contiguous and in the `weights_dtype` of the step's dtype, and may be overwritten as soon as this returns.
        """

    def counts(self) -> dict[str, int]:
        """What the library counts of one `step()`, outside timing: `operators` that it was asked for, `kernels` started on a
        device, `allocated_bytes` and `peak_bytes` of a device's memory. What is left out, nobody counts.
        """
        return {}

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        """Floating-point operations and bytes moved in a step, by a control that shows what a device can do at most."""
        return 0, 0

    def synchronize(self) -> None:  # noqa: B027  # doing nothing is right for a step that is done when it returns
        """Waits for all queued work; the harness makes the only call of it."""

    def mark(self) -> Any:
        """A point in the device's own queue, for `seconds_between`; None where the host's clock is all there is."""
        return None

    def seconds_between(self, start: Any, end: Any) -> float:
        """Device seconds between two marks, once the queue has been synchronised."""
        raise NotImplementedError("this step has no device clock: mark() returns None")


class Control(TrainStep):
    """Fixed work that is not the training step: measured with every plan, never proven, shown as a row of its own kind.

    It keeps the weights it is given, so that the harness can visit it like any other step.
    """

    kind = "control"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.w1, self.w2 = problem.w1.astype(dtype), problem.w2.astype(dtype)

    def get_weights(self) -> Weights:
        return self.w1.copy(), self.w2.copy()

    def set_weights(self, w1: NDArray[Any], w2: NDArray[Any]) -> None:
        self.w1[:], self.w2[:] = w1, w2
