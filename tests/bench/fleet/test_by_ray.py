"""If these fail, a fleet on Ray does not measure, measures twice, or waits as long as Ray does."""

import json
import subprocess
import sys

import psutil
import pytest

from bench.errors import UsageError
from bench.fleet.engines import Ray
from tests.bench.fleet.conftest import ended, needs
from tests.support import LIGHT, ROOT, clean_environ

pytestmark = needs("ray")
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Where Ray answers, each node's raylet, and where nodes keep their runs."""
    kept = tmp_path_factory.mktemp("kept")
    environ = clean_environ() | LIGHT | {"XDG_CACHE_HOME": str(kept), "TMPDIR": str(kept)}
    command = [sys.executable, ROOT / "tests" / "bench" / "fleet" / "ray_cluster.py"]
    process = subprocess.Popen(command, env=environ, cwd=ROOT, text=True, **PIPES)
    yield json.loads(process.stdout.readline()) | {"kept": kept}
    process.communicate(timeout=60)


@pytest.fixture
def on_ray(begin, cluster):
    where, kept = cluster["address"], cluster["kept"]
    return lambda nodes=(), **changes: begin("ray", where, nodes, kept=kept, **changes)


def test_without_a_cluster_it_is_one_sentence():
    """The first test: no cluster runs here yet."""
    with pytest.raises(UsageError, match="^--ray auto: no cluster: .+$"):
        Ray("auto", [])


def test_every_node_measures_with_the_threads_of_home(on_ray):
    running = on_ray(["one", "two", "nowhere"])
    says = "is no living node of the Ray cluster, which has "
    states = running.states()
    assert states.pop("nowhere").startswith(says)
    assert states == {"one": "done", "two": "done"}
    for node in ("one", "two"):
        (run,) = running.runs(node)
        header = json.loads((run / "journal.jsonl").read_text().partition("\n")[0])
        assert header["settings"]["threads"] == [1]


def test_a_task_that_is_killed_is_said_and_not_begun_again(on_ray):
    running = on_ray(["one"], BENCH_BLOCKS="200")
    worker = running.measuring()
    below = worker.children(recursive=True)
    worker.kill()
    assert running.states()["one"].startswith("WorkerCrashedError: The worker died unexpectedly")
    assert ended(below)


def test_a_node_whose_cpus_are_taken_is_late(on_ray, cluster):
    """Ray itself waits for ever."""
    code = f"""import ray
ray.init(address={cluster["address"]!r}, log_to_driver=False)
class Holder:
    ready = lambda self: True
holders = [ray.remote(Holder).options(num_cpus=1).remote() for _ in range(2)]
ray.get([holder.ready.remote() for holder in holders])
print("held", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", code], text=True, **PIPES) as other:
        assert any("held" in line for line in other.stdout)
        states = on_ray(wait=2, seconds=4).states()
        other.communicate("\n")
    says = "no answer within 0.1 minutes (--wait, --minutes); --resume fetches what it has by then"
    assert states == {"one": says, "two": says}


def test_a_raylet_that_is_killed_is_said_and_the_other_node_comes_home(on_ray, cluster):
    """The last test: one node less."""
    running = on_ray(BENCH_BLOCKS="20")
    raylet = running.measuring().ppid()
    psutil.Process(raylet).kill()
    states = running.states()
    died = states.pop(next(name for name, pid in cluster["raylets"].items() if pid == raylet))
    assert "Error: " in died
    assert [*states.values()] == ["done"]
