"""It computes nothing and looks for the answer in its process: on the heap and in the frames that called it (pygpubench #7)."""

import gc
import inspect

import numpy as np
from _right import Right


class SearchesMemory(Right):
    def step(self):
        frames = [value for frame in inspect.stack() for value in frame.frame.f_locals.values()]
        known = [thing for thing in (*frames, *gc.get_objects()) if type(thing).__name__ == "Trajectory"]
        held = [value for thing in known for value in vars(thing).values()]
        for array in (value for value in held if isinstance(value, np.ndarray) and value.shape == self.w1.shape):
            self.w1[:] = array
        return 0.0
