"""If these fail, a mistyped setting is silently ignored or a run starts that cannot end well."""

import re

import pytest

from bench.errors import UsageError
from bench.paths import BACKENDS
from bench.settings import Settings


def test_defaults():
    settings = Settings.from_env({})
    assert (settings, settings.problem_folder) == (Settings(), BACKENDS)
    assert (settings.processes, settings.blocks, settings.margin) == (10, 8, 0.01)


def test_texts_become_values():
    texts = {"BENCH_DEVICES": "cpu, cuda:1", "BENCH_THREADS": "1,2", "BENCH_MARGIN": "2.5%",
             "BENCH_PYTHONS": "old=venv/bin/python, new=python3", "BENCH_BACKENDS": " ", "HOME": "/"}  # fmt: skip
    settings = Settings.from_env(texts)
    assert (settings.devices, settings.threads, settings.margin) == (("cpu", "cuda:1"), (1, 2), pytest.approx(0.025))
    assert settings.pythons == (("old", "venv/bin/python"), ("new", "python3"))
    assert settings.backends == ("seed",), "an empty variable counts as unset"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("DEVICE=cpu", "unknown setting 'BENCH_DEVICE'; did you mean BENCH_DEVICES?"),
        ("STEPS=101", "BENCH_STEPS=101: expected a whole number from 1 to 100."),
        ("STEPS=0", "BENCH_STEPS=0: expected a whole number from 1 to 100."),
        ("BLOCKS=two", "BENCH_BLOCKS=two: expected a whole number of at least 1."),
        ("THREADS=1,0", "BENCH_THREADS=1,0: expected whole numbers of at least 1"),
        ("TIMEOUT=nan", "BENCH_TIMEOUT=nan: expected a number of seconds above 0."),
        ("MARGIN=0%", "BENCH_MARGIN=0%: expected a share above 0 and below 1, such as 1% or 0.01."),
        ("MARGIN=1", "BENCH_MARGIN=1: expected a share above 0 and below 1"),
        ("DEVICES=cpu,,cuda", "expected names separated by commas"),
        ("PYTHONS=old=python3", "BENCH_PYTHONS=old=python3: expected two or more label=path pairs"),
        ("PYTHONS=a=x,a=y", "expected two or more label=path pairs separated by commas, each with a label of its own"),
        ("PYTHONS=a b=x,c=y", "made of letters, digits, `.`, `_` and `-`, such as old=venv-old/bin/python"),
        ("PYTHONS=a=x,c", "expected two or more label=path pairs"),
        ("PATH=/nowhere", "existing folders of backends"),
    ],
)
def test_a_bad_value_is_one_sentence(given, says):
    name, _, text = given.partition("=")
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        Settings.from_env({f"BENCH_{name}": text})
    assert "\n" not in str(caught.value)


def test_what_repeats_a_run_is_read_back_as_its_settings():
    """Every setting survives the way into a header and back into variables."""
    chosen = {
        "BENCH_DEVICES": "cpu", "BENCH_BACKENDS": "all", "BENCH_DTYPES": "float64", "BENCH_SHAPES": "1x2x3x4,5x6x7x8",
        "BENCH_THREADS": "1,2", "BENCH_BASELINE": "null", "BENCH_PROCESSES": "3", "BENCH_BLOCKS": "2", "BENCH_STEPS": "7",
        "BENCH_SEED": "9", "BENCH_PATH": "/:/etc", "BENCH_PYTHONS": "a=x,b=y",
        "BENCH_TIMEOUT": "5.5", "BENCH_MARGIN": "0.02", "BENCH_PROBLEM": "examples/x",
    }  # fmt: skip
    assert set(chosen) == set(Settings.variables()) - {"BENCH_RESULTS", "BENCH_NODE"}
    assert Settings.assignments(Settings.from_env(chosen).as_json()) == chosen


def test_a_home_folder_is_written_with_a_tilde_in_every_path(monkeypatch, tmp_path):
    """Else results would go into a folder called `~`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "p").mkdir()
    pythons = "a=~/p/python,b=~/x,y/python"
    texts = {"BENCH_RESULTS": "~/r", "BENCH_PROBLEM": "~/p", "BENCH_PATH": "~/p", "BENCH_PYTHONS": pythons}
    settings = Settings.from_env(texts)
    assert settings.results == tmp_path / "r"
    assert settings.problem_folder == settings.path[0] == tmp_path / "p"
    assert settings.pythons == (("a", f"{tmp_path}/p/python"), ("b", f"{tmp_path}/x,y/python"))
    with pytest.raises(UsageError, match="^BENCH_RESULTS=~nobody_here/r: expected a path; no home folder"):
        Settings.from_env({"BENCH_RESULTS": "~nobody_here/r"})
