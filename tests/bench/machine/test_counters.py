"""If these fail, an event is counted of another process or not at all; one of the kernel's own stands in for the hardware's."""

import errno
import os
import platform
import subprocess
import sys

import pytest

from bench.machine import counters
from bench.machine.counters import Counters, Event, between

FAULTS = {"faults": Event(1, 2)}  # a software event: page faults
TOUCHES = """
import mmap, os, sys, threading
def touch(pages):
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    for page in range(pages):
        memory[page * mmap.PAGESIZE] = 1
for line in sys.stdin:
    how, pages = line.split()
    if how == "here":
        touch(int(pages))
    elif how == "thread":
        thread = threading.Thread(target=touch, args=[int(pages)])
        thread.start()
        thread.join()
    elif not (child := os.fork()):
        touch(int(pages))
        os._exit(0)
    else:
        os.waitpid(child, 0)
    print("done", flush=True)
"""


@pytest.mark.skipif(
    platform.machine() not in counters.CALL or bool(Counters(os.getpid(), FAULTS).missing),
    reason="this kernel or container counts no events of a process",
)
def test_what_a_process_its_threads_and_its_children_do_is_counted():
    command = [sys.executable, "-c", TOUCHES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        counted = Counters(process.pid, FAULTS)

        def faults(how, pages):
            before = counted.read()
            process.stdin.write(f"{how} {pages}\n")
            assert process.stdout.readline() == "done\n"
            return between(before, counted.read())["faults"]

        for how in ("here", "thread", "child"):
            faults(how, 1)  # what a first time brings along
            assert 5000 <= faults(how, 5000) < 6000, how
        process.stdin.close()
    counted.close()
    counted.close()
    assert counted.read() == {}


def test_what_cannot_be_counted_is_missing_with_the_reason(monkeypatch):
    lacking = Counters(os.getpid(), {"nothing": Event(0, 12345)})
    assert lacking.read() == {}
    assert list(lacking.missing) == ["nothing"]
    monkeypatch.setattr(counters.platform, "machine", lambda: "another")
    assert Counters(os.getpid()).missing == dict.fromkeys(counters.EVENTS, os.strerror(errno.ENOSYS))


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EACCES, "forbids"), (errno.EPERM, "forbids"), (errno.ENOENT, "virtual machines")]
)
def test_why_the_kernel_refuses_is_said(monkeypatch, number, says):
    def refuse(pid, event):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(counters, "_opened", refuse)
    assert says in Counters(1).missing["cycles"]


def test_an_event_that_shared_its_counter_is_left_out(monkeypatch):
    shared = {"always": (7, 100, 100), "now and then": (7, 100, 60)}
    files = {}

    def opened(pid, event):
        read, write = os.pipe()
        os.write(write, counters.READ.pack(*shared[event]))
        os.close(write)
        files[event] = read
        return read

    monkeypatch.setattr(counters, "_opened", opened)
    counted = Counters(1, {name: name for name in shared})
    assert counted.read() == {"always": 7}
    counted.close()


def test_between_two_reads_stands_what_both_have():
    assert between({"a": 1, "b": 2}, {"a": 11, "c": 3}) == {"a": 10}
