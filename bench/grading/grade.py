"""One verdict on each graded file: `right`, `wrong` or `unusable`, a sentence and what was measured.

Exceptions, crashes and hangs of a graded file end in its verdict.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.status import Status

from bench import units
from bench.analyse.estimates import with_interval
from bench.analyse.verdicts import verdicts
from bench.errors import ExitCode, UsageError
from bench.grading import clock, sandbox
from bench.machine.devices import explained
from bench.measure.catalogue import catalogue, describe
from bench.measure.process import Failed
from bench.plan.cases import Plan, make_plan
from bench.settings import Settings

LENGTH = {"BENCH_PROCESSES": "5", "BENCH_BLOCKS": "8"}
"""About 20 seconds; the environment may ask for more."""
LONGEST = 400
"""Characters of a sentence about a file that is not right."""
EXIT_CODES = {"right": ExitCode.FINE, "wrong": ExitCode.WRONG, "unusable": ExitCode.USAGE}
COLUMNS = (
    *("file", "verdict", "sentence", "device", "dtype", "against"),
    *("seconds_per_step", "seconds_per_step_low", "seconds_per_step_high"),
    *("ratio", "ratio_low", "ratio_high", "comparison", "source_hash", "versions"),
)
Grade = dict[str, Any]


def find(paths: Sequence[Path]) -> list[Path]:
    """The files to grade: each file as it is named, of a folder all its Python files but those that
    begin with an underscore. Raises `UsageError`."""
    files: list[Path] = []
    for path in paths:
        found = sorted(path.glob("[!_]*.py")) if path.is_dir() else [path] if path.is_file() and path.suffix == ".py" else []
        if not found:
            hint = "name a file with one backend, such as submissions/ada.py, or a folder of them"
            raise UsageError(f"grade {path}: no Python file there; {hint}.")
        files += found
    return [Path(os.path.abspath(file)) for file in files]


def grade_all(files: Iterable[Path], against: str | None, environ: Mapping[str, str], console: Console) -> list[Grade]:
    """Grades files one after the other. Raises `UsageError` for what is not a file's fault."""
    files, settings = [*files], _settings(environ, against)
    sandbox.prefix([])  # a missing sandbox is not a file's fault
    sides, devices = catalogue(settings)
    plan, grades = make_plan(settings, sides, devices), []
    with clock.Timer(plan) as timer, console.status("") as status:
        for file in files:
            label = os.path.relpath(file, os.path.commonpath([each.parent for each in files]))
            console.print(f"grading {label}", style="dim")
            grades.append(_grade(file, label, timer, plan, devices, status))
    return grades


def exit_code(grades: Sequence[Grade]) -> ExitCode:
    """The worst of the verdicts."""
    return max((EXIT_CODES[grade["verdict"]] for grade in grades), default=ExitCode.FINE)


def _settings(environ: Mapping[str, str], against: str | None) -> Settings:
    """One device, dtype, thread count and shape: of several the first."""
    settings = Settings.from_env({**LENGTH, **environ})
    devices = settings.devices if settings.devices != ("all",) else ("cpu",)
    baseline = against or settings.baseline
    one = {name: getattr(settings, name)[:1] for name in ("dtypes", "threads", "shapes")}
    return replace(settings, devices=devices[:1], backends=(baseline,), baseline=baseline, **one)


def _grade(file: Path, label: str, timer: clock.Timer, plan: Plan, devices: tuple[str, ...], status: Status) -> Grade:
    """Grades one file against the case of the plan."""
    settings, (case,), (side,) = plan.settings, plan.cases, plan.sides
    grade: Grade = {"file": label, "against": settings.baseline, "device": case.device, "dtype": case.dtype}
    grade["source_hash"] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    try:
        timer.readable = _readable(file, settings)
        name = re.sub(r"\W", "_", f"graded_{file.stem}")
        with sandbox.start(settings, side, timer.readable) as worker:
            backend = describe(side, worker, file, explained(devices), name)
        grade["versions"] = " ".join(f"{name}=={v}" for name, v in backend.versions.items())
        if reason := backend.reason(case.device, case.dtype, case.threads):
            raise UsageError(f"{file.name} {reason}.")
        graded = replace(case, backend=backend.name)
        sides = (replace(side, backends={**side.backends, backend.name: backend}),)
        plan = replace(plan, sides=sides, cases=(case, graded))
        seconds, ratio = timer.time(plan, graded, lambda text: status.update(f"{label}: {text}")).estimates()
    except UsageError as error:
        return grade | {"verdict": "unusable", "sentence": _plain(str(error))}
    except Failed as failed:  # a step that raises is wrong; one that crashes, hangs or breaks the conversation is unusable
        wrong = failed.status == "wrong" or str(failed).startswith("raised ")
        sentence = _plain(f"{file.name} {failed}") + "."
        return grade | {"verdict": "wrong" if wrong else "unusable", "sentence": sentence}
    ((comparison, _),) = verdicts([ratio], settings.margin)
    grade |= with_interval("ratio", ratio) | {"comparison": comparison} | with_interval("seconds_per_step", seconds)
    return grade | {"verdict": "right", "sentence": _sentence(grade)}


def _readable(file: Path, settings: Settings) -> list[Path]:
    """What a worker may read below hidden folders: the file's own folder, where a link leads, the
    problem's; of a file directly in a hidden folder the file alone."""
    files = [each if each.parent in sandbox.HIDDEN else each.parent for each in (file, file.resolve())]
    return [*files, settings.problem_folder, *settings.path]


def _plain(text: str) -> str:
    """One line of limited length, whatever a graded file has put into it."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _sentence(grade: Grade) -> str:
    low, high = grade["seconds_per_step_low"], grade["seconds_per_step_high"]
    spread, ratio = units.spread(low, high), units.span(grade["ratio_low"], grade["ratio_high"])
    return (
        f"{units.seconds(grade['seconds_per_step'])} a step ({spread}), {grade['comparison']}: "
        f"{grade['ratio']:.3f} times {grade['against']} ({ratio})."
    )


def as_text(grades: Sequence[Grade]) -> str:
    """A line a file."""
    width = max(len(grade["file"]) for grade in grades)
    return "".join(f"{grade['file']:{width}}  {grade['verdict']:8}  {grade['sentence']}\n" for grade in grades)


def as_csv(grades: Sequence[Grade]) -> str:
    return pd.DataFrame([*grades], columns=[*COLUMNS]).to_csv(index=False, lineterminator="\n")


def as_json(grades: Sequence[Grade]) -> str:
    """An object for one file, a list for several; null for what was not measured."""
    known = [{name: value for name, value in grade.items() if value == value} for grade in grades]  # NaN differs from itself
    rows = [dict.fromkeys(COLUMNS) | grade for grade in known]
    return json.dumps(rows[0] if len(rows) == 1 else rows, indent=2) + "\n"


def as_gradescope(grades: Sequence[Grade]) -> str:
    """The `results.json` of Gradescope's autograder: a test a file, worth a point if the step is right."""
    tests: list[Grade] = []
    for grade in grades:
        right = grade["verdict"] == "right"
        score = {"score": float(right), "max_score": 1.0, "status": "passed" if right else "failed"}
        tests.append({"name": grade["file"], **score, "output": grade["sentence"]})
    return json.dumps({"tests": tests, "visibility": "visible"}, indent=2) + "\n"


FORMATS = {"text": as_text, "csv": as_csv, "json": as_json, "gradescope": as_gradescope}
