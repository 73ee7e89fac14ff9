"""Asks the interpreter of each side for its versions and its backends.

Backends are imported in workers: one that crashes on import does not end the run.
"""

from __future__ import annotations

import itertools
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.api import TrainStep
from bench.conversation import Reply
from bench.errors import UsageError
from bench.machine.devices import explained
from bench.machine.environment import PACKAGES, is_kept
from bench.measure.executor import worker_launch
from bench.measure.process import Failed, Process
from bench.paths import CONTROLS
from bench.plan.discovery import RESERVED, check_name, files
from bench.plan.sides import Backend, Side, chosen
from bench.schema.records import SideFacts
from bench.settings import Settings

NEEDED = ("numpy", "threadpoolctl")  # what every worker imports besides its backend's libraries


def catalogue(settings: Settings, sides: tuple[Side, ...] = ()) -> tuple[tuple[Side, ...], tuple[str, ...]]:
    """The sides with their versions and backends, and the devices present on all of them.

    By default the sides that the settings name. Raises `UsageError` for an interpreter that cannot
    run a worker, a backend that cannot be imported, and a side that sets a variable of the run's.
    """
    sides = sides or chosen(settings)
    for side in sides:
        for name in itertools.filterfalse(is_kept, side.variables):
            raise UsageError(
                f"{name}={side.variables[name]} (side {side.label}): every run sets or removes {name}, alike for all sides; "
                "name a variable that libraries read, or give the run a setting of docs/settings.md."
            )
    with ExitStack() as ending:
        workers = [_started(side, settings, ending) for side in sides]
        present = [_ask(side, worker, "torch", "devices")["devices"] for side, (worker, _) in zip(sides, workers, strict=True)]
        devices = tuple(device for device in present[0] if all(device in others for others in present))
        described = tuple(
            replace(side, facts={**side.facts, **about}, backends=_backends(side, worker, settings, explained(devices)))
            for side, (worker, about) in zip(sides, workers, strict=True)
        )
    return described, devices


def _started(side: Side, settings: Settings, ending: ExitStack) -> tuple[Process, SideFacts]:
    """Starts a worker of a side's interpreter, which ends with the stack; returns it with the interpreter's versions."""
    try:
        worker = ending.enter_context(Process(worker_launch(settings, side), settings.timeout))
        about = worker.ask("about", needed=NEEDED, packages=PACKAGES)
        if not (missing := about["missing"]):
            return worker, {"python": about["python"], "packages": about["packages"]}
        why, advice = f"it lacks {' and '.join(missing)}", f"run `{side.python} -m pip install {' '.join(missing)}`"
    except Failed as failed:
        why, advice = str(failed).rstrip("."), "name a Python 3.11 or newer, such as venv/bin/python"
    raise UsageError(f"{_place(side.python, side)}: cannot run a worker: {why}; {advice}.")


def _backends(side: Side, worker: Process, settings: Settings, devices: tuple[str, ...]) -> dict[str, Backend]:
    """The backends of a side by name, and stray files in folders of `BENCH_PATH`, with why they cannot be used."""
    found: dict[str, Backend] = {}
    own = [(side.problem or settings.problem_folder).resolve(), CONTROLS.resolve()]
    with ExitStack() as ending:
        for path in files([*own, *settings.path]):
            try:
                check_name(path, {name: backend.path for name, backend in found.items()})
                found[path.stem] = describe(side, worker, path, devices)
            except UsageError as error:
                if path.parent in own:
                    raise
                name = re.sub(r"\W", "_", path.stem)
                while name in {*found, *RESERVED}:
                    name += "_"
                why = str(error).replace(f"{path.parent}/", "").rstrip(".")
                found[name] = Backend(name, str(path), "", "", TrainStep.kind, f"cannot be used: {why}")
                worker, _ = _started(side, settings, ending)  # the old one may be dead
    return found


def describe(side: Side, worker: Process, path: Path, devices: tuple[str, ...], name: str = "") -> Backend:
    """The backend in a file, as a worker that imports it describes it. Raises `UsageError`."""
    facts = _ask(side, worker, str(path), "describe", path=str(path), devices=devices).get("facts")
    return Backend.from_json(facts, path, name)


def _ask(side: Side, worker: Process, what: str, do: str, **request: Any) -> Reply:
    try:
        return worker.ask(do, **request)
    except Failed as failed:
        if failed.status == "usage":
            raise UsageError(str(failed)) from None
        raise UsageError(f"{_place(what, side)}: cannot be imported: {failed}; fix the file or move it away.") from None


def _place(what: str, side: Side) -> str:
    return f"{what} (side {side.label})" if side.label else what
