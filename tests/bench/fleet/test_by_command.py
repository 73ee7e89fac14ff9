"""If these fail, a fleet started by commands does not measure, or loses a run when home dies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fleet import home
from tests.bench.fleet.conftest import NODE, wait_for
from tests.support import ROOT, read_csv


def place(environ):
    (found,) = (Path(environ["BENCH_RESULTS"]) / "fleet").iterdir()
    return found


def test_two_nodes_become_one_table(bench, environ):
    done = bench("fleet", "--command", NODE, "--nodes", "alpha.example.org,beta", **environ)
    assert done.returncode == 0, done.stderr
    ids = {*home.read(place(environ))[1]}
    shown = {line.split()[0] for line in done.stdout.splitlines()}
    written = read_csv(place(environ) / "fleet.csv")
    assert shown & ids == set(written["node"]) == ids
    assert {run.rpartition("-")[2] for run in written["run"]} == ids, "as two may begin at once"
    texts = [path.read_text() for path in place(environ).rglob("*") if path.is_file()]
    assert not [text for text in texts if "alpha" in text]
    assert bench("fleet", "--show", str(place(environ)), **environ).stdout == done.stdout
    resumed = bench("fleet", "--resume", **environ)
    assert (resumed.stdout, resumed.stderr.count("\n")) == (done.stdout, 1), "nothing is left to do"


def test_when_home_is_killed_the_node_goes_on_and_resume_fetches_its_run(bench, environ):
    command = [sys.executable, "-m", "bench", "fleet", "--command", NODE, "--nodes", "alpha"]
    killed = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
    kept = Path(environ["XDG_CACHE_HOME"])
    wait_for(lambda: any(kept.rglob("journal.jsonl")))
    killed.kill()
    killed.wait()
    wait_for(lambda: any('"end"' in path.read_text() for path in kept.rglob("journal.jsonl")))
    done = bench("fleet", "--resume", **environ)
    assert done.returncode == 0, done.stderr
    assert [len([*at.rglob("journal.jsonl")]) for at in (kept, place(environ))] == [1, 1]


def test_another_version_of_stepbench_on_a_node_is_said(bench, environ, tmp_path):
    for name in ("bench", "backends"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "beta" / name, ignore=ignore)
    with (tmp_path / "beta" / "bench" / "__init__.py").open("a") as file:
        file.write('__version__ = "9.9"\n')
    python = f"PYTHONPATH=$PWD:$PYTHONPATH {sys.executable}"
    command = f"cd {tmp_path}/{{node}} && {python} -m bench node"
    done = bench("fleet", "--command", command, "--nodes", "beta", **environ)
    ((node, record),) = home.read(place(environ))[1].items()
    assert (done.returncode, record["stepbench"].split()[0]) == (0, "9.9")
    assert f"{node}: other files of stepbench than at home" in done.stdout


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("echo no {node} >&2; exit 255", "its command ended with code 255 and said: no ID"),
        ("kill -9 $$; : {node}", "its command died of SIGKILL and said: nothing"),
        ("sleep 60; : {node}", "no answer within 0.0333 minutes (--wait, --minutes); "
         "--resume fetches what it has by then"),
    ],
)  # fmt: skip
def test_a_node_that_cannot_be_reached_is_one_sentence(begin, template, says):
    running = begin(where=template, wait=1, seconds=1)
    assert running.states() == {"alpha": says.replace("ID", running.ids["alpha"])}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--command x", "--command: has no list of nodes; name them with --nodes a,b,c."),
        ("--command x --nodes a,b", "has no {node}; put it where a name goes."),
        ("--resume", "does not say how it was started; resume where you began it."),
        ("--show /nowhere", "bench: /nowhere/fleet.jsonl: is no fleet's journal"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(bench, environ, arguments, says):
    done = bench("fleet", *arguments.split(), **environ)
    assert done.returncode == 2
    assert says in done.stderr
    assert not Path(environ["BENCH_RESULTS"]).exists()


@pytest.mark.parametrize("given", ["", "[]", '{"protocol": 1}'])
def test_node_refuses_what_is_no_request(environ, given):
    command = [sys.executable, "-m", "bench", "node"]
    done = subprocess.run(command, input=given, env=environ, cwd=ROOT, capture_output=True, text=True)
    says = "bench: node: no request of this version on stdin; run `bench fleet`.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", says)
