"""If these fail, a fleet on SLURM does not measure, shares its nodes, or hides what SLURM did."""

import subprocess

import pytest

from bench.errors import UsageError
from bench.fleet import home
from bench.fleet.engines import Slurm
from tests.bench.fleet.clusters import needs, slurm, why_no_slurm

pytestmark = needs("submitit")
needs_slurm = pytest.mark.skipif(bool(why_no_slurm()), reason=f"needs SLURM: {why_no_slurm()}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm(tmp_path_factory.mktemp("slurm")) as environ:
        yield environ


@pytest.fixture
def on_slurm(begin, cluster, monkeypatch):
    for name in ("SLURM_CONF", "MUNGE_SOCKET"):
        monkeypatch.setenv(name, cluster[name])

    def build(nodes=(), **changes):
        return begin("slurm", "", nodes, **changes)

    return build


def jobs(format):
    command = ["squeue", "--noheader", "--format", format]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


@needs_slurm
def test_every_node_is_held_whole_and_brings_its_run_home(on_slurm):
    running = on_slurm()
    running.measuring()
    assert {*jobs("%h")} == {"NO"}, "squeue's OVER_SUBSCRIBE of a job that shares its node with none"
    assert running.states() == {"node1": "done", "node2": "done"}
    assert [len(home.runs(running.place / id_)) for id_ in running.ids.values()] == [1, 1]
    assert jobs("%i") == []


@needs_slurm
def test_a_job_that_is_cancelled_is_said_and_resume_measures_again(on_slurm):
    running = on_slurm(["node1"], BENCH_BLOCKS="200")
    running.measuring()
    subprocess.run(["scancel", "--nodelist", "node1"], check=True)
    assert running.states()["node1"] in ("SLURM reports CANCELLED", "its run died of SIGTERM")
    assert on_slurm(["node1"]).states() == {"node1": "done"}


@needs_slurm
def test_a_task_that_is_killed_is_said(on_slurm):
    running = on_slurm(["node1"], BENCH_BLOCKS="200")
    running.measuring().kill()
    assert running.states() == {"node1": "SLURM reports FAILED"}


@needs_slurm
def test_a_node_that_is_drained_is_late_and_nothing_stays_in_the_queue(on_slurm):
    update = ["scontrol", "update", "NodeName=node2"]
    subprocess.run([*update, "State=DRAIN", "Reason=test"], check=True)
    try:
        states = on_slurm(wait=5.0, seconds=55.0).states()
    finally:
        subprocess.run([*update, "State=RESUME"], check=True)
    assert states["node1"] == "done"
    assert states["node2"].startswith("no answer within 1 minutes (--wait, --minutes)")
    assert jobs("%i") == []


def test_without_a_cluster_it_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="--slurm: sinfo lists no nodes here; name them with --nodes."):
        Slurm("", [])
