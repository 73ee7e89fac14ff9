"""If these fail, foreign code in a worker reaches out of it, an honest step cannot run inside, or what is open stays untold."""

import json
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.worker import sandbox
from tests.support import EVERYTHING, clean_environ

ENTER = "import json; from bench.worker import sandbox; print(json.dumps(sandbox.enter({writable!r})), flush=True)\n"

ATTACKS = {
    # the network
    "connects by TCP": "socket.create_connection(('127.0.0.1', port), 5)",
    "sends by UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "opens a socket": "socket.socket(socket.AF_INET)",
    "listens": "socket.create_server(('127.0.0.1', 0))",
    "asks the kernel of its routes": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "connects to a socket in the file system": "socket.socket(socket.AF_UNIX).connect(f'{outside}/stream')",
    "sends to a socket in the file system": """
pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
pair[0].sendto(b'x', f'{outside}/datagrams')
""",
    "opens a ring that could open sockets": "assert libc.syscall(425, 1, ctypes.create_string_buffer(120)) >= 0",
    # files
    "writes": "open(f'{outside}/file', 'w').write('y')",
    "appends": "open(f'{outside}/file', 'a').write('y')",
    "empties": "os.truncate(f'{outside}/file', 0)",
    "makes": "open(f'{outside}/new', 'w')",
    "makes a folder": "os.mkdir(f'{outside}/new')",
    "makes a symbolic link": "os.symlink('file', f'{outside}/new')",
    "removes": "os.unlink(f'{outside}/file')",
    "removes a folder": "os.rmdir(f'{outside}/folder')",
    "renames": "os.rename(f'{outside}/file', f'{outside}/new')",
    "moves in": "os.rename(f'{outside}/file', f'{writable}/file')",
    "writes by a hard link": "os.link(f'{outside}/file', f'{writable}/file'); open(f'{writable}/file', 'w').write('y')",
    "writes by a symbolic link": "os.symlink(f'{outside}/file', f'{writable}/link'); open(f'{writable}/link', 'w').write('y')",
    "writes to shared memory": "open(f'/dev/shm/stepbench-{os.getpid()}', 'x'); os.unlink(f'/dev/shm/stepbench-{os.getpid()}')",
    "makes System V's shared memory": "number = libc.shmget(0, 4096, 0o600); assert number >= 0; libc.shmctl(number, 0, None)",
    "takes rights away": "os.chmod(f'{outside}/file', 0); assert os.stat(f'{outside}/file').st_mode & 0o777 == 0",
    "takes rights away by a folder": """
os.chmod('file', 0, dir_fd=os.open(outside, os.O_RDONLY))
assert os.stat(f'{outside}/file').st_mode & 0o777 == 0
""",
    "takes rights of an open file away": """
with open(f'{outside}/file') as file:
    os.fchmod(file.fileno(), 0)
assert os.stat(f'{outside}/file').st_mode & 0o777 == 0
""",
    "sets a time": "os.utime(f'{outside}/file', (1, 1)); assert os.stat(f'{outside}/file').st_mtime == 1",
    "sets an attribute": "os.setxattr(f'{outside}/file', 'user.x', b'1'); assert os.listxattr(f'{outside}/file')",
    "sets an attribute by the newer call": """
arguments = struct.pack('=QII', ctypes.addressof(value := ctypes.create_string_buffer(b'1', 1)), 1, 0)
libc.syscall(463, -100, f'{outside}/file'.encode(), 0, b'user.x', arguments, 16)
assert os.listxattr(f'{outside}/file')
""",
    "writes in a child": "subprocess.run([sys.executable, '-c', f\"open('{outside}/file', 'w').write('y')\"], check=True)",
    "writes in a thread": """
with ThreadPoolExecutor() as pool:
    pool.submit(lambda: open(f'{outside}/file', 'w').write('y')).result()
""",
    # other processes
    "kills": "os.kill(other, signal.SIGKILL)",
    "stops by a descriptor": "signal.pidfd_send_signal(os.pidfd_open(other), signal.SIGSTOP)",
    "kills in a child": "subprocess.run(['kill', '-9', str(other)], check=True)",
    "opens memory": "open(f'/proc/{other}/mem', 'rb')",
    "reads the environment": "assert open(f'/proc/{other}/environ', 'rb').read()",
    "traces": "assert libc.ptrace(0x4206, other, None, None) == 0",
    "takes a descriptor": "assert libc.syscall(438, os.pidfd_open(other), 1, 0) >= 0",
    "limits another": "resource.prlimit(other, resource.RLIMIT_CPU, (1000, 1000))",
    "slows another": "os.setpriority(os.PRIO_PROCESS, other, 19)",
    "slows all of its user's": "os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0))",
    "has another idle": "os.sched_setscheduler(other, os.SCHED_IDLE, os.sched_param(0))",
    "moves another": "os.sched_setaffinity(other, [cpu]); assert os.sched_getaffinity(other) == {cpu}",
    # what it has been given
    "moves itself": "os.sched_setaffinity(0, [cpu]); assert os.sched_getaffinity(0) == {cpu}",
    "leaves its session": "os.setsid()",
    "leaves its process group": "os.setpgid(0, 0)",
    "raises its limit": "resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, resource.RLIM_INFINITY))",
    "sets the clock's pace": """
time = ctypes.create_string_buffer(208)
libc.adjtimex(time)
time[0:4] = struct.pack('I', 0x4000)
assert libc.adjtimex(time) >= 0
""",
    "asks as a 32-bit program": """
code = mmap.mmap(-1, 4096, prot=7)
code.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')  # getpid
assert ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))() == os.getpid()
""",
}
REFUSED = r"PermissionError|OSError: \[Errno 18]|AssertionError|ValueError: not allowed|subprocess.CalledProcessError"
"""Number 18: a link from another folder. An assertion fails where what was ignored has had no effect."""
OTHER = """
import ctypes, os, platform
from bench.worker import sandbox
ctypes.CDLL(None).prctl(sandbox.SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
list(sandbox._drop_capabilities(ctypes.CDLL(None), sandbox.ARCHITECTURES.get(platform.machine())))
print(flush=True)
os.execlp("sleep", "sleep", "60")
"""
"""Another process of the same user; of root's powers it has no more than the one that attacks it."""
IMPORTS = """
import ctypes, mmap, os, resource, signal, socket, struct, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
libc = ctypes.CDLL(None)
"""


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = clean_environ() | EVERYTHING | environ
    return subprocess.run([sys.executable, "-P", "-c", code], env=environ, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def left_open(tmp_path_factory) -> list[str]:
    """What this kernel cannot close."""
    return json.loads(run(ENTER.format(writable=str(tmp_path_factory.mktemp("writable")))).stdout)


@pytest.fixture
def attempt(tmp_path):
    """Runs an attack on a folder and a process of its own: whether it came through, and how it failed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def attempt(attack: str, inside: bool) -> tuple[bool, str]:
            environ = clean_environ() | EVERYTHING
            outside, writable = tmp_path / str(inside), tmp_path / f"writable {inside}"
            for folder in (writable, outside, outside / "folder"):
                folder.mkdir()
            (outside / "file").write_text("x")
            with (
                socket.socket(socket.AF_UNIX) as stream,
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
                subprocess.Popen([sys.executable, "-c", OTHER], env=environ, stdout=subprocess.PIPE) as other,
            ):
                other.stdout.readline()
                stream.bind(str(outside / "stream"))
                stream.listen()
                datagrams.bind(str(outside / "datagrams"))
                names = {
                    "outside": str(outside), "writable": str(writable), "other": other.pid,
                    "port": server.getsockname()[1], "cpu": min(os.sched_getaffinity(0)),
                }  # fmt: skip
                given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
                limit = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (1 << 36, 1 << 36))\n"
                entered = ENTER.format(writable=str(writable)) if inside else ""
                done = run(given + limit + entered + IMPORTS + attack)
                assert not inside or other.poll() is None
                other.kill()
            assert not inside or (outside / "file").read_text() == "x"
            return done.returncode == 0, (done.stderr.strip().splitlines() or [""])[-1]

        yield attempt


@pytest.mark.parametrize("name", ATTACKS)
def test_what_can_be_done_outside_cannot_be_done_inside(name, attempt, left_open):
    if left_open:
        pytest.skip(f"this kernel cannot close {'; '.join(left_open)}")
    if name == "asks as a 32-bit program" and platform.machine() != "x86_64":
        pytest.skip("there is one on x86-64 only")
    if "cpu" in ATTACKS[name] and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("this process has one CPU only")
    done, why = attempt(ATTACKS[name], inside=False)
    if not done:
        pytest.skip(f"cannot be done outside either: {why}")
    done, why = attempt(ATTACKS[name], inside=True)
    assert not done
    assert re.match(REFUSED, why), why


def test_honest_work_goes_on_inside(tmp_path):
    writable = tmp_path / "writable"
    writable.mkdir()
    done = run(
        f"""
import multiprocessing, os, pathlib, shutil, signal, subprocess, sys, tempfile, threading
from bench.worker import sandbox
before = open('{tmp_path}/before', 'w')
sandbox.enter('{writable}')
import numpy
before.write('what was open stays open'); before.close()
file = tempfile.NamedTemporaryFile(suffix='.py', delete=False)
assert pathlib.Path(file.name).parent == pathlib.Path('{writable}'), file.name
file.write(b'print(6 * 7)'); file.close()
shutil.copy2(file.name, file.name + '.copy')
os.replace(file.name + '.copy', file.name)
os.makedirs(tempfile.gettempdir() + '/a'); os.replace(file.name, tempfile.gettempdir() + '/a/b.py')
assert subprocess.run([sys.executable, tempfile.gettempdir() + '/a/b.py'], capture_output=True).stdout == b'42\\n'
shutil.rmtree(tempfile.gettempdir() + '/a')
child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)
child.send_signal(signal.SIGTERM)
assert child.wait() == -signal.SIGTERM
ours, theirs = multiprocessing.Pipe()
thread = threading.Thread(target=theirs.send, args=[1]); thread.start()
assert ours.recv() == 1
os.nice(0)
assert (numpy.ones((99, 99)) @ numpy.ones((99, 99))).sum() == 99**3
""",
        **sandbox.environment(str(writable)),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "before").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what belongs to others")
def test_root_still_reads_what_belongs_to_others(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o600)
    os.chown(tmp_path / "file", 12345, 12345)
    done = run(ENTER.format(writable=str(tmp_path)) + f"assert open('{tmp_path}/file').read() == 'x'")
    assert done.returncode == 0, done.stderr


def test_every_cache_lies_in_the_folder():
    assert set(sandbox.environment("/somewhere").values()) == {"/somewhere"}
    assert {"TMPDIR", "TORCHINDUCTOR_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"} <= set(sandbox.environment("/somewhere"))


def test_a_kernel_without_landlock_is_told(tmp_path):
    done = run("from bench.worker import sandbox; sandbox.CREATE_RULESET = 4444\n" + ENTER.format(writable=str(tmp_path)))
    assert json.loads(done.stdout) == [
        "writing outside its folder, other processes' memory and signals (Landlock: Function not implemented)"
    ]


@pytest.mark.parametrize(("abi", "left"), [(1, ["emptying", "signals"]), (3, ["signals"]), (5, ["signals"]), (6, []), (7, [])])
def test_an_older_landlock_is_asked_for_what_it_has_and_the_rest_told(abi, left, monkeypatch, tmp_path):
    asked = []

    def call(_, number, *arguments):
        if arguments == (None, 0, 1):
            return abi
        if number == sandbox.CREATE_RULESET:
            asked.append(memoryview(arguments[0]).cast("Q").tolist())
            return os.open(os.devnull, os.O_RDONLY)
        return 0

    monkeypatch.setattr(sandbox, "_call", call)
    assert [phrase.split()[0] for phrase in sandbox._restrict(None, str(tmp_path))] == left
    (files, _, scopes), *_ = asked
    assert files.bit_length() == {1: 13, 3: 15}.get(abi, 16)
    assert (scopes > 0) == (abi >= 6)


def test_an_unknown_architecture_is_told(tmp_path):
    done = run("import platform; platform.machine = lambda: 'vax'\n" + ENTER.format(writable=str(tmp_path)))
    told = json.loads(done.stdout)
    assert told[-1].startswith("the network")
    assert "vax" in told[-1]
    assert len(told) == (2 if os.geteuid() == 0 else 1)


def test_threads_that_were_there_before_are_told(tmp_path):
    start = "import threading, time; threading.Thread(target=time.sleep, args=[5], daemon=True).start()\n"
    assert json.loads(run(start + ENTER.format(writable=str(tmp_path))).stdout) == ["threads that were started before"]


@pytest.mark.parametrize(("header", "column"), [("x86_64-linux-gnu/asm/unistd_64.h", 0), ("asm-generic/unistd.h", 1)])
def test_system_calls_have_the_numbers_of_the_kernels_headers(header, column):
    if not (path := Path("/usr/include") / header).exists():
        pytest.skip(f"{path} is not installed")
    defined = {name: int(n) for name, n in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())}
    calls = sandbox.REFUSED | sandbox.IGNORED | sandbox.OWN | sandbox.SOCKETS
    numbers = {name: call[column] for name, call in calls.items() if column < len(call)}
    assert {name: defined[name] for name in numbers if name in defined} == {n: numbers[n] for n in numbers if n in defined}
    assert numbers.keys() - defined.keys() <= {"fchmodat2", "setxattrat", "removexattrat"}, "these are newer than some headers"
    architecture = next(each for each in sandbox.ARCHITECTURES.values() if each.column == column)
    assert (architecture.seccomp, architecture.capset) == (defined["seccomp"], defined["capset"])


def test_it_is_loaded_without_any_library():
    done = run("import sys; from bench.worker import sandbox; print(sorted({'numpy', 'psutil', 'torch'} & set(sys.modules)))")
    assert done.stdout == "[]\n"
