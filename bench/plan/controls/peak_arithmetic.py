"""The bound of arithmetic on one core of a CPU: independent multiply-adds in registers, as wide as its vectors are.

It must never touch memory, and never wait for a result: each chain of dependent multiply-adds hides the latency of the
others, as in likwid-bench's peakflops and the innermost loop of a BLIS kernel. A core of x86 has 16 or 32 vector registers and
needs up to ten chains, one of ARM has 32 and may need 16. Several threads are bound by so many times this figure.
"""

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import config
from numba.extending import intrinsic, is_jitted

from backends.api import Control, Problem

FLOPS = 24_000_000  # of a step in float32, and half of that in float64: about as long as the training step


class PeakArithmetic(Control):
    kind = "peak"
    libraries = ("numba", "numpy")

    @classmethod
    def work(cls, device: str, dtype: str) -> tuple[int, int]:
        return FLOPS * 4 // np.dtype(dtype).itemsize, 0

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        chains, lanes = shape(np.dtype(dtype).itemsize)
        self.half, self.repeats = np.dtype(dtype).type(0.5), self.work(device, dtype)[0] // (2 * chains * lanes)

    def is_compiled(self) -> bool:
        return is_jitted(compiled)

    def step(self) -> float:
        return compiled(self.half, self.repeats)


def shape(itemsize: int) -> tuple[int, int]:
    """Chains, and numbers in a vector of the CPU that Numba compiles for."""
    features = binding.get_host_cpu_features().flatten() if config.CPU_FEATURES is None else config.CPU_FEATURES
    widths = {"+avx512f": 64, "+avx": 32}  # bytes; 16 of any other
    width = max((widths[name] for name in features.split(",") if name in widths), default=16)
    return (12 if binding.get_process_triple().startswith("x86") else 24), width // itemsize


@numba.njit(cache=True)
def compiled(number, repeats):
    return multiply_adds(number, repeats)


@intrinsic
def multiply_adds(typing_context, number, repeats):
    """`repeats` times `x = x * number + number` in every lane of every chain; the sum of all x, so that all are needed."""

    def codegen(context, builder, signature, arguments):
        scalar = context.get_value_type(number)
        chains, lanes = shape(context.get_abi_sizeof(scalar))
        vector = ir.VectorType(scalar, lanes)
        factor = ir.Constant(vector, ir.Undefined)
        for lane in range(lanes):
            factor = builder.insert_element(factor, arguments[0], ir.IntType(32)(lane))
        before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        builder.branch(loop)
        builder.position_at_end(loop)
        left, accumulators = builder.phi(arguments[1].type), [builder.phi(vector) for _ in range(chains)]
        products = [builder.fmul(x, factor, flags=["contract"]) for x in accumulators]
        results = [builder.fadd(product, factor, flags=["contract"]) for product in products]  # one instruction with the above
        further = builder.sub(left, left.type(1))
        left.add_incoming(arguments[1], before)
        left.add_incoming(further, loop)
        for chain, (x, result) in enumerate(zip(accumulators, results, strict=True)):
            x.add_incoming(ir.Constant(vector, [float(chain)] * lanes), before)
            x.add_incoming(result, loop)
        builder.cbranch(builder.icmp_signed(">", further, left.type(0)), loop, after)
        builder.position_at_end(after)
        total = scalar(0.0)
        for result in results:
            for lane in range(lanes):
                total = builder.fadd(total, builder.extract_element(result, ir.IntType(32)(lane)))
        return total

    return number(number, repeats), codegen
