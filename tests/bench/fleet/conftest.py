"""Fleets whose nodes are processes of this machine, with a short run each."""

import os
import shlex
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from bench.fleet import home, private
from bench.fleet.engines import ENGINES
from tests.conftest import SMALL
from tests.support import LIGHT

NODE = f": {{node}}; exec {shlex.quote(sys.executable)} -m bench node"


@pytest.fixture
def environ(environ, tmp_path):
    places = {"XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "TMPDIR": "tmp"}
    (tmp_path / "tmp").mkdir()
    places = {name: str(tmp_path / folder) for name, folder in places.items()}
    return environ | places | LIGHT | {"BENCH_BACKENDS": "numpy_manual"}


class RunningFleet(threading.Thread):
    """A fleet that a thread measures, and what its nodes do meanwhile."""

    def __init__(self, start, engine, wait, seconds, kept):
        super().__init__(daemon=True)
        self.place, self.ids, self.kept = Path(start.folder), private.ids(start.nodes), kept
        self.arguments = start, engine, wait, seconds, lambda text: None
        self.error = None
        self.start()

    def run(self):
        try:
            home.run(*self.arguments)
        except Exception as error:
            self.error = error

    def measuring(self):
        """Waits until a node has measured something; returns the process that called its run."""
        folders = [self.kept / "stepbench" / "made" / id_ for id_ in self.ids.values()]
        wait_for(lambda: any('"visit"' in path.read_text() for f in folders for path in f.rglob("*.jsonl")))
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if command[-3:] == ["-m", "bench", "run"] and Path(process.cwd()) in folders:
                return process.parent()
        raise AssertionError("no run was found")

    def records(self):
        """Name → last record of each node, once the fleet has ended."""
        self.join(240)
        assert not self.is_alive()
        if self.error:
            raise self.error
        records = home.read(self.place)[1]
        return {name: records[id_] for name, id_ in self.ids.items()}

    def states(self):
        """Name → "done", or why the node is missing."""
        return {name: record["reason"] or "done" for name, record in self.records().items()}


@pytest.fixture
def begin(environ, tmp_path, monkeypatch):
    """`begin("ray", "auto", (), BENCH_BLOCKS="9")` begins a fleet."""
    for name in environ.keys() - os.environ.keys():
        monkeypatch.setenv(name, environ[name])
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR", "PYTHONPATH"):
        monkeypatch.setenv(name, environ[name])
    monkeypatch.setattr(home, "GRACE", 1.0)

    def build(name="command", where=NODE, nodes=("alpha",), wait=60.0, seconds=60.0, kept=None, **settings):
        engine = ENGINES[name](where, nodes)
        settings = SMALL | {"BENCH_BACKENDS": "numpy_manual"} | settings
        start = private.Start("made", name, where, [*engine.nodes], settings, str(tmp_path / "fleet"))
        if not (tmp_path / "fleet" / home.NAME).exists():
            header = {"nodes": [*private.ids(engine.nodes).values()], "stepbench": "0"}
            home.append(tmp_path / "fleet", header)
        return RunningFleet(start, engine, wait, seconds, kept or tmp_path / "cache")

    return build


def wait_for(true, seconds=90.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.05)


def ended(processes):
    """Whether these processes end, as they do with their parent."""
    alive = psutil.wait_procs(processes, timeout=20)[1]
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive if each.is_running())
