"""If these fail, a fleet started by commands does not measure, or a fault on a node or at home is not said."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.errors import ExitCode
from bench.fleet import folder, home
from tests.bench.fleet.conftest import NODE, ended, measuring, needs, states


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
        ("touch $TMPDIR/ended; trap '' TERM; sleep 20; rm $TMPDIR/ended; : {node}", "no answer in "),
    ],
)
def test_a_node_that_cannot_be_reached_is_one_sentence(environ, tmp_path, monkeypatch, capsys, template, says):
    """srun cancels its job if it may end in order."""
    monkeypatch.setattr(home, "ENDING", 1.0)
    limits = ["--wait", "0.01", "--minutes", "0.01"]
    assert main(["fleet", "--command", template, "--nodes", "alpha", *limits]) == ExitCode.WRONG
    (id_,) = home.ids(["alpha"]).values()
    assert f"\n{id_} (alpha): missing: {says.replace('ID', id_)}" in capsys.readouterr().err
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
def test_what_cannot_be_begun_is_one_sentence(arguments, says, environ, capsys):
    assert main(["fleet", *arguments.split()]) == ExitCode.USAGE
    assert says in capsys.readouterr().err
    assert not Path(environ["BENCH_RESULTS"]).exists()


@needs()
def test_when_home_is_killed_the_node_goes_on_and_resume_fetches_its_run(begin, environ):
    kept = Path(environ["XDG_CACHE_HOME"])
    with begin("--command", NODE, "--nodes", "alpha", BENCH_BLOCKS="20") as killed:
        measuring(kept)
        killed.kill()
    assert states(begin("--resume")) == {"alpha": "done"}
    assert [len([*at.rglob("journal.jsonl")]) for at in (kept, place(environ))] == [1, 1]


@needs()
def test_a_node_that_is_killed_leaves_no_process_and_resume_measures_again(begin, environ):
    fleet = begin("--command", NODE, "--nodes", "alpha", BENCH_BLOCKS="30")
    process = measuring(environ["XDG_CACHE_HOME"])
    below = process.children(recursive=True)
    process.kill()
    assert states(fleet) == {"alpha": "its command died of SIGKILL and said: nothing"}
    assert ended(below)
    assert states(begin("--resume")) == {"alpha": "done"}
    assert len([*place(environ).rglob("journal.jsonl")]) == 2, "the run that was cut off came too"
