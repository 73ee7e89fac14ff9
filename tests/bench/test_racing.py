"""If these fail, a race ends too early, too late, or with a verdict that its runs do not have."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench import racing
from bench.errors import ExitCode
from bench.plan.cases import Plan
from bench.plan.sides import Side
from bench.settings import Settings

KEY = "{}-cpu-float32-1-64x1000x100x10@{}"


@dataclass
class Measured:
    table: pd.DataFrame
    code: ExitCode = ExitCode.FINE

    def exit_code(self):
        return self.code


@pytest.fixture
def race(monkeypatch, capsys):
    """Runs whose ratios are given by name, instead of measured ones; what the race said, its code, and the seeds it used."""

    def run(ratios, runs=12, minutes=1e9, fail_on=None, takes=0.0, code=ExitCode.FINE, noise=0.0005):
        random, clock, seeds = np.random.default_rng(0), [0.0], []

        def run_plan(plan, console, publish):
            seeds.append(plan.settings.seed)
            assert (plan.settings.processes, plan.settings.blocks) == (racing.PROCESSES, racing.BLOCKS)
            clock[0] += takes
            rows = {KEY.format("base", "old"): (1.0, "seed")}
            rows |= {
                KEY.format(name, "old" if name == "twin" else "new"): (
                    ratio * np.exp(random.normal(0, noise)), "twin" if name == "twin" else "seed",
                )
                for name, ratio in ratios.items()
            }  # fmt: skip
            publish(Measured(pd.DataFrame(rows.values(), index=list(rows), columns=["ratio", "kind"]), code))

        monkeypatch.setattr(racing, "run_plan", run_plan)
        monkeypatch.setattr(racing.time, "monotonic", lambda: clock[0])
        settings = replace(Settings.from_env({}), seed=7)
        plan = Plan(settings, (Side("old"), Side("new")), (), (), None)
        ended = racing.race(plan, runs, minutes, fail_on, Console(width=200))
        return ended, capsys.readouterr().out, seeds

    return run


def test_it_ends_when_every_row_is_decided(race):
    code, said, seeds = race({"base": 1.0, "slow": 1.2, "twin": 1.0})
    assert code == ExitCode.FINE
    *_, last_run, last = said.splitlines()
    assert "1 SLOWER (slow +2" in last_run
    assert re.fullmatch(rf"Of 2 ways after {len(seeds)} runs: 1 SLOWER \(slow \+20.\d % \(.*\)\), 1 EQUAL \(base .*\)\.", last)
    assert 3 <= len(seeds) < 12
    assert seeds == list(range(8, 8 + len(seeds))), "each run has an order of its own"


@pytest.mark.parametrize(("limits", "runs"), [({}, 12), ({"minutes": 5, "takes": 100.0}, 3)])
def test_a_row_that_stays_open_takes_all_runs_that_end_in_time(race, limits, runs):
    _, said, seeds = race({"base": 1.01}, noise=0.03, **limits)
    assert len(seeds) == runs
    assert said.splitlines()[-1].startswith(f"Of 1 ways after {runs} runs: 1 UNDECIDED (base ")
    assert ("5 minutes are over after 3 runs" in said) == (runs == 3)


def test_a_control_that_differs_ends_it_unproven(race):
    code, said, seeds = race({"base": 1.01, "twin": 1.3})
    assert code == ExitCode.UNPROVEN
    assert "UNPROVEN: the A/A control is SLOWER" in said
    assert len(seeds) < 12


@pytest.mark.parametrize(("share", "code"), [(0.05, ExitCode.WRONG), (0.5, ExitCode.FINE), (None, ExitCode.FINE)])
def test_a_gate_stops_what_is_slower_by_so_much(race, share, code):
    ended, said, _ = race({"slow": 1.2}, fail_on=share)
    assert ended == code
    assert ("FAILED --fail-on slower:5%: slow +20." in said.splitlines()[-1]) == (code == ExitCode.WRONG)


def test_a_step_that_goes_wrong_in_any_run_is_told_by_the_code(race):
    assert race({"base": 1.0}, code=ExitCode.WRONG)[0] == ExitCode.WRONG
