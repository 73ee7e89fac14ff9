"""Asks the interpreter of each side what it is and which backends it has.

It must never import a backend: one that crashes must not take the run with it, and no library may be loaded here.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any

from bench.errors import UsageError
from bench.machine.devices import explained
from bench.machine.environment import PACKAGES
from bench.measure.process import Died, Process, worker_environment
from bench.paths import CONTROLS
from bench.plan.discovery import find
from bench.plan.sides import Backend, Side, chosen
from bench.schema.records import SideFacts
from bench.settings import Settings

NEEDED = ("numpy", "threadpoolctl")
"""What a worker imports beside Python's own library and its backends' libraries."""


def catalogue(settings: Settings, sides: tuple[Side, ...] = ()) -> tuple[tuple[Side, ...], tuple[str, ...]]:
    """The sides, by default those that the settings name, with what they are and have; the devices present on all of them.

    Raises `UsageError` for an interpreter that cannot run a worker, for a backend that cannot be imported, and for a side with
    variables that are a run's to set.
    """
    sides = sides or chosen(settings)
    for side in sides:
        _check_variables(side, settings)
    with ExitStack() as ending:
        asked = []
        for side in sides:
            worker = ending.enter_context(_started(side, settings))
            asked.append((side, worker, _about(side, worker)))
        present = [_ask(side, worker, "torch", "devices")["devices"] for side, worker, _ in asked]
        devices = tuple(device for device in present[0] if all(device in others for others in present))
        described = tuple(
            replace(side, facts={**side.facts, **about}, backends=_backends(side, worker, settings, explained(devices)))
            for side, worker, about in asked
        )
    return described, devices


def _check_variables(side: Side, settings: Settings) -> None:
    for name in side.variables:
        if worker_environment(1, settings.allocator, {name: "kept"}).get(name) != "kept":
            raise UsageError(
                f"{name}={side.variables[name]} (side {side.label}): every run sets {name} itself, alike for all sides; "
                "name a variable that libraries read, or give the run a setting of docs/settings.md."
            )


def _started(side: Side, settings: Settings, foreign: bool = False) -> Process:
    try:
        return Process.worker(side, settings, foreign=foreign)
    except OSError as error:
        raise _unfit(side, f"cannot be started: {error.strerror}") from None


def _about(side: Side, worker: Process) -> SideFacts:
    try:
        about = worker.ask("about", needed=NEEDED, packages=PACKAGES)
    except Died as died:
        raise _unfit(side, f"cannot run a worker: {str(died).rstrip('.')}") from None
    if about["missing"]:
        install = f"{side.python} -m pip install {' '.join(about['missing'])}"
        raise UsageError(
            f"{_place(side.python, side)}: lacks {' and '.join(about['missing'])}, which every worker needs; run `{install}`."
        )
    return {"python": about["python"], "packages": about["packages"]}


def _backends(side: Side, worker: Process, settings: Settings, devices: tuple[str, ...]) -> dict[str, Backend]:
    ours = ((side.folder / "backends").resolve(), CONTROLS.resolve())
    paths = find([*ours, *settings.path])
    found = {}
    for name, path in paths.items():
        foreign = path.parent not in ours
        with _started(side, settings, foreign) if foreign else nullcontext(worker) as asked:
            facts = _ask(side, asked, str(path), "describe", path=str(path), devices=devices).get("facts")
        found[name] = Backend.from_json(facts, path, foreign)
    return found


def _ask(side: Side, worker: Process, what: str, do: str, **request: Any) -> dict[str, Any]:
    try:
        reply = worker.ask(do, **request)
    except Died as died:
        reply = {"status": "failed", "reason": str(died)}
    if reply["status"] == "usage":
        raise UsageError(str(reply.get("reason")))
    if reply["status"] != "ok":
        raise UsageError(f"{_place(what, side)}: cannot be imported: {reply.get('reason')}; mend it or move it away.")
    return reply


def _unfit(side: Side, why: str) -> UsageError:
    return UsageError(f"{_place(side.python, side)}: {why}; name a Python 3.11 or newer, such as venv/bin/python.")


def _place(what: str, side: Side) -> str:
    return f"{what} (side {side.label})" if side.label else what
