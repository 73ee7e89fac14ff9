"""If these fail, a weather has hours of its own, or a failed run is kept."""

import json
import subprocess
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import psutil
import pytest

from bench.machine import resources
from bench.paths import ROOT
from bench.record import journal
from lab import collect as module
from lab.collect import KINDS, RECORD, collect, measure, possible, turns, usual_seconds
from lab.weather import KINDS as WEATHERS
from lab.weather import RUN_SECONDS
from tests.support import clean_environ


def run_python(code, folder, name="calm", seed=0, usual=1.0):
    measure([sys.executable, "-c", code], "seed", folder, name, seed, usual)


def test_every_round_has_all_weathers_in_another_order():
    order = turns(20, [*WEATHERS], ["run"])
    rounds = [[name for number, name, _ in order if number == one] for one in range(20)]
    assert all(sorted(each) == sorted(WEATHERS) for each in rounds)
    assert len({each[0] for each in rounds}) == len(WEATHERS)
    assert order == turns(20, [*WEATHERS], ["run"])
    against = [name for _, name, _ in turns(1, [*WEATHERS], ["against"])]
    assert sorted(against) == ["burst", "calm"]


def test_finished_runs_are_not_repeated(tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(module, "measure", lambda *given: measured.append(given[2]))
    finished = tmp_path / "burst" / "run" / "001"
    finished.mkdir(parents=True)
    (finished / RECORD).write_text('{"seconds": 100.0}')
    collect(tmp_path, 2, ["calm", "burst"], ["run"])
    folders = sorted(str(folder.relative_to(tmp_path)) for folder in measured)
    assert folders == ["burst/run/000", "calm/run/000", "calm/run/001"]
    assert usual_seconds(tmp_path, "run") == 100
    assert usual_seconds(tmp_path, "against") == RUN_SECONDS


def test_a_run_is_recorded_with_its_weather(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_STEPS", "3")
    code = "import os; print(*sorted(name for name in os.environ if name[:6] == 'BENCH_'))"
    run_python(code, tmp_path / "run", "half", 3, 0.5)
    output = (tmp_path / "run" / "output").read_text()
    assert output == "BENCH_BACKENDS BENCH_DEVICES BENCH_PATH BENCH_RESULTS\n"
    record = json.loads((tmp_path / "run" / RECORD).read_text())
    about = {"seed": "3", "number": 0, "cpu": resources.cores()[-1][0], "run_seconds": 0.5}
    assert record["neighbours"] == [{"weather": "half"} | about]
    assert (record["weather"], record["exit_code"]) == ("half", 0)


@pytest.mark.parametrize("complete", [True, False])
def test_of_failed_runs_only_complete_ones_are_kept(tmp_path, monkeypatch, complete):
    """`lab.judge` counts correct steps that were rejected, which ends a run with exit code 1."""
    monkeypatch.setattr(journal, "read", lambda file: SimpleNamespace(complete=complete))
    target, record = tmp_path / "run" / journal.NAME, tmp_path / "run" / RECORD
    failed = pytest.raises(SystemExit, match="failed with exit code 1; read .*output")
    with nullcontext() if complete else failed:
        run_python(f"open({str(target)!r}, 'w'); raise SystemExit(1)", tmp_path / "run")
    assert record.exists() == complete
    assert not complete or json.loads(record.read_text())["exit_code"] == 1


def test_a_run_that_lost_its_neighbour_is_not_kept(tmp_path):
    code = (
        "import os, psutil, time; neighbours = psutil.Process(os.getppid()).children()\n"
        "[one.kill() for one in neighbours if '--neighbour' in one.cmdline()]; time.sleep(0.5)"
    )
    with pytest.raises(RuntimeError, match="burst: a neighbour ended early"):
        run_python(code, tmp_path / "run", "burst")
    assert not (tmp_path / "run" / RECORD).exists()


def test_a_run_ends_with_its_collector(tmp_path):
    """Otherwise it would disturb the runs of the next collector."""
    run = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    told = tmp_path / "run" / "output"
    code = f"""from pathlib import Path; from lab.tests.test_collect import run_python
run_python({run!r}, Path({str(told.parent)!r}))"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as outer:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (told.exists() and "\n" in told.read_text()):
            time.sleep(0.05)
        running = psutil.Process(int(told.read_text()))
        outer.kill()
    assert not psutil.wait_procs([running], timeout=10)[1]


def test_weathers_that_need_more_cpus_are_left_out_and_printed(monkeypatch, capsys):
    monkeypatch.setattr(resources, "cores", lambda: [[0]])
    assert possible(["calm", "memory", "burst"]) == ["calm", "burst"]
    assert capsys.readouterr().err.startswith("memory: needs a second CPU")


def test_slowed_steps_are_correct():
    folder = ROOT / "lab" / "slowed"
    env = clean_environ() | {"BENCH_DEVICES": "cpu", "BENCH_PATH": str(folder)}
    names = [path.stem for path in folder.glob("slowed_*.py")]
    command = [*KINDS["run"].command[:3], "verify", *names]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(names) == sum(name in done.stdout for name in names) == 3
