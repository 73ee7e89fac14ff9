"""A command for each node, such as `ssh {node} ...`: the node's answers are what it prints."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from bench.errors import UsageError
from bench.fleet.launchers import Job

METAVAR = "TEMPLATE"
HELP = "a command that runs `python -m bench node` on {node}, such as 'ssh {node} stepbench/.venv/bin/stepbench node'"
DEFAULT = None
ENDING = 5
"""Seconds that a command may take to end once it was asked to."""


class Commands:
    """A command for each node."""

    outlives = True

    def __init__(self, template: str, nodes: Sequence[str]) -> None:
        self.template, self.nodes = template, nodes

    def start(self, node: str, request: str, seconds: float) -> Job:
        return _Command(self.template.replace("{node}", shlex.quote(node)), request)


class _Command:
    def __init__(self, command: str, request: str) -> None:
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # it ends with this object
        self._process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            start_new_session=True,  # Ctrl-C reaches home alone, which asks its nodes to stop
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._say(request)

    def read(self, seconds: float) -> bytes:
        if not self._selector.select(max(0.0, seconds)):
            raise TimeoutError
        return os.read(self._out.fileno(), 1 << 20)

    def stop(self, gently: bool) -> None:
        if gently:
            self._say("stop")
            return
        with suppress(OSError):
            self._in.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING)
        self._selector.close()
        self._out.close()
        self._printed.close()

    def fate(self) -> str:
        try:
            code = self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            return ""
        self._printed.seek(0)
        last = self._printed.read().decode(errors="replace").strip().splitlines()[-1:]
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"its command {how}{': ' + last[0] if last else ''}" if code else ""

    def _say(self, line: str) -> None:
        with suppress(OSError):  # it has ended, which `read` and `fate` tell
            self._in.write(line.encode() + b"\n")
            self._in.flush()


def launcher(where: str, nodes: Sequence[str]) -> Commands:
    """Raises `UsageError`."""
    if not nodes:
        raise UsageError("--command: knows no nodes by itself; name them with --nodes a,b,c.")
    if len(nodes) > 1 and "{node}" not in where:
        raise UsageError(f"--command {where!r}: does not say {{node}}, so all nodes would be one; put it where it goes.")
    return Commands(where, nodes)
