"""One verdict on each graded file: `right`, `wrong` or `unusable`, a sentence and what was measured.

Exceptions, crashes and hangs of a graded file end in its verdict.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from bench.plan.sides import Backend
from bench.settings import Settings

LENGTH = {"BENCH_PROCESSES": "5", "BENCH_BLOCKS": "8"}
"""About 20 seconds; the environment may ask for more."""
LONGEST = 400
"""Characters of a sentence about a file that is not right."""
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
    files, settings = [*files], _settings(environ, against)
    sandbox.prefix([])  # a missing sandbox is not a file's fault
    sides, devices = catalogue(settings)
    plan, grades = make_plan(settings, sides, devices), []
    with clock.Timer(plan) as timer, console.status("") as status:
        grader = _Grader(timer, plan, devices)
        for file in files:
            label = _label(file, files)
            console.print(f"grading {label}", style="dim")

            def show(text: str, label: str = label) -> None:
                status.update(f"{label}: {text}")

            grades.append(grader.grade(file, label, show))
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


class _Grader:
    """Grades one file after the other, against one baseline."""

    def __init__(self, timer: clock.Timer, plan: Plan, devices: tuple[str, ...]) -> None:
        self.timer, self.plan, self.devices = timer, plan, devices
        (self.baseline,), (self.side,) = plan.cases, plan.sides

    def grade(self, file: Path, label: str, show: Callable[[str], None]) -> Grade:
        settings, case = self.plan.settings, self.baseline
        about: Grade = {"file": label, "against": settings.baseline}
        about |= {"device": case.device, "dtype": case.dtype, "source_hash": _hash(file)}
        try:
            self.timer.readable = _readable(file, settings)
            backend = self._describe(file)
            about["versions"] = " ".join(f"{name}=={v}" for name, v in backend.versions.items())
            if reason := backend.reason(case.device, case.dtype, case.threads):
                raise UsageError(f"{file.name} {reason}.")
            backends = {**self.side.backends, backend.name: backend}
            sides = (replace(self.side, backends=backends),)
            graded = replace(case, backend=backend.name)
            plan = replace(self.plan, sides=sides, cases=(case, graded))
            seconds, ratio = self.timer.time(plan, graded, show).estimates()
        except UsageError as error:
            return about | {"verdict": "unusable", "sentence": _plain(str(error))}
        except CaseFailed as failed:
            sentence = _plain(f"{file.name} {failed}") + "."
            return about | {"verdict": _verdict(failed), "sentence": sentence}
        ((comparison, _),) = verdicts([ratio], settings.margin)
        about |= with_interval("ratio", ratio) | {"comparison": comparison}
        about |= with_interval("seconds_per_step", seconds)
        return about | {"verdict": "right", "sentence": _sentence(about)}

    def _describe(self, file: Path) -> Backend:
        """The backend in a file, from a sandboxed worker. Raises `UsageError`."""
        name, readable = re.sub(r"\W", "_", f"graded_{file.stem}"), self.timer.readable
        spec, settings = WorkerSpec(self.side), self.plan.settings
        with sandbox.start(spec, settings, 1 << 20, readable) as worker:
            return describe(self.side, worker, file, explained(self.devices), name)


def _readable(file: Path, settings: Settings) -> list[Path]:
    """What a worker may read below hidden folders: the file's own folder, where a link leads, the
    problem's; of a file directly in a hidden folder the file alone."""
    files = [
        each if each.parent in sandbox.HIDDEN else each.parent for each in (file, file.resolve())
    ]
    return [*files, settings.problem_folder, *settings.path]


def _label(file: Path, files: Sequence[Path]) -> str:
    """The file's name, with its folder if several files have that name."""
    if [each.name for each in files].count(file.name) == 1:
        return file.name
    return str(file.relative_to(os.path.commonpath([each.parent for each in files])))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _plain(text: str) -> str:
    """One line of limited length, whatever a graded file has put into it."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


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
