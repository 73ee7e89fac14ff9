"""If these fail, a fleet on Ray does not measure, measures twice, or waits for Ray where Ray waits for ever."""

import json
import subprocess
import sys

import psutil
import pytest

from bench.fleet import folder
from tests.bench.fleet.clusters import needs
from tests.bench.fleet.nodes import asked_processes, run_fleet, wait_for
from tests.conftest import SMALL
from tests.support import LIGHT, ROOT, clean_environ

pytestmark = needs("ray")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Where Ray answers, each node's raylet, and where nodes keep their runs."""
    kept = tmp_path_factory.mktemp("kept")
    environ = clean_environ() | LIGHT | {"XDG_CACHE_HOME": str(kept)}
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "bench" / "fleet" / "ray_cluster.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        text=True,
        cwd=ROOT,
    )
    yield json.loads(process.stdout.readline()) | {"kept": kept}
    process.communicate(timeout=60)


@pytest.fixture
def begun(cluster, tmp_path):
    """`begun(at, ...)` runs a fleet, calls `at(line)` with each line that it says, and returns its lines and its folder."""
    settings = {"BENCH_BACKENDS": "numpy_manual", "BENCH_RESULTS": str(tmp_path / "results"), "COLUMNS": "140"}
    environ = clean_environ() | SMALL | settings | {"XDG_STATE_HOME": str(tmp_path / "state")} | LIGHT

    def run(at=lambda line: None, *options, **changes):
        code, lines = run_fleet(["--ray", cluster["address"], *options], environ | changes, at)
        return code, lines, next((tmp_path / "results" / "fleet").iterdir())

    return run


def reasons(place):
    return sorted(record["reason"] for record in folder.read(place).nodes.values())


def at_measuring(cluster, do):
    """Calls `do` with Ray's worker of the first node that measures, once it has measured something."""
    before = visits(cluster)
    seen = []

    def at(line):
        if line.endswith("): measuring") and not seen:
            seen.append(line)
            wait_for(lambda: visits(cluster) > before)
            (worker,) = {process.parent() for process in asked_processes() if process.children()}
            do(worker)

    return at


def visits(cluster):
    return sum(path.read_text().count('"visit"') for path in cluster["kept"].rglob("journal.jsonl"))


def test_three_nodes_become_one_table_one_after_the_other(begun):
    code, lines, place = begun()
    assert code == (3 if "UNPROVEN" in "".join(lines) else 0), lines
    assert sum(line.endswith("): measuring") for line in lines) == 3
    assert sum("another run of a fleet holds this machine" in line for line in lines) >= 2
    assert len([*place.rglob("journal.jsonl")]) == 3
    first = json.loads(next(place.rglob("journal.jsonl")).read_text().partition("\n")[0])
    assert first["settings"]["threads"] == [1]


def test_a_task_that_is_killed_is_missing_and_not_begun_again(begun, cluster):
    killed = []

    def kill(worker):
        killed.extend(worker.children(recursive=True))
        worker.kill()

    code, lines, place = begun(at_measuring(cluster, kill), BENCH_BLOCKS="10")
    assert code == 1
    assert sum(line.endswith("): measuring") for line in lines) == 3, "never again by itself"
    assert reasons(place)[2].startswith("Ray says WorkerCrashedError")
    assert sum("missing:" in line and "passes of its run are kept" in line for line in lines) == 1
    psutil.wait_procs(killed, timeout=20)
    assert [process for process in killed if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_node_that_is_no_part_of_the_cluster_is_said(begun):
    code, lines, place = begun(lambda line: None, "--nodes", "nowhere")
    assert code == 1
    assert reasons(place)[0].startswith("is no living node of the Ray cluster")
    assert any(line.startswith("missing: ") for line in lines)


def test_a_node_whose_cpus_are_taken_never_comes(begun, cluster):
    """Ray's own patience has no end."""
    code = f"""import ray, time
ray.init(address={cluster["address"]!r}, log_to_driver=False)
held = [ray.remote(lambda: time.sleep(600)).options(num_cpus=1).remote() for _ in range(3)]
print("held", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as other:
        assert any("held" in line for line in other.stdout)
        _, _, place = begun(lambda line: None, "--wait", "0.05")
        other.communicate("\n")
    assert reasons(place) == ["never came: said nothing within 0.05 minutes (--wait)"] * 3


def test_a_raylet_that_is_stopped_does_not_hold_the_others_up(begun, cluster):
    stopped = psutil.Process(next(iter(cluster["raylets"].values())))
    stopped.suspend()
    try:
        _, lines, place = begun(lambda line: None, "--wait", "0.5", "--silence", "5")
    finally:
        stopped.resume()
    assert sum(record["state"] == "done" for record in folder.read(place).nodes.values()) >= 2, lines


def test_a_raylet_that_is_killed_in_the_middle_loses_no_run_and_holds_nobody_up(begun, cluster):
    """The last test: one node less. Ray's worker may end its task before it notices, and then nothing is missing."""

    def kill(worker):
        psutil.Process(worker.ppid()).kill()

    code, lines, place = begun(at_measuring(cluster, kill), "--wait", "1", "--silence", "5", BENCH_BLOCKS="20")
    records = folder.read(place).nodes
    missing = [record for record in records.values() if record["state"] == "missing"]
    assert len(missing) <= 1, lines
    assert all(record["reason"] for record in missing), lines
    assert code in ((1,) if missing else (0, 3)), lines
    assert [node for node in records if not folder.of_node(place, node)] == [], "what was measured is at home"
