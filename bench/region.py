"""Memory that the conductor shares with one process: arrays one after the other, told of as `[dtype, shape]`.

Whoever reads copies, and believes nothing that it is told: the other side may be foreign code.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("float32", "float64")
ALIGNED = 64
Told = list[Any]


class Region:
    """The same memory in both processes, by its descriptor, which the owner passes on and then closes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)

    @classmethod
    def new(cls, size: int) -> Region:
        """Of `size` bytes, which nobody can change: a shorter one would end whoever reads it. Pages come with their use."""
        descriptor = os.memfd_create("stepbench", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(descriptor)

    def write(self, arrays: Sequence[NDArray[Any]]) -> Told:
        """Puts arrays into the memory, and returns what the other side has to be told."""
        told = [[array.dtype.name, list(array.shape)] for array in arrays]
        for (dtype, shape, place), array in zip(self._places(told), arrays, strict=True):
            np.frombuffer(self._memory, dtype, array.size, place).reshape(shape)[...] = array
        return told

    def read(self, told: Told) -> list[NDArray[Any]]:
        """Copies of the arrays. Raises `ValueError` for what cannot be in there."""
        return [
            np.frombuffer(self._memory, dtype, math.prod(shape), place).reshape(shape).copy()
            for dtype, shape, place in self._places(told)
        ]

    def take(self, other: Region | Regions, told: Told) -> None:
        """Copies what was told to lie elsewhere, without looking at it. Raises `ValueError` as `read` does."""
        place = 0
        for region, part in other.holding(told):
            ends = [start + math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape, start in region._places(part)]
            end = max(ends, default=0)
            if place + end > len(self._memory):
                raise ValueError(f"arrays of more than {len(self._memory)} bytes")
            self._memory[place : place + end] = region._memory[:end]
            place += _aligned(end)

    def holding(self, told: Told) -> list[tuple[Region, Told]]:
        """Where arrays lie that were told of."""
        return [(self, told)]

    def close(self) -> None:
        """Also a second time."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self.descriptor)

    def _places(self, told: Told) -> Iterator[tuple[str, tuple[int, ...], int]]:
        place = 0
        for dtype, shape in told:
            if dtype not in DTYPES or not all(type(size) is int and size >= 0 for size in shape):
                raise ValueError(f"an array of {dtype} {shape}, expected one of {' or '.join(DTYPES)}")
            size = math.prod(shape) * np.dtype(dtype).itemsize
            if place + size > len(self._memory):
                raise ValueError(f"arrays of more than {len(self._memory)} bytes")
            yield dtype, tuple(shape), place
            place += _aligned(size)


@dataclass(frozen=True)
class Regions:
    """Those of several processes: all are given the same, and each has its own part of what they tell of together."""

    each: Sequence[Region]

    def take(self, other: Region | Regions, told: Told) -> None:
        for region in self.each:
            region.take(other, told)

    def holding(self, told: Told) -> list[tuple[Region, Told]]:
        own = -(-len(told) // len(self.each))
        return [(region, told[own * number : own * (number + 1)]) for number, region in enumerate(self.each)]


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
