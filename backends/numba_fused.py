"""Two-layer ReLU net, sum of squared errors, SGD. This one compiles the products as well, and adds each to what it belongs to.

A product is made tile by tile in as many vector registers as the CPU has, from panels that stay in its nearest cache. Rows are
padded with zeros up to whole tiles, which train to zeros. The step must never call BLAS.
"""

import itertools

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, is_jitted

from backends.api import Problem, State, TrainStep


def registers():
    """Bytes of a vector register of the CPU that Numba compiles for, and how many it has."""
    features = binding.get_host_cpu_features().flatten() if config.CPU_FEATURES is None else config.CPU_FEATURES
    if binding.get_process_triple().startswith("x86"):
        return (64, 32) if "+avx512f" in features else (32 if "+avx" in features else 16, 16)
    return 16, 32  # NEON


VECTOR, REGISTERS = registers()
ROWS, ROW_BYTES = 5, REGISTERS // 8 * VECTOR  # of a tile: 5/8 of the registers; a row of b takes 1/8, a number of a one
DEEP, WIDE, LINE = 128, 256, 64  # rows and bytes of a panel, at most a nearest cache; bytes of a cache line
COMPILED = {"cache": True, "fastmath": {"contract", "reassoc"}}  # multiply and add in one; sums in any order


class NumbaFused(TrainStep):
    libraries = ("numba", "numpy")

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.threads, self.shape = numba.get_num_threads(), problem.shape
        hidden = np.zeros((self.shape[2], self.shape[0]))  # (H, N)
        self.x, self.x_t = padded(problem.x, dtype), padded(problem.x.T, dtype)  # (N, D_in), (D_in, N)
        self.y_t, self.error = padded(problem.y.T, dtype), padded(problem.y.T, dtype)  # (D_out, N)
        self.w1_t, self.w2 = padded(problem.w1.T, dtype), padded(problem.w2, dtype)  # (H, D_in), (H, D_out)
        self.h_relu, self.grad_h, self.error_t = padded(hidden, dtype), padded(hidden, dtype), padded(problem.y, dtype)
        self.twice_rate = self.x.dtype.type(2 * problem.learning_rate)

    def step(self) -> float:
        data, weights = (self.x, self.x_t, self.y_t), (self.w1_t, self.w2)
        buffers = (self.h_relu, self.error, self.error_t, self.grad_h)
        return whole_step(self.threads, self.shape, data, weights, buffers, self.twice_rate)

    def is_compiled(self) -> bool:
        return is_jitted(whole_step)

    def get_state(self) -> State:
        _, D_in, H, D_out = self.shape
        return self.w1_t[:H, :D_in].T.copy(order="C"), self.w2[:H, :D_out].copy()

    def set_state(self, w1, w2) -> None:
        _, D_in, H, D_out = self.shape
        self.w1_t[:H, :D_in], self.w2[:H, :D_out] = w1.T, w2


def padded(array, dtype):
    """A copy among zeros, whole tiles of rows either way. Each row begins a cache line, an odd number of lines after the other,
    lest those of a power of two share one set of a cache."""
    rows, columns = (-(-size // ROWS) * ROWS for size in array.shape)
    row_bytes = (-(-columns * np.dtype(dtype).itemsize // LINE) | 1) * LINE
    memory = np.zeros(rows * row_bytes + LINE, np.uint8)
    first = -memory.ctypes.data % LINE
    copy = memory[first : first + rows * row_bytes].view(dtype).reshape(rows, -1)
    copy[: array.shape[0], : array.shape[1]] = array
    return copy


@numba.njit(parallel=True, **COMPILED)
def whole_step(threads, shape, data, weights, buffers, twice_rate):
    (x, x_t, y_t), (w1_t, w2), (h_relu, error, error_t, grad_h) = data, weights, buffers
    (N, D_in, H, D_out), zero = shape, x.dtype.type(0)
    share = (H + ROWS * threads - 1) // (ROWS * threads) * ROWS  # hidden units of a thread, whose cache keeps their weights
    # forward
    for thread in numba.prange(threads):
        first, last = thread * share, min(thread * share + share, H)
        h_relu[first:last] = 0
        add_product(h_relu, first, last, N, w1_t, x_t, D_in)  # h (H, N)
        for k in range(first, last):
            for n in range(N):
                h_relu[k, n] = np.fmax(h_relu[k, n], zero)
    # forward, loss
    error[:D_out] = -y_t[:D_out]
    add_product(error, 0, D_out, N, w2.T, h_relu, H)  # y_pred (D_out, N)
    loss = 0.0
    for d in range(D_out):
        for n in range(N):
            loss += error[d, n] ** 2
            error[d, n] *= -twice_rate  # while it is small: what gradients are made of comes scaled by the learning rate
            error_t[n, d] = error[d, n]
    # backward, update
    for thread in numba.prange(threads):
        first, last = thread * share, min(thread * share + share, H)
        grad_h[first:last] = 0
        add_product(grad_h, first, last, N, w2, error, D_out)  # grad_h_relu (H, N)
        for k in range(first, last):
            for n in range(N):
                grad_h[k, n] = grad_h[k, n] if h_relu[k, n] > zero else zero
        add_product(w2, first, last, D_out, h_relu, error_t, N)  # grad_w2 (H, D_out)
        add_product(w1_t, first, last, D_in, grad_h, x, N)  # grad_w1 (H, D_in)
    return loss


@numba.njit(**COMPILED)
def add_product(out, first, last, columns, a, b, depth):
    """out[first:last, :columns] += a[first:last, :depth] @ b[:depth, :columns], a panel of b after the other."""
    wide = WIDE // out.itemsize
    for k in range(0, depth, DEEP):
        for j in range(0, columns, wide):
            for i in range(first, last, ROWS):
                add_tiles(out, a, b, (i, j, k), (min(j + wide, columns), min(k + DEEP, depth)))


@intrinsic
def add_tiles(typing_context, out, a, b, start, end):
    """out[i : i + ROWS, j:j_end] += a[i : i + ROWS, k:k_end] @ b[k:k_end, j:j_end]: tiles of ROW_BYTES, and for what is left
    tiles half as wide, down to a single column. LLVM keeps the sums of a tile in registers, for their number is a constant."""

    def codegen(context, builder, signature, arguments):
        index, number = context.get_value_type(types.intp), context.get_value_type(out.dtype)
        i, j, k = cgutils.unpack_tuple(builder, arguments[3])
        j_end, k_end = cgutils.unpack_tuple(builder, arguments[4])

        def pointer(array, row, column, vector):
            """To a vector of numbers in one of the three arrays."""
            kind, value = (out, a, b)[array], arguments[array]
            place = context.make_array(kind)(context, builder, value)
            item = cgutils.get_item_pointer(context, builder, kind, place, [row, column], wraparound=False)
            return builder.bitcast(item, vector.as_pointer())

        itemsize, width = context.get_abi_sizeof(number), ROW_BYTES
        while width >= itemsize:
            columns, lanes = width // itemsize, min(width, VECTOR) // itemsize
            vector = ir.VectorType(number, lanes)
            undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0.0] * lanes)
            first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            sums = [[cgutils.alloca_once(builder, vector) for _ in range(0, columns, lanes)] for _ in range(ROWS)]
            tiles = builder.sdiv(builder.sub(j_end, j), index(columns))
            with cgutils.for_range(builder, tiles) as tile:
                left = builder.add(j, builder.mul(tile.index, index(columns)))
                places = [builder.add(left, index(c)) for c in range(0, columns, lanes)]
                rows = [builder.add(i, index(r)) for r in range(ROWS)]
                for one in itertools.chain(*sums):
                    builder.store(zeros, one)
                with cgutils.for_range_slice(builder, k, k_end, index(1)) as (depth, _):
                    row_of_b = [builder.load(pointer(2, depth, place, vector), align=itemsize) for place in places]
                    for row, sums_of_row in zip(rows, sums, strict=True):
                        one = builder.load(pointer(1, row, depth, number))
                        each = builder.shuffle_vector(builder.insert_element(undefined, one, index(0)), undefined, first)
                        for one, of_b in zip(sums_of_row, row_of_b, strict=True):
                            product = builder.fmul(each, of_b, ("contract",))
                            builder.store(builder.fadd(builder.load(one), product, ("contract",)), one)
                for row, sums_of_row in zip(rows, sums, strict=True):
                    for place, one in zip(places, sums_of_row, strict=True):
                        target = pointer(0, row, place, vector)
                        total = builder.fadd(builder.load(target, align=itemsize), builder.load(one))
                        builder.store(total, target, align=itemsize)
            j, width = builder.add(j, builder.mul(tiles, index(columns))), width // 2
        return context.get_dummy_value()

    return types.void(out, a, b, start, end), codegen
