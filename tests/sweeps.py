"""Sweeps made by hand: rounds of lines whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from backends.api import step_flops

NS = (1, 4, 16, 64, 256, 1024, 4096)
FLOPS = {N: step_flops(N, 1000, 100, 10) for N in NS}


def line(overhead: float, rate: float, bent: float = 1.0, at: float = np.inf) -> dict[int, float]:
    """Seconds by batch: a line, whose operations from the batch `at` on take `bent` times as long."""
    return {N: overhead + flops / rate * (1 if at > N else bent) for N, flops in FLOPS.items()}


def rounds(lines: Mapping[str, Mapping[int, float]], passes: int = 10, noise: float = 0.01, seed: int = 0) -> pd.DataFrame:
    """Rounds of backends with these seconds by batch; the noise of each shape in each process is its own."""
    random = np.random.default_rng(seed)
    rows = []
    for backend, seconds in lines.items():
        for number in range(passes):
            for N in NS:
                rows.append(
                    {
                        "case": f"{backend} {N}", "backend": backend, "device": "cpu", "dtype": "float32", "threads": 1,
                        "side": "", "N": N, "D_in": 1000, "H": 100, "D_out": 10, "ranks": 1, "pass": number,
                        "mode": "throughput", "status": "ok", "kind": "seed",
                        "seconds_per_step": seconds[N] * np.exp(random.normal(0, noise)),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
