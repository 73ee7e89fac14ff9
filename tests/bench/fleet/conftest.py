"""Fleets whose nodes are processes of this machine, with a short run each."""

import os
import shlex
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from bench.fleet import folder, home
from bench.fleet.engines import ENGINES
from tests.bench.fleet import made
from tests.conftest import SMALL
from tests.support import LIGHT

NODE = f": {{node}}; exec {shlex.quote(sys.executable)} -m bench node"


@pytest.fixture
def environ(environ, tmp_path):
    folders = {"XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "TMPDIR": "."}
    places = {name: str(tmp_path / folder) for name, folder in folders.items()}
    return environ | places | LIGHT | {"BENCH_BACKENDS": "numpy_manual"}


class RunningFleet(threading.Thread):
    """A fleet that a thread measures, and what its nodes do meanwhile."""

    def __init__(self, start, engine, wait, seconds, kept):
        super().__init__(daemon=True)
        self.place, self.ids, self.kept = Path(start.folder), home.ids(start.nodes), kept
        self.arguments = start, engine, wait, seconds, lambda text: None
        self.kept_by = [kept / "stepbench" / "made" / id_ for id_ in self.ids.values()]
        self.before = self.visits()
        self.start()

    def run(self):
        home.run(*self.arguments)

    def visits(self):
        journals = [path for kept in self.kept_by for path in kept.rglob("*.jsonl")]
        return sum(path.read_text().count('"visit"') for path in journals)

    def measuring(self):
        """Waits until a node has measured something; returns the process that called its run."""
        wait_for(lambda: self.visits() > self.before)
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if command[-3:] == ["-m", "bench", "run"] and Path(process.cwd()) in self.kept_by:
                return process.parent()
        raise AssertionError("no run was found")

    def states(self):
        """Name → "done", or why the node is missing, once the fleet has ended."""
        self.join(240)
        records = folder.read(self.place)[1]
        return {name: records[id_]["reason"] or "done" for name, id_ in self.ids.items()}

    def runs(self, node):
        return folder.runs(self.place / self.ids[node])


@pytest.fixture
def begin(environ, tmp_path, monkeypatch):
    """`begin("ray", "auto", (), BENCH_BLOCKS="9")` begins a fleet."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR", "PYTHONPATH"):
        monkeypatch.setenv(name, environ[name])
    monkeypatch.setattr(home, "GRACE", 1.0)

    def build(name="command", where=NODE, nodes=("alpha",), wait=60, seconds=60, kept=None, **more):
        engine = ENGINES[name](where, nodes)
        start = made.start(engine, tmp_path / "fleet", SMALL | {"BENCH_BACKENDS": "numpy_manual"} | more)
        return RunningFleet(start, engine, wait, seconds, kept or tmp_path / "cache")

    return build


def place(environ):
    """The folder of the only fleet."""
    (found,) = (Path(environ["BENCH_RESULTS"]) / "fleet").iterdir()
    return found


def wait_for(true, seconds=90.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.05)


def ended(processes):
    """Whether these processes end, as they do with their parent."""
    alive = psutil.wait_procs(processes, timeout=20)[1]
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive if each.is_running())


def needs(library=None):
    """A mark for tests that take minutes, or another library than `make test` installs."""
    skip = not os.environ.get("STEPBENCH_FLEET") or (library and not find_spec(library))
    return pytest.mark.skipif(bool(skip), reason="takes minutes; `make fleet-test` runs it")
