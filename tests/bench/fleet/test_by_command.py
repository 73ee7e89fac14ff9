"""If these fail, a fleet started by commands does not measure, or loses what it measured when something dies.

Real processes that stand for nodes, a short run each; one machine, so they take turns.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench.fleet import folder, home, node
from bench.fleet.launchers import engines
from bench.settings import Settings
from tests.support import ROOT, read_csv

NODE = f"{shlex.quote(sys.executable)} -m bench node"
TEMPLATE = f": {{node}}; exec {NODE}"


@pytest.fixture
def environ(environ, tmp_path):
    return environ | {
        "BENCH_BACKENDS": "numpy_manual",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }


@pytest.fixture
def quick(environ, monkeypatch):
    """A fleet whose patience is short, in this process: its nodes get `environ`."""
    for name in [name for name in os.environ if name.startswith(("BENCH_", "PYTEST_"))]:
        monkeypatch.delenv(name)
    for name, text in environ.items():
        if not name.startswith("BENCH_"):
            monkeypatch.setenv(name, text)

    def build(template=TEMPLATE, nodes=("alpha",), heard=None, **patience):
        settings = Settings.from_env({name: text for name, text in environ.items() if name.startswith("BENCH_")})
        asked, launcher = home.new(engines()["command"], template, nodes, settings)
        limits = {"wait": 20.0, "run": 60.0, "silence": 10.0} | patience
        return home.Fleet(asked, launcher, home.Patience(**limits), (heard if heard is not None else []).append)

    return build


def only(running):
    (outcome,) = running.measure().values()
    return outcome


def test_two_nodes_become_one_table(bench, environ):
    done = bench("fleet", "--command", TEMPLATE, "--nodes", "alpha.example.org,beta", **environ)
    assert done.returncode == 0, done.stderr
    ids = private_ids(environ, "alpha.example.org", "beta")
    table = [line.split() for line in done.stdout.splitlines()]
    assert sorted(line[0] for line in table if line and line[0] in ids) == sorted(ids)
    assert "are one machine" in done.stdout
    assert "another run of a fleet holds this machine" in done.stderr, "they take turns"
    place = next((Path(environ["BENCH_RESULTS"]) / "fleet").iterdir())
    written = read_csv(place / "fleet.csv")
    assert set(written["node"]) == set(ids)
    assert {run.rpartition("-")[2] for run in written["run"]} == set(ids), "two nodes may begin in the same second"
    assert not [path for path in place.rglob("*") if path.is_file() and "alpha" in path.read_text()]
    again = bench("fleet", "--show", str(place), **environ)
    assert again.stdout == done.stdout
    loaded = bench("compare", *(str(place / id_) for id_ in ids), **environ)
    assert "UNDECIDED" in loaded.stdout


def private_ids(environ, *names):
    code = f"import json; from bench.fleet import private; print(json.dumps(private.ids({names!r})))"
    return [*json.loads(subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True).stdout).values()]


def test_a_node_that_is_killed_in_the_middle_leaves_what_it_measured_and_no_process(quick, environ):
    environ["BENCH_BLOCKS"] = "200"
    killed = []

    def kill_once_measuring(text):
        if text.endswith("measuring"):
            wait_for(lambda: visits(running) > 3)
            agent = next(p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[-1:] == ["node"])
            killed.extend(agent.children(recursive=True))
            agent.kill()

    running = quick()
    running._tell = kill_once_measuring
    outcome = only(running)
    assert (outcome.state, outcome.reason) == ("missing", "its command died of SIGKILL")
    assert outcome.complete == []
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1
    psutil.wait_procs(killed, timeout=5)
    assert [process for process in killed if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def visits(running):
    """Lines of the journals that are on the node."""
    files = node.keep().joinpath(running.asked.fleet).rglob("journal.jsonl")
    return sum(path.read_text().count('"visit"') for path in files)


def wait_for(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.05)


def test_a_node_that_is_stopped_counts_as_hung_and_what_it_measured_comes_home(quick, environ):
    environ["BENCH_BLOCKS"] = "200"

    def stop_once_measuring(text):
        if text.endswith("measuring"):
            wait_for(lambda: visits(running) > 3)
            agent = next(p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[-1:] == ["node"])
            agent.suspend()

    running = quick(silence=2.0)
    running._tell = stop_once_measuring
    outcome = only(running)
    assert (outcome.state, outcome.reason) == ("missing", "hangs: no sign of life for 2 s")
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1


def test_a_run_that_takes_too_long_is_ended_in_order(quick, environ):
    environ["BENCH_BLOCKS"] = "500"
    running = quick(run=3.0)
    outcome = only(running)
    assert (outcome.state, outcome.reason) == ("missing", "took longer than 0.05 minutes (--minutes)")
    (run,) = folder.of_node(running.folder, running.ids["alpha"])
    assert (run / "summary.csv").exists(), "as Ctrl-C ends a run, with its tables"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB, for the nodes' runs."""
    place = tmp_path / "cache"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be made here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_runs_full_on_a_node_is_said_and_what_was_written_comes_home(quick, environ, small_disk):
    environ["BENCH_BLOCKS"] = "100"

    def fill_once_measuring(text):
        if text.endswith("measuring"):
            wait_for(lambda: visits(running) > 3)
            with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1 << 12)):
                    pass

    running = quick()
    running._tell = fill_once_measuring
    outcome = only(running)
    assert outcome.state == "missing"
    assert "No space left on device" in outcome.reason
    (run,) = folder.of_node(running.folder, running.ids["alpha"])
    assert '"visit"' in (run / "journal.jsonl").read_text()


def test_a_node_whose_run_finds_no_room_says_so(quick, environ, small_disk):
    environ["BENCH_BLOCKS"] = "1000"
    assert "MB are free there, this run may need" in only(quick()).reason


def test_when_home_is_killed_the_node_goes_on_and_resume_finds_what_is_finished(bench, environ):
    arguments = [sys.executable, "-m", "bench", "fleet", "--command", TEMPLATE, "--nodes", "alpha"]
    killed = subprocess.Popen(arguments, env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for line in killed.stderr:
        if line.strip().endswith("measuring"):
            break
    killed.kill()
    killed.wait()
    killed.stderr.close()
    kept = Path(environ["XDG_CACHE_HOME"]) / "stepbench"
    wait_for(lambda: any('"end"' in path.read_text() for path in kept.rglob("journal.jsonl")))
    done = bench("fleet", "--resume", **environ)
    assert done.returncode == 0, done.stderr
    assert "measuring" not in done.stderr
    assert len([*kept.rglob("journal.jsonl")]) == 1
    assert bench("fleet", "--resume", **environ).stdout == done.stdout, "nothing is left to do"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("echo no route to {node} >&2; exit 255", "its command ended with exit code 255: no route to "),
        ("echo Welcome; echo {node}: no such command", "no such command"),
        ("kill -9 $$; : {node}", "its command died of SIGKILL"),
        ("sleep 60; : {node}", "never came: said nothing within 0.0333 minutes (--wait)"),
    ],
)
def test_a_node_that_cannot_be_reached_is_said(quick, template, says):
    running = quick(template, wait=2.0)
    assert says in only(running).reason
    assert "alpha" not in (running.folder / folder.NAME).read_text()


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["--command", "x"], {}, "bench: --command: knows no nodes by itself; name them with --nodes a,b,c."),
        (["--command", "x", "--nodes", "a,b"], {}, "does not say {node}, so all nodes would be one"),
        (["--resume", "x"], {}, "bench: --resume x: nothing is known of how it was started"),
        (["--resume"], {}, "bench: --resume: no fleet was begun here"),
        (["--show", "/nowhere"], {}, "bench: /nowhere/fleet.jsonl: is no fleet's journal"),
        (["--command", "{node}", "--nodes", "a"], {"BENCH_PATH": "tests/broken"}, "bench: BENCH_PATH=tests/broken: nodes have"),
        (["--command", "{node}", "--nodes", "a", "--wait", "0"], {}, "expected a number of minutes above 0"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(bench, environ, arguments, settings, says):
    done = bench("fleet", *arguments, **environ | settings)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(environ["BENCH_RESULTS"]).exists()


def test_node_by_itself_says_that_it_is_asked_by_a_fleet(bench, environ):
    done = bench("node", **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it is `bench fleet` that asks" in done.stderr
