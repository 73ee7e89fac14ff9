"""If these fail, the command line says something else than the documentation."""

import subprocess
import sys

import numpy as np
import pytest

import bench as package
from bench import cli
from bench.__main__ import main
from bench.errors import ExitCode
from tests.support import EVERYTHING, clean_environ

BACKENDS = ["numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_train_prints_the_same_losses_for_every_backend(dtype, bench):
    losses = []
    for name in BACKENDS:
        lines = [line.split(" - ") for line in bench("train", name, "--dtype", dtype, **EVERYTHING).stdout.splitlines()]
        assert [epoch for epoch, _ in lines] == [str(epoch) for epoch in range(10)]
        losses.append([float(loss) for _, loss in lines])
    assert np.allclose(losses, losses[0], rtol={"float32": 2e-5, "float64": 2e-13}[dtype], atol=0)
    assert losses[0][-1] < losses[0][0] / 10


def test_train_takes_seed_and_epochs(bench):
    one, other = bench("train", "numpy_manual", "--epochs", "3"), bench("train", "numpy_manual", "--epochs", "3", "--seed", "1")
    assert len(one.stdout.splitlines()) == 3
    assert one.stdout != other.stdout


def test_list_shows_every_backend_and_why_one_cannot_run(bench, tmp_path):
    (tmp_path / "needs_it.py").write_text("import no_such_library\n")
    done = bench("list", BENCH_PATH=str(tmp_path), **EVERYTHING)
    assert done.returncode == 0
    for name in (*BACKENDS, "null", "arithmetic", "needs_it"):
        assert name in done.stdout
    assert "no_such_library" in done.stdout
    assert "cuda" in done.stdout.splitlines()[0]
    assert "has code for cpu only, not for cuda" in " ".join(done.stdout.split())


def test_verify_shows_errors_and_names_what_is_wrong(bench, no_mask):
    done = bench("verify", "numpy_manual", "torch_function", BENCH_DTYPES="float32,float64", **EVERYTHING)
    assert done.returncode == 0
    assert done.stdout.count("numpy_manual") == 2
    done = bench("verify", "no_mask", **no_mask)
    assert done.returncode == 1
    assert "no_mask[cpu, float32] updates w1 wrongly" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["train", "numpy_manul"], {}, "bench: train: unknown backend 'numpy_manul'; did you mean numpy_manual?"),
        (["train", "numpy_manual", "--device", "cuda"], {}, "bench: numpy_manual has code for cpu only, not for cuda."),
        (["verify", "nothing"], {}, "bench: BENCH_BACKENDS: unknown backend 'nothing'; known: "),
        (["run"], {"BENCH_SHAPES": "64x1000"}, "bench: BENCH_SHAPES=64x1000: expected shapes"),
        (["summary", "/nowhere"], {}, "bench: /nowhere: cannot be read as a journal: No such file or directory"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(arguments, settings, says, bench):
    done = bench(*arguments, **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(says), done.stderr
    assert done.stderr.count("\n") == 1


def test_numbers_are_checked_by_the_parser(bench):
    done = bench("train", "numpy_manual", "--epochs", "0")
    assert done.returncode == 2
    assert "'0': expected a whole number of at least 1" in done.stderr


def test_the_commands_stand_in_the_order_in_which_one_needs_them(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4] != " "]
    assert words == [
        "list", "train", "verify", "run", "race", "doctor", "grade", "fleet", "node", "show", "picture", "compare", "scaling",
        "summary", "report", "export", "results",
    ]  # fmt: skip


NEW = '''
from bench.cli._arguments import command


def add(parsers):
    command(parsers, "greet", greet).add_argument("name")


def greet(arguments):
    """Says hello."""
    print("hello", arguments.name)
    return 3
'''


def test_a_new_command_is_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "greeting.py").write_text(NEW)
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    assert main(["greet", "you"]) == ExitCode.UNPROVEN
    assert capsys.readouterr().out == "hello you\n"


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["export", "--help"]])
def test_what_reads_no_run_does_not_wait_for_heavy_libraries(arguments):
    code = "import runpy, sys; sys.argv = ['bench', *sys.argv[1:]]\ntry: runpy.run_module('bench', run_name='__main__')\n"
    code += "except SystemExit as end: assert not end.code\nprint({*sys.modules} & {'pandas', 'scipy', 'torch'})"
    environ = clean_environ() | EVERYTHING
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(("script", "name"), [("/x/bin/stepbench", "stepbench"), ("/x/bench/__main__.py", "python -m bench")])
def test_it_calls_itself_what_it_was_called(script, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script])
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(f"usage: {name} [-h]")


def test_it_tells_its_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"stepbench {package.__version__}\n"


def test_exit_codes_are_what_scripts_rely_on():
    assert {code.name: code.value for code in ExitCode} == {
        "FINE": 0, "WRONG": 1, "USAGE": 2, "UNPROVEN": 3, "INTERRUPTED": 130,
    }  # fmt: skip
