"""If these fail, looking at a stored run changes it, or shows less than it holds."""

import re
import shutil

import pytest

from bench.__main__ import main
from bench.paths import ROOT
from bench.record import journal
from bench.show import generated

SHOWN = generated.shown(ROOT)
PLANNED = journal.read(SHOWN).header["settings"]["processes"]


@pytest.fixture
def killed(tmp_path):
    """The folder of a run that was killed in the middle of a line of its fourth pass."""
    folder = tmp_path / "machine" / SHOWN.name
    folder.mkdir(parents=True)
    text = (SHOWN / journal.NAME).read_text()
    (folder / journal.NAME).write_text(text[: text.index('{"record":"block","pass":3') + 20])
    return folder


def test_show_prints_tables_and_bars_and_writes_nothing(killed, capsys):
    assert main(["show", str(killed)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("numpy_manual (incomplete)") for line in lines)
    assert any(line.startswith(f"INCOMPLETE: the run ended in pass 4 of {PLANNED}") for line in lines)
    assert any(line.startswith("numpy_manual") and "█" in line for line in lines)
    assert [path.name for path in killed.iterdir()] == [journal.NAME]


def test_show_takes_the_latest_run_below_a_folder(killed, tmp_path, capsys):
    later = tmp_path / "another" / "29991231T000000Z"
    shutil.copytree(killed, later)
    assert main(["show", str(tmp_path)]) == 0
    assert f"kept in {later}" in capsys.readouterr().out


def test_show_as_markdown_says_what_is_doubtful(killed, capsys):
    assert main(["show", str(killed), "--format", "md"]) == 0
    out = capsys.readouterr().out
    assert f"**INCOMPLETE: the run ended in pass 4 of {PLANNED}" in out
    assert "| torch_autograd (incomplete) |" in out
    assert re.search(r"\n    (BENCH_[A-Z]+=\S+ )+python -m bench run\n", out)


def test_show_of_nothing_is_one_sentence(tmp_path, capsys):
    assert main(["show", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"bench: {tmp_path}: holds no {journal.NAME}; give a run's folder, or one above it.\n"


def test_a_picture_lies_beside_its_run_or_where_one_asks(killed, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["picture", str(killed)]) == 0
    assert main(["picture", str(killed), "-o", str(tmp_path / "a.png")]) == 0
    assert (killed / "times.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
