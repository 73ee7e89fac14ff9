"""If these fail, a mistyped setting is silently ignored or a run starts that cannot end well."""

import re
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.paths import BACKENDS
from bench.settings import Settings

PAGE = (Path(__file__).parent.parent.parent / "docs" / "settings.md").read_text()


def test_defaults():
    settings = Settings.from_env({})
    assert (settings, settings.problem_folder) == (Settings(), BACKENDS)
    assert (settings.processes, settings.blocks, settings.margin) == (10, 8, 0.01)


def test_every_setting_is_read():
    texts = {
        "BENCH_DEVICES": "cpu, cuda:1", "BENCH_SHAPES": "64x1000x100x10,1x2x3x4", "BENCH_THREADS": "1,2",
        "BENCH_TIMEOUT": "1.5", "BENCH_MARGIN": "2.5%",
        "BENCH_PYTHONS": "old=venv/bin/python, new=python3", "BENCH_BACKENDS": " ", "HOME": "/",
    }  # fmt: skip
    settings = Settings.from_env(texts)
    plain = {
        "devices": ["cpu", "cuda:1"], "shapes": ["64x1000x100x10", "1x2x3x4"], "threads": [1, 2], "timeout": 1.5,
        "margin": pytest.approx(0.025), "pythons": ["old=venv/bin/python", "new=python3"],
        "backends": ["seed"],  # an empty variable counts as unset
        "results": "results",
    }  # fmt: skip
    assert {name: value for name, value in settings.as_json().items() if name in plain} == plain
    assert settings.pythons == (("old", "venv/bin/python"), ("new", "python3"))
    assert Settings.from_env({"BENCH_MARGIN": "0.03"}).margin == 0.03


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("BENCH_DEVICE", "cpu", "unknown setting 'BENCH_DEVICE'; did you mean BENCH_DEVICES?"),
        ("BENCH_STEPS", "101", "BENCH_STEPS=101: expected a whole number from 1 to 100."),
        ("BENCH_STEPS", "0", "BENCH_STEPS=0: expected a whole number from 1 to 100."),
        ("BENCH_PROCESSES", "-3", "BENCH_PROCESSES=-3: expected a whole number of at least 2."),
        ("BENCH_BLOCKS", "two", "BENCH_BLOCKS=two: expected a whole number of at least 1."),
        ("BENCH_THREADS", "1,0", "BENCH_THREADS=1,0: expected whole numbers of at least 1"),
        ("BENCH_TIMEOUT", "nan", "BENCH_TIMEOUT=nan: expected a number of seconds above 0."),
        ("BENCH_TIMEOUT", "0", "expected a number of seconds above 0."),
        ("BENCH_MARGIN", "0%", "BENCH_MARGIN=0%: expected a share above 0 and below 1, such as 1% or 0.01."),
        ("BENCH_MARGIN", "1", "BENCH_MARGIN=1: expected a share above 0 and below 1"),
        ("BENCH_MARGIN", "little", "BENCH_MARGIN=little: expected a share above 0 and below 1"),
        ("BENCH_DEVICES", "cpu,,cuda", "expected names separated by commas"),
        ("BENCH_PYTHONS", "old=python3", "BENCH_PYTHONS=old=python3: expected two or more label=path pairs"),
        ("BENCH_PYTHONS", "a=x,a=y", "expected two or more label=path pairs separated by commas, each with a label of its own"),
        ("BENCH_PYTHONS", "a b=x,c=y", "made of letters, digits, `.`, `_` and `-`, such as old=venv-old/bin/python"),
        ("BENCH_PYTHONS", "a=x,c", "expected two or more label=path pairs"),
        ("BENCH_PATH", "/nowhere", "'/nowhere' is not a folder"),
    ],
)
def test_a_bad_value_is_one_sentence(name, text, says):
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        Settings.from_env({name: text})
    assert "\n" not in str(caught.value)


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


def test_the_page_documents_every_setting_with_its_default():
    rows = dict(re.findall(r"^\| `(BENCH_\w+)` \| `?(.*?)`? \|", PAGE, re.M))
    assert rows == {name: field.metadata["default"] or "none" for name, field in Settings.variables().items()}
    for field in Settings.variables().values():
        assert field.metadata["help"] in PAGE
