"""Fleets without machines: futures made by hand, and archives of runs that were never measured."""

import io
import json
import zipfile
from concurrent.futures import Future

from bench.errors import UsageError
from bench.fleet import folder, home
from bench.fleet.node import FACTS
from tests.support import a_header


class Engine:
    """Maps a node to its answer: bytes, an exception, or None for one that never comes."""

    def __init__(self, answers):
        self.answers, self.nodes, self.requests, self.closed = answers, [*answers], {}, False

    def submit(self, request, node):
        self.requests[node] = request
        future = Future()
        if isinstance(answer := self.answers[node], UsageError):
            raise answer
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    def close(self):
        self.closed = True


def journal_bytes(run="r", end=True):
    records = [a_header(run=run), {"record": "pass", "pass": 0}, {"record": "end", "pass": 0}]
    return "".join(json.dumps(record) + "\n" for record in records[: 3 if end else 2]).encode()


def archive(files=(), reason="", printed=""):
    out, facts = io.BytesIO(), {"stepbench": "0", "reason": reason, "printed": printed}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in {FACTS: json.dumps(facts), **dict(files)}.items():
            zipped.writestr(name, content)
    return out.getvalue()


def delivery(run="r", end=True, **facts):
    return archive({f"m/{run}/journal.jsonl": journal_bytes(run, end)}, **facts)


def start(engine, place, settings):
    """A fleet in this folder, new or known."""
    if not (place / folder.NAME).exists():
        folder.append(place, {"nodes": [*home.ids(engine.nodes).values()], "stepbench": "0"})
    return home.Start("made", "made", "", [*engine.nodes], settings, str(place))


def fleet(place, answers):
    """Runs a fleet; returns its engine, its folder, and name → last record of each node."""
    engine, place = Engine(answers), place / "fleet"
    home.run(start(engine, place, {"BENCH_BLOCKS": "2"}), engine, 0.1, 0.1, lambda text: None)
    records = folder.read(place)[1]
    return engine, place, {name: records[id_] for name, id_ in home.ids(answers).items()}
