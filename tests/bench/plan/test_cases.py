"""If these fail, a sweep measures other cells than were asked for, or leaves one out without a word."""

from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.schema.case import Case
from bench.settings import Settings


def _backend(name, kind="seed", devices=("cpu",), missing=None, libraries=("numpy",)):
    reasons = {d: {"float32": None if d.partition(":")[0] in devices else f"not on {d}"} for d in ("cpu", "cuda")}
    return Backend(name, f"/{name}.py", "", name, kind, missing, libraries, ("float32",), {}, reasons)


BACKENDS = {
    backend.name: backend
    for backend in (
        _backend("plain"),
        _backend("fast", devices=("cpu", "cuda"), libraries=("torch",)),
        _backend("extra", kind="rung"),
        _backend("absent", missing="jax"),
        _backend("null", kind="control"),
        _backend("work", kind="yardstick"),
    )
}
SHARED = {
    **BACKENDS,
    "shared": replace(_backend("shared", kind="rung", devices=("cpu", "cuda")), parallel=True),
    "sum": replace(_backend("sum", kind="collective"), parallel=True),
}


def _plan(present=("cpu", "cuda"), **changes):
    settings = replace(Settings.from_env({}), **{"baseline": "plain", **changes})
    return make_plan(settings, (Side(backends=BACKENDS),), present)


def test_seed_is_the_default_and_every_present_device():
    plan = _plan()
    assert [case.key for case in plan.cases] == [
        "plain-cpu-float32-1-64x1000x100x10",
        "fast-cpu-float32-1-64x1000x100x10",
        "fast-cuda-float32-1-64x1000x100x10",
    ]
    assert {(hole.case.backend, hole.case.device): hole.reason for hole in plan.holes} == {
        ("plain", "cuda"): "not on cuda",
        ("absent", "cpu"): "needs the library jax, which is not installed",
        ("absent", "cuda"): "needs the library jax, which is not installed",
    }


def test_controls_come_with_every_plan():
    assert [case.name for case in _plan().controls] == ["twin", "null", "work"]
    assert [case.name for case in _plan(backends=("fast",)).controls] == ["plain", "twin", "null", "work"]


def test_the_baseline_stands_on_the_same_device_where_it_can():
    plan = _plan()
    assert [plan.baseline_of(case).device for case in plan.cases] == ["cpu", "cpu", "cpu"]
    plan = _plan(baseline="fast")
    assert [plan.baseline_of(case).device for case in plan.cases] == ["cpu", "cpu", "cuda"]


def test_all_leaves_out_controls_and_takes_rungs():
    assert {case.backend for case in _plan(backends=("all",)).cases} == {"plain", "fast", "extra"}


def test_only_a_backend_that_was_named_and_runs_nowhere_counts_as_asked_for():
    assert not any(hole.asked_for for hole in _plan().holes)
    assert [hole.asked_for for hole in _plan(backends=("absent", "fast")).holes] == [True, True]
    assert not any(hole.asked_for for hole in _plan(backends=("plain",)).holes), "it runs on the CPU"
    assert all(hole.asked_for for hole in _plan(backends=("plain",), devices=("cuda",)).holes)


def test_groups_part_libraries_devices_and_threads():
    plan = replace(_plan(), cases=tuple(replace(case, threads=n) for case in _plan().cases for n in (1, 2)))
    groups = {plan.group(case) for case in plan.cases}
    assert "numpy on cpu, threads 2" in groups
    assert "numpy on cpu, threads 1" in groups
    assert "torch on cuda, threads 1" in groups


def test_a_foreign_file_called_like_a_library_is_alone_all_the_same():
    """It would share the process of those who use that library, and could slow them."""
    backends = {"plain": _backend("plain"), "numpy": replace(_backend("numpy"), foreign=True)}
    plan = make_plan(replace(Settings.from_env({}), baseline="plain"), (Side(backends=backends),), ("cpu",))
    assert len({plan.group(case) for case in plan.cases}) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backends": ("plian",)}, "BENCH_BACKENDS: unknown backend 'plian'; did you mean plain?"),
        ({"baseline": "fst"}, "BENCH_BASELINE: unknown backend 'fst'; did you mean fast?"),
        ({"baseline": "absent"}, "BENCH_BASELINE=absent: it needs the library jax"),
        ({"devices": ("gpu",)}, "BENCH_DEVICES: unknown device 'gpu'"),
        ({"devices": ("cuda:x",)}, "BENCH_DEVICES: unknown device 'cuda:x'"),
        ({"devices": ("xpu",)}, "BENCH_DEVICES=xpu: no such device here; present: cpu, cuda."),
        ({"devices": ("cuda:1", "cpu")}, "BENCH_DEVICES=cuda:1: no such device here; present: cpu, cuda."),
        ({"devices": ("cpu", "all")}, "BENCH_DEVICES: `all` stands alone"),
        ({"dtypes": ("float23",)}, "BENCH_DTYPES: unknown dtype 'float23'; did you mean float32?"),
        ({"threads": (4096,)}, "BENCH_THREADS=4096: this machine offers"),
        ({"shapes": ((10**6, 10**6, 10, 10),)}, "BENCH_SHAPES=1000000x1000000x10x10: needs about"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(changes, says):
    with pytest.raises(UsageError) as caught:
        _plan(**changes)
    assert says in str(caught.value)


def test_one_device_has_one_name():
    assert {case.device for case in _plan(devices=("cuda:0", "cuda")).cases} == {"cuda"}


def test_cuda_without_a_gpu():
    with pytest.raises(UsageError, match="BENCH_DEVICES=cuda: no such device here; present: cpu."):
        _plan(present=("cpu",), devices=("cuda",))


def test_the_timed_learning_rate_is_the_designs_where_training_stays_finite():
    assert Case("b", "cpu", "float32", 1, (64, 1000, 100, 10)).learning_rate == 1e-6
    assert Case("b", "cpu", "float32", 1, (4096, 100, 100, 10)).learning_rate < 1e-6


def test_a_reduced_precision_is_compared_with_the_baseline_in_its_weights_dtype():
    reduced = replace(BACKENDS["fast"], name="reduced", dtypes=("bfloat16",), why_not={"cpu": {"bfloat16": None}})
    settings = replace(Settings.from_env({}), baseline="plain", backends=("reduced",), dtypes=("bfloat16",), devices=("cpu",))
    plan = make_plan(settings, (Side(backends=BACKENDS | {"reduced": reduced}),), ("cpu",))
    assert [plan.baseline_of(case).key for case in plan.cases] == ["plain-cpu-float32-1-64x1000x100x10"]


def _shared(monkeypatch, cores=8, present=("cpu",), backends=SHARED, chosen=("plain", "shared"), **changes):
    monkeypatch.setattr("bench.plan.cases.resources.cores", lambda: [[number] for number in range(cores)])
    settings = replace(Settings.from_env({}), **{"baseline": "plain", "backends": chosen, "ranks": (1, 2), **changes})
    return make_plan(settings, (Side(backends=backends),), present)


def test_a_batch_is_shared_by_ranks_and_grows_with_them(monkeypatch):
    plan = _shared(monkeypatch)
    assert [case.key for case in plan.cases] == [
        "plain-cpu-float32-1-64x1000x100x10",
        "shared-cpu-float32-1-64x1000x100x10",
        "shared-cpu-float32-1-64x1000x100x10-2ranks",
        "shared-cpu-float32-1-128x1000x100x10-2ranks",
    ]
    assert [(hole.case.key, hole.reason) for hole in plan.holes] == [
        ("plain-cpu-float32-1-64x1000x100x10-2ranks", "computes in one process, not in 2 ranks")
    ]


def test_with_ranks_come_their_parts_alone_the_collective_and_baselines_of_the_whole_batch(monkeypatch):
    plan = _shared(monkeypatch)
    assert [case.key for case in plan.controls] == [
        "plain-cpu-float32-1-128x1000x100x10",
        "twin-cpu-float32-1-64x1000x100x10",
        "twin-cpu-float32-1-128x1000x100x10",
        "shared-cpu-float32-1-32x1000x100x10",
        "null-cpu-float32-1-64x1000x100x10",
        "work-cpu-float32-1-64x1000x100x10",
        "sum-cpu-float32-1-64x1000x100x10",
        "sum-cpu-float32-1-64x1000x100x10-2ranks",
    ]
    assert {plan.baseline_of(case).ranks for case in plan.cases} == {1}


def test_what_ranks_exchange_is_measured_only_with_steps_that_do(monkeypatch):
    plan = _shared(monkeypatch, ranks=(1,))
    assert [case.name for case in plan.controls] == ["twin", "null", "work", "sum"]
    plan = _shared(monkeypatch, ranks=(1, 2), chosen=("plain",))
    assert [case.name for case in plan.controls] == ["twin", "null", "work"]


def test_ranks_have_processes_of_their_own(monkeypatch):
    plan = _shared(monkeypatch)
    groups = [plan.group(case) for case in plan.cases]
    assert groups == [
        "numpy on cpu, threads 1", "numpy, ranks 1 on cpu, threads 1", *["numpy, ranks 2 on cpu, threads 1"] * 2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cores": 1}, "needs 2 cores for 2 ranks, each with its own; this machine offers 1"),
        ({"cores": 3, "threads": (2,)}, "needs 4 cores for 2 ranks, each with its own; this machine offers 3"),
        ({"present": ("cpu", "cuda"), "devices": ("cuda",)}, "needs 2 cuda devices from cuda on, this machine has 1"),
        (
            {"present": ("cpu", "cuda:0", "cuda:1"), "devices": ("cuda:1",)},
            "needs 2 cuda devices from cuda:1 on, this machine has 2",
        ),
    ],
)
def test_ranks_that_have_no_place_say_so(changes, reason, monkeypatch):
    known = {**SHARED["shared"].why_not, "cuda:1": {"float32": None}}
    backends = {**SHARED, "shared": replace(SHARED["shared"], why_not=known)}
    plan = _shared(monkeypatch, backends=backends, **changes)
    assert {hole.reason for hole in plan.holes if hole.case.backend == "shared"} == {reason}
    assert [case.ranks for case in plan.cases if case.backend == "shared"] == [1]


def test_a_foreign_backend_needs_the_network_to_reduce(monkeypatch):
    backends = {**SHARED, "shared": replace(SHARED["shared"], foreign=True)}
    plan = _shared(monkeypatch, backends=backends)
    assert {hole.reason for hole in plan.holes if hole.case.backend == "shared"} == {
        "is closed to the network, through which ranks reduce; BENCH_SANDBOX=off opens it"
    }
    assert _shared(monkeypatch, backends=backends, sandbox="off").cases[-1].ranks == 2
