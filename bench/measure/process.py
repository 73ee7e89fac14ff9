"""A worker or the judge as the conductor holds it: started clean, asked line by line, suspended, ended.

It must never wait without a limit, nor leave a process behind.
"""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bench.machine.counters import Counters
from bench.paths import ROOT
from bench.plan.sides import Side
from bench.region import Region
from bench.settings import Settings
from bench.worker import sandbox

KEEP_MEMORY = str(256 * 1024 * 1024)
DAY = 86_400.0
"""Seconds that the judge may take: it computes as long as the shapes ask for, and never hangs on foreign code."""
ENDING = 10
"""Seconds that a process may take to end once it was killed, or has closed the conversation."""
STOPPING = 0.1
"""Seconds to wait at most until every thread of a process has stopped: pools spin, and one that wakes itself never stops."""
LONGEST = 1 << 26
"""Bytes of a reply; a description with its source takes some thousands."""
UNPRINTABLE = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)} - set(map(ord, "\t\n\r\f")), "\ufffd")
"""What no file or terminal should be given: control characters and half characters."""


class Died(Exception):
    """The process is gone or does not answer, and is to be ended; one sentence that says how."""


def worker_environment(
    threads: int, allocator: str, environ: Mapping[str, str] = os.environ, folder: Path = ROOT
) -> dict[str, str]:
    """The environment a worker starts with: libraries read their thread counts once, when they are loaded.

    `folder` holds the `backends` package that is imported; `bench` is always this one.
    """
    count = str(threads)
    env = {name: value for name, value in environ.items() if not name.startswith("BENCH_")}
    env |= dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMBA_NUM_THREADS"), count
    )
    env |= {"OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE"}
    for name in ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"):
        env.pop(name, None)  # float32 means float32, unless a backend asks for TF32 itself
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "INIT_METHOD"):
        env.pop(name, None)  # whoever started this run in ranks did not mean its workers
    eigen = "true" if threads > 1 else "false"
    env["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={count}"
    env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [*dict.fromkeys(map(str, (folder, ROOT))), environ.get("PYTHONPATH")]))
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        env.pop(name, None)
        if allocator == "pinned":
            env[name] = KEEP_MEMORY  # both: setting either alone switches off glibc's dynamic threshold
    return env


class Process:
    """A worker or a judge. It starts at once, or raises `OSError`; usable as a context manager, which ends it.

    `region` is the memory that it shares with this process and no other.
    """

    def __init__(
        self,
        module: str,
        setup: Mapping[str, Any],
        env: Mapping[str, str],
        timeout: float,
        size: int,
        python: str = sys.executable,
    ) -> None:
        self._timeout, self._printed_before = timeout, 0
        self._awake, self._slept = list[float](), dict[int, float]()
        """CPU time that it took in each suspension, and the clocks when the last one began."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        self.region = Region.new(size)
        try:
            self._process = psutil.Popen(
                # -P: the working directory may be another checkout, and must not come before PYTHONPATH
                [python, "-P", "-m", module, json.dumps({**setup, "region": self.region.descriptor})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                env=env,
                pass_fds=[self.region.descriptor],
                start_new_session=True,  # Ctrl-C reaches the conductor alone, which ends its workers in order
            )
        except OSError:
            self._printed.close()
            self.region.close()
            raise
        self.counters = Counters(self._process.pid)
        """Of hardware, from here on; where the kernel has none, empty."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._unread = b""

    @classmethod
    def worker(
        cls,
        side: Side,
        settings: Settings,
        threads: int = 1,
        cpus: Sequence[int] = (),
        memory: int | None = None,
        size: int = 1 << 20,
        foreign: bool = False,
        place: tuple[int, int] = (0, 1),
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """`foreign`: closed to all but a temporary folder of its own, as far as the kernel can. `place`: which rank, of how
        many; each takes its own of `cpus`. `env`: further variables."""
        folder = tempfile.TemporaryDirectory(prefix="stepbench-") if foreign and settings.sandbox == "foreign" else None
        setup = {
            "cpus": list(cpus), "memory": memory, "threads": threads, "place": place,
            "writable": folder.name if folder else None,
        }  # fmt: skip
        environ = os.environ | side.variables
        variables = worker_environment(threads, settings.allocator, environ, side.folder) | dict(env or {})
        variables |= sandbox.environment(folder.name) if folder else {}
        started = cls("bench.worker", setup, variables, settings.timeout, size, side.python)
        started._folder = folder
        return started

    @classmethod
    def judge(cls, settings: Settings, size: int) -> Process:
        env = worker_environment(1, settings.allocator)
        return cls("bench.judge", {"seed": settings.seed}, env, DAY, size)

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends one request and waits for its reply, `timeout` seconds at most. Raises `Died`."""
        self.send(do, **request)
        return self.receive()

    def send(self, do: str, **request: Any) -> None:
        """A request alone: `receive` has to follow. Raises `Died` for a process that has said something unasked."""
        self._printed_before = os.fstat(self._printed.fileno()).st_size
        if self._unread or self._selector.select(0):
            raise Died(self.unasked())
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ConnectionResetError):
            raise Died(self._cause()) from None

    def receive(self) -> dict[str, Any]:
        """The reply to what was sent, of `LONGEST` bytes at most and in `timeout` seconds at most. Raises `Died`."""
        deadline = time.monotonic() + self._timeout
        while not self._unread.endswith(b"\n"):
            if not self._selector.select(deadline - time.monotonic()):
                raise Died(f"hung: no answer within {self._timeout:g} s (BENCH_TIMEOUT), so its process was ended")
            if not (more := os.read(self._process.stdout.fileno(), 1 << 20)):
                raise Died(self._cause())
            self._unread += more
            if len(self._unread) > LONGEST:
                raise Died(f"answers with more than {LONGEST} bytes, so its process was ended")
        line, self._unread = self._unread, b""
        try:
            reply = json.loads(line)
            if b"\\u" in line:
                reply = _printable(reply)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict) or not isinstance(reply.get("status"), str):
            raise Died("answers with something else than one reply, so its process was ended")
        return reply

    def unasked(self) -> str:
        """Why there is something to be read that nobody asked for. Who asks ends the process."""
        ended = self._process.poll() is not None or not (self._unread or os.read(self.fileno(), 1))
        return self._cause() if ended else "spoke without being asked, so its process was ended"

    def fileno(self) -> int:
        """Where replies come: to be waited for beside others'."""
        return int(self._process.stdout.fileno())

    @property
    def awake_seconds(self) -> float:
        """CPU time that it took while it was suspended, for a timer of its own can wake it; without the suspension that has
        most of it: a host may take the core away just as a thread stops on it, and the kernel counts that as the thread's."""
        return sum(self._awake) - max(self._awake, default=0.0)

    def cpu_seconds(self) -> float:
        """CPU time of the process and those below it, with what it waited for; of one nobody waited for, until it ended."""
        return sum(self._cpu_clocks().values()) + sum(self._process.cpu_times()[2:4])

    def suspend(self) -> None:
        """Stops the process and whatever it started, and ends what has left its group: nobody could stop that."""
        ended = []
        for pid in self._below():
            with suppress(ProcessLookupError):
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, signal.SIGKILL)
                    ended.append(pid)
        self._signal(signal.SIGSTOP)
        self._wait_until_stopped()
        self._slept = self._cpu_clocks() | dict.fromkeys(ended, math.inf)

    def resume(self) -> None:
        if self._slept:
            clocks = self._cpu_clocks().items()
            self._awake.append(sum(max(0.0, now - self._slept.get(pid, 0.0)) for pid, now in clocks))
        self._slept = {}
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Ends the process and whatever it started."""
        below = self._below()
        self._signal(signal.SIGKILL)
        for pid in below:  # also what has left the group
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(psutil.TimeoutExpired):
            self._process.wait(timeout=ENDING)
        self._selector.close()
        self.counters.close()
        self.region.close()
        for stream in (self._process.stdin, self._process.stdout, self._printed):
            with suppress(BrokenPipeError):
                stream.close()
        if self._folder:
            self._folder.cleanup()

    def _cause(self) -> str:
        try:
            code = self._process.wait(timeout=ENDING)
        except psutil.TimeoutExpired:
            return "its process closed the conversation without ending"
        if code < 0:
            name = signal.Signals(-code).name
            hint = ": the system was out of memory, or somebody killed it" if name == "SIGKILL" else ""
            return f"its process died of {name}{hint}"
        self._printed.seek(self._printed_before)  # what others of its process printed earlier is not the cause
        last = self._printed.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"its process ended with exit code {code}{': ' + last[0] if last else ''}"

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)  # its session's group carries its pid

    def _wait_until_stopped(self) -> None:
        """A stop is reported once the last thread has stopped: until then they compute on, and not on the sly."""
        deadline = time.monotonic() + STOPPING
        with suppress(ChildProcessError):  # somebody else has waited for it: it is gone
            while not os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if time.monotonic() > deadline:
                    return
                time.sleep(50e-6)

    def _cpu_clocks(self) -> dict[int, float]:
        clocks = {}
        for pid in (self.pid, *self._below()):
            with suppress(OSError):  # it ended just now
                clocks[pid] = time.clock_gettime(_cpu_clock(pid))
        return clocks

    def _below(self) -> list[int]:
        """The processes below this one, as the kernel lists them by thread; none where it does not."""
        found, waiting = [], [self.pid]
        while waiting:
            tasks = f"/proc/{waiting.pop()}/task"
            with suppress(OSError):  # it ended just now
                for task in os.listdir(tasks):
                    with suppress(OSError), open(f"{tasks}/{task}/children", "rb") as file:
                        children = [*map(int, file.read().split())]
                        found += children
                        waiting += children
        return found

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(UNPRINTABLE)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return {_printable(name): _printable(item) for name, item in value.items()} if isinstance(value, dict) else value


def _cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as clock_getcpuclockid(3) makes it. Raises nothing; reading it does."""
    return (~pid << 3) | 2
