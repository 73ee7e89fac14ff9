"""Grades as text, CSV, JSON, or the `results.json` of Gradescope's autograder."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence

from bench.grading.grade import COLUMNS, MEASURED, Grade
from bench.units import seconds

POINTS = {"right": 1.0, "wrong": 0.0, "unusable": 0.0}


def as_text(grades: Sequence[Grade]) -> str:
    """A line a file; several files as columns."""
    width = max(len(grade["file"]) for grade in grades)
    return "".join(
        f"{grade['file']:{width}}  {grade['verdict']:8}  {_time(grade):>7}  {grade['sentence']}\n"
        if len(grades) > 1
        else f"{grade['verdict']}: {grade['sentence']}\n"
        for grade in grades
    )


def as_csv(grades: Sequence[Grade]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(_plain, grades))
    return out.getvalue()


def as_json(grades: Sequence[Grade]) -> str:
    """An object for one file, a list for several."""
    plain = [*map(_plain, grades)]
    return json.dumps(plain[0] if len(plain) == 1 else plain, indent=2) + "\n"


def as_gradescope(grades: Sequence[Grade]) -> str:
    """A test a file, worth a point if the step is right; the times are in its output."""
    tests = [
        {
            "name": grade["file"],
            "score": POINTS[grade["verdict"]],
            "max_score": 1.0,
            "status": "passed" if grade["verdict"] == "right" else "failed",
            "output": grade["sentence"],
        }
        for grade in grades
    ]
    return json.dumps({"tests": tests, "visibility": "visible"}, indent=2) + "\n"


FORMATS: dict[str, Callable[[Sequence[Grade]], str]] = {
    "text": as_text,
    "csv": as_csv,
    "json": as_json,
    "gradescope": as_gradescope,
}


def _time(grade: Grade) -> str:
    return seconds(grade["seconds_per_step"]) if "seconds_per_step" in grade else "–"


def _plain(grade: Grade) -> Grade:
    """Without what JSON has no number for."""
    numbers = {name: grade[name] for name in MEASURED if name in grade}
    missing = [n for n, value in numbers.items() if isinstance(value, float) and math.isnan(value)]
    return {**dict.fromkeys(COLUMNS), **grade, **dict.fromkeys(missing)}
