"""If these fail, a fleet on Ray does not measure, or measures twice."""

import json
import subprocess
import sys

import psutil
import pytest

from bench.errors import UsageError
from bench.fleet import home
from tests.bench.fleet.conftest import ended, needs, runs
from tests.support import LIGHT, ROOT, clean_environ

pytestmark = needs("ray")
CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster
small = {"object_store_memory": 80_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
raylets = {}
for name in ("one", "two"):
    node = cluster.add_node(num_cpus=1, resources={"stepbench": 1}, node_name=name, **small)
    raylets[name] = node.all_processes["raylet"][0].process.pid
cluster.wait_for_nodes()
print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Where Ray answers, each node's raylet, and where nodes keep their runs; it ends with its standard input."""
    kept = tmp_path_factory.mktemp("kept")
    environ = clean_environ() | LIGHT | {"XDG_CACHE_HOME": str(kept), "TMPDIR": str(kept), "RAY_USAGE_STATS_ENABLED": "0"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", CLUSTER], env=environ, cwd=ROOT, text=True, **pipes)
    yield json.loads(process.stdout.readline()) | {"kept": kept}
    process.communicate(timeout=60)


@pytest.fixture
def on_ray(begin, cluster):
    return lambda nodes=(), **changes: begin("ray", cluster["address"], nodes, kept=cluster["kept"], **changes)


def test_without_a_cluster_it_is_one_sentence():
    """The first test: no cluster runs here yet."""
    with pytest.raises(UsageError, match="^--ray auto: no cluster: .+$"):
        home.Ray("auto", [])


def test_every_node_measures_with_the_threads_of_home(on_ray):
    running = on_ray(["one", "two", "nowhere"])
    states = running.states()
    assert states.pop("nowhere").startswith("is no living node of the Ray cluster, which has ")
    assert states == {"one": "done", "two": "done"}
    for node in states:
        (name,) = runs(running.place, node)
        (journal,) = running.place.rglob(f"{name}/journal.jsonl")
        assert json.loads(journal.read_text().partition("\n")[0])["settings"]["threads"] == [1]


def test_a_task_that_is_killed_is_said_and_not_begun_again(on_ray):
    running = on_ray(["one"], BENCH_BLOCKS="200")
    worker = running.measuring()
    below = worker.children(recursive=True)
    worker.kill()
    assert running.states()["one"].startswith("WorkerCrashedError: The worker died unexpectedly")
    assert ended(below)


def test_a_raylet_that_is_killed_is_said_and_the_other_node_comes_home(on_ray, cluster):
    """The last test: one node less."""
    running = on_ray(BENCH_BLOCKS="60")
    raylet = running.measuring().ppid()
    psutil.Process(raylet).kill()
    states = running.states()
    died = states.pop(next(name for name, pid in cluster["raylets"].items() if pid == raylet))
    assert "Error: " in died
    assert [*states.values()] == ["done"]
