"""Fleets without machines: jobs whose bytes are made up, and runs that were never measured."""

import io
import json
import tarfile
import time
from pathlib import Path

from bench.fleet import private, wire
from bench.fleet.asking import Patience
from bench.fleet.home import Fleet
from tests.support import a_header

QUICK = Patience(wait=0.3, run=1.0, silence=0.3)


class Made:
    """A job that writes these bytes, or waits for so many seconds where a number stands, and then ends unless it hangs."""

    def __init__(self, *script, hangs=False, fate=""):
        self.script, self.hangs, self._fate, self.stopped = [*script], hangs, fate, []

    def read(self, seconds):
        if not self.script and not self.hangs:
            return b""
        if not self.script or (isinstance(self.script[0], float) and self.script[0] > seconds):
            time.sleep(max(0.0, seconds))
            raise TimeoutError
        first = self.script.pop(0)
        if isinstance(first, float):
            time.sleep(first)
            return self.read(seconds - first)
        return first

    def stop(self, gently):
        self.stopped.append(gently)

    def fate(self):
        return self._fate


class Engine:
    """`scripts` maps a node to the jobs that it is asked for, in turn."""

    outlives = True

    def __init__(self, scripts):
        self.scripts, self.nodes, self.requests = {name: [*jobs] for name, jobs in scripts.items()}, [*scripts], []

    def start(self, node, request, seconds):
        self.requests.append((node, json.loads(request)))
        return self.scripts[node].pop(0)


def said(message, body=b"", **fields):
    out = io.BytesIO()
    wire.say(out, message, body, **fields)
    return out.getvalue()


def hello(source="abc", boot="one"):
    return said("hello", version="0.1.0", source=source, boot=boot)


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def journal_bytes(run="r", end=True, passes=1, **header):
    records = [a_header(run=run, **header), *({"record": "pass", "pass": number} for number in range(passes))]
    return "".join(
        json.dumps(record) + "\n" for record in [*records, *([{"record": "end", "pass": 0}] if end else [])]
    ).encode()


def delivery(run="r", **journal):
    return said("folder", archive({f"m/{run}/journal.jsonl": journal_bytes(run, **journal)}))


def end(reason="", code=0):
    return said("end", code=code, reason=reason)


def fleet(folder: Path, scripts, patience=QUICK, heard=None):
    """A fleet whose nodes answer as scripted."""
    engine = Engine(scripts)
    asked = private.Asked("made", "made", "", [*scripts], {"BENCH_BLOCKS": "2"}, str(folder / "fleet"))
    return Fleet(asked, engine, patience, (heard if heard is not None else []).append), engine
