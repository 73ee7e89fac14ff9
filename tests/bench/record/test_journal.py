"""If these fail, something that was measured can be lost or misread."""

import copy
import json

import pytest

import bench
from bench.errors import UsageError
from bench.record import journal
from tests.support import a_header, key_of, story

HEADER = a_header()


def _written(path, *records):
    log = journal.Journal(path / journal.NAME)
    for record in records:
        log.write(record)
    log.close()
    return path / journal.NAME


def test_what_is_written_is_on_disk_at_once(tmp_path):
    log = journal.Journal(tmp_path / journal.NAME)
    log.write(HEADER)
    assert json.loads((tmp_path / journal.NAME).read_text()) == HEADER
    log.close()


def test_a_record_is_one_line_without_a_blank(tmp_path):
    path = _written(tmp_path, {"record": "pass", "pass": 0}, {"record": "end", "at": [1, 2]})
    assert path.read_bytes() == b'{"record":"pass","pass":0}\n{"record":"end","at":[1,2]}\n'
    log = journal.Journal(tmp_path / "other")
    log.close()
    assert log.path == tmp_path / "other"


def test_a_block_is_on_the_disk_before_the_next_one_starts(tmp_path, monkeypatch):
    """Flushed to the kernel it survives our own death, synced to the disk that of the machine."""
    path, synced = tmp_path / journal.NAME, []
    monkeypatch.setattr(journal.os, "fsync", lambda _: synced.append(path.read_text().count("\n")))
    log = journal.Journal(path)
    for record in (HEADER, {"record": "visit"}, {"record": "visit"}, {"record": "block"}, {"record": "failure"}):
        log.write(record)
    log.close()
    assert synced == [1, 4, 5], "after the header, the block and the failure, each with all lines so far"


def test_a_journal_is_never_overwritten(tmp_path):
    _written(tmp_path, HEADER)
    with pytest.raises(FileExistsError):
        journal.Journal(tmp_path / journal.NAME)


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    path = _written(tmp_path, HEADER, {"record": "pass", "pass": 0})
    with path.open("a") as file:
        file.write('{"record":"visit","pa')
    story = journal.read(tmp_path)
    assert [record["record"] for record in story.records] == ["pass"]
    assert not story.complete


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: a journal begins with its header"),
        ("garbage\n", ":1: not a journal record"),
        (json.dumps(HEADER) + "\n[]\n", ":2: not a journal record"),
        (json.dumps({**HEADER, "schema": 99}) + "\n", ":1: schema 99 is newer than 1"),
        ('{"record": "pass"}\n', ":1: a journal begins with its header"),
    ],
)
def test_a_damaged_journal_is_named_with_its_line(tmp_path, text, says):
    path = tmp_path / journal.NAME
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        journal.read(path)
    assert str(caught.value).startswith(f"{path}{says}")


def test_binary_and_missing_files_are_one_sentence(tmp_path):
    (tmp_path / journal.NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="a journal: not UTF-8 text; give"):
        journal.read(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        journal.read(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match=r"holds no journal.jsonl"):
        bench.load(tmp_path / "..", tmp_path.joinpath("empty").mkdir() or tmp_path / "empty")


def _lines(passes=2, blocks=2):
    told = story(lambda *_: 1e-4, passes=passes, blocks=blocks)
    return [copy.deepcopy(told.header), *(dict(record) for record in told.records)]


def _read(path, lines):
    (path / journal.NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return journal.read(path)


def _refusal(path, lines):
    """(line, what is wrong with it)."""
    with pytest.raises(UsageError) as caught:
        _read(path, lines)
    place, what = str(caught.value).removesuffix("; the file is damaged or is no journal.").split(": ", 1)
    file, number = place.rsplit(":", 1)
    assert file == str(path / journal.NAME)
    return int(number), what


def test_what_was_written_is_read_back_in_its_order(tmp_path):
    lines = _lines()
    found = _read(tmp_path, lines)
    assert (found.path, found.header, [*found.records]) == (tmp_path / journal.NAME, lines[0], lines[1:])
    assert journal.read(tmp_path / journal.NAME) == found
    assert found.complete
    kinds = [found.passes, found.opens, found.visits]
    assert [len(some) for some in kinds] == [2, 2 * 3, 2 * 2 * 3]
    assert [{record["record"] for record in some} for some in kinds] == [{"pass"}, {"open"}, {"visit"}]


def test_profiles_and_first_failures_are_found_by_their_case(tmp_path):
    profile = {"record": "profile", "pass": 0, "case": key_of("slow"), "operators": 3.0}
    failures = [{"record": "failure", "pass": n, "case": key_of("base"), "status": "failed", "reason": str(n)} for n in (0, 1)]
    found = _read(tmp_path, [*_lines()[:-1], profile, *failures])
    assert found.profiles == {key_of("slow"): profile}
    assert found.failures == {key_of("base"): failures[0]}
    assert not found.complete


def test_a_second_header_is_refused_with_its_line(tmp_path):
    first, *rest = _lines()
    number, what = _refusal(tmp_path, [first, *rest, first])
    assert (number, what) == (len(rest) + 2, "not a journal record: a header stands in the first line alone")


@pytest.mark.parametrize("kind", ["pass", "open", "visit", "end"])
def test_what_can_happen_once_and_is_told_twice_is_refused_with_its_line(tmp_path, kind):
    lines = _lines()
    twice = next(line for line in reversed(lines) if line["record"] == kind)
    number, what = _refusal(tmp_path, [*lines, twice])
    names = [str(twice[name]) for name in ("record", "pass", "block", "case") if name in twice]
    assert (number, what) == (len(lines) + 1, f"not a journal record: it tells of {' '.join(names)} once more")


def test_an_opening_at_another_time_is_another_event_and_a_visit_at_another_time_is_not(tmp_path):
    lines = _lines()
    opened, visit = (next(line for line in lines if line["record"] == kind) for kind in ("open", "visit"))
    assert len(_read(tmp_path, [*lines, opened | {"at_seconds": 1.0}, opened | {"at_seconds": 2.0}]).opens) == 2 * 3 + 2
    assert "once more" in _refusal(tmp_path, [*lines, opened | {"at_seconds": 1.0}, opened | {"at_seconds": 1.0}])[1]
    assert "once more" in _refusal(tmp_path, [*lines, visit | {"at_seconds": 1.0}])[1]


def test_a_case_that_the_header_does_not_have_is_refused_with_its_line(tmp_path):
    lines = _lines()
    lines[4] = lines[4] | {"case": "absent"}
    number, what = _refusal(tmp_path, lines)
    assert (number, what) == (5, "not a journal record: case is 'absent', which the header does not have")


@pytest.mark.parametrize("text", ["{", "[]", "null", '""', "{}", '{"record": 5}'])
def test_a_line_that_is_no_record_is_refused_with_its_number(tmp_path, text):
    (tmp_path / journal.NAME).write_text(json.dumps(HEADER) + "\n" + text + "\n")
    with pytest.raises(UsageError, match=r"journal.jsonl:2: not a journal record; the file is damaged"):
        journal.read(tmp_path)


def test_a_header_that_is_no_runs_is_refused_in_its_first_line(tmp_path):
    header = copy.deepcopy(HEADER)
    del header["cases"][1]["dtype"]
    assert _refusal(tmp_path, [header]) == (1, "the header is not a run's: cases[1].dtype is missing")
    twice = HEADER | {"cases": [*HEADER["cases"], HEADER["cases"][0]]}
    assert _refusal(tmp_path, [twice]) == (1, f"the header is not a run's: it names {key_of('base')} twice")
    hole = {name: HEADER["cases"][0][name] for name in HEADER["cases"][0]} | {"reason": "is not here"}
    assert _refusal(tmp_path, [HEADER | {"holes": [hole]}])[1] == f"the header is not a run's: it names {key_of('base')} twice"


@pytest.mark.parametrize("schema", [journal.SCHEMA + 1, 99])
def test_a_newer_schema_asks_for_a_newer_program(tmp_path, schema):
    with pytest.raises(UsageError, match=f":1: schema {schema} is newer than 1, the newest known; update stepbench"):
        _read(tmp_path, [HEADER | {"schema": schema}])
    assert _read(tmp_path, [HEADER | {"schema": journal.SCHEMA}]).header["schema"] == 1


def test_what_older_journals_lack_means_what_it_meant_then(tmp_path):
    lines = _lines()
    hole = {**lines[0]["cases"][0], "key": "absent", "reason": "is not here"}
    lines[0]["holes"] = [hole]
    control = lines[0]["cases"][1]
    control |= {"proven": False, "flops": 5}
    for named in (*lines[0]["cases"], hole):
        for name in ("side", "idea", "bytes"):
            named.pop(name, None)
    for line in lines:
        line.pop("dispatch_seconds", None)
    del hole["flops"]
    found = _read(tmp_path, lines)
    for named in (*found.header["cases"], *found.header["holes"]):
        assert (named["side"], named["idea"]) == ("", "")
    assert [(case["flops"], case["bytes"]) for case in found.header["cases"]] == [(1000, 0), (0, 0), (1000, 0)]
    assert {visit["dispatch_seconds"] for visit in found.visits} == {None}
    assert not any("dispatch_seconds" in record for record in found.opens)


def test_what_newer_journals_have_is_not_taken_for_what_older_ones_lack(tmp_path):
    lines = _lines()
    lines[0]["cases"][0] |= {"side": "new", "idea": "loops", "bytes": 7, "proven": False}
    visit = next(line for line in lines if line["record"] == "visit")
    visit["dispatch_seconds"] = 0.5
    found = _read(tmp_path, lines)
    assert found.header["cases"][0] == lines[0]["cases"][0]
    assert found.visits[0]["dispatch_seconds"] == 0.5


@pytest.mark.parametrize("name", ["cases", "holes"])
@pytest.mark.parametrize("value", [None, 5, "text", [5], [None]])
def test_a_header_whose_lists_are_none_is_a_sentence_and_no_traceback(tmp_path, name, value):
    number, what = _refusal(tmp_path, [HEADER | {name: value}])
    assert number == 1
    assert what.startswith(f"the header is not a run's: {name}")


def test_a_folder_without_a_journal_is_told_what_to_give(tmp_path):
    with pytest.raises(UsageError) as caught:
        journal.read(tmp_path)
    says = f"cannot be read as a journal: No such file or directory; give a run's folder or its {journal.NAME}."
    assert str(caught.value) == f"{tmp_path / journal.NAME}: {says}"


@pytest.mark.parametrize(
    ("last", "whole"),
    [
        ({"record": "end"}, True),
        ({"record": "END"}, False),
        ({"record": "visit", "text": "x" * 5000}, False),
        (["end"], False),
        ("end", False),
    ],
)
def test_a_run_has_ended_if_its_last_line_says_so(tmp_path, last, whole):
    """Of a journal that is longer than what is read of it, and of a short one."""
    for text in ("", "x" * 10_000 + "\n"):
        (tmp_path / journal.NAME).write_text(text + json.dumps(last) + "\n")
        assert journal.ended(tmp_path) is journal.ended(tmp_path / journal.NAME) is whole


def test_what_cannot_be_read_has_not_ended(tmp_path):
    assert journal.ended(tmp_path) is False
    for text in (b"", b'{"record": "end"}\n{"rec', b"\xff\n"):
        (tmp_path / journal.NAME).write_bytes(text)
        assert journal.ended(tmp_path) is False
