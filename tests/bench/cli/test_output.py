"""If these fail, a command ends in a traceback because of the stream that it writes to."""

import io
import subprocess
import sys

import pytest

from bench.__main__ import main
from tests.made import story, write


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = story(lambda name, p, b: 1e-6 * (1 + p / 1000), 5, 1, singly=True)
    return str(write(made, tmp_path_factory.mktemp("m") / "größe").parent)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", ["1.00 us", "EQUAL", "#", r"gr\xf6\xdfe"]),
        ("latin-1", ["1.00 µs", "EQUAL", "#", "größe"]),
        ("utf-8", ["1.00 µs", "EQUAL", "█", "größe"]),
    ],
)
def test_show_replaces_what_a_stream_cannot_encode(encoding, expected, run, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["show", run]) == 0
    printed = stream.buffer.getvalue().decode(encoding)
    assert [text for text in expected if text not in printed] == []


def test_what_is_printed_without_a_console_is_replaced_too(run, tmp_path, monkeypatch):
    head = write(story(lambda name, p, b: 1e-6 * (1 + p / 1000), run="s"), tmp_path / "größer")
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    main(["compare", "--format", "md", run, str(head)])
    assert r"gr\xf6\xdfer/" in stream.buffer.getvalue().decode()


def test_no_columns_and_no_stdout_are_no_traceback(run, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "0")
    assert main(["show", run]) == 0
    assert "saved in" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["show", run]) == 0


def test_a_full_disk_is_one_sentence(run):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "bench", "show", run]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    sentence = "bench: No space left on device; make room and run it again.\n"
    assert (done.returncode, done.stderr) == (2, sentence)
