"""If these fail, the doctor leaves a check out, or a run forgets what its machine was like."""

import io
import re
from pathlib import Path

from bench import __main__, session
from bench.doctor import examination, system
from bench.machine.files import Machine
from bench.measure import conductor
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.record import frame, journal
from bench.settings import Settings
from bench.show import grid
from tests.support import CPU, GOOD_MACHINE

CHECKS = (
    "load", "other processes", "CPU steal", "CPU quota", "hypervisor", "CPU governor", "CPU boost", "CPU throttling", "SMT",
    "CPU counters", "memory", "huge pages", "allocator", "threads, numpy", "threads, torch", "kernels, numpy", "clock source",
    "clock", "GPU",
)  # fmt: skip
GPU_CHECKS = ("GPU processes", "GPU throttling", "GPU persistence", "GPU clocks")


def test_before_a_run_only_what_is_bad_or_unknown_is_said(machine):
    assert examination.before_run(machine(GOOD_MACHINE)) == []
    bad = GOOD_MACHINE | {"proc/loadavg": "9.00 1 1 1/80 999", f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave"}
    assert examination.before_run(machine(bad)) == [
        "load: 9.00 on 2 CPUs over the last minute; see `top` for what else runs, end it or wait.",
        "CPU governor: powersave on 1 of 2 CPUs; sudo cpupower frequency-set -g performance.",
    ]


def test_before_a_run_what_cannot_be_read_is_one_sentence(tmp_path):
    sentences = examination.before_run(Machine(root=tmp_path))
    assert sentences == ["cannot be read here: load, CPU quota, CPU governor, CPU throttling."]


def test_the_journal_keeps_what_was_said_and_the_screen_shows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(examination, "before_run", lambda: ["load: 9.00 on 2 CPUs; wait."])
    monkeypatch.setattr(conductor, "measure", lambda plan: iter([]))
    plain = Backend("plain", "/plain.py", "", "hash", "seed", None, ("numpy",), ("float32",), {}, {"cpu": {"float32": None}})
    settings = Settings.from_env({"BENCH_BASELINE": "plain", "BENCH_RESULTS": str(tmp_path)})
    plan = make_plan(settings, (Side(backends={"plain": plain}),), ("cpu",))
    screen = io.StringIO()
    session.run_plan(plan, grid.console(screen, width=80), lambda run: None)
    (story,) = frame.stories(tmp_path)
    assert story.header["doctor"] == ["load: 9.00 on 2 CPUs; wait."]
    assert screen.getvalue().startswith("load: 9.00 on 2 CPUs; wait.\nstepbench: ")
    assert journal.SCHEMA == 1, "a new key that readers need not know is no new schema"


def test_the_command_shows_every_check_and_its_exit_code_says_whether_one_is_bad(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code = __main__.main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for what in CHECKS:
        assert any(line.startswith(what) for line in lines), what
    assert code == (0 if "0 bad" in lines[-1].split(", ") else 1)


def test_the_page_names_every_check():
    page = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text()
    assert set(re.findall(r"^\| (\w[^|]*?) \|", page, re.M)) - {"check"} == {*CHECKS, *GPU_CHECKS} - {"GPU"}


def test_the_exit_code_is_0_where_nothing_is_bad(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(examination, "examine", lambda settings: [system.load(Machine(root=tmp_path))])
    assert __main__.main(["doctor"]) == 0
    assert "0 ok, 0 bad, 1 unknown" in capsys.readouterr().out
