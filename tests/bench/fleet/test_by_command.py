"""If these fail, a fleet started by commands does not measure, or what cannot be begun ends in a traceback."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.errors import ExitCode
from bench.fleet import folder
from tests.bench.fleet.conftest import NODE, place
from tests.support import read_csv


def test_two_nodes_become_one_table(bench, environ):
    done = bench("fleet", "--command", NODE, "--nodes", "alpha.example.org,beta", **environ)
    assert done.returncode == 0, done.stderr
    ids = {*folder.read(place(environ))[1]}
    shown = {line.split()[0] for line in done.stdout.splitlines()}
    written = read_csv(place(environ) / "fleet.csv")
    assert shown & ids == set(written["node"]) == ids
    assert {run.rpartition("-")[2] for run in written["run"]} == ids, "as two may begin at once"
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
        ("sleep 60; : {node}", "no answer within 0.0333 minutes (--wait, --minutes); --resume fetches what it has by then"),
    ],
)
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
def test_what_cannot_be_begun_is_one_sentence(arguments, says, environ, monkeypatch, capsys):
    for name in ("BENCH_RESULTS", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, environ[name])
    assert main(["fleet", *arguments.split()]) == ExitCode.USAGE
    assert says in capsys.readouterr().err
    assert not Path(environ["BENCH_RESULTS"]).exists()
