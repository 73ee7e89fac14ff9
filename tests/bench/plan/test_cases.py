"""If these fail, a run measures other cells than were asked for, or leaves one out silently."""

from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.settings import Settings
from tests.proving import REGRESSION

SHAPE = "64x1000x100x10"


JAX = "needs the library jax, which is not installed"


def _backend(name, kind="seed", devices=("cpu",), unusable=None, dtype="float32"):
    def reason(device):
        return None if device.partition(":")[0] in devices else f"not on {device}"

    why_not = {device: {dtype: reason(device)} for device in ("cpu", "cuda")}
    return Backend(name, f"/{name}.py", "", name, kind, unusable, ("numpy",), (dtype,), {}, why_not)


def _named(*backends):
    return {backend.name: backend for backend in backends}


BACKENDS = _named(
    _backend("plain"),
    _backend("fast", devices=("cpu", "cuda")),
    _backend("extra", kind="rung"),
    _backend("absent", unusable=JAX),
    _backend("null", kind="control"),
    _backend("work", kind="guard"),
)
ONE_SIDE = (Side(backends=BACKENDS),)
STRAY = Backend("utils", "/utils.py", "", "", "rung", "cannot be used: utils.py: is empty")
WITH_STRAYS = tuple(Side(label, backends=BACKENDS | {"utils": STRAY}) for label in ("old", "new"))
ELSEWHERE = {"sides": (Side(backends=_named(_backend("mine"))),), "problem": REGRESSION, "backends": ("mine",)}


def _plan(present=("cpu", "cuda"), sides=ONE_SIDE, **changes):
    settings = replace(Settings.from_env({}), **{"baseline": "plain", **changes})
    return make_plan(settings, sides, present)


def _short(case):
    return case and case.key.replace(f"-float32-1-{SHAPE}", "").replace("-cpu", "")


def _shorts(cases):
    return [_short(case) for case in cases]


@pytest.mark.parametrize(
    ("backends", "cases", "controls"),
    [
        (("seed",), ["plain", "fast", "fast-cuda"], ["twin", "null", "work"]),
        (("all",), ["plain", "fast", "fast-cuda", "extra"], ["twin", "null", "work"]),
        (("fast",), ["fast", "fast-cuda"], ["plain", "twin", "null", "work"]),
        (("null", "plain"), ["null", "plain"], ["twin", "work"]),
    ],
)
def test_names_kinds_and_all_select_backends_and_bring_their_controls(backends, cases, controls):
    plan = _plan(backends=backends)
    assert _shorts(plan.cases) == cases
    assert _shorts(plan.controls) == controls


def test_a_case_that_cannot_run_is_a_hole_with_a_reason():
    holes = {_short(hole.case): hole.reason for hole in _plan().holes}
    assert holes == {"plain-cuda": "not on cuda", "absent": JAX, "absent-cuda": JAX}
    assert _plan(backends=("plain",), present=("cpu",)).holes == ()
    pair = replace(BACKENDS["plain"], name="pair", least_threads=2)
    side = Side(backends=BACKENDS | {"pair": pair})
    (hole,) = _plan(sides=(side,), present=("cpu",), backends=("pair",)).holes
    assert hole.reason == "needs 2 threads or more, not 1; set BENCH_THREADS=2"


@pytest.mark.parametrize(
    ("changes", "asked_for"),
    [
        ({}, [False] * 3),
        ({"backends": ("absent", "fast")}, [True] * 2),
        ({"backends": ("plain",)}, [False]),  # it runs on the CPU
        ({"backends": ("plain",), "devices": ("cuda",)}, [True]),
    ],
)
def test_only_a_backend_that_was_named_and_runs_nowhere_counts_as_asked_for(changes, asked_for):
    assert [hole.asked_for for hole in _plan(**changes).holes] == asked_for


def test_the_baseline_is_on_the_same_device_where_it_can_be_and_in_the_weights_dtype():
    plan = _plan()
    assert [plan.baseline_of(case).device for case in plan.cases] == ["cpu", "cpu", "cpu"]
    plan = _plan(baseline="fast")
    assert [plan.baseline_of(case).device for case in plan.cases] == ["cpu", "cpu", "cuda"]
    side = Side(backends=BACKENDS | _named(_backend("reduced", dtype="bfloat16")))
    plan = _plan(("cpu",), (side,), backends=("reduced",), dtypes=("bfloat16",))
    assert _shorts(map(plan.baseline_of, plan.cases)) == ["plain"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backends": ("plian",)}, "BENCH_BACKENDS: unknown backend 'plian'; did you mean plain?"),
        ({"baseline": "fst"}, "BENCH_BASELINE: unknown backend 'fst'; did you mean fast?"),
        ({"baseline": "absent"}, "BENCH_BASELINE=absent: it needs the library jax"),
        ({"baseline": "utils", "sides": WITH_STRAYS}, "BENCH_BASELINE=utils@old: it cannot be used: utils.py: is empty; "),
        (ELSEWHERE | {"baseline": "mime"}, "BENCH_BASELINE: unknown backend 'mime'; did you mean mine?"),
        (
            ELSEWHERE | {"baseline": Settings().baseline},
            f"{REGRESSION}: has no numpy_manual.py, which ratios refer to by default; write it, or set BENCH_BASELINE to one",
        ),
        ({"devices": ("cpu", "all")}, "BENCH_DEVICES=all: no such device here; name some of cpu, cuda, or `all` alone."),
        ({"dtypes": ("float23",)}, "BENCH_DTYPES: unknown dtype 'float23'; did you mean float32?"),
        ({"shapes": ("64x1000x100",)}, "BENCH_SHAPES=64x1000x100: expected shapes NxD_inxHxD_out"),
        ({"shapes": ("64x1000x0x10",)}, "BENCH_SHAPES=64x1000x0x10: expected shapes NxD_inxHx"),
        ({"threads": (4096,)}, "BENCH_THREADS=4096: this machine offers"),
        ({"shapes": ("1000000x1000000x10x10",)}, "BENCH_SHAPES=1000000x1000000x10x10: needs about"),
    ],
)
def test_an_impossible_setting_is_one_sentence(changes, says):
    with pytest.raises(UsageError) as caught:
        _plan(**changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stray_file_is_a_hole_on_each_side():
    holes = _plan(("cpu",), WITH_STRAYS, backends=("plain", "utils")).holes
    assert [(hole.case.backend, hole.case.side, hole.reason, hole.asked_for) for hole in holes] == [
        ("utils", side, STRAY.unusable, True) for side in ("old", "new")
    ]
    assert "utils" in {hole.case.backend for hole in _plan(("cpu",), WITH_STRAYS).holes}, "though it is not selected"


BOTH = (_backend("plain"), _backend("slow"), _backend("null", "control"), _backend("work", "guard"))


def _of_sides(old, new, **changes):
    sides = (Side("old", backends=_named(*old)), Side("new", backends=_named(*new)))
    return _plan(("cpu",), sides, **changes)


def test_every_case_is_on_both_sides_and_controls_are_on_the_first():
    plan = _of_sides(BOTH, BOTH)
    assert _shorts(plan.cases) == ["plain@old", "plain@new", "slow@old", "slow@new"]
    assert _shorts(plan.controls) == ["twin@old", "null@old", "work@old"]
    assert _shorts(_of_sides(BOTH, BOTH, backends=("null",)).cases) == ["null@old"]
    bases = {_short(case): _short(plan.baseline_of(case)) for case in plan.cases}
    assert bases == {"plain@old": "plain@old", "plain@new": "plain@old", "slow@old": "plain@old", "slow@new": "slow@old"}


def test_a_selected_case_brings_the_cases_that_it_is_compared_with():
    plan = _of_sides(BOTH, BOTH)
    alone = plan.narrowed([case.key for case in plan.cases if _short(case) == "slow@new"])
    assert _shorts(alone.controls) == ["slow@old", "plain@old", "twin@old", "null@old", "work@old"]


def test_a_backend_of_one_side_is_a_hole_on_the_other():
    new = (BOTH[0], _backend("fresh"), _backend("slow", unusable=JAX))
    plan = _of_sides(BOTH, new, backends=("seed", "fresh"))
    assert {_short(hole.case): (hole.reason, hole.asked_for) for hole in plan.holes} == {
        "slow@new": (JAX, False),
        "fresh@old": ("is not in old", False),
    }
    fresh = next(case for case in plan.cases if case.backend == "fresh")
    assert plan.baseline_of(fresh) is None
    with pytest.raises(UsageError, match="BENCH_BASELINE=plain@old: it is not in old"):
        _of_sides(BOTH[1:], BOTH)
