"""If these fail, a fleet started by commands does not measure, or loses what it measured when something dies.

Real processes that stand for nodes, a short run each; one machine, so they take turns.
"""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.fleet import folder
from tests.bench.fleet.nodes import TEMPLATE, asked_processes, only, visits, wait_for
from tests.support import ROOT, read_csv


def test_two_nodes_become_one_table(bench, environ):
    done = bench("fleet", "--command", TEMPLATE, "--nodes", "alpha.example.org,beta", **environ)
    assert done.returncode == (3 if "UNPROVEN" in done.stdout else 0), done.stderr
    ids = private_ids(environ, "alpha.example.org", "beta")
    table = [line.split() for line in done.stdout.splitlines()]
    assert sorted(line[0] for line in table if line and line[0] in ids) == sorted(ids)
    assert "are one machine" in done.stdout
    assert "another run of a fleet holds this machine" in done.stderr, "they take turns"
    place = next((Path(environ["BENCH_RESULTS"]) / "fleet").iterdir())
    written = read_csv(place / "fleet.csv")
    assert set(written["node"]) == set(ids)
    assert {run.rpartition("-")[2] for run in written["run"]} == set(ids), "two nodes may begin in the same second"
    assert not [path for path in place.rglob("*") if path.is_file() and "alpha" in path.read_text()]
    again = bench("fleet", "--show", str(place), **environ)
    assert again.stdout == done.stdout
    loaded = bench("compare", *(str(place / id_) for id_ in ids), **environ)
    assert loaded.returncode in (0, 3), loaded.stderr
    assert "numpy_manual" in loaded.stdout


def private_ids(environ, *names):
    code = f"import json; from bench.fleet import private; print(json.dumps(private.ids({names!r})))"
    return [*json.loads(subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True).stdout).values()]


def test_a_node_that_is_killed_in_the_middle_leaves_what_it_measured_and_no_process(quick, environ):
    environ["BENCH_BLOCKS"] = "200"
    killed = []

    def kill_once_measuring(text):
        if text.endswith("measuring"):
            wait_for(lambda: visits(running) > 3)
            (asked,) = asked_processes()
            killed.extend(asked.children(recursive=True))
            asked.kill()

    running = quick()
    running._tell = kill_once_measuring
    outcome = only(running)
    assert (outcome.state, outcome.reason) == ("missing", "its command died of SIGKILL")
    assert outcome.complete == []
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1
    psutil.wait_procs(killed, timeout=5)
    assert [process for process in killed if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_when_home_is_killed_the_node_goes_on_and_resume_finds_what_is_finished(bench, environ):
    arguments = [sys.executable, "-m", "bench", "fleet", "--command", TEMPLATE, "--nodes", "alpha"]
    killed = subprocess.Popen(arguments, env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for line in killed.stderr:
        if line.strip().endswith("measuring"):
            break
    killed.kill()
    killed.wait()
    killed.stderr.close()
    kept = Path(environ["XDG_CACHE_HOME"]) / "stepbench"
    wait_for(lambda: any('"end"' in path.read_text() for path in kept.rglob("journal.jsonl")))
    done = bench("fleet", "--resume", **environ)
    assert done.returncode == 0, done.stderr
    assert "measuring" not in done.stderr
    assert len([*kept.rglob("journal.jsonl")]) == 1
    assert bench("fleet", "--resume", **environ).stdout == done.stdout, "nothing is left to do"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("echo no route to {node} >&2; exit 255", "its command ended with exit code 255: no route to "),
        ("echo Welcome; echo {node}: no such command", "no such command"),
        ("kill -9 $$; : {node}", "its command died of SIGKILL"),
        ("sleep 60; : {node}", "never came: said nothing within 0.025 minutes (--wait)"),
    ],
)
def test_a_node_that_cannot_be_reached_is_said(quick, template, says):
    running = quick(template, wait=1.5)
    assert says in only(running).reason
    assert "alpha" not in (running.folder / folder.NAME).read_text()


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["--command", "x"], {}, "bench: --command: knows no nodes by itself; name them with --nodes a,b,c."),
        (["--command", "x", "--nodes", "a,b"], {}, "does not say {node}, so all nodes would be one"),
        (["--resume", "x"], {}, "bench: --resume x: nothing is known of how it was started"),
        (["--resume"], {}, "bench: --resume: no fleet was begun here"),
        (["--show", "/nowhere"], {}, "bench: /nowhere/fleet.jsonl: is no fleet's journal"),
        (["--command", "{node}", "--nodes", "a"], {"BENCH_PATH": "tests/broken"}, "bench: BENCH_PATH=tests/broken: nodes have"),
        (["--command", "{node}", "--nodes", "a", "--wait", "0"], {}, "expected a number of minutes above 0"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(bench, environ, arguments, settings, says):
    done = bench("fleet", *arguments, **environ | settings)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(environ["BENCH_RESULTS"]).exists()


def test_node_by_itself_says_that_it_is_asked_by_a_fleet(bench, environ):
    done = bench("node", **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it is `bench fleet` that asks" in done.stderr
