"""If these fail, workers disturb each other or the conductor disturbs them, and every number is off."""

import os
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from bench.analyse.estimates import counts
from bench.errors import UsageError
from bench.machine import devices, resources
from bench.machine.counters import EVENTS, Counters, Event
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.plan.cases import make_plan
from bench.schema.case import DEFAULT_SHAPE, Case
from bench.settings import Settings
from tests.support import EVERYTHING, LIGHT, ROOT

FAULTS = {"faults": Event(1, 2)}  # a software event: page faults


@pytest.fixture(autouse=True)
def light(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", LIGHT["PYTHONPATH"])


@pytest.fixture
def plan():
    return _plan("numpy_manual", "prints")  # which is foreign, and so has a process of its own


def _plan(*backends):
    settings = replace(Settings.from_env({}), path=(ROOT / "tests" / "broken" / "prints.py",), backends=backends)
    settings = replace(settings, devices=("cpu",), processes=2, blocks=2, steps=2)
    return make_plan(settings, *catalogue(settings))


def _workers():
    children = psutil.Process().children()  # of other tests there may be a browser
    return {process.pid: process for process in children if "bench.worker" in process.cmdline()}


@pytest.mark.parametrize("limited", [True, False])
def test_the_kind_of_device_decides_whether_a_worker_has_a_memory_limit(limited, plan, monkeypatch):
    class Started(Exception):
        pass

    def start(side, settings, threads, cpus, memory, size, foreign):
        raise Started(memory is not None)

    monkeypatch.setitem(devices.KINDS, "cpu", replace(devices.KINDS["cpu"], limited=limited))
    monkeypatch.setattr(conductor.Process, "worker", start)
    with pytest.raises(Started) as caught:
        list(conductor.measure(plan))
    assert caught.value.args == (limited,)


def test_one_worker_runs_at_a_time_on_cores_of_its_own(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", EVERYTHING["PYTHONPATH"])  # a library with threads of its own
    plan = _plan("numpy_manual", "torch_manual")
    before = os.sched_getaffinity(0)
    cores = resources.cores()
    seen = 0
    for record in conductor.measure(plan):
        if record["record"] == "visit":
            seen += 1
            workers = _workers().values()
            assert len(workers) == len({plan.group(case) for case in (*plan.cases, *plan.controls)}), "one a library"
            deadline = time.monotonic() + 5  # a signal takes its time on a busy machine
            while {worker.status() for worker in workers} != {psutil.STATUS_STOPPED} and time.monotonic() < deadline:
                time.sleep(0.01)
            assert {worker.status() for worker in workers} == {psutil.STATUS_STOPPED}, "between visits nobody runs"
            assert {tuple(worker.cpu_affinity()) for worker in workers} == {(cores[-1][0],)}
            if len(cores) > 1:
                assert not os.sched_getaffinity(0) & set(cores[-1]), "the conductor keeps off the workers' core"
    assert seen == 2 * 2 * (len(plan.cases) + len(plan.controls))
    assert os.sched_getaffinity(0) == before
    assert not _workers()


def test_every_pass_starts_fresh_processes_and_every_block_a_fresh_order(plan):
    pids, orders = set(), []
    for record in conductor.measure(plan):
        if record["record"] == "visit":
            pids |= set(_workers())
            if record["position"] == 0:
                orders.append([])
            orders[-1].append(record["case"])
    groups = {plan.group(case) for case in (*plan.cases, *plan.controls)}
    assert len(pids) == 2 * len(groups), "two passes"
    assert len(orders) == 4
    assert len({tuple(order) for order in orders}) == 4
    assert len({frozenset(order) for order in orders}) == 1


def test_what_nothing_is_compared_with_is_measured_in_every_third_pass_and_the_last():
    plan = _plan("numpy_manual")
    plan = replace(plan, settings=replace(plan.settings, processes=6, blocks=1))
    passes, kinds = {}, {case.key: plan.kind(case) for case in (*plan.cases, *plan.controls)}
    records = [record for record in conductor.measure(plan) if record["record"] in ("open", "visit")]
    for record in records:
        passes.setdefault(kinds[record["case"]], set()).add(record["pass"])
    assert plan.visits == sum(record["record"] == "visit" for record in records)
    seldom = {kind for kind, seen in passes.items() if seen == {0, 3, 5}}
    assert seldom >= {"ceiling", "overhead"}
    assert passes.keys() - seldom == {"seed", "twin", "control", "yardstick"}
    assert all(passes[kind] == {0, 1, 2, 3, 4, 5} for kind in passes.keys() - seldom)


def test_the_same_seed_gives_the_same_order():
    plan = _plan("numpy_manual")

    def order(settings):
        once = replace(plan, settings=settings)
        return [record["case"] for record in conductor.measure(once) if record["record"] == "visit"]

    assert order(plan.settings) == order(plan.settings)
    assert order(replace(plan.settings, seed=1)) != order(plan.settings)


def test_leaving_early_ends_every_worker(plan):
    running = conductor.measure(plan)
    next(record for record in running if record["record"] == "visit")
    assert _workers()
    running.close()
    assert not _workers()


def test_every_proven_step_is_profiled_once_after_its_process_was_timed(plan):
    records = list(conductor.measure(plan))
    profiled = [record for record in records if record["record"] == "profile"]
    proven = {case.key for case in (*plan.cases, *plan.controls) if plan.backend(case).proven}
    assert {record["case"] for record in profiled} == proven
    assert {record["pass"] for record in profiled} == {0}
    assert all(record["operators"] > 10 for record in profiled)
    last = max(number for number, record in enumerate(records) if record["record"] == "visit" and record["pass"] == 0)
    assert last < records.index(profiled[0])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"throughput_seconds": 0.0}, "throughput_seconds is 0.0, expected a number above 0"),
        ({"steps": None}, "steps is None, expected a whole number of at least 1"),
        ({"errors": {"loss": 0.0}}, "errors.w1 is missing"),
    ],
)
def test_an_answer_that_no_journal_could_hold_fails_its_case_alone(answer, says, plan):
    """Written down, it would make the whole journal unreadable; nor can an answer say that it was another's."""
    leader = conductor._Conductor(plan, plan.cases)
    whole = {
        "status": "ok", "steps": 2, "throughput_seconds": 1e-3, "dispatch_seconds": 1e-3, "latency_seconds": 1e-3,
        "device_seconds": None, "minor_faults": 0, "readback_seconds": 0.0, "errors": None,
    }  # fmt: skip
    case, other = plan.cases
    forged = whole | {"record": "end", "pass": 7, "block": 7, "case": case.key, "number": 7, "kind": "end"}
    kept = leader._answer("visit", 0, "in pass 1, block 1", other, forged, block=0, position=0)
    assert (kept["record"], kept["pass"], kept["block"], kept["case"]) == ("visit", 0, 0, other.key)
    record = leader._answer("visit", 0, "in pass 1, block 1", case, whole | answer, block=0, position=1)
    assert record["record"] == "failure"
    assert record["reason"] == f"{case} answers with a visit whose {says} (in pass 1, block 1)."
    assert leader.failed == {case.key}


def test_a_run_without_its_judge_ends_and_blames_no_step(plan):
    running, kinds = conductor.measure(plan), []
    while "visit" not in kinds:
        kinds.append(next(running)["record"])
    (judge,) = (each for each in psutil.Process().children() if "bench.judge" in each.cmdline())
    judge.kill()
    with pytest.raises(UsageError, match="the judge's process: its process died of SIGKILL.*; what was measured until then is"):
        kinds += [record["record"] for record in running]
    assert "failure" not in kinds
    assert not _workers()


DIES_WHEN_PROFILED = """
import os
import traceback

from backends.numpy_manual import NumpyManual


class DiesWhenProfiled(NumpyManual):
    def step(self):
        if any(frame.name == "profile" for frame in traceback.extract_stack()):
            os._exit(3)
        return super().step()
"""


def test_a_profile_that_fails_costs_no_time_that_was_measured(tmp_path):
    (tmp_path / "dies_when_profiled.py").write_text(DIES_WHEN_PROFILED)
    settings = Settings.from_env({"BENCH_BACKENDS": "dies_when_profiled", "BENCH_DEVICES": "cpu", "BENCH_PATH": str(tmp_path)})
    settings = replace(settings, processes=2, blocks=1, steps=1)
    plan = make_plan(settings, *catalogue(settings))
    records = list(conductor.measure(plan))
    (key,) = (case.key for case in plan.cases)
    told = [record["reason"] for record in records if record["record"] == "profile" and record["case"] == key]
    assert told == ["its process ended with exit code 3"]
    assert [record["pass"] for record in records if record["record"] == "visit" and record["case"] == key] == [0, 1]
    assert not [record for record in records if record["record"] == "failure"]


FAULTS_FIFTY_TIMES = """
import mmap

from backends.numpy_manual import NumpyManual


class FaultsFiftyTimes(NumpyManual):
    def step(self):
        with mmap.mmap(-1, 50 * mmap.PAGESIZE) as memory:
            memory[:: mmap.PAGESIZE] = bytes(50)
        return super().step()
"""


@pytest.mark.skipif(
    bool(Counters(os.getpid(), FAULTS).missing), reason="this kernel or container counts no events of a process"
)
def test_what_a_closed_process_does_is_counted_from_outside(tmp_path, monkeypatch):
    """Page faults, which every kernel counts, stand in for instructions."""
    for name in [*EVENTS]:
        monkeypatch.delitem(EVENTS, name)
    monkeypatch.setitem(EVENTS, "instructions", FAULTS["faults"])
    (tmp_path / "faults_fifty_times.py").write_text(FAULTS_FIFTY_TIMES)
    settings = Settings.from_env({"BENCH_BACKENDS": "faults_fifty_times", "BENCH_DEVICES": "cpu", "BENCH_PATH": str(tmp_path)})
    settings = replace(settings, processes=1, blocks=3)
    plan = make_plan(settings, *catalogue(settings))
    (case,) = plan.cases
    counted = counts(record for record in conductor.measure(plan) if record["record"] == "visit")
    assert counted[case.key]["instructions_per_step"] == pytest.approx(50, abs=2)
    assert all(counted[control.key]["instructions_per_step"] < 10 for control in plan.controls if control.name == "null")


def _least(peak, threads=1, dtype="float32"):
    """Of a step at the default shape, beside a product at 100 GFLOP/s and, if so, a peak whose quickest call tells of 200."""
    case = Case("step", "cpu", dtype, threads, DEFAULT_SHAPE)
    product, bound = replace(case, backend="product"), replace(case, backend="bound")
    work = {"cpu": {dtype: (1_000_000, 0)}}
    backends = {
        "step": SimpleNamespace(proven=True, kind="rung", work=work),
        "product": SimpleNamespace(proven=False, kind="ceiling", work=work),
        "bound": SimpleNamespace(proven=False, kind="peak", work=work),
    }
    calm = {"steps": 2, "throughput_seconds": 20e-6, "throughput_call_seconds": [9e-6, 11e-6]}
    visits = {case.key: [calm], product.key: [calm], bound.key: [calm | {"throughput_call_seconds": [5e-6, 40e-6]}] * peak}
    told = SimpleNamespace(plan=SimpleNamespace(backend=lambda case: backends[case.backend]), visits=visits)
    return conductor._Conductor._least_seconds(told, case, [case, product, bound])


@pytest.mark.parametrize(
    ("peak", "threads", "rate", "bound"), [(False, 1, 100e9, False), (True, 1, 200e9, True), (True, 2, 400e9, True)]
)
def test_a_step_takes_at_least_what_its_arithmetic_does_at_the_peak(peak, threads, rate, bound):
    """A peak is a thread's, and its quickest call counts; without one the fastest product's mean does, and is no bound."""
    seconds, measured = _least(peak, threads)
    assert seconds == pytest.approx(25_984_000 / rate)
    assert measured == bound
