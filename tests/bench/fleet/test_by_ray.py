"""If these fail, a fleet on Ray does not measure, or measures twice."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.errors import UsageError
from bench.fleet import home
from tests.bench.fleet.conftest import ended, measuring, needs, states
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


def test_without_a_cluster_it_is_one_sentence():
    """The first test: no cluster runs here yet."""
    with pytest.raises(UsageError, match="^--ray auto: no cluster: .+$"):
        home.Ray("auto", [])


def test_every_node_measures_with_the_threads_of_home(begin, cluster, environ):
    found = states(begin("--ray", cluster["address"], "--nodes", "one,two,nowhere"))
    assert found.pop("nowhere").startswith("is no living node of the Ray cluster, which has ")
    assert found == {"one": "done", "two": "done"}
    journals = [path.read_text().partition("\n")[0] for path in Path(environ["BENCH_RESULTS"]).rglob("journal.jsonl")]
    assert [json.loads(header)["settings"]["threads"] for header in journals] == [[1], [1]]


def test_a_task_that_is_killed_is_said_and_not_begun_again(begin, cluster):
    fleet = begin("--ray", cluster["address"], "--nodes", "one", BENCH_BLOCKS="200")
    worker = measuring(cluster["kept"])
    below = worker.children(recursive=True)
    worker.kill()
    assert states(fleet)["one"].startswith("WorkerCrashedError: The worker died unexpectedly")
    assert ended(below)


def test_a_raylet_that_is_killed_is_said_and_the_other_node_comes_home(begin, cluster):
    """The last test: one node less."""
    fleet = begin("--ray", cluster["address"], BENCH_BLOCKS="60")
    raylet = measuring(cluster["kept"]).ppid()
    psutil.Process(raylet).kill()
    found = states(fleet)
    died = found.pop(next(name for name, pid in cluster["raylets"].items() if pid == raylet))
    assert "Error: " in died
    assert [*found.values()] == ["done"]
