"""Compares machines of one model: a verdict for each, on all its steps together.

Times are compared as they are. Machines that differ in a library or a setting are not compared, nor are two models.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse.between_runs import KEY, PRIOR_FREEDOM, UNDISTURBED, expected
from bench.analyse.verdicts import MARGIN, SLOWER, Estimate, verdicts
from bench.schema.case import is_control

COLUMNS = [
    "machine", "node", "device", "verdict", "ratio", "ratio_low", "ratio_high", "p", "equals", "cases", "apart", "reason",
]  # fmt: skip
CONSISTENT = {2: 1.773, 3: 2.216, 4: 2.020, 5: 1.788, 6: 1.779, 7: 1.690, 8: 1.674, 9: 1.641}
"""Number of normal values → what their median absolute deviation has to be multiplied by to be their standard deviation on
average (Croux & Rousseeuw, *Time-efficient algorithms for two highly robust estimators of scale*, 1992); of more
1.4826 n/(n - 0.8)."""
EFFICIENCY = 0.37
"""Of that estimate: so many degrees of freedom does each value bring."""
SHIFT = math.pi / 2
"""The variance of a median is so many times that of a mean."""
ALONE = "no equal to judge it by"
TWO = "with two nodes it is unknown which one is slow"


def judge(rows: pd.DataFrame, known: Mapping[str, Mapping[str, str]], margin: float = MARGIN) -> pd.DataFrame:
    """A row for each node and device, with the columns `COLUMNS`.

    `rows` are those of `bench.analyse.reading.read` with a column `node`; `known` has for each node what has to be the same
    for others to be its equals, besides the model: name → value, "" where it is not known. `ratio` is the node's undisturbed
    time over the median of its equals', the geometric mean over all cases that they share; `apart` says what makes it no equal
    of the most of its model.
    """
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    steps = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control)]
    steps = steps.assign(time=steps[UNDISTURBED].fillna(steps["seconds_per_step"]), singly=steps[UNDISTURBED].notna())
    steps = steps[steps["time"].notna()]
    apart: dict[str, str] = {}
    for _, part in rows.groupby("machine"):
        apart |= _apart(sorted(set(part["node"])), known)
    found: list[dict[str, Any]] = []
    groups = steps.assign(apart=steps["node"].map(apart)).groupby(["device", "machine", "apart"], sort=False)
    for (device, machine, why), part in groups:
        logs = pd.Series(np.log(part["time"].astype(float)), index=part.index)
        table = logs.groupby([*(part[name] for name in (*KEY, "singly")), part["node"]]).mean().unstack().dropna()
        errors = part["relative_error"].astype(float)
        within = float(errors[np.isfinite(errors)].pow(2).mean())
        nodes = [*dict.fromkeys(part["node"])]
        for node, estimate in zip(nodes, beside([float(table[node].mean()) for node in nodes], within), strict=True):
            found.append(
                {
                    "machine": machine, "node": node, "device": device, "estimate": estimate, "equals": len(nodes) - 1,
                    "cases": len(table), "apart": why, "reason": "" if len(nodes) > 2 else TWO if len(nodes) == 2 else ALONE,
                }
            )  # fmt: skip
    judged = [row for row in found if math.isfinite(row["estimate"].error)]
    for row, (verdict, p) in zip(judged, verdicts([row["estimate"] for row in judged], margin), strict=True):
        low, high = map(math.exp, row["estimate"].interval())
        row |= {"verdict": verdict, "p": p, "ratio": math.exp(row["estimate"].mean), "ratio_low": low, "ratio_high": high}
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
    others = n - 1
    error = math.sqrt(variance * (1 + (SHIFT if others > 2 else 1) / others))
    return [Estimate(float(values[i] - np.median(np.delete(values, i))), error, freedom) for i in range(n)]


def facts(version: str, header: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, str]:
    """What has to be the same for two machines of one model to be equals: name → value."""
    machine = header["machine"]
    known = {
        "stepbench": version,
        "Python": str(machine["python"]),
        "memory of": f"{round(machine['memory_bytes'] / 2**30)} GiB",
        "cores": str(len(machine["cores"])),
        "a CPU quota of": str(machine.get("cpu_quota") or "none"),
    }
    for text in dict.fromkeys(rows["versions"]):
        known |= dict(part.split("==", 1) for part in text.split() if "==" in part)
    for column in ("kernels", "allocator", "steps_per_round"):
        known[column] = ", ".join(sorted({str(value) for value in rows[column]}))
    sources = zip(rows["backend"], rows["source_hash"], strict=True)
    return known | {f"source of {name}": str(hash)[:12] for name, hash in sources if hash}


def symptoms(judged: pd.DataFrame, headers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the doctor reports on a SLOWER node and on none of its equals."""
    for row in judged[judged["verdict"] == SLOWER].to_dict("records"):
        alike = judged[judged["machine"].eq(row["machine"]) & judged["apart"].eq(row["apart"])]
        found = {node: headers[node].get("doctor", []) for node in alike["node"]}
        for sentence in found.pop(row["node"]):
            if not any(sentence in others for others in found.values()):
                yield f"{row['node']}, and none of its equals: {sentence}"


def _apart(nodes: Sequence[str], known: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Node → in what it differs from most of these; empty if in nothing."""
    names = dict.fromkeys(name for node in nodes for name in known[node])
    usual = {}
    for name in names:
        values = Counter(known[node][name] for node in nodes if known[node].get(name))
        usual[name] = max(values, key=lambda value: (values[value], value), default="")
    return {node: "; ".join(_differences(known[node], usual)) for node in nodes}


def _differences(mine: Mapping[str, str], usual: Mapping[str, str]) -> Iterator[str]:
    for name, value in mine.items():
        if value and value != usual[name]:
            yield f"{name} {value} where most of its model have {usual[name]}"
