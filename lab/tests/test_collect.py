"""If these fail, hours confound weathers, a finished run is measured again, or one that failed is judged."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import campaign
import numpy as np
import psutil
import pytest
from campaign import TOOLS, collect, measure, possible, turns, usual_seconds
from weather import KINDS

from bench.errors import UsageError
from bench.machine import resources
from tests.instrument import made
from tests.support import ROOT, clean_environ


def test_every_weather_has_a_turn_in_every_round_and_none_is_always_first():
    order = turns(20, [*KINDS], ["stepbench"])
    rounds = [[name for number, name, _ in order if number == one] for one in range(20)]
    assert all(sorted(each) == sorted(KINDS) for each in rounds)
    assert len({each[0] for each in rounds}) == len(KINDS)
    assert [number for number, _, _ in order] == sorted(number for number, _, _ in order)
    assert order == turns(20, [*KINDS], ["stepbench"])


def test_the_slow_tool_has_its_turn_rarely_calm_and_disturbed():
    order = [(number, name) for number, name, tool in turns(10, [*KINDS], [*TOOLS]) if tool == "pyperf"]
    assert sorted(order) == [(0, "burst"), (0, "calm"), (5, "burst"), (5, "calm")]


def test_what_is_finished_is_not_measured_again(tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(campaign, "measure", lambda command, folder, *_: measured.append(str(folder.relative_to(tmp_path))))
    finished = tmp_path / "burst" / "stepbench" / "001"
    finished.mkdir(parents=True)
    (finished / "seconds").write_text("100\n")
    collect(tmp_path, 2, ["calm", "burst"], ["stepbench"])
    assert sorted(measured) == ["burst/stepbench/000", "calm/stepbench/000", "calm/stepbench/001"]
    assert usual_seconds(tmp_path, "stepbench") == 100
    assert usual_seconds(tmp_path, "pyperf") == TOOLS["pyperf"].seconds


def test_a_run_is_kept_with_its_weather(tmp_path):
    folder = tmp_path / "half" / "stepbench" / "003"
    measure(["-c", "print('measured')"], folder, "half", 3, 0.5)
    assert (folder / "output").read_text() == "measured\n"
    assert float((folder / "seconds").read_text()) > 0
    record = json.loads((folder / "weather.json").read_text())
    (neighbour,) = record["neighbours"]
    assert (record["weather"], record["exit_code"]) == ("half", 0)
    assert neighbour == {"weather": "half", "seed": "3", "number": 0, "cpu": resources.cores()[-1][0], "run_seconds": 0.5}
    assert len(record["cpu_seconds"]) == 1


def test_a_run_that_failed_is_not_kept(tmp_path):
    folder = tmp_path / "calm" / "pyperf" / "000"
    with pytest.raises(SystemExit, match=r"failed with exit code 7; .*output says why"):
        measure(["-c", "print('no'); raise SystemExit(7)"], folder, "calm", 0, 1.0)
    assert not (folder / "seconds").exists()


def test_a_run_that_found_a_step_wrong_is_kept_for_the_judge(tmp_path):
    """An honest step that weather makes look wrong is what the campaign is to find."""
    made.write(made.story("r", np.random.default_rng(0)), tmp_path / "made")
    folder, source = tmp_path / "calm" / "stepbench" / "000", next((tmp_path / "made").rglob("journal.jsonl"))
    code = f"import shutil; shutil.copy({str(source)!r}, {str(folder / 'journal.jsonl')!r}); raise SystemExit(1)"
    measure(["-c", code], folder, "calm", 0, 1.0)
    assert json.loads((folder / "weather.json").read_text())["exit_code"] == 1
    assert (folder / "seconds").exists()


def test_a_run_that_was_not_disturbed_to_its_end_is_not_kept(tmp_path):
    """Its neighbour is ended from inside the run; no other may be recorded as disturbed either."""
    folder = tmp_path / "burst" / "stepbench" / "000"
    code = (
        "import os, psutil, time\n"
        "alive = [one for one in psutil.Process(os.getppid()).children() if one.status() != 'zombie']\n"
        "killed = [one for one in alive if '--neighbour' in one.cmdline()]\n"
        "[one.kill() for one in killed]\n"
        "while any(one.status() != 'zombie' for one in killed): time.sleep(0.01)"
    )
    with pytest.raises(RuntimeError, match="a neighbour ended on its own"):
        measure(["-c", code], folder, "burst", 0, 1.0)
    assert not (folder / "seconds").exists()


def test_a_run_ends_with_its_campaign(tmp_path):
    """Else it would go on beside the campaign that is started next, whose times would be worth nothing."""
    told = tmp_path / "told"
    run = f"import os, time; open({str(told)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(60)"
    folder = str(tmp_path / "run")
    code = f"import pathlib, campaign; campaign.measure(['-c', {run!r}], pathlib.Path({folder!r}), 'calm', 0, 1.0)"
    path = os.pathsep.join(map(str, (ROOT / "tools" / "instrument", ROOT)))
    with subprocess.Popen([sys.executable, "-c", code], env=clean_environ() | {"PYTHONPATH": path}) as outer:
        deadline = time.monotonic() + 30
        while not (told.exists() and told.read_text().endswith("\n")) and time.monotonic() < deadline:
            time.sleep(0.05)
        running = psutil.Process(int(told.read_text()))
        outer.kill()
    assert not psutil.wait_procs([running], timeout=10)[1]


def test_weathers_without_room_are_left_out_and_said(monkeypatch, capsys):
    monkeypatch.setattr(resources, "cores", lambda: [[0]])
    assert possible(["calm", "memory", "burst"]) == ["calm", "burst"]
    assert capsys.readouterr().err.startswith("memory: needs a second CPU")
    with pytest.raises(UsageError, match="unknown weather 'hail'"):
        possible(["hail"])


def test_each_tool_is_started_by_the_command_that_its_users_call(tmp_path):
    commands = {name: tool.command(tmp_path) for name, tool in TOOLS.items()}
    assert commands["stepbench"] == ["-m", "bench", "run"]
    for name in ("pytest_benchmark", "pyperf"):
        (script,) = [part for part in commands[name] if part.startswith("tools/")]
        assert (Path(__file__).parent.parent.parent / script).exists()
