"""One verdict on each graded file: `right`, `wrong` or `unusable`, a sentence and what was measured.

Exceptions, crashes and hangs of a graded file end in its verdict.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import units
from bench.analyse.estimates import with_interval
from bench.analyse.verdicts import verdicts
from bench.errors import ExitCode, UsageError
from bench.grading import clock, sandbox
from bench.machine.devices import explained
from bench.measure.asking import CaseFailed
from bench.measure.catalogue import catalogue, describe
from bench.measure.executor import WorkerSpec
from bench.plan.cases import Plan, make_plan
from bench.plan.sides import Backend, Side
from bench.settings import Settings

LENGTH = {"BENCH_PROCESSES": "5", "BENCH_BLOCKS": "8"}
"""About 20 seconds; the environment may ask for more."""
EXIT_CODES = {"right": ExitCode.FINE, "wrong": ExitCode.WRONG, "unusable": ExitCode.USAGE}
MEASURED = (
    *("seconds_per_step", "seconds_per_step_low", "seconds_per_step_high"),
    *("ratio", "ratio_low", "ratio_high", "comparison"),
)
COLUMNS = (
    *("file", "verdict", "sentence", "device", "dtype", "against"),
    *MEASURED,
    *("source_hash", "versions"),
)
Grade = dict[str, Any]


def find(paths: Sequence[Path]) -> list[Path]:
    """The files to grade: each file as it is named, of a folder all its Python files but those that
    begin with an underscore. Raises `UsageError`."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(each for each in path.glob("*.py") if not each.name.startswith("_"))
            if not found:
                raise UsageError(f"grade {path}: holds no Python file; name a file or a folder.")
            files += found
        elif path.is_file() and path.suffix == ".py":
            files.append(path)
        else:
            raise UsageError(
                f"grade {path}: no Python file there; name a file with one backend, such as "
                "submissions/ada.py, or a folder of them."
            )
    return [Path(os.path.abspath(file)) for file in files]


def grade_all(
    files: Iterable[Path], against: str | None, environ: Mapping[str, str], console: Console
) -> list[Grade]:
    """Grades files one after the other. Raises `UsageError` for what is not a file's fault."""
    settings = _settings(environ, against)
    with tempfile.TemporaryDirectory(prefix="stepbench-grade-") as folder:
        sandbox.prefix([Path(folder)])  # a missing sandbox is not a file's fault
        (side,), devices = catalogue(settings)
        plan = make_plan(settings, (side,), devices)
        grades = []
        for file in files:
            console.print(f"grading {file.name}", style="dim")
            grades.append(_grade(file, settings, side, devices, plan, console))
    return grades


def exit_code(grades: Sequence[Grade]) -> ExitCode:
    """The worst of the verdicts."""
    return max((EXIT_CODES[grade["verdict"]] for grade in grades), default=ExitCode.FINE)


def _settings(environ: Mapping[str, str], against: str | None) -> Settings:
    """One device, dtype, thread count and shape."""
    settings = Settings.from_env({**LENGTH, **environ})
    devices = settings.devices if settings.devices != ("all",) else ("cpu",)
    baseline = against or settings.baseline
    return replace(
        settings,
        devices=devices[:1],
        dtypes=settings.dtypes[:1],
        threads=settings.threads[:1],
        shapes=settings.shapes[:1],
        backends=(baseline,),
        baseline=baseline,
    )


def _grade(
    file: Path,
    settings: Settings,
    side: Side,
    devices: tuple[str, ...],
    plan: Plan,
    console: Console,
) -> Grade:
    about: Grade = {"file": file.name, "against": settings.baseline}
    about |= {"device": settings.devices[0], "dtype": settings.dtypes[0]}
    prefix = sandbox.prefix([file.parent])
    try:
        backend = _describe(file, settings, side, devices, prefix)
        about |= {
            "source_hash": backend.hash,
            "versions": " ".join(f"{name}=={v}" for name, v in backend.versions.items()),
        }
        (baseline,) = plan.cases
        graded = replace(baseline, backend=backend.name)
        place = graded.device, graded.dtype, graded.threads
        if reason := backend.reason(*place):
            raise UsageError(f"{file.name} {reason}.")
        with_graded = replace(side, backends={**side.backends, backend.name: backend})
        whole = replace(plan, sides=(with_graded,), cases=(baseline, graded))
        with console.status("") as status:
            spans = clock.time_spans(
                whole, graded, baseline, prefix, lambda text: status.update(f"{file.name}: {text}")
            )
    except UsageError as error:
        return about | {"verdict": "unusable", "sentence": str(error)}
    except CaseFailed as failed:
        return about | {"verdict": _verdict(failed), "sentence": f"{file.name} {failed}."}
    columns, ratio = clock.estimate(spans, "graded", "baseline")
    ((comparison, _),) = verdicts([ratio], settings.margin)
    about |= with_interval("ratio", ratio) | {"comparison": comparison}
    for name in ("seconds_per_step", "seconds_per_step_low", "seconds_per_step_high"):
        about[name] = columns[f"undisturbed_{name}"]
    return about | {"verdict": "right", "sentence": _sentence(about)}


def _describe(
    file: Path, settings: Settings, side: Side, devices: tuple[str, ...], prefix: list[str]
) -> Backend:
    """The backend in a file, from a sandboxed worker. Raises `UsageError`."""
    name = re.sub(r"\W", "_", f"graded_{file.stem}")
    spec = WorkerSpec(side)
    env = spec.environment(settings)
    with sandbox.SandboxedProcess.start(
        "bench.worker", spec.setup, env, settings.timeout, 1 << 20, side.python, prefix=prefix
    ) as worker:
        return describe(side, worker, file, explained(devices), name)


def _verdict(failed: CaseFailed) -> str:
    """A step that raises is wrong; one that crashes, hangs or breaks the conversation is unusable."""
    raised = failed.status == "failed" and str(failed).startswith("raised ")
    return "wrong" if failed.status == "wrong" or raised else "unusable"


def _sentence(grade: Grade) -> str:
    low, high = grade["seconds_per_step_low"], grade["seconds_per_step_high"]
    spread, ratio = units.spread(low, high), units.span(grade["ratio_low"], grade["ratio_high"])
    return (
        f"{units.seconds(grade['seconds_per_step'])} a step ({spread}), {grade['comparison']}: "
        f"{grade['ratio']:.3f} times {grade['against']} ({ratio})."
    )
