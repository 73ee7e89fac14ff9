"""A fleet at home: submits `node.measure` to every node and stores what returns in time.

The fleet's folder has its journal, and one folder per node with the runs that it returned.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, as_completed
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.errors import UsageError
from bench.fleet import private
from bench.fleet.engines import Engine
from bench.fleet.node import ENDING, FACTS, Request, measure, version
from bench.fleet.private import Start
from bench.record import journal
from bench.settings import Settings

Report = Callable[[str], None]
NAME = "fleet.jsonl"
GRACE = ENDING + 60.0
"""Seconds for a run to end early, and for an engine to start a node and to return its folder."""


def new(name: str, where: str, engine: Engine, settings: Settings) -> Start:
    """A fleet with a name and a folder of its own. Raises `UsageError`."""
    ids, now = private.ids(engine.nodes), datetime.now(UTC)
    fleet, variables = now.strftime("%Y%m%dT%H%M%SZ"), settings.assignments(settings.as_json())
    place = Path(os.path.abspath(settings.results / "fleet" / fleet))
    header = {"fleet": fleet, "engine": name, "nodes": [*ids.values()], "settings": variables}
    append(place, header | {"stepbench": version(), "time": str(now)})
    start = Start(fleet, name, where, [*ids], variables, str(place))
    private.remember(start)
    return start


def run(start: Start, engine: Engine, wait: float, seconds: float, report: Report) -> None:
    """Measures on all nodes that have no complete run at home. Raises `UsageError`.

    A node that does not answer before the deadline keeps its folder, and `--resume` fetches it.
    """
    ids, place = private.ids(start.nodes), Path(start.folder)
    reason = f"no answer within {(wait + seconds) / 60:.3g} minutes (--wait, --minutes)"
    waiting: dict[Future[bytes], str] = {}

    def complete(node: str) -> bool:
        return any(map(journal.ended, runs(place / ids[node])))

    def store(node: str, facts: dict[str, str]) -> None:
        facts = {name: private.without_names(text, ids) for name, text in facts.items()}
        append(place, {"node": ids[node], **facts})
        state = "done" if complete(node) else f"missing: {facts.get('reason')}"
        report(f"{ids[node]} ({node}): {state}")

    try:
        for node in start.nodes:
            if complete(node):
                continue
            request = Request(
                fleet=start.fleet, node=ids[node], settings=start.settings,
                wait=wait, seconds=seconds,
            )  # fmt: skip
            try:
                waiting[engine.submit(measure, request, node)] = node
            except (OSError, UsageError) as error:
                store(node, {"reason": str(error)})
        for future in as_completed([*waiting], wait + seconds + GRACE):
            node = waiting.pop(future)
            try:
                facts = unpack(future.result(), place / ids[node])
            except Exception as error:  # every engine has exceptions of its own
                *_, last = ["", *str(error).strip().splitlines()]
                kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
                facts = {"reason": kind + last.strip()}
            store(node, facts)
    except TimeoutError:
        pass
    except KeyboardInterrupt:
        reason = "no answer before Ctrl-C"
        raise
    finally:
        engine.close()
        for node in waiting.values():
            store(node, {"reason": f"{reason}; --resume fetches what it has by then"})


def append(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes a record to the fleet's journal and to the disk. Raises `UsageError`."""
    with private.writing(folder / NAME) as path, path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A fleet's header, and id → last record of each node. Raises `UsageError`."""
    file = folder / NAME
    try:
        header, *records = map(json.loads, file.read_text(encoding="utf-8").split("\n")[:-1])
        nodes = {node: {"reason": "has not answered; use --resume"} for node in header["nodes"]}
        nodes |= {record["node"]: record for record in records}
    except (OSError, ValueError, LookupError, TypeError):
        hint = "give the folder of a fleet, such as results/fleet/NAME"
        raise UsageError(f"{file}: is no fleet's journal; {hint}.") from None
    return header, nodes


def runs(folder: Path) -> list[Path]:
    """The folders of a node's runs, oldest first."""
    return sorted((p.parent for p in folder.glob(f"*/*/{journal.NAME}")), key=lambda p: p.name)


def unpack(archive: bytes, target: Path) -> dict[str, str]:
    """Stores what `node.measure` returned, over incomplete runs only; returns the facts."""
    with private.writing(target / FACTS), TemporaryDirectory(prefix=".", dir=target) as temporary:
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
                facts: dict[str, str] = json.loads(zipped.read(FACTS))
                zipped.extractall(temporary)  # keeps every path below this folder
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError):
            *_, last = [b"nothing", *archive[-200:].strip().splitlines()]
            raise UsageError(f"returned no run, but {last.decode(errors='replace')!r}") from None
        for new in runs(Path(temporary)):
            run = target / new.relative_to(temporary)
            if not journal.ended(run):
                shutil.rmtree(run, ignore_errors=True)
                run.parent.mkdir(exist_ok=True)
                new.replace(run)
    return facts
