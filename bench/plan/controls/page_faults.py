"""What a minor page fault takes: a hundred pages asked of the kernel, each written to once, and given back.

It must never get its memory from an allocator, which would keep it.
"""

import mmap

from backends.api import Control, Problem


class PageFaults(Control):
    kind = "overhead"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.ones = bytes([1]) * 100

    def step(self) -> float:
        with mmap.mmap(-1, 100 * mmap.PAGESIZE) as pages:
            if hasattr(mmap, "MADV_NOHUGEPAGE"):
                pages.madvise(mmap.MADV_NOHUGEPAGE)
            pages[:: mmap.PAGESIZE] = self.ones
        return 0.0
