"""If these fail, an issue, the README or the index shows other facts than a run's journal."""

import pytest

from bench import settings
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.show import pages
from bench.show.rows import common
from tests.made import NAMES, a_case, story, write

COMMIT = "0123456789abcdef"


@pytest.fixture
def made(tmp_path):
    """`made(settings={...})` is a stored run with these facts in its header."""

    def build(**header):
        cases = [a_case(name) for name in (*NAMES, "null", "arithmetic")]
        run = story(lambda *_: 3e-4, 2, cases=cases, **header)
        return Run.read(write(run, tmp_path / "results" / "m" / "r"))

    return build


USUAL = settings.Settings().as_json()
OTHER = {"threads": [1, 2], "shapes": ["1x2x3x4", "5x6x7x8"], "timeout": 5.0, "results": "/somewhere", "path": ["a b"]}
AGAIN = "BENCH_SHAPES=1x2x3x4,5x6x7x8 BENCH_THREADS=1,2 BENCH_PATH='a b' BENCH_TIMEOUT=5.0 python -m bench run"
VARIABLES = {"commit": "abc", "variables": {"NAME": "a b", "OTHER": "c"}}


@pytest.mark.parametrize(
    ("changed", "sides", "command"),
    [
        ({}, {}, "python -m bench run"),
        (OTHER, {}, AGAIN),
        ({}, {"main": {"commit": "abc"}, "here": {"commit": "def"}}, "python -m bench run --against abc"),
        ({}, {"x": VARIABLES, "v2": {"commit": "def"}}, "python -m bench race 'NAME=a b,OTHER=c' def"),
        ({}, {"x": VARIABLES, "here": {}}, "python -m bench run --against 'NAME=a b,OTHER=c'"),
    ],
)
def test_the_command_that_repeats_a_run_sets_what_differs_from_the_defaults(changed, sides, command, made):
    run = made(settings=USUAL | changed | {"blocks": USUAL["blocks"]}, machine={"sides": sides})
    assert pages.again(run) == command


def test_what_repeats_a_run_is_read_back_as_its_settings():
    """Every setting survives the way into a header and back into variables."""
    chosen = {
        "BENCH_DEVICES": "cpu", "BENCH_BACKENDS": "all", "BENCH_DTYPES": "float64", "BENCH_SHAPES": "1x2x3x4,5x6x7x8",
        "BENCH_THREADS": "1,2", "BENCH_BASELINE": "null", "BENCH_PROCESSES": "3", "BENCH_BLOCKS": "2", "BENCH_STEPS": "7",
        "BENCH_SEED": "9", "BENCH_PATH": "/:/etc", "BENCH_PYTHONS": "a=x,b=y",
        "BENCH_TIMEOUT": "5.5", "BENCH_MARGIN": "0.02", "BENCH_PROBLEM": "examples/x",
    }  # fmt: skip
    Settings = settings.Settings
    assert set(chosen) == set(Settings.variables()) - {"BENCH_RESULTS", "BENCH_NODE"}
    assert Settings.assignments(Settings.from_env(chosen).as_json()) == chosen


def test_an_issue_shows_where_with_what_its_doubts_and_how_to_repeat(made):
    run = made(machine={"commit": f"{COMMIT}+dirty"})
    text = pages.issue(Run(run.folder, run.story, run.table, ["UNPROVEN: because."]))
    assert text.startswith("a CPU, 2 cores, Linux, numpy 2.0, 2026-01-02:\n\n**UNPROVEN: because.**")
    assert "| base (incomplete) |" in text
    assert text.endswith(f"Again, at commit {COMMIT} with changes:\n\n    {pages.again(run)}\n")


def test_the_readme_has_the_ways_without_controls_and_what_was_found(made):
    text = pages.readme(made(), "results/x")
    names = {"base", "slow", "twin", "null", "arithmetic"}
    assert {name for name in names if f"| {name} (" in text} == {"base", "slow"}
    assert "A/A control: the baseline against itself is" in text


def test_the_index_shows_each_run_once_below_its_folder(made):
    run = made(machine={"commit": COMMIT})
    machine = run.folder.parent
    text = pages.index(machine.parent, [run], [machine / "other.csv", run.folder / "times.svg"])
    about = f"{common(run.table)}, Python 3.11.7, numpy 2.0, commit {COMMIT[:10]}"
    assert text.count(f'<a href="m/r">r</a>, {about}</summary>') == 1
    assert text.index("## m") < text.index("m/r") < text.index("| base (incomplete) |")
    assert "[other.csv](m/other.csv)" in text
    assert "times.svg" not in text


def test_without_marks_or_git_it_is_one_sentence(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- results: m/r -->\nold\n<!-- end of results -->\nb\n")
    assert pages.readme_run(tmp_path) == tmp_path / "results" / "m" / "r"
    with pytest.raises(UsageError, match="git cannot list its results: .*; this needs a checkout with git"):
        pages.committed(tmp_path)
    readme.write_text("a\n")
    with pytest.raises(UsageError, match="no line <!-- results: MACHINE/RUN --> says which run it shows"):
        pages.readme_run(tmp_path)
