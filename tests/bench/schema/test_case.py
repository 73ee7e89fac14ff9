"""If these fail, a case is not found again by the texts that name it."""

from dataclasses import replace

import pandas as pd
import pytest

from bench.judge.questions import arrays
from bench.schema.case import CASE_COLUMNS, FIXED_WORK, RANKS, SIDE, TWIN, Case, Shape, is_control
from bench.worker.gate import problem_from

SHAPE = Shape(64, 1000, 100, 10)
CASES = [
    Case("numpy_manual", "cpu", "float32", 1, SHAPE),
    Case("torch_manual", "cuda:1", "bfloat16", 12, Shape(1, 2, 3, 4)),
    Case("shared", "cpu", "float32", 1, SHAPE, ranks=4),
    Case("torch_manual", "cpu", "float64", 2, SHAPE, side="v1.2-x@y", ranks=2),
    Case("torch_manual", "cpu", "float64", 2, SHAPE, side="v1.2-x@y"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_key_a_record_and_a_row_tell_the_same_case(case):
    assert Case.parse(case.key) == case
    assert Case.from_json(case.as_json()) == case
    (row,) = pd.DataFrame([case.columns]).to_dict("records")
    assert Case.of_row(row) == case
    assert [*case.columns] == [*CASE_COLUMNS, SIDE, RANKS]


def test_ranks_are_in_every_name_and_one_in_none():
    case = Case("shared", "cpu", "float32", 1, SHAPE, side="new", ranks=2)
    assert case.key == "shared-cpu-float32-1-64x1000x100x10-2ranks@new"
    assert case.path == "shared/cpu/float32/1/64x1000x100x10/2ranks@new"
    assert str(case) == "shared[cpu, float32, 2 ranks, new]"
    assert case.label == "shared[cpu, float32, threads 1, 64x1000x100x10, 2 ranks, new]"
    alone = replace(case, ranks=1)
    assert not [text for text in (alone.key, alone.path, str(alone), alone.label) if "rank" in text]


def test_a_record_from_before_there_were_ranks_is_of_one():
    case = CASES[0]
    old = {name: value for name, value in case.as_json().items() if name != RANKS}
    assert Case.from_json(old) == case


@pytest.mark.parametrize(("ranks", "N"), [(1, 7), (2, 4), (3, 3), (7, 1), (8, 1)])
def test_a_part_is_the_largest_share_of_a_rank(ranks, N):
    case = Case("shared", "cpu", "float32", 1, Shape(7, 13, 5, 3), ranks=ranks)
    assert case.part == replace(case, shape=Shape(N, 13, 5, 3), ranks=1)
    rows = [len(problem_from(arrays(case.problem(0)), rank, ranks).x) for rank in range(ranks)]
    assert (max(rows), sum(rows)) == (N, 7)


def test_a_twin_has_its_own_name_and_its_baselines_work():
    twin = Case("numpy_manual", "cpu", "float32", 1, SHAPE, twin=True)
    assert twin.key == "twin-cpu-float32-1-64x1000x100x10"
    assert Case.parse(twin.key).key == twin.key
    assert Case.from_json(twin.as_json()) == twin
    assert twin.columns["backend"] == TWIN


def test_each_text_says_what_its_readers_need():
    *_, case = CASES
    assert str(case) == "torch_manual[cpu, float64, v1.2-x@y]"
    assert case.label == "torch_manual[cpu, float64, threads 2, 64x1000x100x10, v1.2-x@y]"
    assert case.path == "torch_manual/cpu/float64/2/64x1000x100x10@v1.2-x@y"
    assert case.key == "torch_manual-cpu-float64-2-64x1000x100x10@v1.2-x@y"


@pytest.mark.parametrize("key", ["", "numpy_manual", "a-cpu-float32-1-64x1000x100", "a-cpu-float32-one-64x1000x100x10"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="expected backend-device-dtype-threads-shape"):
        Case.parse(key)


def test_a_shape_is_written_as_it_is_read():
    assert Shape.parse("64x1000x100x10") == SHAPE == (64, 1000, 100, 10)
    assert f"{SHAPE}" == "64x1000x100x10"


@pytest.mark.parametrize("text", ["", "64x1000x100", "64x1000x100x10x1", "64x1000x100x0", "64x1000x100x-1", "axbxcxd"])
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(ValueError, match="four whole numbers of at least 1"):
        Shape.parse(text)


def test_the_twin_and_fixed_work_are_controls_and_ways_of_writing_the_step_are_not():
    assert all(map(is_control, (TWIN, *FIXED_WORK)))
    assert not any(map(is_control, ("seed", "rung", "of a user's own")))
