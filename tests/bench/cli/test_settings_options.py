"""If these fail, a setting is no option of a command, or a mistyped one measures something else."""

import argparse

import pytest

from bench.cli import _arguments, main
from bench.settings import Settings


@pytest.fixture
def parse(monkeypatch):
    """The settings that a command with these options would measure with."""
    monkeypatch.setenv("BENCH_THREADS", "1,2")
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    _arguments.settings_options(parser)
    return lambda *words: _arguments.settings(parser.parse_args(words))


def test_every_setting_is_an_option_and_wins_over_its_variable(parse):
    usual = {"margin": "5%", "results": "/r", "path": "/tmp", "pythons": "a=/a,b=/b"}
    for field in Settings.variables().values():
        text = usual.get(field.name, "4")
        assert getattr(parse(f"--{field.name}", text), field.name) == field.metadata["parse"](text), field.name
    assert (parse().threads, parse("--threads", "4").threads) == ((1, 2), (4,))


def test_quick_has_few_passes_unless_an_option_says_otherwise(parse):
    quick = parse("--quick")
    assert (quick.processes, quick.blocks) == (3, 3)
    assert parse("--quick", "--processes", "5").processes == 5


@pytest.mark.parametrize("command", ["run", "race", "grade x", "fleet --ray"])
def test_an_unknown_option_suggests_the_right_one(command, capsys):
    assert main([*command.split(), "--bakends", "all"]) == 2
    assert "unknown option '--bakends'; did you mean --backends?" in capsys.readouterr().err


def test_a_bad_value_names_its_option(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--threads", "none"])
    assert "argument --threads: 'none': expected whole numbers of at least 1" in capsys.readouterr().err
