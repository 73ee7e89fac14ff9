"""One verdict on one step that somebody else wrote: a course's submission, a pull request, a generated kernel.

It must never answer with anything but a verdict: what the file does is the file's, and no traceback of ours.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import units
from bench.analyse.run import Run
from bench.errors import ExitCode, UsageError
from bench.measure.catalogue import catalogue
from bench.plan.cases import make_plan
from bench.session import run_plan
from bench.settings import Settings
from bench.show.rows import BOUNDS

LENGTH = {"BENCH_PROCESSES": "6", "BENCH_BLOCKS": "4"}
"""About 20 seconds; more passes make it surer, and the environment may ask for them."""
EXIT_CODES = {"right": ExitCode.FINE, "wrong": ExitCode.WRONG, "unusable": ExitCode.USAGE}
TOLD = (
    "seconds_per_step", "seconds_per_step_low", "seconds_per_step_high", "ratio", "ratio_low", "ratio_high",
    "bound_share", "bound_by",
    "error_loss", "error_state", "error_share", "source_hash", "versions", "machine",
)  # fmt: skip
"""What a grade has of its row in the summary, under the same names."""


def grade(file: Path, against: str | None, environ: Mapping[str, str], console: Console) -> dict[str, Any]:
    """Proves, audits and times the step in `file` on the first device and in the first dtype that the settings name.

    The grade has `verdict` (a key of `EXIT_CODES`), a `sentence`, and what was measured, as plain JSON values. What is measured
    is kept where `BENCH_RESULTS` says, else nowhere. Raises `UsageError` for settings that are no fault of the file.
    """
    settings = Settings.from_env({**LENGTH, **environ})
    settings = replace(settings, path=(*settings.path, file), backends=(file.stem,), baseline=against or settings.baseline)
    catalogue(replace(settings, path=settings.path[:-1]))  # whatever is wrong before the file is looked at is not its fault
    devices = settings.devices if settings.devices != ("all",) else ("cpu",)
    settings = replace(
        settings,
        devices=devices[:1],
        dtypes=settings.dtypes[:1],
        threads=settings.threads[:1],
        shapes=settings.shapes[:1],
    )
    told: dict[str, Any] = {"file": str(file), "device": settings.devices[0], "dtype": settings.dtypes[0]}
    try:
        plan = make_plan(settings, *catalogue(settings))
    except UsageError as error:
        return told | {"verdict": "unusable", "sentence": str(error)}
    if plan.holes:
        return told | {"verdict": "unusable", "sentence": f"{plan.holes[0].case} {plan.holes[0].reason}."}
    told |= {"backend": file.stem, "against": settings.baseline}
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        kept = bool(environ.get("BENCH_RESULTS"))
        if not kept:
            plan = replace(plan, settings=replace(settings, results=Path(folder)))
        run_plan(plan, console, runs.append)
    row = runs[0].row(plan.cases[0].key)
    told |= {name: row[name] for name in TOLD} | ({"run": str(runs[0].folder)} if kept else {})
    if row["status"] != "ok":
        return told | {"verdict": "wrong" if row["status"] == "wrong" else "unusable", "sentence": str(row["reason"])}
    return told | {"verdict": "right", "comparison": row["verdict"], "sentence": _sentence(row, settings.baseline)}


def _sentence(row: Mapping[str, Any], against: str) -> str:
    spread = units.spread(row["seconds_per_step_low"], row["seconds_per_step_high"])
    text = f"{units.seconds(row['seconds_per_step'])} a step ({spread})"
    if row["ratio"] is not None and row["verdict"]:
        ratio = f"{row['ratio']:.3f}, {units.span(row['ratio_low'], row['ratio_high'])}"
        text += f", {row['verdict']} beside {against} ({ratio})"
    if row["bound_share"] is not None:
        text += f", {row['bound_share']:.0%} of the {BOUNDS[row['bound_by']]}"
    return text + "."


def code(grade: Mapping[str, Any]) -> ExitCode:
    return EXIT_CODES[grade["verdict"]]


def present(path: str) -> Path:
    """The file of that name. Raises `UsageError` if there is none."""
    file = Path(path)
    if not file.is_file() or file.suffix != ".py":
        raise UsageError(f"grade {path}: no file of Python there; name the file of one backend, such as submissions/ada.py.")
    return Path(os.path.abspath(file))
