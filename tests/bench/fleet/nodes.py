"""Fleets of real processes of this machine: what tests look at while they measure."""

import shlex
import sys
import time

import psutil

from bench.fleet import node

NODE = f"{shlex.quote(sys.executable)} -m bench node"
TEMPLATE = f": {{node}}; exec {NODE}"


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
