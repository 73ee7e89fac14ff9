"""A fleet's tables: one row per node as text and Markdown, one per node and case as CSV."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from bench.analyse.between_runs import KEY, UNDISTURBED
from bench.analyse.verdicts import SLOWER
from bench.errors import UsageError
from bench.schema.case import CASE_COLUMNS, SIDE, Case, at, is_control
from bench.show import grid
from bench.show.grid import Column, Row
from bench.show.rows import records, time_column
from bench.units import seconds, span

FIRST_CASE = 5
"""Priority of the fastest case's column; a narrow table leaves out the slower ones before it."""
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


Table = tuple[str, list[Column], list[Row]]
"""A model's name, and the columns and rows of its nodes."""


def terminal(rows: pd.DataFrame, judged: pd.DataFrame, notes: Sequence[str], to: Console) -> None:
    """Prints a table for each model of machine to fit the console, and the sentences below."""
    for machine, columns, lines in _tables(rows, judged):
        to.print(machine)
        grid.show(grid.fit(columns, lines, to.width), lines, to)
    for sentence in _slower(judged):
        to.print(sentence, style="bold red")
    for line in _below(judged, notes):
        to.print(line)


def write(
    rows: pd.DataFrame, judged: pd.DataFrame, notes: Sequence[str], folder: Path
) -> list[Path]:  # fmt: skip
    """Writes the tables as Markdown and as CSV. Raises `UsageError`."""
    texts = {"fleet.md": markdown(rows, judged, notes), "fleet.csv": csv(rows, judged)}
    for name, text in texts.items():
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            hint = "the runs are stored, so make room and use --show"
            why = f"cannot be written: {error.strerror}; {hint}"
            raise UsageError(f"{folder / name}: {why}.") from None
    return [folder / name for name in texts]


def markdown(rows: pd.DataFrame, judged: pd.DataFrame, notes: Sequence[str]) -> str:
    text: list[str] = []
    for machine, columns, lines in _tables(rows, judged):
        text += [machine, "", *grid.pipes(grid.fit(columns, lines, 140), lines), ""]
    text += [f"- **{sentence}**" for sentence in _slower(judged)]
    return "\n".join([*text, *(f"- {line}" for line in _below(judged, notes)), ""])


def csv(rows: pd.DataFrame, judged: pd.DataFrame) -> str:
    """Seconds in full precision; the ratio of each case is to the median of the node's equals."""
    apart = judged.drop_duplicates("node").set_index("node")["apart"]
    table = rows.assign(apart=rows["node"].map(apart))
    time, singly = table[UNDISTURBED].fillna(table["seconds_per_step"]), table[UNDISTURBED].notna()
    median = time.groupby([*(table[name] for name in ("machine", "apart", *KEY)), singly]).transform("median")
    table = table.assign(ratio_to_equals=time / median)
    return str(table.reindex(columns=CSV).to_csv(index=False))


def join_names(nodes: Iterable[str]) -> str:
    """The first nodes and how many more there are."""
    names = [*dict.fromkeys(nodes)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _tables(rows: pd.DataFrame, judged: pd.DataFrame) -> Iterator[Table]:
    """Each model's table, the node with the fastest case first."""
    times = _times(rows)
    for machine, part in judged.groupby("machine", sort=False):
        lines: list[Row] = []
        for row in records(part):
            mine = times[row["node"], row["device"]]
            fastest = min(mine, key=mine.__getitem__)
            lines.append({**row, "fastest": fastest, "time": mine[fastest], "times": mine})
        lines.sort(key=lambda row: (row["device"], row["time"]))
        means = pd.DataFrame([row["times"] for row in lines]).mean().sort_values()
        yield str(machine), _columns([str(case) for case in means.index], lines), lines


def _columns(cases: list[str], lines: list[Row]) -> list[Column]:
    devices = {row["device"] for row in lines}
    return [
        *(grid.plain(name) for name in ("node", "device")[: len(devices)]),
        Column("fastest", lambda r: r["fastest"], 4, right=False),
        Column("step", lambda r: seconds(r["time"]), 3),
        *(_time(case, FIRST_CASE + number) for number, case in enumerate(cases) if len(cases) > 1),
        grid.number("ratio", 0, "{:.3f}".format, "ratio"),
        grid.number("95 % interval", 1, span, "ratio_low", "ratio_high"),
        Column("equals", lambda r: str(r["equals"]), 2),
        Column("verdict", lambda r: r["verdict"] or "–", 0, right=False),
    ]


def _times(rows: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """Node and device → case → seconds; a case is called by its backend and what varies."""
    steps = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control)]
    several = [name for name in ("dtype", "threads") if steps[name].nunique() > 1]
    several += ["shape"] * (steps["shape"].nunique() > 1)
    times: dict[tuple[str, str], dict[str, float]] = {}
    for row in records(steps):
        case = Case.of_row(row)
        words = {"dtype": case.dtype, "threads": f"threads {case.threads}", "shape": case.shape}
        name = " ".join([at(case.name, case.side), *(str(words[each]) for each in several)])
        times.setdefault((row["node"], row["device"]), {})[name] = row[time_column(row)]
    return times


def _time(case: str, priority: int) -> Column:
    return Column(case, lambda r: seconds(r["times"].get(case, math.nan)), priority)


def _slower(judged: pd.DataFrame) -> Iterator[str]:
    for row in records(judged[judged["verdict"] == SLOWER]):
        equals = f"its {row['equals']} equals" if row["equals"] > 1 else "its one equal"
        where = f" on {row['device']}" if row["device"] != "cpu" else ""
        ratio = f"{row['ratio']:.3f} times ({span(row['ratio_low'], row['ratio_high'])})"
        yield f"SLOWER: {row['node']}{where} takes {ratio} as long as {equals}."


def _below(judged: pd.DataFrame, notes: Sequence[str]) -> list[str]:
    lines = [LEGEND]
    for reason, rows in judged[judged["reason"] != ""].groupby("reason", sort=False):
        lines.append(f"{join_names(rows['node'])}: {reason}")
    for apart, rows in judged[judged["apart"] != ""].groupby("apart", sort=False):
        lines.append(f"judged apart: {join_names(rows['node'])}: {apart}")
    return [*lines, *notes]
