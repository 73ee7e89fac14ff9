"""Fleets whose nodes are processes of this machine, with a short run each, or futures made by hand."""

import io
import json
import os
import shlex
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from bench.fleet import folder, home
from bench.fleet.node import FACTS
from tests.conftest import SMALL
from tests.support import LIGHT, a_header

NODE = f": {{node}}; exec {shlex.quote(sys.executable)} -m bench node"


@pytest.fixture
def environ(environ, tmp_path, monkeypatch):
    places = {"XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "TMPDIR": "."}
    more = {name: str(tmp_path / place) for name, place in places.items()} | LIGHT | {"BENCH_BACKENDS": "numpy_manual"}
    for name in (*places, *LIGHT):
        monkeypatch.setenv(name, more[name])
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(home, "GRACE", 0.1)
    return environ | more


class RunningFleet:
    """A fleet that a thread measures, and what its nodes do meanwhile."""

    def __init__(self, start, engine, kept, wait, seconds):
        self.start, self.place, self.kept = start, Path(start.folder), kept / "stepbench" / Path(start.folder).name
        self.thread = threading.Thread(target=home.run, args=(start, engine, wait, seconds, print), daemon=True)
        self.thread.start()

    def measuring(self):
        """Waits until a node has measured something; returns the process that called its run."""
        wait_for(lambda: any('"visit"' in path.read_text() for path in self.kept.rglob("*.jsonl")))
        for process in psutil.process_iter(["cmdline"]):
            is_run = (process.info["cmdline"] or [])[-3:] == ["-m", "bench", "run"]
            if is_run and Path(process.cwd()).is_relative_to(self.kept):
                return process.parent()
        raise AssertionError("no run was found")

    def states(self):
        """Name → "done", or why the node is missing, once the fleet has ended."""
        self.thread.join(240)
        return states(self.start)


@pytest.fixture
def begin(environ, tmp_path, tmp_path_factory):
    """`begin("ray", "auto", (), BENCH_BLOCKS="9")` begins a fleet, or goes on with the one at `place`."""

    def build(name="command", where=NODE, nodes=("alpha",), wait=60, seconds=60, kept=tmp_path / "cache", place=None, **more):
        engine = home.ENGINES[name](where, nodes)
        settings = SMALL | {"BENCH_BACKENDS": "numpy_manual"} | more
        start = start_of(engine.nodes, place or tmp_path_factory.mktemp("fleet"), settings)
        return RunningFleet(start, engine, kept, wait, seconds)

    return build


@pytest.fixture
def small_disk(tmp_path):
    """`small_disk("cache", "12m")` makes a folder a file system of this size, or changes its size."""
    mounted = []

    def mount(name, size):
        place, change = tmp_path / name, ",remount" * bool(mounted)
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{change}", "none", place]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a small file system cannot be made here")
        mounted.append(place)
        return place

    yield mount
    for place in {*mounted}:
        subprocess.run(["umount", "-l", place], check=True)


class Engine:
    """Maps a node to its answer: bytes, an exception, or None for one that never comes."""

    def __init__(self, answers):
        self.answers, self.nodes, self.requests, self.closed = answers, [*answers], {}, False

    def submit(self, request, node):
        self.requests[node], future = request, Future()
        if isinstance(answer := self.answers[node], Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    def close(self):
        self.closed = True


def journal_bytes(run="r", end=True):
    records = [a_header(run=run), {"record": "pass", "pass": 0}, {"record": "end", "pass": 0}]
    return "".join(json.dumps(record) + "\n" for record in records[: 3 if end else 2]).encode()


def archive(files=(), reason="", printed=""):
    out, facts = io.BytesIO(), {"stepbench": "0", "reason": reason, "printed": printed}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in {FACTS: json.dumps(facts), **dict(files)}.items():
            zipped.writestr(name, content)
    return out.getvalue()


def delivery(run="r", end=True, **facts):
    return archive({f"m/{run}/journal.jsonl": journal_bytes(run, end)}, **facts)


def start_of(nodes, place, settings):
    """A fleet in this folder, new or known."""
    if not (place / folder.NAME).exists():
        folder.append(place, {"nodes": [*home.ids(nodes).values()], "stepbench": "0"})
    return home.Start("made", "", [*nodes], settings, str(place))


def states(start):
    """Name → "done", or why the node is missing."""
    records = folder.read(Path(start.folder))[1]
    return {name: records[id_]["reason"] or "done" for name, id_ in home.ids(start.nodes).items()}


def runs(place, node):
    """The names of the runs of a node that came home."""
    return sorted(path.name for path in (place / home.ids([node])[node]).glob("*/*"))


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
