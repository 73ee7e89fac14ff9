"""If these fail, a node that dies or is late takes others along, or what it measured is lost."""

import io
import json
import os
import re
import zipfile
from concurrent.futures import Future

import pytest

from bench.errors import UsageError
from bench.fleet import folder, home
from bench.fleet.node import FACTS
from bench.record import journal
from tests.support import a_header

pytestmark = pytest.mark.usefixtures("environ")


class Engine:
    """Maps a node to its answer: bytes, an exception, or None for one that never comes."""

    def __init__(self, answers):
        self.answers, self.nodes, self.requests, self.closed = answers, [*answers], {}, False

    def submit(self, request, node):
        self.requests[node], future = request, Future()
        if isinstance(answer := self.answers[node], Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    def close(self):
        self.closed = True


def journal_bytes(end=True):
    records = [a_header(), {"record": "pass", "pass": 0}, {"record": "end", "pass": 0}]
    return "".join(json.dumps(record) + "\n" for record in records[: 3 if end else 2]).encode()


def archive(files=(), reason="", printed=""):
    out, facts = io.BytesIO(), {"stepbench": "0", "reason": reason, "printed": printed}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in {FACTS: json.dumps(facts), **dict(files)}.items():
            zipped.writestr(name, content)
    return out.getvalue()


def delivery(run="r", **facts):
    return archive({f"m/{run}/journal.jsonl": journal_bytes()}, **facts)


@pytest.fixture
def fleet(tmp_path):
    """`fleet({node: answer})` runs a fleet; returns its engine and name → "done", or why the node is missing."""

    def run(answers):
        engine, place, named = Engine(answers), tmp_path / "fleet", home.ids(answers)
        if not (place / folder.NAME).exists():
            folder.append(place, {"nodes": [*named.values()], "stepbench": "0"})
        home.run(home.Start("made", "", [*named], {"BENCH_BLOCKS": "2"}, str(place)), engine, 0.1, 0.1)
        assert engine.closed
        records = folder.read(place)[1]
        return engine, {name: records[id_]["reason"] or "done" for name, id_ in named.items()}

    return run


def runs(place, node):
    """The names of the runs of a node that came home."""
    return [path.name for path in (place / home.ids([node])[node]).glob("*/*")]


def test_every_node_gets_the_same_request_and_a_resumed_fleet_submits_missing_nodes_only(fleet, tmp_path):
    engine, found = fleet({"alpha": delivery("a"), "beta": None})
    (id_,) = home.ids(["beta"]).values()
    assert engine.requests["beta"] == home.Request("fleet", id_, {"BENCH_BLOCKS": "2"}, 0.1, 0.1)
    late = r"no answer in 0.00\d+ minutes \(--wait, --minutes\); --resume fetches what it has by then"
    assert (found["alpha"], bool(re.fullmatch(late, found["beta"]))) == ("done", True)
    engine, found = fleet({"alpha": delivery("other"), "beta": delivery("b")})
    assert ([*engine.requests], found) == (["beta"], {"alpha": "done", "beta": "done"})
    assert [runs(tmp_path / "fleet", node) for node in found] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (UsageError("is no living node"), "is no living node"),
        (RuntimeError("Traceback\n\nlost its node\n"), "RuntimeError: lost its node"),
        (b"", "returned no run, but 'nothing'"),
        (b"Welcome\nPermission denied.\n", "returned no run, but 'Permission denied.'"),
        (archive(reason="its run died of SIGKILL"), "its run died of SIGKILL"),
    ],
)
def test_a_fault_of_a_node_is_one_sentence_and_the_others_come_home(fleet, answer, says):
    assert fleet({"alpha": answer, "beta": delivery()})[1] == {"alpha": says, "beta": "done"}


def test_an_incomplete_run_is_replaced_and_a_complete_one_is_not(tmp_path):
    for end, content in ((False, b"x"), (True, b"y"), (False, b"z")):
        files = {"m/r/journal.jsonl": journal_bytes(end=end), "m/r/summary.csv": content}
        folder.unpack(archive(files), tmp_path / "node")
    assert journal.ended(tmp_path / "node" / "m" / "r")
    assert (tmp_path / "node" / "m" / "r" / "summary.csv").read_bytes() == b"y"
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["m"]


def test_an_archive_writes_nothing_outside_its_folder_and_a_damaged_one_nothing(tmp_path):
    names = ("../evil", f"{tmp_path}/evil", "m/../../evil", "evil")
    whole = archive({"m/r/journal.jsonl": journal_bytes() * 50, **dict.fromkeys(names, b"x")})
    with pytest.raises(UsageError, match="returned no run"):
        folder.unpack(whole[: len(whole) // 2], tmp_path / "node")
    assert [*(tmp_path / "node").iterdir()] == []
    folder.unpack(whole, tmp_path / "node")
    assert [*tmp_path.iterdir()] == [tmp_path / "node"]


def test_a_full_disk_at_home_is_said_and_resume_fetches_the_run(fleet, small_disk):
    place = small_disk("fleet", "256k")
    answers = {"alpha": archive({"m/r/journal.jsonl": journal_bytes(), "m/r/noise": os.urandom(1 << 20)}), "beta": delivery()}
    found = fleet(answers)[1]
    assert "node.json: cannot be written: No space left on device; make room" in found["alpha"]
    small_disk("fleet", "8m")
    assert fleet(answers)[1] == {"alpha": "done", "beta": "done"}
    assert runs(place, "alpha") == ["r"]


def test_ctrl_c_keeps_what_came_home(fleet, tmp_path, monkeypatch):
    def interrupted(futures, timeout):
        yield next(future for future in futures if future.done())
        raise KeyboardInterrupt

    monkeypatch.setattr(home, "as_completed", interrupted)
    found = fleet({"alpha": None, "beta": delivery()})[1]
    assert (found["alpha"].endswith("--resume fetches what it has by then"), found["beta"]) == (True, "done")
    assert runs(tmp_path / "fleet", "beta") == ["r"]


def test_no_name_of_a_host_is_in_a_file_of_the_folder(fleet, tmp_path):
    answers = {
        "alpha.example.org": UsageError("alpha.example.org port 22: refused by alpha"),
        "user@beta": UsageError("beta: Permission denied for user@beta."),
        "192.0.2.7": delivery(printed="192.0.2.7 said no", reason="because of 192.0.2.7"),
    }
    _, found = fleet(answers)
    a, b, c = home.ids(answers).values()
    assert [*found.values()] == [f"{a} port 22: refused by {a}", f"{b}: Permission denied for {b}.", f"because of {c}"]
    texts = "".join(path.read_text() for path in (tmp_path / "fleet").rglob("*") if path.is_file())
    assert not [part for part in ("alpha", "beta", "192.0.2.7", "user") if part in texts]


def test_a_node_keeps_its_id_and_only_the_user_can_read_the_salt():
    ids = home.ids(["alpha", "beta"])
    assert home.ids(["beta", "alpha"]) == ids
    assert (home.state() / "salt").stat().st_mode & 0o077 == 0
    (home.state() / "salt").write_bytes(b"another")
    assert home.ids(["alpha"]) != {"alpha": ids["alpha"]}
