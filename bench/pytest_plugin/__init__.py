"""What makes `pytest --benchmark-only` measure: pytest's hooks, as a plugin that `conftest.py` names.

A plain `pytest` proves each case once and times nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.analyse.run import Run
from bench.errors import UsageError
from bench.machine import environment
from bench.machine.gpu import gpus
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.paths import TESTS
from bench.plan.cases import Plan, make_plan
from bench.record.frame import samples
from bench.schema.case import SIDE, Case
from bench.schema.records import Failure, Open
from bench.session import run_plan
from bench.settings import Settings
from bench.show import folder, grid

PARAMETERS = ("backend", "device", "dtype", "threads", "shape")
"""Of a case's test, as strings; in a run with sides also its side."""
SETTINGS = pytest.StashKey[Settings]()
PLAN = pytest.StashKey[Plan]()
PROBLEM = pytest.StashKey[UsageError]()
RUN = pytest.StashKey[Run]()
PROOFS = pytest.StashKey[dict[str, Open | Failure]]()
NEEDS_MEASURING = ("json", "save", "autosave", "compare", "compare_fail", "histogram")


@dataclass(frozen=True)
class Outcome:
    """What a case's test hands to the `benchmark` fixture."""

    rounds: list[float]
    """Seconds per step of each throughput round, in measured order and as `samples.csv` has them; a single 0 if nothing was to
    be measured."""
    facts: dict[str, Any]
    group: str | None = None
    failure: str | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError(
            "stepbench reports through pytest-benchmark, which is missing or switched off; "
            "install pytest-benchmark or leave out `-p no:benchmark`."
        )
    config.stash[SETTINGS] = _usage(Settings.from_env)
    if not _measures(config) and not config.getoption("benchmark_skip"):
        config.option.benchmark_disable = True
        for name in NEEDS_MEASURING:
            if config.getoption(f"benchmark_{name}"):
                option = name.replace("_", "-")
                raise pytest.UsageError(f"--benchmark-{option} needs measurements; add --benchmark-only to measure.")
    if target := config.getoption("benchmark_json"):
        path = Path(target if isinstance(target, str | Path) else target.name)  # an open file before pytest-benchmark 5.3
        if not os.access(path.absolute().parent, os.W_OK):
            raise pytest.UsageError(f"--benchmark-json={path}: its folder cannot be written to; name another.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`--benchmark-only` has no use for the project's own tests."""
    return True if config.getoption("benchmark_only") and TESTS in collection_path.parents else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "outcome" not in metafunc.fixturenames:
        return
    config = metafunc.config
    settings = config.stash[SETTINGS]
    try:
        plan = config.stash[PLAN] = make_plan(settings, *catalogue(settings))
    except UsageError as error:
        config.stash[PROBLEM] = error  # raised once collection is over: only then it ends the session with code 4
        return
    cases = [*plan.cases, *(hole.case for hole in plan.holes)]
    names = (*PARAMETERS, *([SIDE] if settings.pythons else []))
    values = [[str(getattr(case, name)) for name in names] for case in cases]
    metafunc.parametrize(names, values, ids=[case.key for case in cases])


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    if problem := config.stash.get(PROBLEM, None):
        raise pytest.UsageError(str(problem))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Measures (or, without `--benchmark-only`, proves) the cases of the selected tests, then lets them run."""
    config = session.config
    if config.option.collectonly or session.testsfailed or PLAN not in config.stash:
        return
    keys = {key for item in session.items if (key := _key(item))}
    plan = config.stash[PLAN].narrowed(keys)
    if not plan.cases or config.getoption("benchmark_skip"):
        return
    if _measures(config):
        _usage(lambda: run_plan(plan, grid.console(), lambda run: config.stash.__setitem__(RUN, run)))
    else:
        config.stash[PROOFS] = conductor.prove(plan)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if run := config.stash.get(RUN, None):
        terminalreporter.section("stepbench")
        folder.show(run, grid.console())


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Drops what differs between two runs of one machine, and the host's name."""
    machine_info["node"] = environment.machine_name([gpu["name"] for gpu in gpus()])
    for name in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(name, None)


@pytest.fixture
def side() -> str:
    """Of a run that has no sides; where there are some, it is a parameter."""
    return ""


@pytest.fixture
def outcome(
    request: pytest.FixtureRequest, backend: str, device: str, dtype: str, threads: str, shape: str, side: str
) -> Outcome:
    """The case's measured rounds, or why there are none; skips a case that cannot run here."""
    config = request.config
    case = Case(backend, device, dtype, int(threads), shape, side=side)
    plan = config.stash[PLAN]
    if hole := next((hole for hole in plan.holes if hole.case == case), None):
        text = f"{case} {hole.reason}."
        return Outcome([], {}, failure=text) if hole.asked_for else pytest.skip(text)
    if not _measures(config):
        proof = config.stash[PROOFS][case.key]
        failure = proof["reason"] if proof["record"] == "failure" else None
        return Outcome([0.0], {**proof}, failure=failure)
    run = config.stash[RUN]
    row = run.row(case.key)
    if row["status"] in ("wrong", "failed"):
        return Outcome([], row, failure=str(row["reason"]))
    rounds = samples(run.story)
    mine = rounds[(rounds["case"] == case.key) & (rounds["mode"] == "throughput")]
    one_group = len({(c.dtype, c.threads, c.shape) for c in plan.cases}) == 1
    group = None if one_group else f"{dtype}, {threads} threads, {shape}"
    return Outcome(mine["seconds_per_step"].tolist(), row | {"shape": shape, "run": str(run.folder)}, group)


def _measures(config: pytest.Config) -> bool:
    return bool(config.getoption("benchmark_only") or config.getoption("benchmark_enable"))


def _key(item: pytest.Item) -> str | None:
    return item.callspec.id if isinstance(item, pytest.Function) and "outcome" in item.fixturenames else None


def _usage(action: Callable[[], Any]) -> Any:
    """Our usage errors as pytest's: one sentence, exit code 4."""
    try:
        return action()
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
