"""Backends before anything is timed: where each can run, and by how much its proof was missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from bench.plan.cases import Plan
from bench.plan.sides import Side
from bench.schema.case import at
from bench.schema.records import Failure, Open
from bench.show import grid
from bench.show.grid import Row, column

KINDS = "kind: a seed is measured by default, a rung with --backends all; controls, guards and peaks are fixed work."
MOST = 8
"""Columns of errors that a terminal has room for; of more arrays only the loss and the largest error are shown."""


def show(sides: Sequence[Side], to: Console) -> None:
    """Prints a row per backend with its dtypes on each device, and below them why one cannot run there."""
    backends = {at(name, side.label): backend for side in sides for name, backend in side.backends.items()}
    devices = list(dict.fromkeys(device for backend in backends.values() for device in backend.why_not)) or ["cpu"]
    rows: list[Row] = []
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, backend in backends.items():
        rows.append({"backend": name, "kind": backend.kind})
        for device in devices:
            runnable = [dtype for dtype in backend.dtypes if backend.reason(device, dtype) is None]
            rows[-1][device] = ", ".join(runnable) or "no"
            if not runnable:
                reason = str(backend.reason(device, (*backend.dtypes, "float32")[0]))
                reasons.setdefault((device, reason), []).append(name)
        rows[-1]["libraries"] = ", ".join(f"{library} {version}" for library, version in backend.versions.items())
    grid.show([column(title, title == "libraries") for title in rows[0]], rows, to)
    to.print(KINDS)
    for (device, reason), names in reasons.items():
        to.print(f"no {device}: {', '.join(names)}: {reason}")


def show_proofs(plan: Plan, proofs: Mapping[str, Open | Failure], to: Console) -> None:
    """Prints the errors of every case that was proven, and what is to be said of the others; `proofs` by a case's key."""
    rows: list[Row] = []
    for case in plan.cases:
        proof = proofs[case.key]
        if proof["record"] == "open" and (errors := proof["errors"]):
            where = {"backend": at(case.name, case.side), "device": case.device, "dtype": case.dtype, "shape": case.shape}
            arrays = errors["arrays"]
            if len(arrays) > MOST:
                arrays = {"loss": arrays["loss"], "largest": max(arrays.values())}
            sizes = {name: f"{error:.1e}" for name, error in arrays.items()}
            rows.append({**where, **sizes, "of allowed": f"{errors['share']:.0%}"})
    if rows:
        to.print("relative errors of the loss and of the updates, against the float64 reference")
        grid.show([column(title, title in ("device", "shape")) for title in rows[0]], rows, to)
    for hole in plan.holes:
        to.print(f"unavailable: {hole.case} {hole.reason}")
    for proof in proofs.values():
        if proof["record"] == "failure":
            to.print(f"{proof['status']}: {proof['reason']}")
