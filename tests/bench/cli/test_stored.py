"""If these fail, looking at a stored run changes it, or shows less than it holds."""

import re
import shutil

import pandas as pd
import pytest

from bench.__main__ import main
from bench.analyse.summaries import Run
from bench.cli import stored
from bench.paths import ROOT
from bench.record import journal
from bench.show import folder
from tests.made import story, write
from tests.support import read_csv
from tools import pages

COMMITTED = [path.parent for path in pages.committed(ROOT) if path.name == journal.NAME]


@pytest.mark.parametrize("run", COMMITTED, ids=lambda run: run.name)
def test_a_committed_run_is_rebuilt_from_its_journal(run, tmp_path):
    """Another processor rounds the last digits in another way."""
    copy = tmp_path / run.name
    shutil.copytree(run, copy, ignore=lambda *_: {"summary.csv", "samples.csv", "summary.md"})
    folder.write(Run.read(copy))
    again, kept = (read_csv(each / "summary.csv") for each in (copy, run))
    pd.testing.assert_frame_equal(again, kept, rtol=1e-6)
    for file in ("summary.md", "environment.json"):
        assert (copy / file).read_text() == (run / file).read_text(), file


@pytest.fixture
def killed(tmp_path):
    """The folder of a run that was killed in the middle of a line of its fourth pass."""
    path = write(story(lambda name, p, b: 1e-3 * (1 + p / 1000), 5), tmp_path / "machine" / "2026")
    text = path.read_text()
    path.write_text(text[: text.index('"block": 0, "nonce": "n", "gpus": [], "pass": 3') + 20])
    return path.parent


INCOMPLETE = "INCOMPLETE: the run ended in pass 4 of 20"


def test_show_takes_the_latest_run_prints_its_table_and_writes_nothing(killed, tmp_path, capsys):
    later = tmp_path / "another" / "2999"
    shutil.copytree(killed, later)
    assert main(["show", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"saved in {later}" in lines
    assert next(line[:17] for line in lines if "(incomplete)" in line) == "base (incomplete)"
    assert any(line.startswith(INCOMPLETE) for line in lines)
    assert any(line.startswith("base") and "█" in line for line in lines)
    assert [path.name for path in later.iterdir()] == [journal.NAME]


def test_show_as_markdown_is_the_runs_file_says_what_is_doubtful_and_how_to_repeat_it(killed, capsys):
    assert main(["show", str(killed), "--format", "md"]) == 0
    out = capsys.readouterr().out
    assert f"**{INCOMPLETE}" in out
    assert "Python 3.11.7, numpy 2.0." in out
    assert "| base (incomplete) |" in out
    assert re.search(r"\n    (BENCH_[A-Z]+=\S+ )+python -m bench run\n$", out)
    assert main(["summary", str(killed)]) == 0
    assert (killed / "summary.md").read_text() == out


def test_paths_are_joined_by_commas_and_one_may_have_some(tmp_path):
    (tmp_path / "2026, again").mkdir()
    assert stored._paths(f"{tmp_path}/2026, again") == [f"{tmp_path}/2026, again"]
    assert stored._paths("a,b") == ["a", "b"]
