"""Two-layer ReLU net, sum of squared errors, SGD. This one compiles the products as well, and what follows each is fused in.

A product is made tile by tile in registers, and ReLU, mask and update take the tile from there. Arrays are padded with
zeros up to whole tiles, which train to zeros. The step must never call BLAS.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from backends.api import Problem, TrainStep, Weights

ROWS, ROW_BYTES = 5, 256  # of a tile: 20 of the 32 registers of AVX-512
COMPILED = {"cache": True, "fastmath": {"contract", "reassoc"}}  # multiply and add in one; sums in any order


class NumbaFused(TrainStep):
    libraries = ("numba", "numpy")

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.threads, self.shape = numba.get_num_threads(), problem.shape
        hidden = np.zeros((self.shape[2], self.shape[0]))  # (H, N)
        self.x, self.x_t = padded(problem.x, dtype), padded(problem.x.T, dtype)  # (N, D_in), (D_in, N)
        self.y_t, self.error = padded(problem.y.T, dtype), padded(problem.y.T, dtype)  # (D_out, N)
        self.w1_t, self.w2 = padded(problem.w1.T, dtype), padded(problem.w2, dtype)  # (H, D_in), (H, D_out)
        self.h_relu, self.grad_h = padded(hidden, dtype), padded(hidden, dtype)  # (H, N)
        self.twice_rate = self.x.dtype.type(2 * problem.learning_rate)

    def step(self) -> float:
        data, weights, buffers = (self.x, self.x_t, self.y_t), (self.w1_t, self.w2), (self.h_relu, self.error, self.grad_h)
        return whole_step(self.threads, self.shape, data, weights, buffers, self.twice_rate)

    def counts(self) -> dict[str, int]:
        return {"operators": 1}

    def get_weights(self) -> Weights:
        _, D_in, H, D_out = self.shape
        return self.w1_t[:H, :D_in].T.copy(order="C"), self.w2[:H, :D_out].copy()

    def set_weights(self, w1, w2) -> None:
        _, D_in, H, D_out = self.shape
        self.w1_t[:H, :D_in], self.w2[:H, :D_out] = w1.T, w2


def padded(array, dtype):
    """A copy among zeros: whole tiles, and 64 bytes a row more, lest the rows of a power of two share one set of a cache."""
    (rows, columns), itemsize = array.shape, np.dtype(dtype).itemsize
    row_bytes = -(-columns * itemsize // ROW_BYTES) * ROW_BYTES + 64
    copy = np.zeros((-(-rows // ROWS) * ROWS, row_bytes // itemsize), dtype)
    copy[:rows, :columns] = array
    return copy


@numba.njit(parallel=True, **COMPILED)
def whole_step(threads, shape, data, weights, buffers, twice_rate):
    (x, x_t, y_t), (w1_t, w2), (h_relu, error, grad_h) = data, weights, buffers
    H = shape[2]
    share = (H + ROWS * threads - 1) // (ROWS * threads) * ROWS  # hidden units of a thread, whose cache keeps their weights
    # forward
    for thread in numba.prange(threads):
        units = range(thread * share, min(thread * share + share, H), ROWS)
        forward(units, shape, x_t, w1_t, h_relu)
    # forward, loss
    loss = forward_loss(shape, y_t, w2, h_relu, error, twice_rate)
    # backward, update
    for thread in numba.prange(threads):
        units = range(thread * share, min(thread * share + share, H), ROWS)
        backward_update(units, shape, x, w1_t, w2, h_relu, error, grad_h)
    return loss


@numba.njit(**COMPILED)
def forward(units, shape, x_t, w1_t, h_relu):
    N, D_in, _, _ = shape
    tile = numba.carray(*tile_memory(x_t.dtype))
    for n in range(0, N, tile.shape[1]):
        for k in units:
            multiply(tile, w1_t, k, x_t, n, D_in)  # h (H, N)
            for r in range(ROWS):
                out = h_relu[k + r, n:]
                for c in range(tile.shape[1]):
                    out[c] = max(tile[r, c], 0)


@numba.njit(**COMPILED)
def forward_loss(shape, y_t, w2, h_relu, error, twice_rate):
    N, _, H, D_out = shape
    tile = numba.carray(*tile_memory(y_t.dtype))
    for n in range(0, N, tile.shape[1]):
        for d in range(0, D_out, ROWS):
            multiply(tile, w2.T, d, h_relu, n, H)  # y_pred (D_out, N)
            for r in range(ROWS):
                out, y = error[d + r, n:], y_t[d + r, n:]
                for c in range(tile.shape[1]):
                    out[c] = tile[r, c] - y[c]
    loss = 0.0
    for d in range(D_out):
        for n in range(N):
            loss += error[d, n] ** 2
            error[d, n] *= twice_rate  # while it is small: all gradients come scaled by the learning rate
    return loss


@numba.njit(**COMPILED)
def backward_update(units, shape, x, w1_t, w2, h_relu, error, grad_h):
    N, D_in, _, D_out = shape
    tile = numba.carray(*tile_memory(x.dtype))
    for n in range(0, N, tile.shape[1]):
        for k in units:
            multiply(tile, w2, k, error, n, D_out)  # grad_h_relu (H, N)
            for r in range(ROWS):
                out, active = grad_h[k + r, n:], h_relu[k + r, n:]
                for c in range(tile.shape[1]):
                    out[c] = tile[r, c] if active[c] > 0 else 0
    for k in units:
        for r in range(k, k + ROWS):
            for d in range(D_out):
                grad = x.dtype.type(0)  # of w2 (H, D_out)
                for n in range(N):
                    grad += h_relu[r, n] * error[d, n]
                w2[r, d] -= grad
    for i in range(0, D_in, tile.shape[1]):
        for k in units:
            multiply(tile, grad_h, k, x, i, N)  # grad_w1 (H, D_in)
            for r in range(ROWS):
                w1 = w1_t[k + r, i:]
                for c in range(tile.shape[1]):
                    w1[c] -= tile[r, c]


@numba.njit(inline="always")
def multiply(tile, a, row, b, column, depth):
    """tile = a[row:, :depth] @ b[:depth, column:], as much of it as a tile holds."""
    tile[:] = 0
    for k in range(depth):
        b_k = b[k, column:]
        for c in range(tile.shape[1]):
            for r in range(ROWS):
                tile[r, c] += a[row + r, k] * b_k[c]


@intrinsic
def tile_memory(typing_context, dtype):
    """Address and shape of a tile on the stack. Both are constants to LLVM, which then keeps the tile in registers."""
    columns = ROW_BYTES * 8 // dtype.dtype.bitwidth
    returned = types.Tuple((types.CPointer(dtype.dtype), types.UniTuple(types.intp, 2)))

    def codegen(context, builder, signature, arguments):
        number = context.get_value_type(dtype.dtype)
        memory = cgutils.alloca_once(builder, ir.ArrayType(number, ROWS * columns))
        shape = context.get_constant_generic(builder, returned[1], (ROWS, columns))
        return context.make_tuple(builder, returned, (builder.bitcast(memory, number.as_pointer()), shape))

    return returned(dtype), codegen
