"""If these fail, a case is not found again by the texts that name it."""

import pandas as pd
import pytest

from bench.schema import case as cases
from bench.schema.case import CASE_COLUMNS, SIDE, TWIN, Case

SHAPE = "64x1000x100x10"
SIDED = Case("torch_manual", "cpu", "float64", 2, SHAPE, side="v1.2-x@y")
CASES = [
    Case("numpy_manual", "cpu", "float32", 1, SHAPE),
    Case("torch_manual", "cuda:1", "bfloat16", 12, "1x2x3"),
    SIDED,
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_key_a_record_and_a_row_name_the_same_case(case):
    assert Case.parse(case.key) == case
    assert (SIDED.key, str(SIDED)) == (f"torch_manual-cpu-float64-2-{SHAPE}@v1.2-x@y", "torch_manual[cpu, float64, v1.2-x@y]")
    assert Case.from_json(case.as_json()) == case
    (row,) = pd.DataFrame([case.columns]).to_dict("records")
    assert Case.from_json(row) == case
    assert [*case.columns] == [*CASE_COLUMNS, SIDE]


def test_a_twin_has_its_own_name_and_its_baselines_work():
    twin = Case("numpy_manual", "cpu", "float32", 1, SHAPE, twin=True)
    assert twin.key == "twin-cpu-float32-1-64x1000x100x10"
    assert Case.parse(twin.key).key == twin.key
    assert Case.from_json(twin.as_json()) == twin
    assert (twin.columns["backend"], twin.as_json()["name"], twin.as_json()["backend"]) == (TWIN, TWIN, "numpy_manual")


@pytest.mark.parametrize("text", ["", "a", "a-cpu-float32-1-64xH", "a-cpu-float32-one-64x1000"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="expected backend-device-dtype-threads-shape"):
        Case.parse(text)


@pytest.mark.parametrize(
    ("kind", "processes", "passes"),
    [("seed", 3, [0, 1, 2]), ("guard", 2, [0, 1]), ("peak", 5, [0, 3, 4]), ("peak", 2, [0, 1])],
)
def test_peaks_are_measured_in_every_third_pass_and_the_last(kind, processes, passes):
    assert [n for n in range(processes) if cases.takes_part(kind, n, processes)] == passes
    assert cases.passes_of(kind, processes) == len(passes)
    assert cases.is_control(kind) == (kind != "seed")
