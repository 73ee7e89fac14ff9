"""If these fail, a fleet on SLURM does not measure, shares its nodes, or does not say what SLURM did to a job."""

import os
import signal
import subprocess

import psutil
import pytest

from bench.errors import UsageError
from bench.fleet import folder, home, private
from bench.fleet.asking import Patience
from bench.fleet.launchers.slurm import Slurm
from tests.bench.fleet.clusters import needs, slurm, why_no_slurm
from tests.bench.fleet.nodes import run_fleet
from tests.conftest import SMALL
from tests.support import LIGHT, clean_environ

pytestmark = needs("submitit")
needs_slurm = pytest.mark.skipif(bool(why_no_slurm()), reason=f"needs SLURM: {why_no_slurm()}")


@pytest.fixture
def places(tmp_path):
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}


@pytest.fixture
def local(places, tmp_path, monkeypatch):
    """A fleet of submitit's own processes of this machine."""
    for name, text in (places | LIGHT).items():
        monkeypatch.setenv(name, text)

    def build(nodes=("alpha", "beta"), blocks="1", **patience):
        settings = {**SMALL, "BENCH_BACKENDS": "numpy_manual", "BENCH_BLOCKS": blocks}
        asked = private.Asked("made", "slurm", "", [*nodes], settings, str(tmp_path / "fleet"))
        limits = {"wait": 30.0, "run": 60.0, "silence": 20.0} | patience
        return home.Fleet(asked, Slurm("", nodes, cluster="local"), Patience(**limits))

    return build


def test_jobs_of_this_machine_bring_their_runs_home(local):
    running = local()
    found = running.measure()
    assert {outcome.state for outcome in found.values()} == {"done"}, found
    assert len(folder.of_node(running.folder, running.ids["beta"])) == 1


def test_a_job_that_is_killed_is_said_and_what_it_measured_comes_home(local):
    running = local(["alpha"], blocks="100")

    def kill(text):
        if text.endswith("measuring"):
            job = next(iter(running._jobs.values()))._job
            for process in psutil.Process(job._process.pid).children(recursive=True):
                process.kill()

    running._tell = kill
    (outcome,) = running.measure().values()
    assert (outcome.state, outcome.complete) == ("missing", [])
    assert outcome.reason


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm(tmp_path_factory.mktemp("slurm")) as (environ, daemons):
        yield environ, daemons


@pytest.fixture
def begun(cluster, places, tmp_path):
    """`begun(at, ...)` runs a fleet, calls `at(line)` with each line that it says; its exit code, lines, and folder."""
    ours = {name: text for name, text in cluster[0].items() if name.startswith(("SLURM", "MUNGE"))}
    settings = {"BENCH_BACKENDS": "numpy_manual", "BENCH_RESULTS": str(tmp_path / "results"), "COLUMNS": "140"}
    environ = clean_environ() | SMALL | settings | places | LIGHT | ours

    def run(at, *options, **changes):
        code, lines = run_fleet(["--slurm", *options], environ | changes, at)
        return code, lines, next((tmp_path / "results" / "fleet").iterdir())

    return run


def jobs(cluster, format="%i"):
    told = subprocess.run(["squeue", "--noheader", "--format", format], env=cluster[0], capture_output=True, text=True)
    return told.stdout.split()


@needs_slurm
def test_two_slurmd_become_one_table_each_node_held_whole(begun, cluster):
    shared = []

    def look(line):
        if line.endswith("): measuring"):
            shared.extend(jobs(cluster, "%h"))

    code, lines, place = begun(look)
    assert code == (3 if "UNPROVEN" in "".join(lines) else 0), lines
    assert shared
    assert set(shared) == {"NO"}, "squeue's OVER_SUBSCRIBE of a job that shares its node with none"
    assert {record["state"] for record in folder.read(place).nodes.values()} == {"done"}
    assert not [path for path in place.rglob("*") if path.is_file() and "node1" in path.read_text()]
    assert jobs(cluster) == []


@needs_slurm
def test_a_job_that_is_cancelled_is_said(begun, cluster):
    def cancel(line):
        if "node1): measuring" in line or "node1): waiting" in line:
            subprocess.run(["scancel", "--nodelist", "node1"], env=cluster[0], check=True)

    code, lines, place = begun(cancel, BENCH_BLOCKS="10")
    states = {record["reason"]: record["state"] for record in folder.read(place).nodes.values()}
    assert code == 1, lines
    assert states == {"SLURM says CANCELLED": "missing", "": "done"}


@needs_slurm
def test_a_node_that_is_drained_never_comes(begun, cluster):
    subprocess.run(["scontrol", "update", "NodeName=node2", "State=DRAIN", "Reason=test"], env=cluster[0], check=True)
    try:
        code, lines, place = begun(lambda line: None, "--wait", "0.2")
    finally:
        subprocess.run(["scontrol", "update", "NodeName=node2", "State=RESUME"], env=cluster[0], check=True)
    assert code == 1, lines
    assert sorted(record["state"] for record in folder.read(place).nodes.values()) == ["done", "missing"]
    assert any("missing" in line and "never came: said nothing within 0.2 minutes (--wait)" in line for line in lines)
    assert jobs(cluster) == [], "nothing of ours stays in the queue"


@needs_slurm
def test_a_slurmd_that_is_killed_takes_no_run_with_it_that_could_end(begun, cluster):
    """The last test: SLURM's own daemon is gone, its job's processes are not."""

    def kill(line):
        if "node1): measuring" in line:
            os.kill(cluster[1]["node1"], signal.SIGKILL)

    _, lines, place = begun(kill, "--wait", "1", "--silence", "10")
    assert [record["state"] for record in folder.read(place).nodes.values()].count("done") >= 1, lines


def test_without_a_cluster_it_is_said(monkeypatch, places):
    monkeypatch.setenv("XDG_STATE_HOME", places["XDG_STATE_HOME"])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="--slurm: sinfo tells of no nodes here"):
        Slurm("", [])
