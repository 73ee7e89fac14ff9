"""If these fail, something that was measured can be lost or misread."""

import json
from dataclasses import replace

import pytest

import bench
from bench.errors import UsageError
from bench.machine import environment
from bench.plan.cases import Hole, Plan
from bench.plan.sides import Backend, Side
from bench.record import journal
from bench.schema.case import Case
from bench.settings import Settings
from tests.made import PROBLEM, a_case, a_header, a_hole, key_of, lines, story, write

HEADER = a_header()
PLAIN = Backend(
    "plain", "/plain.py", "class Plain: ...", "hash", "seed", None, ("numpy",), ("float32",),
    {"numpy": "2"}, {"cpu": {"float32": None}},
)  # fmt: skip
PEAK = replace(PLAIN, name="peak", kind="peak", work={"cpu": {"float32": (7, 9)}})
CASE = Case("plain", "cpu", "float32", 1, PROBLEM.default)
STRAY = Backend("utils", "/utils.py", "", "", "rung", "cannot be used: it is empty")
HOLE = Hole(replace(CASE, backend="utils"), STRAY.unusable, asked_for=False)
SETTINGS = replace(Settings.from_env({}), baseline="plain")
PLAN = Plan(SETTINGS, (Side(backends={"plain": PLAIN, "peak": PEAK, "utils": STRAY}),), (CASE,), (HOLE,), PROBLEM)
PASS = {"record": "pass", "pass": 0, "at_seconds": 0.0}


def _lines():
    return lines(story(lambda *_: 1e-4, 2, 2))


def _refusal(path, text):
    """(line, what is wrong with it)."""
    (path / journal.NAME).write_text(text)
    with pytest.raises(UsageError) as caught:
        journal.read(path)
    end = "; the file is damaged or is no journal."
    place, what = str(caught.value).removesuffix(end).split(": ", 1)
    file, number = place.rsplit(":", 1)
    assert file == str(path / journal.NAME)
    return int(number), what


def _text(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_a_record_is_one_line_on_the_disk_before_the_next_block_starts(tmp_path, monkeypatch):
    """Flushed to the kernel it survives our own death, synced to the disk the machine's."""
    path, synced = tmp_path / journal.NAME, []
    monkeypatch.setattr(journal.os, "fsync", lambda _: synced.append(path.read_text().count("\n")))
    log = journal.Journal(path)
    kinds = ("header", "visit", "visit", "block", "failure")
    for number, kind in enumerate(kinds, 1):
        log.write({"record": kind, "at": [1, 2]})
        assert path.read_text().count("\n") == number
    log.close()
    assert synced == [1, 4, 5], "after the header, the block and the failure"
    assert path.read_text().splitlines()[0] == '{"record":"header","at":[1,2]}'
    with pytest.raises(FileExistsError):
        journal.Journal(path)


def test_the_header_of_this_machine_can_be_read_again(tmp_path):
    first = journal.header(PLAN, environment.facts(), "m", "r", ["load: high."])
    assert journal.read(write([first], tmp_path)).header == first
    names = ("name", "kind", "proven", "selected", "baseline", "flops", "bytes")
    assert [[case[name] for name in names] for case in first["cases"]] == [
        ["plain", "seed", True, True, CASE.key, 25_984_000, 1_066_560],
        ["twin", "twin", True, False, CASE.key, 25_984_000, 1_066_560],
        ["peak", "peak", False, False, None, 7, 9],
    ]
    assert [[hole[name] for name in ("name", "kind", "reason")] for hole in first["holes"]] == [["utils", "rung", HOLE.reason]]
    assert first["sources"] == {"hash": "class Plain: ..."}
    with pytest.raises(TypeError, match="machine.cpu_quota is inf, expected a number"):  # infinity is no JSON
        journal.header(PLAN, environment.facts() | {"cpu_quota": float("inf")}, "m", "r")


def test_what_was_written_is_read_back_in_its_order(tmp_path):
    records = _lines()
    found = journal.read(write(records, tmp_path))
    assert (found.path, lines(found)) == (tmp_path / journal.NAME, records)
    assert journal.read(tmp_path) == found
    assert found.complete
    kinds = [found.passes, found.opens(key_of("slow")), found.visits]
    assert [len(some) for some in kinds] == [2, 2, 2 * 2 * 3]
    assert [{each["record"] for each in some} for some in kinds] == [{"pass"}, {"open"}, {"visit"}]


def test_profiles_and_first_failures_are_found_by_their_case(tmp_path):
    at = {"case": key_of("slow"), "at_seconds": 0.0}
    profile = {"record": "profile", "pass": 0, "kernels": 3.0, **at}
    failure = {"record": "failure", "status": "failed", "reason": "x", **at}
    failures = [failure | {"pass": number} for number in (0, 1)]
    path = write([*_lines()[:-1], profile, *failures], tmp_path)
    path.write_text(path.read_text() + '{"record":"end","pa')  # a line that was cut off is ignored
    found = journal.read(path)
    assert found.profiles == {key_of("slow"): profile}
    assert found.failures == {key_of("slow"): failures[0]}
    assert not found.complete


NOT = "not a journal record"
ELSEWHERE = {"record": "failure", "case": "absent", "status": "wrong", "reason": "x", "pass": 0, "at_seconds": 0.0}


@pytest.mark.parametrize(
    ("text", "number", "what"),
    [
        ("", 1, "a journal begins with its header"),
        (_text([PASS]), 1, "a journal begins with its header"),
        ("garbage\n", 1, "a journal begins with its header"),
        *((_text([HEADER]) + f"{line}\n", 2, f"{NOT}: unknown kind None") for line in ("{", "[]", "null", "{}", '""')),
        (_text([HEADER, {"record": [5]}]), 2, f"{NOT}: unknown kind [5]"),
        (_text([HEADER, PASS, {"record": "weather"}]), 3, f"{NOT}: unknown kind 'weather'"),
        (_text([HEADER, PASS, HEADER]), 3, f"{NOT}: unknown kind 'header'"),
        (_text([HEADER, ELSEWHERE]), 2, f"{NOT}: case is 'absent', which the header does not have"),
    ],
)
def test_a_line_that_is_no_record_is_refused_with_its_number(tmp_path, text, number, what):
    assert _refusal(tmp_path, text) == (number, what)


@pytest.mark.parametrize("kind", ["pass", "open", "visit", "end"])
def test_what_can_happen_once_and_stands_there_twice_is_refused(tmp_path, kind):
    records = _lines()
    twice = next(line for line in reversed(records) if line["record"] == kind)
    names = " ".join(str(twice[name]) for name in ("record", "pass", "block", "case") if name in twice)
    again = twice | {"at_seconds": 99.0}
    assert _refusal(tmp_path, _text([*records, again])) == (len(records) + 1, f"{NOT}: it repeats {names}")


TWICE = f"it names {key_of('base')} twice"
FIELDS = {name: value for name, value in a_case("base").items() if name != "dtype"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"schema": journal.SCHEMA + 1}, f"schema {journal.SCHEMA + 1}, expected {journal.SCHEMA}: another version of "),
        ({"cases": [FIELDS]}, "cases[0].dtype is missing"),
        ({"cases": [a_case("base")] * 2}, TWICE),
        ({"holes": [a_hole("is not here", "base")]}, TWICE),
        *(({name: value}, name) for name in ("cases", "holes") for value in (None, 5, "text", [5], [None])),
    ],
)
def test_a_header_that_is_no_runs_is_refused_in_its_first_line(tmp_path, changes, what):
    number, said = _refusal(tmp_path, _text([a_header(**changes)]))
    assert number == 1
    assert said.startswith(what if "schema" in changes else f"the header is not a run's: {what}")


def test_files_that_cannot_be_read_are_one_sentence(tmp_path):
    path = tmp_path / journal.NAME
    with pytest.raises(UsageError, match=f"^{path}: cannot be read as a journal: No such file or directory; give a run's"):
        journal.read(tmp_path)
    with pytest.raises(UsageError, match=r"holds no journal.jsonl"):
        bench.load(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="a journal: not UTF-8 text; give"):
        journal.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b'{"record": "visit"}\n{"record": "end"}\n', True),
        (b'{"record": "END"}\n', False),
        (b'["end"]\n', False),
        (b'{"record": "end"}\n{"rec', False),
        (b"\xff\n", False),
    ],
)
def test_a_run_has_ended_if_its_last_line_says_so(tmp_path, text, whole):
    assert journal.ended(tmp_path) is False
    (tmp_path / journal.NAME).write_bytes(text)
    assert journal.ended(tmp_path) is whole
