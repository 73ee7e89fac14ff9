"""If these fail, a script that runs a command takes a wrong result for a right one."""

from dataclasses import replace

import pytest

from bench import doctor
from bench.__main__ import main
from bench.analyse.summaries import Run
from bench.cli import measuring
from bench.errors import ExitCode
from bench.measure import conductor
from bench.plan.sides import Backend, Side
from tests.made import a_case, measured, story, write

FINE, WRONG, USAGE, UNPROVEN, INTERRUPTED = 0, 1, 2, 3, 130
FAILURE = {"record": "failure", "pass": 0, "case": "slow", "status": "wrong", "reason": "is wrong"}


def test_exit_codes_are_what_scripts_rely_on():
    assert [*ExitCode] == [FINE, WRONG, USAGE, UNPROVEN, INTERRUPTED]


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
    ("options", "codes"),
    [
        ({}, {None: FINE}),
        ({"now": 1.1}, {None: FINE, 0.0: WRONG, 0.2: FINE}),
        ({"now": 0.9}, {0.0: FINE}),
        ({"now": 1.1, "twin": 1.1}, {0.0: UNPROVEN}),
        ({"now": 1.1, "twin": 1.1, "extra": [FAILURE]}, {None: WRONG, 0.0: WRONG}),
    ],
)
def test_a_runs_code_without_and_with_a_gate(options, codes):
    run = Run.of(_sides(**options))
    assert {fail_on: run.exit_code(fail_on) for fail_on in codes} == codes


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The folder of a run with a wrong step."""
    run = story(lambda name, p, b: 1e-3 * (1 + p / 1000), 5, 1, extra=[FAILURE], singly=True)
    return write(run, tmp_path_factory.mktemp("stored") / "m" / "r").parent


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("show {run}", FINE), ("show --format md {run}", FINE), ("summary {run}", FINE),
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


@pytest.mark.parametrize("arguments", ["", "unknown", "train a --epochs 0", "train a --dtype int8", "run --fail-on faster"])
def test_what_the_parser_refuses_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == USAGE
    assert capsys.readouterr().err.startswith("usage: ")


BASE = Backend(
    "base", "/base.py", "code", "hash", "seed", None, ("numpy",), ("float32",), {"numpy": "2"},
    {"cpu": {"float32": None}},
)  # fmt: skip
MISSING = replace(BASE, name="needy", kind="rung", unusable="needs the library needed, which is not installed")
NAMED = {each.name: each for each in (BASE, replace(BASE, name="slow"), MISSING)}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(*arguments, **settings)` is the code of a run that is not measured but made."""

    def catalogued(settings, sides=()):
        labels = [label for label, _ in settings.pythons] or [""]
        return tuple(Side(label, backends=NAMED) for label in labels), ("cpu",)

    def ended(*arguments, seconds=lambda *_: 1e-3, extra=(), **settings):
        usual = {"BENCH_RESULTS": str(tmp_path / "results"), "BENCH_BASELINE": "base", "BENCH_PROCESSES": "2"}
        for name, value in (usual | {"BENCH_BACKENDS": "base,slow"} | settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(measuring, "catalogue", catalogued)
        monkeypatch.setattr(conductor, "measure", lambda plan: measured(plan, seconds, extra=extra))
        return main(["run", *arguments])

    return ended


def _interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        ([], {}, FINE),
        ([], {"extra": [FAILURE]}, WRONG),
        ([], {"BENCH_BACKENDS": "base,needy"}, WRONG),
        ([], {"BENCH_BACKENDS": "needy"}, USAGE),
        ([], {"BENCH_BACKENDS": "bsae"}, USAGE),
        ([], {"seconds": _interrupted}, INTERRUPTED),
        (["--fail-on", "slower"], {"BENCH_PYTHONS": "old=a,new=b"}, FINE),
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
