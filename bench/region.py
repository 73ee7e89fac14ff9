"""Memory that the conductor shares with one process; an array's place follows from its layout.

An `ArrayLayout` lists arrays as `[dtype, shape]`, in the order in which they lie in memory.
Readers validate and copy; the other process is not trusted.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("float32", "float64")
ALIGNED = 64
DIMENSIONS = 64  # NumPy's most; a product of millions of sizes would take the reader minutes
ArrayLayout = list[Any]


class Region:
    """The same memory in both processes, by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)

    @classmethod
    def new(cls, size: int) -> Region:
        """Of `size` bytes, sealed: a process that shrank it would crash its readers."""
        descriptor = os.memfd_create("stepbench", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        return cls(descriptor)

    def write(self, arrays: Sequence[NDArray[Any]]) -> ArrayLayout:
        """Copies arrays into the memory and returns their layout."""
        layout = [[array.dtype.name, list(array.shape)] for array in arrays]
        for (dtype, place, _), array in zip(self._places(layout), arrays, strict=True):
            np.frombuffer(self._memory, dtype, array.size, place).reshape(array.shape)[...] = array
        return layout

    def read(self, layout: ArrayLayout) -> list[NDArray[Any]]:
        """Copies of the arrays. Raises `ValueError` for a layout that does not fit."""
        return [
            np.frombuffer(self._memory, dtype, math.prod(shape), place).reshape(shape).copy()
            for (dtype, place, _), (_, shape) in zip(self._places(layout), layout, strict=True)
        ]

    def copy_from(self, other: Region, layout: ArrayLayout) -> None:
        """Copies the bytes of arrays from another region. Raises `ValueError` as `read` does."""
        end = max((end for region in (self, other) for _, _, end in region._places(layout)), default=0)
        self._memory[:end] = other._memory[:end]

    def close(self) -> None:
        """Also a second time."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self.descriptor)

    def _places(self, layout: ArrayLayout) -> Iterator[tuple[str, int, int]]:
        """The dtype of each array, and where its bytes begin and end."""
        place = 0
        for dtype, shape in layout:
            sizes = len(shape) <= DIMENSIONS and all(type(n) is int and n >= 0 for n in shape)
            if dtype not in DTYPES or not sizes:
                raise ValueError(f"an array of {dtype} {shape}, expected {' or '.join(DTYPES)}")
            end = place + math.prod(shape) * np.dtype(dtype).itemsize
            if end > len(self._memory):
                raise ValueError(f"arrays of more than {len(self._memory)} bytes")
            yield dtype, place, end
            place = -(-end // ALIGNED) * ALIGNED
