"""Fleets whose nodes are processes of this machine, with a short run each."""

import os
import re
import shlex
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from bench.fleet import home
from tests.support import LIGHT, ROOT

NODE = f": {{node}}; exec {shlex.quote(sys.executable)} -m bench node"


@pytest.fixture
def environ(environ, tmp_path, monkeypatch):
    places = {"XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "TMPDIR": "."}
    more = {name: str(tmp_path / place) for name, place in places.items()} | LIGHT
    for name, text in {**more, "BENCH_RESULTS": environ["BENCH_RESULTS"]}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(home, "GRACE", 0.1)
    return environ | more | {"BENCH_BACKENDS": "numpy_manual"}


@pytest.fixture
def begin(environ):
    """`begin("--ray", BENCH_BLOCKS="9")` begins `python -m bench fleet --ray`."""

    def start(*arguments, **settings):
        command = [sys.executable, "-m", "bench", "fleet", *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=environ | settings, cwd=ROOT, text=True, **quiet)

    return start


def states(fleet):
    """Name → "done", or why the node is missing, once the fleet that began has ended."""
    return dict(re.findall(r"^\w+ \((\S+)\): (?:missing: )?(.*)$", fleet.communicate(timeout=240)[1], re.M))


def measuring(kept):
    """Waits until a run below this folder has measured something; returns the process that called it."""

    def found():
        for process in psutil.process_iter(["cmdline", "cwd"]):
            place, is_run = Path(process.info["cwd"] or "/"), (process.info["cmdline"] or [])[-3:] == ["-m", "bench", "run"]
            journals = place.rglob("*.jsonl") if is_run and place.is_relative_to(kept) else []
            if any('"visit"' in path.read_text() for path in journals):
                return process.parent()
        return None

    return wait_for(found)


def wait_for(true, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "never came true"
        time.sleep(0.05)
    return found


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


def ended(processes):
    """Whether these processes end, as they do with their parent."""
    alive = psutil.wait_procs(processes, timeout=20)[1]
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive if each.is_running())


def needs(library=None):
    """A mark for tests that take minutes, or another library than `make test` installs."""
    skip = not os.environ.get("STEPBENCH_FLEET") or (library and not find_spec(library))
    return pytest.mark.skipif(bool(skip), reason="takes minutes; `make fleet-test` runs it")
