"""If these fail, the README or the index shows other facts than a run's journal."""

import pytest

from bench.analyse.summaries import Run
from bench.errors import UsageError
from bench.show.grid import common
from tests.made import NAMES, a_case, story, write
from tools import pages

COMMIT = "0123456789abcdef"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A stored run."""
    cases = [a_case(name) for name in (*NAMES, "null", "arithmetic")]
    run = story(lambda *_: 3e-4, 2, cases=cases, machine={"commit": COMMIT})
    return Run.read(write(run, tmp_path_factory.mktemp("pages") / "results" / "m" / "r"))


def test_the_readme_has_the_ways_without_controls_and_what_was_found(made):
    text = pages.readme(made, "results/x")
    names = {"base", "slow", "twin", "null", "arithmetic"}
    assert {name for name in names if f"| {name} (" in text} == {"base", "slow"}
    assert "A/A control: the baseline against itself is" in text


def test_the_index_shows_each_run_once_below_its_folder(made):
    machine = made.folder.parent
    text = pages.index(machine.parent, [made], [machine / "other.csv", made.folder / "times.svg"])
    about = f"{common(made.table)}, Python 3.11.7, numpy 2.0, commit {COMMIT[:10]}"
    assert text.count(f'<a href="m/r">r</a>, {about}</summary>') == 1
    assert text.index("## m") < text.index("m/r") < text.index("| base (incomplete) |")
    assert "[other.csv](m/other.csv)" in text
    assert "times.svg" not in text


def test_without_marks_or_git_it_is_one_sentence(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- results: m/r -->\nold\n<!-- end of results -->\nb\n")
    assert pages.readme_run(tmp_path) == tmp_path / "results" / "m" / "r"
    with pytest.raises(UsageError, match="git cannot list its results: .*; this needs a checkout with git"):
        pages.committed(tmp_path)
    readme.write_text("a\n")
    with pytest.raises(UsageError, match="no line <!-- results: MACHINE/RUN --> says which run it shows"):
        pages.readme_run(tmp_path)
