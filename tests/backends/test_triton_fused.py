"""If these fail, the Triton kernels compute something else than a training step, or do not compile for a GPU."""

import importlib.util
import subprocess
import sys

import pytest

from tests.support import EVERYTHING, clean_environ

if importlib.util.find_spec("triton") is None:
    pytest.skip("triton is not installed", allow_module_level=True)

GATE = """
import sys
from pathlib import Path
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.judge import requests
from bench.problem import Definition
from tests.proving import prove
old, new, folder, dtype = sys.argv[1:]
source = (BACKENDS / "triton_fused.py").read_text()
assert old in source
spoilt = Path(folder) / "triton_fused.py"
spoilt.write_text(source.replace(old, new))
requests.TRAJECTORY = 3  # the interpreter takes a second for a step of a few tiles
Definition.load(BACKENDS).module.SMALL = ("7x13x5x3",)
prove(discovery.load(spoilt), dtype, "33x70x40x17")
"""


def _prove(old: str, new: str, folder, dtype: str = "float32") -> subprocess.CompletedProcess[str]:
    """The gate in Triton's interpreter, with one piece of the kernels' source replaced."""
    command = [sys.executable, "-c", GATE, old, new, str(folder), dtype]
    environ = clean_environ() | EVERYTHING | {"TRITON_INTERPRET": "1"}
    return subprocess.run(command, env=environ, capture_output=True, text=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernels_pass_the_gate(dtype, tmp_path):
    done = _prove("TritonFused", "TritonFused", tmp_path, dtype)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">= 0, grad_h_relu, 0.0)", ">= 0, grad_h_relu, grad_h_relu)"),
        ("load(h, row, unit, N, H, BATCH, HIDDEN), 0.0)", "load(h, row, unit, N, H, BATCH, HIDDEN), -9.0)"),
        ("(i < rows) & (j < columns)", "(i < rows) & (j < columns + 1)"),
        ("store(old_w2, unit, o, load(w2", "store(w2, unit, o, load(w2"),
        ("if row == 0:", "if row == 1:"),
    ],
    ids=["no mask", "no ReLU", "a column too many", "w2 not kept", "w2 kept by nobody"],
)
def test_a_spoilt_kernel_is_found(old, new, tmp_path):
    done = _prove(old, new, tmp_path)
    assert "bench.errors.Wrong" in done.stderr


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from backends import triton_fused
for kernel in (triton_fused.hidden_layer, triton_fused.update):
    sizes = {"N": 64, "D_in": 1000, "H": 100, "D_out": 10, "learning_rate": 1e-6}
    constants = {name: value for name, value in sizes.items() if name in kernel.arg_names}
    signature = {name: "constexpr" if name in sizes else "*fp32" for name in kernel.arg_names}
    compiled = triton.compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32))
    assert "fma.rn.f32" in compiled.asm["ptx"] and "tf32" not in compiled.asm["ptx"], kernel
    assert compiled.metadata.shared < 48 * 1024, compiled.metadata.shared
"""


def test_the_kernels_compile_for_a_gpu_and_keep_float32(tmp_path):
    """The interpreter takes what the compiler refuses, and knows nothing of TF32 or of shared memory."""
    environ = clean_environ() | {"TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_on_a_cpu_it_says_how_it_can_be_run():
    from backends.triton_fused import TritonFused

    assert "TRITON_INTERPRET=1" in TritonFused.why_not("cpu", "float32")
