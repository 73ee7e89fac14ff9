"""If these fail, a fleet on SLURM does not measure, shares its nodes, or hides what SLURM did."""

import subprocess

import pytest

from bench.errors import UsageError
from bench.fleet.engines import Slurm
from tests.bench.fleet.conftest import needs
from tests.bench.fleet.slurm_cluster import LACKING, slurm

pytestmark = needs("submitit")
needs_slurm = pytest.mark.skipif(bool(LACKING), reason=f"needs {LACKING} of slurm-wlm and munge")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables


@pytest.fixture
def on_slurm(begin, cluster, monkeypatch):
    for name, text in cluster.items():
        monkeypatch.setenv(name, text)
    return lambda nodes=(), **changes: begin("slurm", "", nodes, **changes)


def jobs(format):
    command = ["squeue", "--noheader", "--format", format]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


@needs_slurm
def test_every_node_is_held_whole_and_brings_its_run_home(on_slurm):
    running = on_slurm()
    running.measuring()
    assert {*jobs("%h")} == {"NO"}, "squeue's OVER_SUBSCRIBE of a job that shares its node with none"
    assert running.states() == {"node1": "done", "node2": "done"}
    assert [len(running.runs(node)) for node in ("node1", "node2")] == [1, 1]


@needs_slurm
def test_a_job_that_is_killed_or_cancelled_is_said_and_resume_measures_again(on_slurm):
    running = on_slurm(["node1"], BENCH_BLOCKS="200")
    running.measuring().kill()
    assert running.states() == {"node1": "SLURM reports FAILED"}
    running = on_slurm(["node1"], BENCH_BLOCKS="200")
    running.measuring()
    subprocess.run(["scancel", "--nodelist", "node1"], check=True)
    assert running.states()["node1"] in ("SLURM reports CANCELLED", "its run died of SIGTERM")
    assert on_slurm(["node1"]).states() == {"node1": "done"}


@needs_slurm
def test_a_node_that_is_drained_is_late_and_nothing_stays_in_the_queue(on_slurm):
    update = ["scontrol", "update", "NodeName=node2"]
    subprocess.run([*update, "State=DRAIN", "Reason=test"], check=True)
    try:
        states = on_slurm(["node2"], wait=5, seconds=5).states()
    finally:
        subprocess.run([*update, "State=RESUME"], check=True)
    assert states["node2"].startswith("no answer within 0.167 minutes (--wait, --minutes)")
    assert jobs("%i") == []


def test_without_a_cluster_it_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="--slurm: sinfo lists no nodes here; name them with"):
        Slurm("", [])
