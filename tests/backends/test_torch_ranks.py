"""If these fail, torch's ranks reduce something else than the gradients of the whole batch, or do not find each other."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from importlib import util

import pytest

from bench.machine import resources
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.plan.cases import make_plan
from bench.settings import Settings
from tests.support import EVERYTHING, ROOT, clean_environ

pytestmark = [
    pytest.mark.skipif(util.find_spec("torch") is None, reason="torch is not installed"),
    pytest.mark.skipif(len(resources.cores()) < 2, reason="two ranks need two cores"),
]
BACKENDS = ("torch_all_reduce", "torch_ddp", "all_reduce_torch")


def test_two_ranks_train_as_one_process_does(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", EVERYTHING["PYTHONPATH"])
    settings = replace(Settings.from_env({}), backends=BACKENDS, devices=("cpu",), ranks=(2,))
    proofs = conductor.prove(make_plan(settings, *catalogue(settings)))
    assert {key: proof.get("reason") for key, proof in proofs.items() if proof["record"] != "open"} == {}
    assert {key.split("-")[0] for key in proofs} == set(BACKENDS)
    errors = [proof["errors"]["w1"] for key, proof in proofs.items() if not key.startswith("all_reduce_torch")]
    assert len(errors) == 2 * 2, "two ways, strong and weak"
    assert max(errors) < 1e-5


def _two_agents():
    """What both print, as docs/data-parallel.md has it; here both are on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environ = clean_environ() | EVERYTHING | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    common = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}", "-m", "tools.nodes"]
    step = [*common, "torch_all_reduce", "--rounds", "3"]
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", f"--node-rank={node}", *step],
            cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
        )
        for node in range(2)
    ]  # fmt: skip
    try:
        return [agent.communicate(timeout=90) for agent in agents]
    finally:
        for agent in agents:
            if agent.poll() is None:
                os.killpg(agent.pid, 9)


def test_two_agents_of_torchrun_are_two_nodes():
    (first, problems), (second, _) = _two_agents()
    if "EADDRINUSE" in problems:  # somebody took the port before torchrun did
        (first, problems), (second, _) = _two_agents()
    assert first.startswith("torch_all_reduce[cpu, float32, threads 1, 64x1000x100x10, 2 ranks]: undisturbed "), problems
    assert first.endswith("over 3 rounds; every rank was right in each\n")
    assert second == ""


def test_without_torchrun_the_nodes_say_what_starts_them(monkeypatch, capsys):
    from tools import nodes

    monkeypatch.delenv("RANK", raising=False)
    assert nodes.main(["torch_ddp"]) == 2
    problem = "tools.nodes: no RANK in the environment; start it with torchrun, as its first lines show.\n"
    assert capsys.readouterr() == ("", problem)


def test_a_step_of_one_process_is_not_spread_over_nodes(monkeypatch, capsys):
    from tools import nodes

    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert nodes.main(["torch_manual"]) == 2
    assert "torch_manual computes in one process; name torch_all_reduce" in capsys.readouterr().err
