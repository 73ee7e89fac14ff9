"""Monte Carlo arithmetic: NumPy code run in float64 with the rounding noise of a narrower dtype.

Each operation's result gets random noise of the size of its rounding error, so the scatter of a few
runs is what honest arithmetic may differ by (Parker, *Monte Carlo Arithmetic*, 1997; Denis, de
Oliveira Castro & Petit, *Verificarlo*, 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from backends.api import DTYPES, Problem
from bench.errors import UsageError
from bench.problem import Definition, Float64, Run

EXACT = {
    np.maximum, np.minimum, np.fmax, np.fmin, np.negative, np.positive, np.absolute, np.sign,
    np.heaviside, np.floor, np.ceil, np.rint, np.trunc, np.conjugate,
}  # fmt: skip
"""Operations whose results need no rounding."""
UNSUPPORTED = {
    np.dot, np.vdot, np.inner, np.einsum, np.tensordot, np.cumsum, np.cumprod, np.convolve,
}  # fmt: skip
CONSTANTS = 2.0
"""Standard deviation of the error of a constant, in rounding errors."""
BLOCK = 10
"""Sums are added in blocks: a sum of k terms counts as k / 10 roundings of its size."""


class Noise:
    """Random relative errors of a dtype."""

    def __init__(self, dtype: str, seed: int) -> None:
        about = DTYPES[dtype]
        self.rng = np.random.Generator(np.random.SFC64(seed))
        self.held, self.unit = about.weights, about.rounding  # the dtype of state and constants
        self.products = about.product_rounding if about.product_rounding > about.rounding else 0.0
        """Of a matrix product's operands."""
        self.factors: list[float] = []
        """Of the rounding errors of constants, in the order in which a step uses them."""
        self.uses = 0
        """Of such constants so far in the current step."""

    def constant(self, value: float) -> float:
        """A number of the code where it is used: each place rounds it or not, in all steps alike.

        So the error does not average out: rounding Adam's 0.999 shifts every update.
        """
        error = float(np.dtype(self.held).type(value)) - value
        if error:
            if self.uses == len(self.factors):
                self.factors.append(CONSTANTS * self.rng.standard_normal())
            error *= self.factors[self.uses]
            self.uses += 1
        return value + error

    def scaled(self, size: Float64 | float, unit: float) -> Float64:
        """Normal noise with standard deviation `unit * size`, in the shape of `size`; infinities
        and NaN stay as they are."""
        if not (finite := np.isfinite(size)).all():
            size = np.where(finite, size, 0.0)
        normal = self.rng.standard_normal(np.shape(size), np.float32)
        return np.multiply(normal, unit * np.asarray(size), dtype=np.float64)


class Noisy(np.ndarray[Any, Any]):
    """A float64 array whose operations add noise."""

    noise: Noise | None = None
    constant: float | None = None
    """The exact value of a constant of the problem."""

    def __array_finalize__(self, other: Any) -> None:
        self.noise = getattr(other, "noise", None)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        noise = next(filter(None, (getattr(v, "noise", None) for v in (*inputs, *(out or ())))))
        plain = [_operand(value, noise) for value in inputs]
        options = {name: _plain(value) for name, value in options.items()}
        if ufunc is np.matmul and method == "__call__":
            result = _product(noise, *plain)
        else:
            result = getattr(ufunc, method)(*plain, **options)
            if ufunc not in EXACT and np.asarray(result).dtype == np.float64:
                size = _size(ufunc, method, plain, result, options)
                result = result + noise.scaled(size, noise.unit)
        if out:
            _plain(out[0])[...] = result
            return out[0]
        return _noisy(result, noise)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function in UNSUPPORTED or function.__module__.startswith("numpy.linalg"):
            raise UsageError(
                f"problem.py calls np.{function.__name__}, which the judge cannot run with rounding "
                "noise; write it with @, sums and elementwise operations."
            )
        return _noisy(super().__array_function__(function, types, args, options), self.noise)

    def dot(self, *_: Any, **__: Any) -> Any:
        raise UsageError("problem.py calls dot(); write the product with @.")


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Noisy) else value


def _operand(value: Any, noise: Noise) -> Any:
    constant = value if isinstance(value, float) else getattr(value, "constant", None)
    return _plain(value) if constant is None else noise.constant(constant)


def _noisy(value: Any, noise: Noise | None) -> Any:
    if not isinstance(value, np.ndarray | np.float64) or np.asarray(value).dtype != np.float64:
        return value
    result = np.asarray(value).view(Noisy)
    result.noise = noise
    return result


def _product(noise: Noise, a: Float64, b: Float64) -> Float64:
    """A matrix product with errors of its operands, of each term and of the partial sums."""
    if noise.products:
        a, b = (x + noise.scaled(x, noise.products) for x in (a, b))
    result = a @ b
    size = np.sqrt(np.square(a) @ np.square(b))
    roundings = np.sqrt(2 + a.shape[-1] / BLOCK)
    result = result + noise.scaled(size, noise.unit * float(roundings))
    return result + noise.scaled(result, noise.products) if noise.products else result


def _size(ufunc: Any, method: str, inputs: list[Any], result: Any, options: Mapping[str, Any]) -> Any:
    """What the error of an operation is relative to, times its number of roundings."""
    if method == "reduce" and ufunc is np.add:
        terms = np.asarray(inputs[0])
        kept = {name: options[name] for name in ("axis", "keepdims") if name in options}
        size = np.sqrt(np.add.reduce(np.square(terms), **kept))
        return size * np.sqrt(1 + terms.size / max(1, np.size(result)) / BLOCK)
    return result


def sample(
    definition: Definition, problem: Problem, state: Sequence[Float64], steps: int, noise: Noise,
    variant: Callable[..., Any] | None = None, memory: dict[str, Any] | None = None,
) -> Run:  # fmt: skip
    """The same steps with the noise of a dtype; with `variant` a mistaken step's."""
    data = {name: _noisy(array, noise) for name, array in problem.data.items()}
    constants: Any = {name: _constant(value, noise) for name, value in problem.constants.items()}
    taken = variant or definition.module.step

    @wraps(taken)
    def step(*given: Any, **options: Any) -> Any:
        noise.uses = 0
        return taken(*given, **options)

    noisy = replace(problem, data=data, constants=constants)
    run = definition.run(noisy, [_noisy(array, noise) for array in state], steps, step, memory)
    return Run(run.losses, tuple(_plain(array) for array in run.state))


def _constant(value: float, noise: Noise) -> Any:
    result = _noisy(np.float64(value), noise)
    result.constant = value
    return result
