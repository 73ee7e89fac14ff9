"""Two-layer ReLU net, sum of squared errors, SGD. This one compiles the products too, so that what follows each is done in place.

A product is made tile by tile in vector registers; ReLU, mask and update take a tile before it reaches memory. Arrays are
padded with zeros up to whole tiles, which train to zeros. The step must never call BLAS.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from backends.api import Problem, TrainStep, Weights

ROWS, ROW_BYTES = 5, 256  # of a tile: 20 of AVX-512's 32 registers
COMPILED = {"cache": True, "error_model": "numpy", "fastmath": {"contract", "reassoc"}}  # sums may be taken in any order


class NumbaFused(TrainStep):
    libraries = ("numba", "numpy")

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.threads, self.shape = numba.get_num_threads(), problem.shape
        N, _, H, D_out = problem.shape
        self.x, self.x_t = padded(problem.x, dtype), padded(problem.x.T, dtype)  # (N, D_in), (D_in, N)
        self.y_t = padded(problem.y.T, dtype)  # (D_out, N)
        self.w1_t, self.w2 = padded(problem.w1.T, dtype), padded(problem.w2, dtype)  # (H, D_in), (H, D_out)
        self.h_relu, self.grad_h = padded(np.zeros((H, N)), dtype), padded(np.zeros((H, N)), dtype)  # (H, N)
        self.error = padded(np.zeros((D_out, N)), dtype)  # (D_out, N)
        self.twice_rate = self.x.dtype.type(2 * problem.learning_rate)

    def step(self) -> float:
        buffers = self.h_relu, self.error, self.grad_h
        return whole_step(self.threads, self.shape, self.x, self.x_t, self.y_t, self.w1_t, self.w2, buffers, self.twice_rate)

    def get_weights(self) -> Weights:
        _, D_in, H, D_out = self.shape
        return self.w1_t[:H, :D_in].T.copy(order="C"), self.w2[:H, :D_out].copy()

    def set_weights(self, w1, w2) -> None:
        _, D_in, H, D_out = self.shape
        self.w1_t[:H, :D_in], self.w2[:H, :D_out] = w1.T, w2


def padded(array, dtype):
    """A copy among zeros: whole tiles, and a cache line more, lest all rows of a power of two share the same cache sets."""
    (rows, columns), size = array.shape, np.dtype(dtype).itemsize
    copy = np.zeros((-(-rows // ROWS) * ROWS, (-(-columns * size // ROW_BYTES) * ROW_BYTES + 64) // size), dtype)
    copy[:rows, :columns] = array
    return copy


@numba.njit(parallel=True, **COMPILED)
def whole_step(threads, shape, x, x_t, y_t, w1_t, w2, buffers, twice_rate):
    N, D_in, H, D_out = shape
    h_relu, error, grad_h = buffers
    share = (H + ROWS * threads - 1) // (ROWS * threads) * ROWS  # of hidden units, a thread's own: their weights stay in its cache
    for thread in numba.prange(threads):
        forward(range(thread * share, min(thread * share + share, H), ROWS), shape, x_t, w1_t, h_relu)
    loss = judge(shape, y_t, w2, h_relu, error, twice_rate)
    for thread in numba.prange(threads):
        backward(range(thread * share, min(thread * share + share, H), ROWS), shape, x, w1_t, w2, h_relu, error, grad_h)
    return loss


@numba.njit(**COMPILED)
def forward(rows, shape, x_t, w1_t, h_relu):
    N, D_in, _, _ = shape
    tile = numba.carray(*tile_memory(x_t.dtype))
    for column in range(0, N, tile.shape[1]):
        for row in rows:
            multiply(tile, w1_t, row, x_t, column, D_in)
            for r in range(ROWS):
                h_relu_r = h_relu[row + r, column:]
                for c in range(tile.shape[1]):
                    h_relu_r[c] = max(tile[r, c], 0)


@numba.njit(**COMPILED)
def judge(shape, y_t, w2, h_relu, error, twice_rate):
    N, _, H, D_out = shape
    tile = numba.carray(*tile_memory(y_t.dtype))
    loss = 0.0
    for row in range(0, D_out, ROWS):
        for column in range(0, N, tile.shape[1]):
            multiply(tile, w2.T, row, h_relu, column, H)
            for r in range(ROWS):
                error_r, y_r = error[row + r, column:], y_t[row + r, column:]
                for c in range(tile.shape[1]):
                    error_r[c] = tile[r, c] - y_r[c]
    for d in range(D_out):
        for n in range(N):
            loss += error[d, n] ** 2
            error[d, n] *= twice_rate
    return loss


@numba.njit(**COMPILED)
def backward(rows, shape, x, w1_t, w2, h_relu, error, grad_h):
    N, D_in, _, D_out = shape
    tile = numba.carray(*tile_memory(x.dtype))
    for column in range(0, N, tile.shape[1]):
        for row in rows:
            multiply(tile, w2, row, error, column, D_out)
            for r in range(ROWS):
                grad_h_r, h_relu_r = grad_h[row + r, column:], h_relu[row + r, column:]
                for c in range(tile.shape[1]):
                    grad_h_r[c] = tile[r, c] if h_relu_r[c] > 0 else 0
    for row in rows:
        for r in range(row, row + ROWS):
            for d in range(D_out):
                grad = x.dtype.type(0)
                for n in range(N):
                    grad += h_relu[r, n] * error[d, n]
                w2[r, d] -= grad
    for column in range(0, D_in, tile.shape[1]):
        for row in rows:
            multiply(tile, grad_h, row, x, column, N)
            for r in range(ROWS):
                w1_r = w1_t[row + r, column:]
                for c in range(tile.shape[1]):
                    w1_r[c] -= tile[r, c]


@numba.njit(inline="always")
def multiply(tile, a, row, b, column, depth):
    """tile = a[row : row + ROWS, :depth] @ b[:depth, column : column + columns]"""
    tile[:] = 0
    for k in range(depth):
        b_k = b[k, column:]
        for c in range(tile.shape[1]):
            for r in range(ROWS):
                tile[r, c] += a[row + r, k] * b_k[c]


@intrinsic
def tile_memory(typing_context, dtype):
    """Address and shape of a tile on the stack, which LLVM keeps in registers: a tile's loops have constant lengths."""
    columns = ROW_BYTES * 8 // dtype.dtype.bitwidth
    returned = types.Tuple((types.CPointer(dtype.dtype), types.UniTuple(types.intp, 2)))

    def codegen(context, builder, signature, arguments):
        numbers = ir.ArrayType(context.get_value_type(dtype.dtype), ROWS * columns)
        address = builder.bitcast(cgutils.alloca_once(builder, numbers), numbers.element.as_pointer())
        shape = context.get_constant_generic(builder, types.UniTuple(types.intp, 2), (ROWS, columns))
        return context.make_tuple(builder, returned, (address, shape))

    return returned(dtype), codegen
