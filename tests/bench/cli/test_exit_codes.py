"""If these fail, a script that runs a command takes a wrong result for a right one."""

from dataclasses import replace

import pytest

from bench import doctor
from bench.__main__ import main
from bench.analyse.run import Run
from bench.cli import measuring
from bench.errors import ExitCode
from bench.measure import conductor
from bench.plan.sides import Backend, Side
from tests.made import a_case, measured, story, write

FINE, WRONG, USAGE, UNPROVEN, _ = ExitCode
FAILURE = {"record": "failure", "pass": 0, "case": "slow", "status": "wrong", "reason": "is wrong"}


def test_exit_codes_are_what_scripts_rely_on():
    assert {code.name: code.value for code in ExitCode} == {
        "FINE": 0, "WRONG": 1, "USAGE": 2, "UNPROVEN": 3, "INTERRUPTED": 130,
    }  # fmt: skip


def _sides(now=1.0, twin=1.0, **options):
    """A run of two sides, on the later of which steps take `now` of their time."""
    then = [a_case(name, side="then") for name in ("base", "slow", "twin")]
    later = [a_case(case["name"], side="now", baseline=case["key"]) for case in then[:2]]
    return story(
        lambda name, p, b: 1e-3 * (twin if name == "twin" else 1) * (1 + 1e-4 * p), 5, 1,
        cases=[*then, *later], settings={"processes": 5},
        work=lambda case: now if case["side"] == "now" else 1, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("run", "fail_on", "code"),
    [
        (_sides(), None, FINE),
        (_sides(extra=[FAILURE]), None, WRONG),
        (_sides(now=1.1), None, FINE),
        (_sides(now=1.1), 0.0, WRONG),
        (_sides(now=1.1), 0.2, FINE),
        (_sides(now=0.9), 0.0, FINE),
        (_sides(now=1.1, twin=1.1), 0.0, UNPROVEN),
        (_sides(now=1.1, twin=1.1, extra=[FAILURE]), 0.0, WRONG),
    ],
)
def test_a_runs_code(run, fail_on, code):
    assert Run.of(run).exit_code(fail_on) == code


@pytest.fixture
def stored(tmp_path):
    """The folder of a run with a wrong step."""
    run = story(lambda name, p, b: 1e-3 * (1 + p / 1000), 5, 1, extra=[FAILURE], singly=True)
    return write(run, tmp_path / "m" / "r").parent


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("show {run}", FINE), ("show --format md {run}", FINE), ("summary {run}", FINE),
        ("report {run}", FINE),
        ("train numpy_manual --epochs 1", FINE),
        ("show /nowhere", USAGE), ("summary /nowhere", USAGE), ("report /nowhere", USAGE),
        ("compare /nowhere /no", USAGE),
        ("export --format otava /nowhere", USAGE), ("train numpy_manul", USAGE),
        ("run --fail-on slower", USAGE), ("race", USAGE),
    ],
)  # fmt: skip
def test_what_commands_on_stored_runs_end_with(command, code, stored, capsys):
    """A stored run may hold what it likes: showing it is fine."""
    assert main([word.format(run=stored) for word in command.split()]) == code
    error = capsys.readouterr().err
    assert error.startswith("bench: ") == (code == USAGE)
    assert code == FINE or error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["unknown"], ["export", "x", "--format", "xml"], ["train", "a", "--epochs", "0"],
        ["train", "a", "--dtype", "int8"], ["run", "--fail-on", "faster"]
    ],
)  # fmt: skip
def test_what_the_parser_refuses_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE
    assert capsys.readouterr().err.startswith("usage: ")


BASE = Backend(
    "base", "/base.py", "code", "hash", "seed", None, ("numpy",), ("float32",), {"numpy": "2"},
    {"cpu": {"float32": None}},
)  # fmt: skip
MISSING = replace(BASE, name="needy", kind="rung", missing="needed")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(*arguments, backends=...)` is the code of a run that is not measured but made."""
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("BENCH_BASELINE", "base")
    monkeypatch.setenv("BENCH_PROCESSES", "2")
    backends = {each.name: each for each in (BASE, replace(BASE, name="slow"), MISSING)}

    def catalogued(settings, sides=()):
        labels = [label for label, _ in settings.pythons] or [""]
        return tuple(Side(label, backends=backends) for label in labels), ("cpu",)

    monkeypatch.setattr(measuring, "catalogue", catalogued)

    def ended(*arguments, seconds=lambda *_: 1e-3, extra=(), **settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(conductor, "measure", lambda plan: measured(plan, seconds, extra=extra))
        return main(["run", *arguments])

    return ended


def _interrupted(*_):
    raise KeyboardInterrupt


SIDES = {"BENCH_PYTHONS": "old=a,new=b"}


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        ([], {}, FINE),
        ([], {"extra": [FAILURE]}, WRONG),
        ([], {"BENCH_BACKENDS": "base,needy"}, WRONG),
        ([], {"BENCH_BACKENDS": "needy"}, USAGE),
        ([], {"BENCH_BACKENDS": "bsae"}, USAGE),
        ([], {"BENCH_STEPS": "0"}, USAGE),
        ([], {"seconds": _interrupted}, ExitCode.INTERRUPTED),
        (["--fail-on", "slower"], SIDES, FINE),
        (["--fail-on", "slower"], SIDES | {"extra": [FAILURE]}, WRONG),
    ],
)
def test_what_a_run_ends_with(arguments, options, code, run, capsys):
    assert run(*arguments, **options) == code
    assert capsys.readouterr().err.startswith("bench: ") == (code == USAGE)


GOOD = doctor.Finding("ok", "b")


@pytest.mark.parametrize(
    ("findings", "code"), [({"a": GOOD}, FINE), ({"a": GOOD, "c": doctor.Finding("bad", "d")}, WRONG)]
)
def test_the_doctor_ends_with_1_where_something_is_bad(findings, code, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert main(["doctor"]) == code
