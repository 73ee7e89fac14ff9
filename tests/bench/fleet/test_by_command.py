"""If these fail, a fleet started by commands does not measure, or loses a run when home dies."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fleet import home
from tests.bench.fleet.conftest import NODE, wait_for
from tests.support import ROOT, read_csv


def test_two_nodes_become_one_table(bench, environ):
    done = bench("fleet", "--command", NODE, "--nodes", "alpha.example.org,beta", **environ)
    assert done.returncode == 0, done.stderr
    (place,) = (Path(environ["BENCH_RESULTS"]) / "fleet").iterdir()
    ids = [*home.read(place)[1]]
    shown = [line.split() for line in done.stdout.splitlines()]
    assert sorted(line[0] for line in shown if line and line[0] in ids) == sorted(ids)
    written = read_csv(place / "fleet.csv")
    assert set(written["node"]) == set(ids)
    assert {run.rpartition("-")[2] for run in written["run"]} == set(ids), "as two may begin at once"
    assert not [path for path in place.rglob("*") if path.is_file() and "alpha" in path.read_text()]
    assert bench("fleet", "--show", str(place), **environ).stdout == done.stdout
    resumed = bench("fleet", "--resume", **environ)
    assert (resumed.stdout, resumed.stderr.count("\n")) == (done.stdout, 1), "nothing is left to do"


def test_when_home_is_killed_the_node_goes_on_and_resume_fetches_its_run(bench, environ):
    arguments = ["-m", "bench", "fleet", "--command", NODE, "--nodes", "alpha"]
    killed = subprocess.Popen([sys.executable, *arguments], env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
    kept = Path(environ["XDG_CACHE_HOME"])
    wait_for(lambda: any(kept.rglob("journal.jsonl")))
    killed.kill()
    killed.wait()
    wait_for(lambda: any('"end"' in path.read_text() for path in kept.rglob("journal.jsonl")))
    done = bench("fleet", "--resume", **environ)
    assert done.returncode == 0, done.stderr
    assert len([*kept.rglob("journal.jsonl")]) == 1
    assert len([*Path(environ["BENCH_RESULTS"]).rglob("journal.jsonl")]) == 1


def test_another_version_of_stepbench_on_a_node_is_said(bench, environ, tmp_path):
    other = tmp_path / "beta"
    for name in ("bench", "backends"):
        shutil.copytree(ROOT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "bench" / "__init__.py").open("a") as file:
        file.write('__version__ = "9.9"\n')
    command = f"cd {tmp_path}/{{node}} && PYTHONPATH=$PWD:$PYTHONPATH {sys.executable} -m bench node"
    done = bench("fleet", "--command", command, "--nodes", "beta", **environ)
    assert done.returncode == 0, done.stderr
    (place,) = (Path(environ["BENCH_RESULTS"]) / "fleet").iterdir()
    ((node, record),) = home.read(place)[1].items()
    assert record["stepbench"].startswith("9.9 ")
    assert f"{node}: other files of stepbench than at home" in done.stdout


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("echo no route to {node} >&2; exit 255", "its command ended with code 255 and said: no route to ID"),
        ("echo Welcome; echo {node}: no such command", "returned no run, but 'ID: no such command'"),
        ("kill -9 $$; : {node}", "its command died of SIGKILL and said: nothing"),
        ("sleep 60; : {node}", "no answer within 0.0333 minutes (--wait, --minutes); --resume fetches what it has by then"),
    ],
)  # fmt: skip
def test_a_node_that_cannot_be_reached_is_one_sentence(begin, template, says):
    running = begin(where=template, wait=1.0, seconds=1.0)
    assert running.states() == {"alpha": says.replace("ID", running.ids["alpha"])}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--command", "x"], "bench: --command: has no list of nodes; name them with --nodes a,b,c."),
        (["--command", "x", "--nodes", "a,b"], "has no {node}; put it where a name goes."),
        (["--resume", "x"], "bench: --resume x: "),
        (["--resume"], "bench: --resume : "),
        (["--show", "/nowhere"], "bench: /nowhere/fleet.jsonl: is no fleet's journal"),
        (["--command", "{node}", "--nodes", "a", "--wait", "0"], "expected a number of minutes above 0"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(bench, environ, arguments, says):
    done = bench("fleet", *arguments, **environ)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(environ["BENCH_RESULTS"]).exists()


@pytest.mark.parametrize("given", ["", "[]", json.dumps({"protocol": 1, "do": "run"})])
def test_node_refuses_what_is_no_request(environ, given):
    done = subprocess.run(
        [sys.executable, "-m", "bench", "node"], input=given, env=environ, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bench: node: no request of this version on stdin; run `bench fleet`.\n"
