"""Two-layer ReLU net, sum of squared errors, SGD. This one is two Triton kernels of its own, two launches a step.

A program must never write what another of the same launch reads: the first launch keeps a copy of w2 for the second one,
and every sum has one program and one order. Proven in Triton's interpreter; no GPU has timed it yet.
"""

import torch
import triton
import triton.language as tl

from backends._torch import TorchStep
from backends.api import Problem


class TritonFused(TorchStep):
    libraries = ("triton", "torch")

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        interpreted = not isinstance(hidden_layer, triton.JITFunction)
        if reason or (device == "cpu") == interpreted:
            return reason
        return "runs on a CPU only in Triton's interpreter, with TRITON_INTERPRET=1, and on CUDA only without it"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        N, D_in, H, D_out = self.sizes = problem.shape
        self.h, self.old_w2 = self.x.new_empty(N, H), torch.empty_like(self.w2)  # (N, H), (H, D_out)
        self.loss = self.x.new_empty(())
        self.forward_grid = (triton.cdiv(N, ROWS), triton.cdiv(H, UNITS))
        self.update_grid = (triton.cdiv(D_in, INPUTS) + triton.cdiv(D_out, OUTPUTS), triton.cdiv(H, HIDDEN))
        self.on_device = torch.cuda.device_of(self.x)  # Triton launches on whichever is current

    def step(self) -> torch.Tensor:
        with self.on_device:
            # forward, the first layer
            hidden_layer[self.forward_grid](self.x, self.w1, self.w2, self.h, self.old_w2, *self.sizes)
            # forward, the second layer, loss, backward and update
            update[self.update_grid](
                self.x, self.y, self.w1, self.w2, self.h, self.old_w2, self.loss, self.learning_rate, *self.sizes
            )
        return self.loss

    def is_compiled(self) -> bool:
        return isinstance(hidden_layer, triton.JITFunction)  # not TRITON_INTERPRET


ROWS, UNITS, DEPTH = (tl.constexpr(size) for size in (16, 16, 64))
"""`hidden_layer` computes tiles of ROWS samples and UNITS hidden units, DEPTH inputs at a time."""
BATCH, HIDDEN, INPUTS, OUTPUTS = (tl.constexpr(size) for size in (32, 32, 64, 16))
"""`update` computes tiles of HIDDEN units and INPUTS or OUTPUTS, BATCH samples at a time."""


@triton.jit
def tile(array, row, column, rows: tl.constexpr, columns: tl.constexpr, height: tl.constexpr, width: tl.constexpr):
    """Addresses of a tile of a (rows, columns) array, and which of them lie inside."""
    i, j = row + tl.arange(0, height)[:, None], column + tl.arange(0, width)[None, :]
    return array + i * columns + j, (i < rows) & (j < columns)


@triton.jit
def load(array, row, column, rows: tl.constexpr, columns: tl.constexpr, height: tl.constexpr, width: tl.constexpr):
    """A tile with zeros outside the array."""
    address, inside = tile(array, row, column, rows, columns, height, width)
    return tl.load(address, inside, 0.0)


@triton.jit
def store(array, row, column, values, rows: tl.constexpr, columns: tl.constexpr):
    """Only what lies inside."""
    address, inside = tile(array, row, column, rows, columns, values.shape[0], values.shape[1])
    tl.store(address, values, inside)


@triton.jit
def add_product(total, a, b):
    return tl.dot(a, b, total, input_precision="ieee", out_dtype=total.dtype)  # "ieee": no TF32


@triton.jit
def hidden_layer(x, w1, w2, h, old_w2, N: tl.constexpr, D_in: tl.constexpr, H: tl.constexpr, D_out: tl.constexpr):
    """h = x @ w1, a tile each; the programs of the first rows also copy w2."""
    row, unit = tl.program_id(0) * ROWS, tl.program_id(1) * UNITS
    h_tile = tl.zeros((ROWS, UNITS), h.dtype.element_ty)
    for k in range(0, D_in, DEPTH):
        x_tile, w1_tile = load(x, row, k, N, D_in, ROWS, DEPTH), load(w1, k, unit, D_in, H, DEPTH, UNITS)
        h_tile = add_product(h_tile, x_tile, w1_tile)
    store(h, row, unit, h_tile, N, H)
    if row == 0:
        for o in range(0, D_out, OUTPUTS):
            store(old_w2, unit, o, load(w2, unit, o, H, D_out, UNITS, OUTPUTS), H, D_out)


@triton.jit
def error_of(h, y, w2, row, o, N: tl.constexpr, H: tl.constexpr, D_out: tl.constexpr):
    """y_pred - y of BATCH samples and OUTPUTS."""
    y_pred = tl.zeros((BATCH, OUTPUTS), h.dtype.element_ty)
    for k in range(0, H, HIDDEN):
        h_relu = tl.maximum(load(h, row, k, N, H, BATCH, HIDDEN), 0.0)
        y_pred = add_product(y_pred, h_relu, load(w2, k, o, H, D_out, HIDDEN, OUTPUTS))
    return y_pred - load(y, row, o, N, D_out, BATCH, OUTPUTS)


@triton.jit
def update(
    x, y, w1, w2, h, old_w2, loss, learning_rate: tl.constexpr,
    N: tl.constexpr, D_in: tl.constexpr, H: tl.constexpr, D_out: tl.constexpr,
):  # fmt: skip
    """Each program computes the errors that it needs and updates a tile, the first ones of w1 and the last ones of w2."""
    unit = tl.program_id(1) * HIDDEN
    w1_tiles = tl.cdiv(D_in, INPUTS)
    if tl.program_id(0) < w1_tiles:
        first = tl.program_id(0) * INPUTS
        squares = tl.zeros((BATCH, OUTPUTS), h.dtype.element_ty)
        grad_w1 = tl.zeros((INPUTS, HIDDEN), h.dtype.element_ty)
        for row in range(0, N, BATCH):
            grad_h_relu = tl.zeros((BATCH, HIDDEN), h.dtype.element_ty)
            for o in range(0, D_out, OUTPUTS):
                error = error_of(h, y, old_w2, row, o, N, H, D_out)
                squares += error * error
                w2_tile = load(old_w2, unit, o, H, D_out, HIDDEN, OUTPUTS)
                grad_h_relu = add_product(grad_h_relu, 2.0 * error, tl.trans(w2_tile))
            grad_h = tl.where(load(h, row, unit, N, H, BATCH, HIDDEN) >= 0, grad_h_relu, 0.0)
            x_tile = load(x, row, first, N, D_in, BATCH, INPUTS)
            grad_w1 = add_product(grad_w1, tl.trans(x_tile), grad_h)
        if (first == 0) & (unit == 0):
            tl.store(loss, tl.sum(squares))
        store(w1, first, unit, load(w1, first, unit, D_in, H, INPUTS, HIDDEN) - learning_rate * grad_w1, D_in, H)
    else:
        o = (tl.program_id(0) - w1_tiles) * OUTPUTS
        grad_w2 = tl.zeros((HIDDEN, OUTPUTS), h.dtype.element_ty)
        for row in range(0, N, BATCH):
            h_relu = tl.maximum(load(h, row, unit, N, H, BATCH, HIDDEN), 0.0)
            error = error_of(h, y, old_w2, row, o, N, H, D_out)
            grad_w2 = add_product(grad_w2, tl.trans(h_relu), 2.0 * error)
        store(w2, unit, o, load(w2, unit, o, H, D_out, HIDDEN, OUTPUTS) - learning_rate * grad_w2, H, D_out)
