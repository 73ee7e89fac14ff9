"""If these fail, something that was measured can be lost or misread."""

import json

import pytest

import bench
from bench.errors import UsageError
from bench.record import journal
from tests.support import a_header

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
    with pytest.raises(UsageError, match="not UTF-8 text"):
        journal.read(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        journal.read(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match=r"holds no journal.jsonl"):
        bench.load(tmp_path / "..", tmp_path.joinpath("empty").mkdir() or tmp_path / "empty")
