"""If these fail, a contributed run shows where it was measured, or `accept` files numbers that no run measured."""

import gzip
import json
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import ExitCode, UsageError
from bench.paths import BACKENDS, CONTROLS, ROOT
from bench.plan.discovery import hash_of
from bench.record import journal
from tests.made import PROBLEM, a_case, story, write
from tests.support import described
from tools import contributing

RUN = "20260102T030405Z"
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
BASE = a_case("numpy_manual")["key"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A checkout whose one commit has the ways and controls of this one."""
    place = tmp_path_factory.mktemp("project")
    for source in (BACKENDS, CONTROLS):
        shutil.copytree(source, place / source.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__"))
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*GIT, *command], cwd=place, check=True)
    return place


@pytest.fixture(autouse=True, scope="module")
def _in_it(project):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contributing, "ROOT", project)
        patch.setattr(contributing, "CONTROLS", project / "bench" / "plan" / "controls")
        yield


def made(project, **changes):
    """A sound run of `numpy_manual`, its twin and the peak of arithmetic, which is ten times quicker."""
    sources = {name: (place / f"{name}.py").read_text() for name, place in
               {"numpy_manual": BACKENDS, "peak_arithmetic": CONTROLS}.items()}  # fmt: skip
    flops = PROBLEM.operations(PROBLEM.default)
    ways = {"numpy_manual": "numpy_manual", "twin": "numpy_manual", "peak_arithmetic": "peak_arithmetic"}
    cases = [
        a_case(name, backend=way, source_hash=hash_of(sources[way]), flops=flops, baseline=BASE if way in BASE else None)
        for name, way in ways.items()
    ]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True).stdout.strip()
    about = {
        "run": RUN, "machine_name": "a-cpu-2-cpus", "cases": cases, "problem": PROBLEM.as_record(),
        "sources": {hash_of(text): text for text in sources.values()}, "machine": {"commit": head},
        "settings": {"processes": 5, "problem": str(project / "backends"), "results": "/home/alice/runs"},
    }  # fmt: skip
    seconds = changes.pop("seconds", lambda name, number, _: (1e-5 if name[0] == "p" else 1e-4) * (1 + number % 3 / 1e4))
    run = story(seconds, 5, singly=True, **(about | changes))
    records = tuple({**record, "at_seconds": float(number)} for number, record in enumerate(run.records))
    return replace(run, records=records)


def packed(target, text):
    target.write_bytes(gzip.compress(text))
    return target


@pytest.fixture(scope="module")
def sound(project, tmp_path_factory):
    """The journal of a sound run, as `submit` writes it."""
    place = tmp_path_factory.mktemp("sound")
    return gzip.decompress(contributing.submit(journal.read(write(made(project), place))))


def refusal(target, results):
    with pytest.raises(UsageError) as caught:
        contributing.accept(target, results)
    assert not [*results.rglob("*")]
    said = str(caught.value)
    assert said.startswith(f"{target}: refused: ")
    assert said.endswith(".")
    return said.removeprefix(f"{target}: refused: ")


def test_a_sound_run_is_filed_with_all_its_files(project, tmp_path, capsys, monkeypatch):
    place = write(made(project), tmp_path / "r").parent
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.chdir(tmp_path)
    sent, bad = tmp_path / f"a-cpu-2-cpus-{RUN}.jsonl.gz", tmp_path / "bad.jsonl.gz"
    bad.write_bytes(b"")
    assert contributing.main(["submit", str(place)]) == ExitCode.FINE
    assert contributing.main(["accept", str(sent)]) == ExitCode.FINE
    filed = tmp_path / "results" / "a-cpu-2-cpus" / RUN
    names = {journal.NAME, "environment.json", "samples.csv", "summary.csv", "summary.md"}
    assert {path.name for path in filed.iterdir()} == names
    assert filed.stat().st_mode & 0o077
    capsys.readouterr()
    assert contributing.main(["accept", str(bad), str(sent)]) == ExitCode.USAGE
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{bad}: refused: ")
    assert second == f"{sent}: refused: {filed} is there already."


def test_no_host_owner_or_path_leaves_the_machine(project, tmp_path, monkeypatch):
    host = "alpha.example.org"
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    failed = {"record": "failure", "pass": 4, "case": "numpy_manual", "status": "failed"}
    reason = f'{host}: File "/home/alice/a-b/way.py" of ~/secret/x and {Path.home()}/y, at 1/s'
    run = made(project, extra=[failed | {"reason": reason}], doctor=[f"{host} has /opt/its/own.so"])
    monkeypatch.setattr(contributing, "_checked", lambda place: None)
    text = gzip.decompress(contributing.submit(journal.read(write(run, tmp_path / "r")))).decode()
    assert [secret for secret in ("alpha", "alice", "secret", "/opt", str(project), str(Path.home())) if secret in text] == []
    header, *_, last, _ = map(json.loads, text.splitlines())
    assert last["reason"] == 'home: File "way.py" of x and y, at 1/s'
    assert (header["settings"]["results"], header["settings"]["problem"]) == ("results", "backends")
    assert header["sources"] == run.header["sources"]


def test_a_file_that_is_damaged_or_large_is_refused(sound, tmp_path, monkeypatch):
    target, results = tmp_path / "a", tmp_path / "results"
    whole = packed(target, sound).read_bytes()
    for content in (b"hello", whole[:200] + b"\0" + whole[201:], whole[: len(whole) // 2]):
        target.write_bytes(content)
        assert refusal(target, results).startswith("it is damaged, or no file of `submit`: ")
    for text in (b"", b"[" * 100_000 + b"\n", sound.replace(b'"header"', b'"head"', 1)):
        assert refusal(packed(target, text), results).startswith("journal.jsonl:1: ")
    monkeypatch.setattr(contributing, "MAX_BYTES", 1000)
    assert "it unpacks to more than 0.001 MB" in refusal(packed(target, sound), results)


def header(**changes):
    def change(records):
        for name, value in changes.items():
            records[0][name] = {**records[0][name], **value} if isinstance(value, dict) else value

    return change


def times(*names, factor, cases=""):
    """Multiplies these numbers and lists of numbers in the records of these cases, by default in all."""

    def change(records):
        for record in records:
            for name in {*names} & {*record} if record.get("case", "").startswith(cases) else ():
                value = record[name]
                record[name] = [factor * each for each in value] if isinstance(value, list) else factor * value

    return change


def source(digest, text="code"):
    """A case that has another source, or another text with the same hash."""

    def change(records):
        digest_ = digest or records[0]["cases"][0]["source_hash"]
        records[0]["cases"][0]["source_hash"] = digest_
        records[0]["sources"][digest_] = text

    return change


EVERY = ("throughput_seconds", "dispatch_seconds", "latency_seconds", "throughput_call_seconds", "latency_call_seconds")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (times("throughput_call_seconds", factor=0.5), "journal.jsonl:6: its times contradict"),
        (times("latency_call_seconds", factor=0.5), "journal.jsonl:6: its times contradict"),
        (times("throughput_seconds", factor=0.5), "journal.jsonl:6: its times contradict"),
        (times("at_seconds", factor=1e-6), "journal.jsonl:6: its times contradict"),
        (times("at_seconds", factor=-1), "journal.jsonl:3: its times contradict"),
        (times(*EVERY, factor=1 / 20, cases=("numpy_manual", "twin")), f"{BASE} has 2.0"),
        (times(*EVERY, factor=1 / 20, cases="twin"), "UNPROVEN: the twin, the same code as"),
        (lambda records: records.pop(), "INCOMPLETE: the run ended in pass 5"),
        (lambda records: records[1].update(other_runs=1), "another run of stepbench measured there"),
        (lambda records: records[5]["errors"].update(share=1.5), f"{BASE} has 1.50 of the error that rounding"),
        (lambda records: records[0]["cases"][0].update(baseline="nonsense"), "its journal makes no table: "),
        (source("0123456789abcdef"), "numpy_manual has the source 0123456789abcdef, not that of commit"),
        (source(""), "numpy_manual has the source"),
        (header(machine={"commit": None}), "it measured backends at no commit, which is not in"),
        (header(machine={"commit": "0" * 40}), f"it measured backends at {'0' * 40}, which is not in"),
        (header(machine={"commit": "HEAD+dirty"}), "it measured backends at HEAD+dirty, which is not in"),
        (header(settings={"problem": "--output=x"}), "it measured --output=x at"),
        (lambda records: records[0]["settings"].pop("problem"), "it measured None at"),
        (header(settings={"problem": "nowhere"}), "it measured nowhere at"),
        (header(problem={"hash": "0123456789ab"}), "its problem is not that of backends at"),
        (header(machine={"sides": {"here": {}}}), "it has sides"),
        (header(machine_name="../x"), "machine_name is '../x', which names no folder"),
        (header(run="r"), "run is 'r', which names no folder"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_is_refused_by_both(change, said, sound, tmp_path):
    records = [json.loads(line) for line in sound.splitlines()]
    change(records)
    path = write(records, tmp_path / "r")
    target = packed(tmp_path / "a", path.read_bytes())
    assert refusal(target, tmp_path / "results").startswith(said)
    if records[0]["settings"].get("problem") == "backends":
        with pytest.raises(UsageError) as caught:
            contributing.submit(journal.read(path))
        assert str(caught.value).startswith(f"{path.parent}: would be refused: {said[:20]}")


def test_the_source_of_a_way_may_be_in_several_modules():
    names = ("numpy_manual", "numba_jit", "torch_module_fused", "torch_tf32", "launch")
    known = {path.stem: path.read_text() for place in (BACKENDS, CONTROLS) for path in place.glob("*.py")}
    for name, backend in described(*names).items():
        hashes = [*contributing._hashes(name, known)]
        assert hashes.count(backend.hash) == 1
        assert hash_of(known["numpy_manual"] + "#") not in hashes
