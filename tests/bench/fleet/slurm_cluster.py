"""slurmctld with two slurmd behind a munged of their own, on 127.0.0.1 and in a folder."""

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress

from tests.bench.fleet.conftest import wait_for

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
LACKING = [name for name in ("slurmctld", "slurmd", "munged") if not shutil.which(name, path=PATH)]
CONF = """ClusterName=made
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
KillWait=2
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(folder):
    """Yields the variables to use it with."""
    for name in ("state", "spool-node1", "spool-node2"):
        (folder / name).mkdir()
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    host = socket.gethostname().partition(".")[0]
    conf, munge, key = folder / "slurm.conf", folder / "munge.socket", folder / "munge.key"
    conf.write_text(CONF.format(folder=folder, ports=ports, user=user, host=host))
    key.write_bytes(os.urandom(128))
    for path, mode in ((key, 0o600), (folder, 0o755)):
        path.chmod(mode)
    ours = {"SLURM_CONF": str(conf), "MUNGE_SOCKET": str(munge)}
    env = os.environ | ours | {"PATH": PATH}
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    started = []

    def start(*command):
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        started.append(subprocess.Popen(command, env=env, **quiet))

    def ready():
        command = ["sinfo", "-h", "-N", "-o", "%T"]
        return subprocess.run(command, env=env, capture_output=True).stdout.split() == [b"idle"] * 2

    try:
        start("munged", "--foreground", "--force", f"--socket={munge}", *files)
        wait_for(munge.exists)
        start("slurmctld", "-D", "-f", conf)
        for node in ("node1", "node2"):
            start("slurmd", "-D", "-N", node, "-f", conf)
        wait_for(ready)
        yield ours
    finally:
        subprocess.run(["scancel", "--user", user], env=env, capture_output=True, timeout=20)
        for process in reversed(started):
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
