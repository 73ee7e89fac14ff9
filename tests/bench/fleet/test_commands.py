"""If these fail, a fleet started by commands does not measure, or a fault on a node or at home is not said."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.errors import ExitCode
from bench.fleet import folder, home
from tests.bench.fleet.conftest import NODE, ended, needs, runs, wait_for
from tests.support import ROOT


def place(environ):
    """The folder of the only fleet."""
    (found,) = (Path(environ["BENCH_RESULTS"]) / "fleet").iterdir()
    return found


def test_two_nodes_become_one_table(bench, environ):
    done = bench("fleet", "--command", NODE, "--nodes", "alpha.example.org,beta", **environ)
    assert done.returncode == 0, done.stderr
    ids = {*folder.read(place(environ))[1]}
    assert {word for line in done.stdout.splitlines() for word in line.split()[:2]} >= ids
    names = {path.parent.name for path in place(environ).rglob("journal.jsonl")}
    assert {name.rpartition("-")[2] for name in names} == ids, "as two may begin at once"
    texts = [path.read_text() for path in place(environ).rglob("*") if path.is_file()]
    assert not [text for text in texts if "alpha" in text]
    assert bench("fleet", "--show", str(place(environ)), **environ).stdout == done.stdout
    resumed = bench("fleet", "--resume", **environ)
    assert (resumed.stdout, resumed.stderr.count("\n")) == (done.stdout, 1), "nothing is left to do"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("echo no {node} >&2; exit 255", "its command ended with code 255 and said: no ID"),
        ("kill -9 $$; : {node}", "its command died of SIGKILL and said: nothing"),
        ("trap 'touch $TMPDIR/ended; exit' TERM; sleep 60 & wait; : {node}", "no answer in "),
        ("touch $TMPDIR/ended; trap '' TERM; sleep 60; : {node}", "no answer in "),
    ],
)
def test_a_node_that_cannot_be_reached_is_one_sentence(begin, tmp_path, monkeypatch, template, says):
    """srun cancels its job if it may end in order."""
    monkeypatch.setattr(home, "ENDING", 1.0)
    running = begin(where=template, wait=0.5, seconds=0.5)
    assert running.states()["alpha"].startswith(says.replace("ID", *home.ids(["alpha"]).values()))
    assert (tmp_path / "ended").exists() == ("TERM" in template)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--command x", "--command: has no list of nodes; name them with --nodes a,b,c."),
        ("--command x --nodes a,b", "has no {node}; put it where a name goes."),
        ("--resume", "does not say how it was started; resume where you began it."),
        ("--show /nowhere", "bench: /nowhere/fleet.jsonl: is no fleet's journal"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(arguments, says, environ, monkeypatch, capsys):
    monkeypatch.setenv("BENCH_RESULTS", environ["BENCH_RESULTS"])
    assert main(["fleet", *arguments.split()]) == ExitCode.USAGE
    assert says in capsys.readouterr().err
    assert not Path(environ["BENCH_RESULTS"]).exists()


@needs()
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


@needs()
def test_a_node_that_is_killed_leaves_no_process_and_resume_measures_again(begin):
    running = begin(BENCH_BLOCKS="200")
    process = running.measuring()
    below = process.children(recursive=True)
    process.kill()
    assert running.states() == {"alpha": "its command died of SIGKILL and said: nothing"}
    assert ended(below)
    assert begin(place=running.place).states() == {"alpha": "done"}
    assert len(runs(running.place, "alpha")) == 2, "the run that was cut off came too"
