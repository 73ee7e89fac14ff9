"""A fleet's folder: its journal, one folder per node with the runs that it returned, and the table of all these."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from rich.console import Console

from bench.analyse import equals, reading
from bench.analyse.verdicts import MARGIN, SLOWER
from bench.errors import UsageError
from bench.fleet.node import FACTS
from bench.record import journal
from bench.schema.case import is_control
from bench.show import grid
from bench.show.grid import MEAN, UNDISTURBED, column, records
from bench.show.sentences import changed
from bench.units import seconds, span

NAME = "fleet.jsonl"
COLUMNS = [
    column("machine", 4),
    column("node"),
    column("device", 3),
    column("fastest", 5),
    column("step", 2, seconds),
    column("ratio", 0, "{:.3f}".format),
    column("95 % interval", 1, span, "ratio_low", "ratio_high"),
    column("equals", 2, "{}".format),
    grid.Column("verdict", lambda row: row["verdict"] or "–", 0, right=False),
]
LEGEND = "ratio: undisturbed time over the median of equal nodes, the mean over all ways; 1 table of 100 names a wrong node."


def append(place: Path, record: Mapping[str, Any]) -> None:
    """Writes a record to the fleet's journal and to the disk. Raises `UsageError`."""
    with writing(place / NAME) as path, path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(place: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A fleet's header, and id → last record of each node. Raises `UsageError`."""
    file = place / NAME
    try:
        header, *answers = map(json.loads, file.read_text(encoding="utf-8").split("\n")[:-1])
        nodes = {node: {"reason": "has not answered; use --resume"} for node in header["nodes"]}
        nodes |= {record["node"]: record for record in answers}
    except (OSError, ValueError, LookupError, TypeError):
        raise UsageError(f"{file}: is no fleet's journal; give the folder of a fleet, such as results/fleet/NAME.") from None
    return header, nodes


def complete(place: Path) -> list[Path]:
    """The folders of a node's runs that have ended, the oldest first."""
    return sorted((run for run in place.glob("*/*") if journal.ended(run)), key=lambda run: run.name)


def unpack(archive: bytes, target: Path) -> dict[str, str]:
    """Stores what `node.measure` returned, over incomplete runs only; returns the facts."""
    with writing(target / FACTS), TemporaryDirectory(prefix=".", dir=target) as temporary:
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
                facts: dict[str, str] = json.loads(zipped.read(FACTS))
                zipped.extractall(temporary)  # keeps every path below this folder
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError):
            *_, last = [b"nothing", *archive[-200:].strip().splitlines()]
            raise UsageError(f"returned no run, but {last.decode(errors='replace')!r}") from None
        for new in Path(temporary).glob("*/*"):
            run = target / new.relative_to(temporary)
            if not journal.ended(run):
                shutil.rmtree(run, ignore_errors=True)
                run.parent.mkdir(exist_ok=True)
                new.replace(run)
    return facts


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Makes the folder of a file. Raises `UsageError` where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        hint = "make room; BENCH_RESULTS and XDG_STATE_HOME name other folders"
        raise UsageError(f"{path}: cannot be written: {error.strerror}; {hint}.") from None


def merge(place: Path, margin: float = MARGIN) -> tuple[pd.DataFrame, list[str], bool]:
    """`bench.analyse.equals.judge` of a fleet's complete runs, sentences about its nodes, and whether something is wrong.

    The table also has the way that is `fastest` on a node, and its `step` in seconds. Wrong is a missing node, and a wrong or
    failed step. Raises `UsageError`.
    """
    head, nodes = read(place)
    tables, doctor = [pd.DataFrame(columns=[*reading.COLUMNS, "node"])], dict[str, list[str]]()
    missing, notes, said = list[str](), list[str](), defaultdict[str, list[str]](list)
    for node, record in nodes.items():
        ended = complete(place / node)
        try:
            if not ended:
                raise UsageError(record.get("reason", ""))
            found = reading.read(ended)
        except UsageError as error:
            missing.append(f"missing: {node}: {error}")
            continue
        notes += found.left_out
        log = (ended[-1] / journal.NAME).read_bytes()
        header = json.loads(log.partition(b"\n")[0])
        machine, stepbench = header["machine"], record.get("stepbench", "")
        known = {
            "stepbench": stepbench,
            "memory": f"{round(machine['memory_bytes'] / 2**30)} GiB",
            "cores": len(machine["cores"]),
            "CPU quota": machine.get("cpu_quota") or "none",
        }
        tables.append(found.table.assign(node=node, **known))
        doctor[node] = header["doctor"] + ["other runs of stepbench measured there"] * (b'"other_runs"' in log)
        if stepbench not in ("", head["stepbench"]):
            said[f"other files of stepbench than at home ({head['stepbench']})"].append(node)
    rows = pd.concat(tables[1:] or tables, ignore_index=True)
    steps = rows[(rows["status"] == "ok") & ~rows["kind"].map(is_control).astype(bool)]
    steps = steps.assign(step=steps[UNDISTURBED].fillna(steps[MEAN]), fastest=steps["backend"]).sort_values("step")
    fastest = steps.drop_duplicates(["node", "device"])[["node", "device", "fastest", "step"]]
    judged = equals.judge(rows, margin).astype(object).merge(fastest, on=["node", "device"])
    judged = judged.sort_values(["machine", "device", "step"])
    for name, before in (("reason", ""), ("apart", "judged apart: ")):
        for text, some in judged[judged[name] != ""].groupby(name, sort=False):
            said[f"{before}{text}"].extend(some["node"].unique())
    notes = [*missing, *notes, *(f"{', '.join(some)}: {text}" for text, some in said.items())]
    usual = set.intersection(*map(set, doctor.values())) if doctor else set()
    for row in records(judged[judged["verdict"] == SLOWER]):
        slow = changed(f"{row['node']} on {row['device']}", row["ratio"], row["ratio_low"], row["ratio_high"])
        notes.append("; ".join([f"{SLOWER}: {slow}", *(text for text in doctor[row["node"]] if text not in usual)]))
    return judged, notes, bool(missing or rows["status"].isin(["wrong", "failed"]).any())


def show(place: Path, judged: pd.DataFrame, notes: list[str], to: Console) -> None:
    """Prints the table and the sentences below it, and writes them as `fleet.md`. Raises `UsageError`."""
    rows, lines = records(judged), [LEGEND, *notes]
    if rows:
        grid.show(COLUMNS, rows, to)
    for line in lines:
        to.print(line, style="bold red" if line.startswith(SLOWER) else None)
    with writing(place / "fleet.md") as path:
        text = [*grid.pipes(COLUMNS, rows), "", *(f"- {line}" for line in lines), ""]
        path.write_text("\n".join(text), encoding="utf-8")
    to.print(f"written: {path}", style="dim")
