"""If these fail, the command line does something else than its documentation says."""

import re
import subprocess
import sys

import numpy as np
import pytest

import bench as package
from bench.__main__ import main
from tests.support import EVERYTHING, clean_environ

BACKENDS = ["numpy_manual", "torch_manual", "torch_autograd", "torch_detach", "torch_function"]


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 2e-5), ("float64", 2e-13)])
def test_train_prints_the_losses_of_a_backend(dtype, rtol, capsys):
    losses = []
    for name in ("numpy_manual", "torch_autograd"):
        assert main(["train", name, "--dtype", dtype]) == 0
        lines = [line.split(" - ") for line in capsys.readouterr().out.splitlines()]
        assert [epoch for epoch, _ in lines] == [str(epoch) for epoch in range(10)]
        losses.append([float(loss) for _, loss in lines])
    assert np.allclose(losses, losses[0], rtol=rtol, atol=0)
    assert losses[0][-1] < losses[0][0] / 10


def test_train_takes_seed_and_epochs(capsys):
    printed = []
    for seed in ("0", "1"):
        assert main(["train", "numpy_manual", "--epochs", "3", "--seed", seed]) == 0
        out, err = capsys.readouterr()
        printed.append([float(line.split(" - ")[1]) for line in out.splitlines()])
        assert (printed[-1][2] > printed[-1][1]) == err.startswith("The loss did not fall at epoch 2: ")
    assert [len(losses) for losses in printed] == [3, 3]
    assert printed[0] != printed[1]


@pytest.fixture
def printed(environ, monkeypatch, capsys):
    """`printed("list", BENCH_PATH=...)` is the exit code of a command in this process, and what it printed."""

    def run(*arguments, **settings):
        for name, value in (environ | settings).items():
            monkeypatch.setenv(name, value)
        return main(arguments), capsys.readouterr().out

    return run


def test_list_shows_every_backend_and_why_one_cannot_run(printed, tmp_path):
    (tmp_path / "needs_it.py").write_text("import no_such_library\n")
    code, out = printed("list", BENCH_PATH=str(tmp_path), **EVERYTHING)
    assert code == 0
    assert [name for name in (*BACKENDS, "null", "arithmetic", "needs_it", "no_such_library") if name not in out] == []
    assert "cuda" in out.splitlines()[0]
    assert "has code for cpu only, not for cuda" in " ".join(out.split())


def test_verify_shows_errors_and_names_what_is_wrong(printed, no_mask):
    code, out = printed("verify", "numpy_manual", "no_mask", BENCH_DTYPES="float32", **no_mask)
    assert code == 1
    assert re.search(r"^numpy_manual .*( +\d\.\de-\d+)+ +\d+% *$", out, re.M)
    assert "no_mask[cpu, float32] updates w1 wrongly" in out
    assert printed("verify", "numpy_manual", **no_mask)[0] == 0


HEAVY = """
import runpy, sys
sys.argv = ["bench", *sys.argv[1:]]
try:
    runpy.run_module("bench", run_name="__main__")
except SystemExit as end:
    assert not end.code
print({*sys.modules} & {"pandas", "scipy", "torch"})
"""


@pytest.mark.parametrize("arguments", [["list"], ["export", "--help"]])
def test_what_reads_no_run_does_not_wait_for_heavy_libraries(arguments):
    command, environ = [sys.executable, "-c", HEAVY, *arguments], clean_environ() | EVERYTHING
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("script", "name"),
    [("/x/bin/stepbench", "stepbench"), ("/x/bench/__main__.py", "python -m bench")],
)
def test_it_calls_itself_what_it_was_called_with_its_version(script, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script])
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit):
            main([option])
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: {name} [-h]")
    assert printed.endswith(f"stepbench {package.__version__}\n")
