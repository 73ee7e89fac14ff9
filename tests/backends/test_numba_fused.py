"""If these fail, compiled tiles or measured peaks are not those of the CPU that Numba compiles for."""

import numpy as np
import pytest

from bench.paths import BACKENDS
from bench.problem import Definition
from tests.support import a_problem

numba = pytest.importorskip("numba", reason="Numba is not installed")

from backends import numba_fused  # noqa: E402
from bench.plan.controls import peak_arithmetic, peak_traffic  # noqa: E402


@pytest.mark.parametrize(
    ("triple", "features", "width", "registers"),
    [
        ("x86_64-unknown-linux-gnu", "+sse2,+avx,+avx2,+avx512f,-amx", 64, 32),
        ("x86_64-unknown-linux-gnu", "+sse2,+avx,+avx2,-avx512f", 32, 16),
        ("x86_64-unknown-linux-gnu", "", 16, 16),
        ("aarch64-unknown-linux-gnu", "+neon", 16, 32),
    ],
)
def test_tiles_and_peaks_follow_from_the_features_that_numba_compiles_for(triple, features, width, registers, monkeypatch):
    monkeypatch.setattr(numba.core.config, "CPU_FEATURES", features)
    monkeypatch.setattr(numba_fused.binding, "get_process_triple", lambda: triple)
    assert numba_fused.registers() == (width, registers)
    chains, lanes = peak_arithmetic.shape(4)
    assert lanes == width // 4
    assert 10 <= chains <= registers - 2, "enough to hide a latency, and none of them in memory"


@pytest.mark.parametrize("shape", ["1x5x5x1", "3x129x5x16", "65x257x6x5", "130x70x11x17"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_left_of_a_tile_or_a_panel_is_computed_too(shape, dtype):
    problem = a_problem(shape, learning_rate=1e-5)
    step = numba_fused.NumbaFused(problem, "cpu", dtype)
    losses = [float(step.step()) for _ in range(2)]
    expected = Definition.load(BACKENDS).run(problem, tuple(problem.state.values()), 2)
    loose = {"float32": 1e-4, "float64": 1e-11}[dtype]
    assert losses == pytest.approx(expected.losses, rel=loose)
    for w, right in zip(step.get_state(), expected.state, strict=True):
        np.testing.assert_allclose(w, right, rtol=loose, atol=loose)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_peak_does_all_the_operations_that_it_says(dtype):
    """Once x = x / 2 + 1 / 2 in every lane of chains that begin with 0, 1, 2, …; and time grows with how often."""
    chains, lanes = peak_arithmetic.shape(np.dtype(dtype).itemsize)
    half = np.dtype(dtype).type(0.5)
    assert peak_arithmetic.compiled(half, 1) == lanes * sum(chain / 2 + 0.5 for chain in range(chains))
    step = peak_arithmetic.PeakArithmetic(a_problem(), "cpu", dtype)
    assert step.step() == lanes * chains, "all have come to 1"
    assert step.repeats * 2 * chains * lanes == pytest.approx(step.work("cpu", dtype)[0], rel=1e-4)
    reads = peak_traffic.PeakTraffic(a_problem(), "cpu", dtype)
    assert reads.step() * np.dtype(dtype).itemsize == reads.work("cpu", dtype)[1]
