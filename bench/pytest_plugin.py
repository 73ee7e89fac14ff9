"""What makes `pytest --benchmark-only` measure: pytest's hooks, as a plugin that `conftest.py` names.

A plain `pytest` proves each case once and times nothing.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.machine import environment
from bench.machine.devices import gpus
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.paths import TESTS
from bench.plan.cases import Plan, make_plan
from bench.record.frame import samples
from bench.schema.case import CASE_COLUMNS, SIDE, Case
from bench.schema.records import Failure, Open
from bench.session import run_plan
from bench.settings import Settings
from bench.show import folder, grid

PARAMETERS = (*CASE_COLUMNS, SIDE)
"""Of a case's test, as strings."""
SETTINGS = pytest.StashKey[Settings]()
PLAN = pytest.StashKey[Plan]()
PROBLEM = pytest.StashKey[UsageError]()
RUN = pytest.StashKey[Run]()
PROOFS = pytest.StashKey[dict[str, Open | Failure]]()
COLUMNS = ["min", "median", "rounds"]
"""Of pytest-benchmark's table, unless --benchmark-columns says otherwise."""
NEEDS_MEASURING = ("json", "save", "autosave", "compare", "compare_fail", "histogram")
Task = Enum("Task", "NOTHING PROVE MEASURE")


@dataclass(frozen=True)
class Outcome:
    """What a case's test hands to the `benchmark` fixture."""

    rounds: Sequence[float] = (0.0,)
    """Seconds per step of each throughput round, in measured order and as `samples.csv` has them; a single 0 if nothing was to
    be measured."""
    facts: dict[str, Any] = field(default_factory=dict)
    group: str | None = None
    failure: str | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    if not hasattr(option, "benchmark_only"):
        raise pytest.UsageError(
            "stepbench reports through pytest-benchmark, which is missing or switched off; "
            "install pytest-benchmark or leave out `-p no:benchmark`."
        )
    config.stash[SETTINGS] = _usage(Settings.from_env)
    for reason in _refusals(config, _task(config)):
        raise pytest.UsageError(reason)
    if _task(config) is Task.PROVE:
        option.benchmark_disable = True
    if len(option.benchmark_columns or ()) in (0, 10):  # not given: none, or all before pytest-benchmark 5.3
        option.benchmark_columns = COLUMNS  # our own table follows; the JSON stays whole


def _refusals(config: pytest.Config, task: Task) -> Iterator[str]:
    """Why options do not go together: they lack measurements, would spoil them, or end pytest-benchmark after them."""
    option = config.option
    if task is Task.PROVE:
        given = (name.replace("_", "-") for name in NEEDS_MEASURING if config.getoption(f"benchmark_{name}"))
        yield from (f"--benchmark-{name} needs measurements; add --benchmark-only to measure." for name in given)
    if task is not Task.MEASURE:
        return
    if config.getoption("dist", "no") != "no":
        yield "pytest-xdist would measure several cases at once on the same cores; give -n 0 to measure."
    if option.benchmark_compare_fail and not option.benchmark_compare:
        yield "--benchmark-compare-fail needs a run to compare with; add --benchmark-compare."
    if option.benchmark_histogram and find_spec("pygal") is None:
        yield "--benchmark-histogram needs pygal; install pytest-benchmark[histogram] or leave it out."
    if option.benchmark_cprofile:
        yield "--benchmark-cprofile sees no step, since workers run them; use `python -m bench show --lines WAY`."
    if target := option.benchmark_json:
        path = Path(target if isinstance(target, str | Path) else target.name)  # an open file before pytest-benchmark 5.3
        if path.is_dir() or not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
            yield f"--benchmark-json={path}: no file can be written there; name another one."


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`--benchmark-only` has no use for the project's own tests."""
    return True if config.option.benchmark_only and TESTS in collection_path.parents else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not _is_ours(metafunc):
        return
    stash = metafunc.config.stash
    try:
        plan = stash[PLAN] = make_plan(stash[SETTINGS], *catalogue(stash[SETTINGS]))
    except UsageError as error:
        stash[PROBLEM] = error  # raised once collection is over: only then it ends the session with code 4
        return
    cases = [*plan.cases, *(hole.case for hole in plan.holes)]
    metafunc.parametrize(PARAMETERS, [[*map(str, case.columns.values())] for case in cases], ids=[case.key for case in cases])


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    if problem := config.stash.get(PROBLEM, None):
        raise pytest.UsageError(str(problem))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Measures (or, without `--benchmark-only`, proves) the cases of the selected tests, then lets them run."""
    config, task = session.config, _task(session.config)
    goes_on = config.option.continue_on_collection_errors or hasattr(config, "workerinput")  # as workers of xdist do
    if task is Task.NOTHING or PLAN not in config.stash or (session.testsfailed and not goes_on):
        return
    ours = [item for item in session.items if isinstance(item, pytest.Function) and _is_ours(item)]
    plan = config.stash[PLAN].narrowed({Case.from_json(item.callspec.params).key for item in ours})
    if not plan.cases:
        return
    if task is Task.MEASURE:
        _usage(run_plan, plan, grid.console(), partial(config.stash.__setitem__, RUN))
    else:
        config.stash[PROOFS] = conductor.prove(plan)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    try:
        yield
    finally:  # also if --benchmark-compare-fail ends pytest-benchmark's part
        if run := config.stash.get(RUN, None):
            terminalreporter.section("stepbench")
            terminalreporter.write_line("Above: whole rounds as they ran. Below: steps that nothing disturbed.")
            folder.show(run, grid.console())


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Drops what differs between two runs of one machine, and the host's name."""
    machine_info["node"] = environment.machine_name([gpu["name"] for gpu in gpus()])
    for name in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(name, None)


@pytest.fixture
def outcome(
    request: pytest.FixtureRequest, backend: str, device: str, dtype: str, threads: str, shape: str, side: str
) -> Outcome:
    """The case's measured rounds, or why there are none; skips a case that cannot run here."""
    config = request.config
    case = Case(backend, device, dtype, int(threads), shape, side=side)
    plan, task = config.stash[PLAN], _task(config)
    if hole := next((hole for hole in plan.holes if hole.case == case), None):
        text = f"{case} {hole.reason}."
        return Outcome(failure=text) if hole.asked_for else pytest.skip(text)
    if task is Task.NOTHING:
        return Outcome()
    if task is Task.PROVE:
        proof = config.stash[PROOFS][case.key]
        return Outcome(facts={**proof}, failure=proof["reason"] if proof["record"] == "failure" else None)
    run = config.stash[RUN]
    row = run.row(case.key)
    if row["status"] in ("wrong", "failed"):
        return Outcome(facts=row, failure=str(row["reason"]))
    rounds = samples(run.story)
    mine = rounds[(rounds["case"] == case.key) & (rounds["mode"] == "throughput")]
    group = f"{dtype}, {threads} threads, {shape}"
    return Outcome(mine["seconds_per_step"].tolist(), row | {"run": str(run.folder)}, group)


def _task(config: pytest.Config) -> Task:
    """What the options ask for, with pytest-benchmark's precedence: --benchmark-only overrides
    --benchmark-skip, which overrides --benchmark-enable."""
    option = config.option
    setup = config.getoption("setuponly", False)  # --setup-plan sets it too
    if option.collectonly or setup or (option.benchmark_skip and not option.benchmark_only):
        return Task.NOTHING
    return Task.MEASURE if option.benchmark_only or option.benchmark_enable else Task.PROVE


def _is_ours(item: pytest.Metafunc | pytest.Function) -> bool:
    return {"outcome", *PARAMETERS} <= {*item.fixturenames}


def _usage(action: Callable[..., Any], *arguments: Any) -> Any:
    """What an action returns, its usage errors as pytest's: one sentence, exit code 4."""
    try:
        return action(*arguments)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
