"""Fleets of real processes of this machine: what tests look at while they measure."""

import shlex
import subprocess
import sys
import time

import psutil

from bench.fleet import node
from tests.support import ROOT

NODE = f"{shlex.quote(sys.executable)} -m bench node"
TEMPLATE = f": {{node}}; exec {NODE}"


def run_fleet(options, environ, at):
    """`bench fleet` in a process of its own; calls `at(line)` with each line that it says. Its exit code and its lines."""
    command = [sys.executable, "-m", "bench", "fleet", *options]
    with subprocess.Popen(
        command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as done:
        lines = []
        for line in done.stdout:
            lines.append(line.rstrip())
            at(lines[-1])
    return done.returncode, lines


def only(running):
    (outcome,) = running.measure().values()
    return outcome


def asked_processes():
    """What runs for a node below this process."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if process.cmdline()[-3:] == ["-m", "bench", "node"]]


def visits(running):
    """Lines of the journals that are on the node."""
    files = node.keep().joinpath(running.asked.fleet).rglob("journal.jsonl")
    return sum(path.read_text().count('"visit"') for path in files)


def wait_for(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.05)
