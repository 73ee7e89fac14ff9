"""If these fail, the doctor leaves a check out, or a run forgets what its machine was like."""

import io

from bench import __main__, session
from bench.doctor import examination
from bench.doctor.checks import CHECKS
from bench.machine.resources import Machine
from bench.measure import conductor
from bench.plan.cases import make_plan
from bench.plan.sides import Backend, Side
from bench.record import frame
from bench.settings import Settings
from bench.show import grid
from tests.support import CPU, GOOD_MACHINE


def test_before_a_run_only_what_is_bad_or_unknown_is_said(machine, tmp_path):
    assert examination.before_run(machine(GOOD_MACHINE)) == []
    bad = {"proc/loadavg": "9.00 1 1 1/80 999", f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave"}
    assert examination.before_run(machine(GOOD_MACHINE | bad)) == [
        "load: 9.00 on 2 CPUs over the last minute; see `top` for what else runs, end it or wait.",
        "CPU governor: powersave on 1 of 2 CPUs; sudo cpupower frequency-set -g performance.",
    ]
    sentences = examination.before_run(Machine(root=tmp_path / "nothing"))
    assert sentences == ["cannot be read here: load, CPU quota, CPU governor, CPU throttling."]


def test_the_journal_keeps_what_was_said_and_the_screen_shows_it(tmp_path, monkeypatch):
    said = ["load: 9.00 on 2 CPUs; wait."]
    monkeypatch.setattr(examination, "before_run", lambda: said)
    monkeypatch.setattr(conductor, "measure", lambda plan: iter([]))
    plain = Backend(
        "plain", "/plain.py", "", "hash", "seed", None, ("numpy",), ("float32",), {},
        {"cpu": {"float32": None}},
    )  # fmt: skip
    settings = Settings.from_env({"BENCH_BASELINE": "plain", "BENCH_RESULTS": str(tmp_path)})
    plan = make_plan(settings, (Side(backends={"plain": plain}),), ("cpu",))
    screen = io.StringIO()
    session.run_plan(plan, grid.console(screen, width=80), lambda run: None)
    (story,) = frame.stories(tmp_path)
    assert story.header["doctor"] == said
    assert screen.getvalue().startswith(f"{said[0]}\nstepbench: ")


def test_the_command_shows_every_check_and_fits(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code = __main__.main(["doctor"])
    _, *lines, counts = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    names = [line.split("  ")[0] for line in lines if not line.startswith(" ")]
    expected = [*CHECKS, "other processes", "CPU steal", "memory"]
    assert names[: len(expected)] == expected
    assert {name[:3] for name in names[len(expected) :]} == {"GPU"}
    assert code == (0 if "0 bad" in counts.split(", ") else 1)
