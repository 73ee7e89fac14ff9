"""A fleet as people and programs read it: a row a node in the terminal and in Markdown, a row a node and case as CSV."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase

import pandas as pd
from rich.console import Console

from bench.analyse.between_runs import KEY, UNDISTURBED
from bench.analyse.verdicts import SLOWER
from bench.schema.case import CASE_COLUMNS, SIDE, Case, at, is_control
from bench.show import grid
from bench.show.grid import Column, Row
from bench.show.rows import records
from bench.units import seconds, span

WAYS = 5
"""Priority of the first way's column; those of later ones go before it where it is narrow."""
FEW = 8
"""Nodes that a sentence names."""
CSV = [
    "node", "machine", "run", *CASE_COLUMNS, SIDE, "kind", "status", "reason", "seconds_per_step", UNDISTURBED,
    "beside_equals",
]  # fmt: skip


def terminal(
    rows: pd.DataFrame,
    judged: pd.DataFrame,
    missing: Mapping[str, str],
    doubts: Sequence[str],
    notes: Sequence[str],
    to: Console,
) -> None:
    """Prints a row for each node and device to fit the console, and below it what has to be said."""
    above, columns, lines = _prepared(rows, judged, missing)
    for line in above:
        to.print(line)
    if lines:
        grid.show(grid.fit(columns, lines, to.width), lines, to, dim=lambda row: row["verdict"] == "missing")
    for row in lines:
        if row["verdict"] == SLOWER:
            to.print(_named(row), style="bold red")
    for line in _below(judged, missing, notes):
        to.print(line)
    for doubt in doubts:
        to.print(doubt, style="bold red")


def markdown(
    rows: pd.DataFrame, judged: pd.DataFrame, missing: Mapping[str, str], doubts: Sequence[str], notes: Sequence[str]
) -> str:
    """For an issue; what is in doubt stands first."""
    above, columns, lines = _prepared(rows, judged, missing)
    named = [f"**{_named(row)}**" for row in lines if row["verdict"] == SLOWER]
    pipes = grid.pipes(grid.fit(columns, lines, 140), lines) if lines else []
    below = [f"- {line}" for line in _below(judged, missing, notes)]
    first = [part for doubt in doubts for part in (f"**{doubt}**", "")]
    return "\n".join([*first, *(f"{line}  " for line in above), "", *pipes, "", *named, "", *below, ""])


def csv(rows: pd.DataFrame, judged: pd.DataFrame) -> str:
    """Full precision, seconds; `beside_equals` is a case's undisturbed time over the median of the node's equals."""
    apart = judged.drop_duplicates("node").set_index("node")["apart"]
    table = rows.assign(apart=rows["node"].map(apart))
    usual = table.groupby(["machine", "apart", *KEY])[UNDISTURBED].transform("median")
    return str(table.assign(beside_equals=table[UNDISTURBED] / usual).reindex(columns=CSV).to_csv(index=False))


def _prepared(
    rows: pd.DataFrame, judged: pd.DataFrame, missing: Mapping[str, str]
) -> tuple[list[str], list[Column], list[Row]]:
    """The lines above the table, its columns and its rows: quickest first, by the quickest way of each."""
    steps = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control)]
    models = dict(zip(dict.fromkeys(judged["machine"]), _letters(), strict=False))
    times: dict[tuple[str, str], dict[str, float]] = {}
    sizes = steps[["shape"]].drop_duplicates()
    varying = [name for name in ("dtype", "threads") if steps[name].nunique() > 1] + ["shape"] * (len(sizes) > 1)
    for row in records(steps):
        times.setdefault((row["node"], row["device"]), {})[_short(Case.of_row(row), varying)] = float(row["seconds_per_step"])
    lines: list[Row] = []
    for row in records(judged):
        mine = times[row["node"], row["device"]]
        quickest = min(mine, key=mine.__getitem__)
        lines.append({**row, "model": models[row["machine"]], "quickest": quickest, "time": mine[quickest], "times": mine})
    lines.sort(key=lambda row: (row["device"], row["time"]))
    nothing = dict.fromkeys(("time", "ratio", "ratio_low", "ratio_high"), math.nan)
    unknown = dict.fromkeys(("model", "device", "quickest"), "")
    for node in missing:
        lines.append({"node": node, **unknown, **nothing, "times": {}, "equals": None, "verdict": "missing"})
    ways = sorted({way for row in lines for way in row["times"]}, key=lambda way: _mean(lines, way))
    columns = [
        grid.plain("node"),
        *([grid.plain("model")] if len(models) > 1 else []),
        *([grid.plain("device")] if judged["device"].nunique() > 1 else []),
        *([Column("quickest", lambda r: r["quickest"], 4, right=False), _time_of()] if len(ways) > 1 else []),
        *(_way(way, WAYS + number if len(ways) > 1 else 1) for number, way in enumerate(ways)),
        Column("beside equals", lambda r: f"{r['ratio']:.3f}" if math.isfinite(r["ratio"]) else "", 0),
        Column("95 % interval", lambda r: span(r["ratio_low"], r["ratio_high"]), 1),
        Column("equals", lambda r: "" if r["equals"] is None else str(r["equals"]), 2),
        Column("verdict", lambda r: r["verdict"] or "–", 0, right=False),
    ]
    above = [f"{letter}: {machine}" for machine, letter in models.items()] if len(models) > 1 else [*models]
    return above, columns, lines


def few(nodes: Iterable[str]) -> str:
    """Nodes, of many the first ones and how many more."""
    names = [*dict.fromkeys(nodes)]
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def _letters() -> list[str]:
    return [*ascii_uppercase, *(f"{a}{b}" for a in ascii_uppercase for b in ascii_uppercase)]


def _time_of() -> Column:
    return Column("time/step", lambda r: seconds(r["time"]), 3)


def _way(way: str, priority: int) -> Column:
    return Column(way, lambda r: seconds(r["times"].get(way, math.nan)), priority)


def _mean(lines: Sequence[Row], way: str) -> float:
    mine: list[float] = [row["times"][way] for row in lines if way in row["times"]]
    return sum(mine) / len(mine)


def _short(case: Case, varying: Sequence[str]) -> str:
    """A case's backend, with what else varies beside device, which has rows of its own."""
    told = {"dtype": case.dtype, "threads": f"threads {case.threads}", "shape": str(case.shape)}
    return " ".join([at(case.name, case.side), *(told[name] for name in varying)])


def _named(row: Row) -> str:
    equals = f"its {row['equals']} equals" if row["equals"] > 1 else "its one equal"
    where = f" on {row['device']}" if row["device"] != "cpu" else ""
    ratio = f"{row['ratio']:.3f} times ({span(row['ratio_low'], row['ratio_high'])})"
    return f"SLOWER: {row['node']}{where} takes {ratio} as long as {equals}."


def _below(judged: pd.DataFrame, missing: Mapping[str, str], notes: Sequence[str]) -> list[str]:
    lines = [
        "beside equals: undisturbed time over the median of nodes that differ in nothing known, the mean over all ways; SLOWER "
        "and FASTER are wrong in 1 table of 100."
    ]
    for reason, rows in judged[judged["reason"] != ""].groupby("reason", sort=False):
        lines.append(f"{few(rows['node'])}: {reason}")
    for apart, rows in judged[judged["apart"] != ""].groupby("apart", sort=False):
        lines.append(f"apart: {few(rows['node'])}: {apart}; judged apart from them")
    return [*lines, *(f"missing: {node}: {reason}" for node, reason in missing.items()), *notes]
