"""Compares machines of one model: a verdict for each, on all its steps together.

Times are compared as they are. Machines that differ in a library or a setting are not compared, nor are two models.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse.between_runs import KEY, PRIOR_FREEDOM, expected, prepared
from bench.analyse.estimates import with_interval
from bench.analyse.verdicts import MARGIN, Estimate, verdicts
from bench.schema.case import is_control

COLUMNS = [
    "machine", "node", "device", "verdict", "ratio", "ratio_low", "ratio_high", "p", "equals", "cases", "apart", "reason",
]  # fmt: skip
SAME = ["stepbench", "memory", "cores", "CPU quota", "python", "kernels", "steps_per_round"]
"""Columns in which equal nodes agree, besides sources of steps and versions of libraries; the first four are a fleet's own."""
CONSISTENT = {2: 1.773, 3: 2.216, 4: 2.020, 5: 1.788, 6: 1.779, 7: 1.690, 8: 1.674, 9: 1.641}
"""Number of normal values → what their median absolute deviation has to be multiplied by to be their standard deviation on
average (Croux & Rousseeuw, *Time-efficient algorithms for two highly robust estimators of scale*, 1992); of more
1.4826 n/(n - 0.8)."""
EFFICIENCY = 0.37
"""Of that estimate: so many degrees of freedom does each value bring."""
FEW = {1: "no equal to judge it by", 2: "with two nodes it is unknown which one is slow"}
SHIFT = math.pi / 2
"""The variance of a median is so many times that of a mean."""


def judge(rows: pd.DataFrame, margin: float = MARGIN) -> pd.DataFrame:
    """A row for each node and device, with the columns `COLUMNS`.

    `rows` are those of `bench.analyse.reading.read` with columns `node` and `SAME`, "" where one is not known. `ratio` is the
    node's undisturbed time over the median of its equals', the geometric mean over all cases that they share; `apart` says what
    makes it no equal of the most of its model.
    """
    rows = rows.assign(apart=rows["node"].map(_apart(rows)))
    steps = prepared(rows[~rows["kind"].map(is_control).astype(bool)])
    steps = steps[steps["log"].notna()]
    found: list[dict[str, Any]] = []
    for (device, machine, apart), part in steps.groupby(["device", "machine", "apart"], sort=False):
        table = part.groupby([*KEY, "singly", "node"])["log"].mean().unstack().dropna()
        errors = part["relative_error"].astype(float)
        within = float(errors[np.isfinite(errors)].pow(2).mean())
        nodes = [*dict.fromkeys(part["node"])]
        same = {"machine": machine, "device": device, "apart": apart, "reason": FEW.get(len(nodes), "")}
        same |= {"equals": len(nodes) - 1, "cases": len(table)}
        estimates = beside([float(table[node].mean()) for node in nodes], within)
        found += [{**same, "node": node, "estimate": each} for node, each in zip(nodes, estimates, strict=True)]
    judged = [row for row in found if math.isfinite(row["estimate"].error)]
    for row, (verdict, p) in zip(judged, verdicts([row["estimate"] for row in judged], margin), strict=True):
        row |= with_interval("ratio", row["estimate"]) | {"verdict": verdict, "p": p}
    return pd.DataFrame(found).reindex(columns=COLUMNS).fillna({"verdict": ""})


def beside(logs: Sequence[float], within: float) -> list[Estimate]:
    """How far each of several log times lies from the median of the others.

    The spread between runs comes from other machines and from the median absolute deviation of these, which a few slow nodes
    do not widen. It is at least what the processes of the runs predict, whose mean variance is `within`.
    """
    values = np.asarray(logs, float)
    n = len(values)
    if n < 2 or not math.isfinite(within) or not np.isfinite(values).all():
        return [Estimate(math.nan, math.inf, 1)] * n
    deviation = float(np.median(np.abs(values - np.median(values)))) * (CONSISTENT.get(n) or 1.4826 * n / (n - 0.8))
    seen = EFFICIENCY * (n - 1) if n > 2 else 0.0
    freedom = PRIOR_FREEDOM + seen
    variance = max((PRIOR_FREEDOM * expected(within) + seen * deviation**2) / freedom, within)
    error = math.sqrt(variance * (1 + (SHIFT if n > 3 else 1) / (n - 1)))
    return [Estimate(float(values[i] - np.median(np.delete(values, i))), error, freedom) for i in range(n)]


def _apart(rows: pd.DataFrame) -> dict[str, str]:
    """Node → in what it differs from most nodes of its model that have this; "" if in nothing."""
    values: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows.to_dict("records"):
        known = {name: row[name] for name in SAME} | {f"source of {row['backend']}": row["source_hash"][:12]}
        known |= dict(text.split("==", 1) for text in row["versions"].split() if "==" in text)
        for name, value in known.items():
            if value:
                values[row["machine"], name][row["node"]].add(str(value))
    apart: dict[str, list[str]] = {node: [] for node in rows["node"]}
    for (_, name), nodes in values.items():
        texts = {node: ", ".join(sorted(some)) for node, some in nodes.items()}
        counts = Counter(texts.values())
        usual = max(counts, key=lambda text: (counts[text], text))
        for node, text in texts.items():
            if text != usual:
                apart[node].append(f"{name} {text} where most of its model have {usual}")
    return {node: "; ".join(differences) for node, differences in apart.items()}
