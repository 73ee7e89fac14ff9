"""A fleet's tables: one row per node as text and Markdown, one per node and case as CSV."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from rich.console import Console

from bench.analyse.between_runs import KEY, UNDISTURBED
from bench.analyse.verdicts import SLOWER
from bench.schema.case import CASE_COLUMNS, SIDE, at, is_control
from bench.show import grid
from bench.show.grid import DIMENSIONS, Column, Row, place_of, records, time_column
from bench.show.sentences import changed
from bench.units import seconds, span

FIRST_CASE = 5
"""Priority of the fastest case's column; a narrow table leaves out the slower ones before it."""
WIDTH = 140
"""Characters of a line of Markdown."""
NAMED = 8
"""Nodes that a sentence names."""
CSV = [
    "node", "machine", "run", *CASE_COLUMNS, SIDE, "kind", "status", "reason", "seconds_per_step",
    UNDISTURBED, "ratio_to_equals",
]  # fmt: skip
LEGEND = (
    "ratio: undisturbed time over the median of equal nodes, the mean over all ways; SLOWER and "
    "FASTER are wrong in 1 table of 100."
)


def terminal(rows: pd.DataFrame, judged: pd.DataFrame, notes: Sequence[str], to: Console) -> None:
    """Prints a table for each model of machine to fit the console, and the sentences below."""
    for machine, columns, lines in _tables(rows, judged):
        to.print(machine)
        grid.show(grid.fit(columns, lines, to.width), lines, to)
    for sentence in _slower(judged):
        to.print(sentence, style="bold red")
    for line in _below(judged, notes):
        to.print(line)


def files(rows: pd.DataFrame, judged: pd.DataFrame, notes: Sequence[str]) -> dict[str, str]:
    """Name → text of the tables as Markdown and as CSV."""
    text: list[str] = []
    for machine, columns, lines in _tables(rows, judged):
        text += [machine, "", *grid.pipes(grid.fit(columns, lines, WIDTH), lines), ""]
    text += [f"- **{sentence}**" for sentence in _slower(judged)]
    text += [f"- {line}" for line in _below(judged, notes)]
    return {"fleet.md": "\n".join([*text, ""]), "fleet.csv": _csv(rows, judged)}


def join_names(nodes: Iterable[str]) -> str:
    """The first nodes and how many more there are."""
    names = [*dict.fromkeys(nodes)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _csv(rows: pd.DataFrame, judged: pd.DataFrame) -> str:
    """Seconds in full precision; the ratio of each case is to the median of the node's equals."""
    apart = judged.drop_duplicates("node").set_index("node")["apart"]
    table = rows.assign(apart=rows["node"].map(apart), singly=rows[UNDISTURBED].notna())
    time = table[UNDISTURBED].fillna(table["seconds_per_step"])
    median = table.assign(time=time).groupby(["machine", "apart", *KEY, "singly"])["time"].transform("median")
    return str(table.assign(ratio_to_equals=time / median).reindex(columns=CSV).to_csv(index=False))


def _tables(rows: pd.DataFrame, judged: pd.DataFrame) -> Iterator[tuple[str, list[Column], list[Row]]]:
    """Each model's name, and the columns and rows of its nodes, that with the fastest case first."""
    steps = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control)]
    varying = [name for name in DIMENSIONS if name != "device" and steps[name].nunique() > 1]
    times: dict[tuple[str, str], dict[str, float]] = {}
    for row in records(steps):
        case = " ".join(filter(None, (at(row["backend"], row[SIDE]), place_of(row, varying))))
        times.setdefault((row["node"], row["device"]), {})[case] = row[time_column(row)]
    for machine, part in judged.groupby("machine", sort=False):
        lines = [{**row, "times": times[row["node"], row["device"]]} for row in records(part)]
        lines.sort(key=lambda row: (row["device"], min(row["times"].values())))
        cases = pd.DataFrame([row["times"] for row in lines]).mean().sort_values().index
        yield str(machine), _columns([*map(str, cases)], several=part["device"].nunique() > 1), lines


def _columns(cases: Sequence[str], several: bool) -> list[Column]:
    """Of a table with these cases, on several devices or one."""
    return [
        *map(grid.column, ("node", "device") if several else ("node",)),
        Column("fastest", lambda r: min(r["times"], key=r["times"].__getitem__), 4, right=False),
        Column("step", lambda r: seconds(min(r["times"].values())), 3),
        *(_time(case, FIRST_CASE + number) for number, case in enumerate(cases) if len(cases) > 1),
        grid.column("ratio", 0, "{:.3f}".format, "ratio"),
        grid.column("95 % interval", 1, span, "ratio_low", "ratio_high"),
        Column("equals", lambda r: str(r["equals"]), 2),
        Column("verdict", lambda r: r["verdict"] or "–", 0, right=False),
    ]


def _time(case: str, priority: int) -> Column:
    return Column(case, lambda r: seconds(r["times"].get(case, math.nan)), priority)


def _slower(judged: pd.DataFrame) -> Iterator[str]:
    for row in records(judged[judged["verdict"] == SLOWER]):
        where = f" on {row['device']}" if row["device"] != "cpu" else ""
        yield f"SLOWER: {changed(row['node'] + where, row['ratio'], row['ratio_low'], row['ratio_high'])}"


def _below(judged: pd.DataFrame, notes: Sequence[str]) -> list[str]:
    lines = [LEGEND]
    for column, before in (("reason", ""), ("apart", "judged apart: ")):
        for text, rows in judged[judged[column] != ""].groupby(column, sort=False):
            lines.append(f"{before}{join_names(rows['node'])}: {text}")
    return [*lines, *notes]
