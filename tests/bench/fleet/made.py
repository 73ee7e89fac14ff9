"""Fleets without machines: futures made by hand, and archives of runs that were never measured."""

import io
import json
import zipfile
from concurrent.futures import Future

from bench.fleet import home, private
from bench.fleet.node import FACTS
from tests.support import a_header


class Engine:
    """`answers` maps a node to bytes, an exception, or None for a node that never answers."""

    def __init__(self, answers):
        self.answers, self.nodes, self.requests, self.closed = answers, [*answers], {}, False

    def submit(self, function, request, node):
        self.requests[node] = request
        future = Future()
        if isinstance(answer := self.answers[node], BaseException):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    def close(self):
        self.closed = True


def journal_bytes(run="r", end=True):
    records = [a_header(run=run), {"record": "pass", "pass": 0}, *[{"record": "end", "pass": 0}] * end]
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def archive(files=(), reason="", **facts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(FACTS, json.dumps({"stepbench": "0", "reason": reason, "printed": "", **facts}))
        for name, content in dict(files).items():
            zipped.writestr(name, content)
    return out.getvalue()


def delivery(run="r", end=True, **facts):
    return archive({f"m/{run}/journal.jsonl": journal_bytes(run, end)}, **facts)


def fleet(folder, answers):
    """Runs a fleet whose nodes answer so; returns its engine, its folder, and name → last record."""
    engine, place = Engine(answers), folder / "fleet"
    start = private.Start("made", "made", "", [*answers], {"BENCH_BLOCKS": "2"}, str(place))
    ids = private.ids(answers)
    if not place.exists():
        home.append(place, {"nodes": [*ids.values()], "stepbench": "0"})
    home.run(start, engine, 0.1, 0.1, lambda text: None)
    records = home.read(place)[1]
    return engine, place, {name: records[id_] for name, id_ in ids.items()}
