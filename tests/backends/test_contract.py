"""One suite over every backend that discovery finds: if it fails, a backend breaks the contract that all are timed by."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

from backends.api import DTYPES, TrainStep
from bench.machine import devices
from bench.paths import BACKENDS, CONTROLS
from bench.plan import discovery
from bench.schema.case import FIXED_WORK
from tests.proving import prove
from tests.support import EVERYTHING, a_problem, clean_environ

# torch's own, from the moment its compiler is loaded
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
FILES = {path.stem: path for path in discovery.files([BACKENDS, CONTROLS])}


def _loaded(name: str) -> type[TrainStep]:
    try:
        return discovery.load(FILES[name])
    except discovery.MissingLibrary as missing:
        pytest.skip(f"{name} needs the library {missing}, which is not installed")


def _runnable(name: str, device: str, dtype: str) -> type[TrainStep]:
    build = _loaded(name)
    if reason := build.why_not(device, dtype):
        pytest.skip(f"{name} {reason}")
    return build


FIXED = r'\(Control\)|kind = "(control|guard|peak)"'
STEPS = [name for name, path in FILES.items() if not re.search(FIXED, path.read_text())]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", STEPS)
def test_passes_the_gate(name, device, dtype):
    build = _runnable(name, device, dtype)
    prove(build, dtype, device=device)


@pytest.mark.parametrize("name", FILES)
def test_class_attributes_say_what_a_plan_needs(name):
    build = _loaded(name)
    assert build.kind in ("seed", "rung", *FIXED_WORK)
    assert set(build.devices) <= {devices.PROCESSOR, *devices.ACCELERATORS}
    assert build.devices
    assert set(build.dtypes) <= set(DTYPES)
    assert 1 <= build.steps_per_call <= 10
    assert len(inspect.signature(build.step).parameters) == 1, "step() takes no arguments"
    assert name == FILES[name].stem


@pytest.mark.parametrize("name", FILES)
def test_weights_go_in_and_out_unchanged_and_float_fetches_the_loss(name):
    dtype = _loaded(name).dtypes[0]
    step = _runnable(name, "cpu", dtype)(a_problem(), "cpu", dtype)
    w1, w2 = (np.random.default_rng(1).standard_normal(shape).astype(np.float32) for shape in ((13, 5), (5, 3)))
    step.set_state(w1, w2)
    assert [w.tolist() for w in step.get_state()] == [w1.tolist(), w2.tolist()]
    assert np.isfinite(float(step.step()))
    assert step.synchronize() is None


STEPS_UNCOMPILED = """
import sys
from bench.plan import discovery
from pathlib import Path
from tests.support import a_problem
step = discovery.load(Path(sys.argv[1]))(a_problem(), "cpu", "float32")
step.step()
sys.exit(10 + step.is_compiled())
"""


@pytest.mark.parametrize("value", ["1", "0"])
@pytest.mark.parametrize(
    ("name", "variable"),
    [("torch_compile", "TORCHDYNAMO_DISABLE"), ("jax_jit", "JAX_DISABLE_JIT"), ("numba_jit", "NUMBA_DISABLE_JIT"),
     ("peak_traffic", "NUMBA_DISABLE_JIT")],
)  # fmt: skip
def test_a_way_whose_compiler_is_switched_off_says_so(name, variable, value):
    """Else its row would have the time of another way."""
    _loaded(name)
    command = [sys.executable, "-c", STEPS_UNCOMPILED, str(FILES[name])]
    environ = clean_environ() | EVERYTHING | {variable: value}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == (10 if value == "1" else 11), done.stderr


@pytest.mark.parametrize("name", [name for name in STEPS if name.startswith(("torch", "triton"))])
def test_cuda_steps_never_wait_inside_step(name):
    """A synchronisation inside step() would make throughput a second latency."""
    torch = pytest.importorskip("torch")
    dtype = _loaded(name).dtypes[0]
    step = _runnable(name, "cuda", dtype)(a_problem("64x1000x100x10"), "cuda", dtype)
    step.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_cuda_events_tell_seconds():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} finds no CUDA device here")
    from bench.worker import timing

    step = _loaded("torch_manual")(a_problem("64x1000x100x10"), "cuda", "float32")
    step.step()
    seconds, loss = timing.device(step, 20)
    assert float(loss) > 0
    assert 1e-6 < seconds < 1
