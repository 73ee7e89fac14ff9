"""Real clusters on this machine, for the tests: slurmctld with two slurmd behind a munged of their own, and raylets.

Everything listens on 127.0.0.1 or in a folder of the test, and ends with it.
"""

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench.fleet.conftest import wait_for

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
CONF = """ClusterName=made
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SchedulerType=sched/builtin
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
KillWait=2
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port1} CPUs=1
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={port2} CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def needs(library=None):
    """A mark for what takes minutes, or another library than `make test` installs."""
    if library and not find_spec(library):
        return pytest.mark.skip(reason=f"needs {library}, and takes minutes; `make fleet-test` installs it and runs this")
    return pytest.mark.skipif(not os.environ.get("STEPBENCH_FLEET"), reason="takes minutes; `make fleet-test` runs it")


def why_no_slurm():
    lacking = [name for name in PROGRAMS if not _program(name)]
    return f"no {', '.join(lacking)} here: Debian has them in slurm-wlm and munge" if lacking else ""


def _program(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def slurm(folder: Path):
    """Yields the environment to use it with."""
    for name in ("state", "spool-node1", "spool-node2"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    port, port1, port2 = free_ports(3)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(
        CONF.format(folder=folder, port=port, port1=port1, port2=port2, user=user, host=host), encoding="utf-8"
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "MUNGE_SOCKET": str(folder / "munge.socket")}
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    started = []
    try:
        started.append(_start("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files, env=env))
        wait_for((folder / "munge.socket").exists)
        started.append(_start("slurmctld", "-D", "-f", str(folder / "slurm.conf"), env=env))
        for node in ("node1", "node2"):
            started.append(_start("slurmd", "-D", "-N", node, "-f", str(folder / "slurm.conf"), env=env))

        def ready():
            command = ["sinfo", "-h", "-N", "-o", "%T"]
            told = subprocess.run(command, env=env, capture_output=True, text=True).stdout.split()
            return told == ["idle", "idle"]

        wait_for(ready)
        yield env
    finally:
        subprocess.run(["scancel", "--user", user], env=env, capture_output=True, timeout=20)
        for process in reversed(started):
            with suppress(ProcessLookupError):
                process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(name, *arguments, env):
    with (Path(env["SLURM_CONF"]).parent / f"{name}.printed").open("ab") as log:
        return subprocess.Popen([_program(name), *arguments], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
