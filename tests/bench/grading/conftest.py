"""Grades with NumPy alone and of a small shape."""

import io
import os
from unittest import mock

from rich.console import Console

from bench.grading.grade import find, grade_all
from bench.paths import BACKENDS
from tests.support import LIGHT

RIGHT = (BACKENDS / "numpy_manual.py").read_text()
SMALL = {"BENCH_PROCESSES": "2", "BENCH_BLOCKS": "3", "BENCH_SHAPES": "64x500x50x10"}


def grades_of(paths, environ=LIGHT, **settings):
    """The grades of files, by the names in their rows."""
    with mock.patch.dict(os.environ, environ):
        grades = grade_all(find(paths), None, SMALL | settings, Console(file=io.StringIO()))
    return {grade["file"]: grade for grade in grades}
