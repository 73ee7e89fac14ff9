"""Three engines of `bench.fleet.home`: commands such as `ssh`, Ray tasks, SLURM jobs."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

from bench.errors import UsageError, missing
from bench.fleet.home import Engine, state
from bench.fleet.node import Request, measure


class Commands:
    """A shell command for each node; it gets the request on stdin and prints the archive."""

    def __init__(self, template: str, nodes: Sequence[str]) -> None:
        if not nodes:
            raise UsageError("--command: has no list of nodes; name them with --nodes a,b,c.")
        if len(nodes) > 1 and "{node}" not in template:
            raise UsageError(f"--command {template!r}: has no {{node}}; put it where a name goes.")
        self.nodes, self._template = nodes, template
        self._pool = ThreadPoolExecutor(max_workers=len(nodes))
        self._processes: list[subprocess.Popen[bytes]] = []

    def submit(self, request: Request, node: str) -> Future[bytes]:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # no pipe: ssh's master keeps it open
        process = subprocess.Popen(
            ["sh", "-c", self._template.replace("{node}", shlex.quote(node))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True,  # Ctrl-C is for home alone
        )  # fmt: skip
        self._processes.append(process)
        return self._pool.submit(self._answer, process, json.dumps(request).encode(), errors)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        self._pool.shutdown()

    @staticmethod
    def _answer(process: subprocess.Popen[bytes], request: bytes, errors: IO[bytes]) -> bytes:
        with errors:
            archive, _ = process.communicate(request)
            errors.seek(0)
            *_, last = ["nothing", *errors.read().decode(errors="replace").strip().splitlines()]
        if code := process.returncode:
            how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise UsageError(f"its command {how} and said: {last}")
        return archive


class Ray:
    """A task for all CPUs and GPUs of its node, and its resource `stepbench` if it has that."""

    def __init__(self, address: str, nodes: Sequence[str]) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise missing("ray", "--ray", extra="ray") from None
        self._ray: Any = ray
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"--ray {address}: no cluster: {str(error).splitlines()[0]}") from None
        self.nodes = nodes or [*self._alive()]

    def submit(self, request: Request, node: str) -> Future[bytes]:
        alive = self._alive()
        if node not in alive:
            raise UsageError(f"is no living node of the Ray cluster, which has {', '.join(alive)}")
        has = alive[node]["Resources"]
        task = self._ray.remote(measure).options(
            num_cpus=has["CPU"],
            num_gpus=has.get("GPU", 0),
            resources={name: amount for name, amount in has.items() if name == "stepbench"},
            label_selector={"ray.io/node-id": alive[node]["NodeID"]},
            max_retries=0,
        )
        return task.remote(request).future()  # type: ignore[no-any-return]

    def close(self) -> None:
        self._ray.shutdown()  # Ray ends the tasks of a driver that leaves

    def _alive(self) -> dict[str, dict[str, Any]]:
        """Name → Ray's record of each living node with CPUs; `ray start --node-name` names it."""
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return {node["NodeName"]: node for node in nodes if node["Resources"].get("CPU")}


class Slurm:
    """A job for each node, exclusive; submitit passes results through a shared folder."""

    LOOK, LATE = 2.0, 10.0
    """Seconds from look to look, and for the result of a job that has ended to appear."""
    ACTIVE = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "?")

    def __init__(self, partition: str, nodes: Sequence[str]) -> None:
        try:
            import submitit
        except ModuleNotFoundError:
            raise missing("submitit", "--slurm", extra="slurm") from None
        self._only = {"partition": partition} if partition else {}
        only = [f"--partition={partition}"] * len(self._only)
        self.nodes = nodes or _words("sinfo", "-h", "-N", "-o", "%N", *only)
        if not self.nodes:
            raise UsageError("--slurm: sinfo lists no nodes here; name them with --nodes.")
        shared = state() / "slurm"
        shared.mkdir(parents=True, exist_ok=True)
        self._executor = submitit.SlurmExecutor(folder=f"{tempfile.mkdtemp(dir=shared)}/%j")
        self._pool = ThreadPoolExecutor(max_workers=len(self.nodes))
        self._closed, self._jobs = threading.Event(), list[Any]()

    def submit(self, request: Request, node: str) -> Future[bytes]:
        more = {"nodelist": node, "no-requeue": True, **self._only}
        self._executor.update_parameters(
            job_name="stepbench", nodes=1, exclusive=True, additional_parameters=more,
            time=math.ceil((request["wait"] + request["seconds"]) / 60) + 1,
        )  # fmt: skip
        try:
            job = self._executor.submit(measure, request)
        except Exception as error:  # submitit has no common class for what sbatch refuses
            *_, last = ["", *str(error).strip().splitlines()]
            raise UsageError(f"SLURM accepted no job: {last}") from None
        self._jobs.append(job)
        return self._pool.submit(self._answer, job)

    def close(self) -> None:
        """Cancels jobs that have not begun; others go on."""
        self._closed.set()
        self._pool.shutdown()
        _words("scancel", "--state=PENDING", *(str(job.job_id) for job in self._jobs))

    def _answer(self, job: Any) -> bytes:
        """Asks SLURM's controller for the state: submitit asks the accounting, which may be off."""
        state, result = "?", job.paths.result_pickle
        while state in self.ACTIVE and not result.exists() and not self._closed.wait(self.LOOK):
            state, *_ = _words("squeue", "-h", "-t", "all", "-o", "%T", "-j", job.job_id) or ["?"]
        if not result.exists() and (self._closed.wait(self.LATE) or not result.exists()):
            raise UsageError(f"SLURM reports {state}")
        return job.result()  # type: ignore[no-any-return]


def _words(*command: str) -> list[str]:
    """The different words that a command prints; none if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [*dict.fromkeys(done.stdout.split())]


ENGINES: dict[str, Callable[[str, Sequence[str]], Engine]] = {"command": Commands, "ray": Ray, "slurm": Slurm}
