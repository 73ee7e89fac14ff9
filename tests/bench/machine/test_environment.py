"""If these fail, workers compute in another environment than the run promises or records."""

import os
import subprocess
import sys

import pytest

from bench.machine import environment
from bench.machine.environment import worker_environment
from tests.support import EVERYTHING, clean_environ


def test_thread_and_allocator_settings_are_in_the_environment_before_start():
    given = {"BENCH_STEPS": "5", "OMP_NUM_THREADS": "7", "HOME": "/", "NVIDIA_TF32_OVERRIDE": "1"}
    env = worker_environment(2, given)
    counts = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    assert {env[name] for name in counts} == {"2"}
    assert env["MALLOC_TRIM_THRESHOLD_"] == env["MALLOC_MMAP_THRESHOLD_"] == "268435456"
    assert not {"BENCH_STEPS", "NVIDIA_TF32_OVERRIDE"} & env.keys()
    assert env["HOME"] == "/"


@pytest.mark.parametrize(
    ("name", "value", "record"),
    [
        ("OPENBLAS_CORETYPE", "SKYLAKEX", "SKYLAKEX"),
        ("TORCHDYNAMO_DISABLE", "1", "1"),
        ("JAX_DISABLE_JIT", "1", "1"),
        ("NUMBA_DISABLE_JIT", "1", "1"),
        ("NPY_DISABLE_CPU_FEATURES", "AVX2", "AVX2"),
        ("PYTHONMALLOC", "malloc", "malloc"),
        ("LD_PRELOAD", "/home/ada/lib/libjemalloc.so:b.so", "libjemalloc.so:b.so"),
        ("MALLOC_CONF", "narenas:1", "narenas:1"),
        ("MALLOC_TRIM_THRESHOLD_", "131072", "131072"),
        ("NUMBA_CACHE_DIR", "/tmp/cache", None),
        ("CUDA_VISIBLE_DEVICES", "1", None),
        ("PYTORCH_VERSION", "2.13", None),
        ("LANG", "C", None),
    ],
)
def test_what_changes_how_libraries_compute_reaches_workers_and_is_recorded(name, value, record):
    """Else two runs could differ twofold in every product, and neither would say why."""
    assert worker_environment(1, {name: value})[name] == value
    assert environment.recorded({name: value}) == ({name: record} if record else {})


@pytest.mark.parametrize(
    "name",
    [
        "BENCH_STEPS", "COVERAGE_PROCESS_START", "COV_CORE_SOURCE", "PYTHONWARNINGS", "PYTHONDEVMODE",
        "PYTHONPERFSUPPORT", "LINE_PROFILE", "LD_AUDIT", "CUDA_INJECTION64_PATH", "TORCH_LOGS", "MKL_VERBOSE",
        "NVIDIA_TF32_OVERRIDE",
    ],
)  # fmt: skip
def test_what_disturbs_a_step_reaches_no_worker_and_is_not_recorded(name):
    assert name not in worker_environment(1, {name: "1"})
    assert environment.recorded({name: "1"}) == {}
    assert not environment.is_kept(name)


def test_the_facts_of_a_run_hold_variables_priority_scheduler_and_fixed_addresses(machine):
    code = "from bench.machine import environment; print(environment.facts()['kernel_choices'])"
    command = ["nice", "-n", "5", "setarch", "-R", sys.executable, "-c", code]
    left = {name: text for name, text in clean_environ().items() if not environment.RECORDED.fullmatch(name)}
    environ = left | EVERYTHING | {"KMP_BLOCKTIME": "0"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    expected = {"KMP_BLOCKTIME": "0", "nice": str(os.getpriority(os.PRIO_PROCESS, 0) + 5)}
    assert done.stdout == f"{expected | {'address_randomization': 'off'}}\n", done.stderr
    files = {"proc/self/personality": "00000000", "proc/sys/kernel/randomize_va_space": "0"}
    assert environment.kernel_choices(machine(files))["address_randomization"] == "off"


def test_workers_get_a_home_that_can_be_written_to(monkeypatch):
    """Else Numba compiles nothing in a checkout that is read-only."""
    monkeypatch.setenv("HOME", "/nowhere")
    home = worker_environment(1)["HOME"]
    assert os.access(home, os.W_OK)
    assert worker_environment(2)["HOME"] == home
