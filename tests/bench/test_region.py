"""If these fail, foreign code could make the conductor or the judge read beyond a region."""

import os

import numpy as np
import pytest

from bench.region import Region

SIZE = 1 << 16


@pytest.fixture
def regions():
    made = Region.new(SIZE), Region.new(SIZE)
    yield made
    for region in made:
        region.close()


def test_arrays_come_out_as_they_went_in_and_as_copies(regions):
    region, other = regions
    random = np.random.default_rng(0).random((3, 5))
    arrays = [np.arange(7, dtype="float32"), random, np.zeros((0, 2))]
    layout = region.write(arrays)
    assert layout == [["float32", [7]], ["float64", [3, 5]], ["float64", [0, 2]]]
    other.copy_from(region, layout)
    found = region.read(layout)
    region.write([np.zeros(100)])
    for copies in (found, other.read(layout)):
        assert [array.tolist() for array in copies] == [array.tolist() for array in arrays]


@pytest.mark.parametrize(
    "layout",
    [
        [["float64", [SIZE]]],
        [["float32", [1 << 62, 1 << 62]]],
        [["float32", [*[1 << 62] * 200_000, 0]]],
        [["float64", [SIZE // 16]], ["float64", [SIZE // 16 + 1]]],
        [["float64", [-1]]],
        [["float64", [True]]],
        [["object", [1]]],
        [["float16", [1]]],
        [["float64", [1.0]]],
    ],
    ids=lambda layout: str(layout)[:40],
)
def test_a_layout_that_does_not_fit_is_refused(layout, regions):
    """At once: the product of many large sizes would take minutes."""
    region, other = regions
    for use in (region.read, lambda layout: other.copy_from(region, layout)):
        with pytest.raises(ValueError, match="array"):
            use(layout)


def test_arrays_that_do_not_fit_into_the_other_region_are_refused(regions):
    small = Region.new(4096)
    layout = regions[0].write([np.zeros(1000)])
    with pytest.raises(ValueError, match="arrays of more than 4096 bytes"):
        small.copy_from(regions[0], layout)
    small.close()


def test_no_process_can_shrink_it(regions):
    """Reading beyond the end of a file kills the reader."""
    with pytest.raises(PermissionError):
        os.ftruncate(regions[0].descriptor, 0)
