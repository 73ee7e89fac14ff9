"""If these fail, foreign code could make the conductor or the judge read what is not there, or end them."""

import os

import numpy as np
import pytest

from bench.region import Region, Regions

SIZE = 1 << 16


@pytest.fixture
def region():
    made = Region.new(SIZE)
    yield made
    made.close()


def test_arrays_come_out_as_they_went_in_and_as_copies(region):
    arrays = [np.arange(7, dtype="float32"), np.random.default_rng(0).random((3, 5)), np.zeros((0, 2))]
    told = region.write(arrays)
    assert told == [["float32", [7]], ["float64", [3, 5]], ["float64", [0, 2]]]
    found = region.read(told)
    region.write([np.zeros(100)])
    assert [array.tolist() for array in found] == [array.tolist() for array in arrays]


def test_one_region_takes_what_was_told_of_another(region):
    other = Region.new(SIZE)
    told = other.write([np.arange(5.0), np.arange(3.0)])
    region.take(other, told)
    assert [array.tolist() for array in region.read(told)] == [[0, 1, 2, 3, 4], [0, 1, 2]]
    other.close()


@pytest.mark.parametrize(
    "told",
    [
        [["float64", [SIZE]]],
        [["float32", [1 << 62, 1 << 62]]],
        [["float64", [SIZE // 16]], ["float64", [SIZE // 16 + 1]]],
        [["float64", [-1]]],
        [["float64", [True]]],
        [["object", [1]]],
        [["float16", [1]]],
        [["float64", [1.0]]],
    ],
    ids=str,
)
def test_what_cannot_be_in_there_is_refused(told, region):
    other = Region.new(SIZE)
    for use in (region.read, lambda lies: other.take(region, lies)):
        with pytest.raises(ValueError, match="array"):
            use(told)
    other.close()


def test_nobody_can_make_it_shorter(region):
    """Whoever reads beyond the end of a file dies of it."""
    with pytest.raises(PermissionError):
        os.ftruncate(region.descriptor, 0)


def test_several_are_given_the_same_and_tell_one_after_the_other(region):
    whole, each = Region.new(4096), [Region.new(4096), Region.new(4096)]
    try:
        several = Regions(each)
        several.take(region, region.write([np.arange(3.0)]))
        assert [one.read([["float64", [3]]])[0].tolist() for one in each] == [[0, 1, 2]] * 2
        told = [each[0].write([np.array([1.0]), np.array([2.0])]), each[1].write([np.array([3.0]), np.array([4.0])])]
        whole.take(several, [*told[0], *told[1]])
        assert [array.tolist() for array in whole.read([*told[0], *told[1]])] == [[1], [2], [3], [4]]
    finally:
        for one in (whole, *each):
            one.close()


def test_several_that_have_no_room_together_are_refused():
    each = [Region.new(4096), Region.new(4096)]
    whole = Region.new(4096)
    try:
        told = [array for one in each for array in one.write([np.zeros(300)])]
        with pytest.raises(ValueError, match="arrays of more than 4096 bytes"):
            whole.take(Regions(each), told)
    finally:
        for one in (whole, *each):
            one.close()
