"""Ray: a task for each node that asks for all of its CPUs and GPUs, and never again if it fails.

Ray keeps count of what its own tasks asked for and holds nobody else away; its thread settings do not reach the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from bench.errors import UsageError, missing
from bench.fleet.launchers import Job

METAVAR = "ADDRESS"
HELP = "a task for each node of the Ray cluster at this address; by default the one that Ray finds here"
DEFAULT = "auto"
RESOURCE = "stepbench"
"""A custom resource, asked for where nodes have it: of two fleets only one gets it, whatever CPUs they ask for."""


class Ray:
    """A task for each node."""

    outlives = False  # Ray would give the node to somebody else

    def __init__(self, address: str, nodes: Sequence[str]) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise missing("ray", "--ray", extra="ray") from None
        self._ray: Any = ray
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"--ray {address}: no cluster answers there: {str(error).splitlines()[0]}") from None
        self.nodes = nodes or [*self._alive()]

    def start(self, node: str, request: str, seconds: float) -> Job:
        known = self._alive()
        if node not in known:
            raise UsageError(f"is no living node of the Ray cluster, which has {', '.join(known)}")
        has = known[node]["Resources"]
        task = self._ray.remote(_on_node()).options(
            num_cpus=has.get("CPU", 0),
            num_gpus=has.get("GPU", 0),
            resources={RESOURCE: has[RESOURCE]} if RESOURCE in has else {},
            label_selector={"ray.io/node-id": known[node]["NodeID"]},
            num_returns="streaming",
            max_retries=0,
        )
        return _Task(self._ray, task.remote(request))

    def _alive(self) -> dict[str, dict[str, Any]]:
        """Name → what Ray knows of each node that lives: its host's name, with the node's id where a host has several."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        hosts = [node["NodeManagerHostname"] for node in alive]
        found = {}
        for host, node in zip(hosts, alive, strict=True):
            if node["Resources"].get("CPU"):
                found[f"{host}-{node['NodeID'][:6]}" if hosts.count(host) > 1 else host] = node
        return found


class _Task:
    def __init__(self, ray: Any, answers: Any) -> None:
        self._ray, self._answers, self._fate = ray, answers, ""

    def read(self, seconds: float) -> bytes:
        try:
            ready, _ = self._ray.wait([self._answers], timeout=max(0.0, seconds))
            if not ready:
                raise TimeoutError
            return bytes(self._ray.get(next(self._answers), timeout=max(1.0, seconds)))
        except StopIteration:
            return b""
        except self._ray.exceptions.GetTimeoutError:
            raise TimeoutError from None
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [""]
            self._fate = f"Ray says {type(error).__name__}: {lines[0]}"
            return b""

    def stop(self, gently: bool) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError, TypeError):
            self._ray.cancel(self._answers, force=not gently)

    def fate(self) -> str:
        return self._fate


def _on_node() -> Callable[[str], Iterator[bytes]]:
    """What a task runs; nested, so that it travels as it is and the node's Python needs nothing of ours to load it."""

    def serve(request: str) -> Iterator[bytes]:
        import importlib.util
        import os
        import subprocess
        import sys

        if importlib.util.find_spec("bench") is None:
            yield b'{"stepbench": "end", "code": 2, "reason": "stepbench is not installed in the Python that Ray uses there"}\n'
            return
        ours = {"OMP_NUM_THREADS", "PYTHONPATH"}
        env = {name: text for name, text in os.environ.items() if name not in ours and not name.startswith("RAY_")}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", "node"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
            while more := os.read(process.stdout.fileno(), 1 << 20):
                yield more
        finally:
            process.stdin.close()  # whoever is cancelled leaves nothing behind: the node ends its run
            process.wait()

    return serve


def launcher(where: str, nodes: Sequence[str]) -> Ray:
    """Raises `UsageError`."""
    return Ray(where, nodes)
