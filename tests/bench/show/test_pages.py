"""If these fail, an issue, the README or the index says something about a run that its journal does not."""

import pytest

from bench import settings
from bench.analyse.run import Run
from bench.errors import UsageError
from bench.paths import ROOT
from bench.show import generated, pages


@pytest.fixture(scope="module")
def run():
    return Run.read(generated.shown(ROOT))


@pytest.fixture
def edited(run):
    """`edited(settings={...}, machine={...})` is the run with other facts in its header."""

    def build(**parts):
        header = run.story.header
        changed = header | {name: header[name] | facts for name, facts in parts.items()}
        return Run(run.folder, type(run.story)(run.story.path, changed, run.story.records), run.table, [])

    return build


def test_the_command_that_repeats_a_run_sets_what_differs_from_the_defaults(edited):
    usual = settings.Settings().as_json()
    assert pages.again(edited(settings=usual)) == "python -m bench run"
    other = {"threads": [1, 2], "shapes": ["1x2x3x4", "5x6x7x8"], "timeout": 5.0, "results": "/somewhere", "path": ["a b"]}
    text = "BENCH_SHAPES=1x2x3x4,5x6x7x8 BENCH_THREADS=1,2 BENCH_PATH='a b' BENCH_TIMEOUT=5.0 python -m bench run"
    assert pages.again(edited(settings=usual | other)) == text


def test_what_repeats_a_run_is_read_back_as_its_settings():
    """Every setting survives the way into a header and back into variables."""
    chosen = {
        "BENCH_DEVICES": "cpu", "BENCH_BACKENDS": "all", "BENCH_DTYPES": "float64", "BENCH_SHAPES": "1x2x3x4,5x6x7x8",
        "BENCH_THREADS": "1,2", "BENCH_BASELINE": "null", "BENCH_PROCESSES": "3", "BENCH_BLOCKS": "2", "BENCH_STEPS": "7",
        "BENCH_SEED": "9", "BENCH_ALLOCATOR": "system", "BENCH_PATH": "/:/etc", "BENCH_PYTHONS": "a=x,b=y",
        "BENCH_TIMEOUT": "5.5", "BENCH_SANDBOX": "off", "BENCH_MARGIN": "0.02", "BENCH_RANKS": "1,2,4",
    }  # fmt: skip
    assert set(chosen) == set(settings.Settings.variables()) - {"BENCH_RESULTS", "BENCH_NODE"}
    assert settings.Settings.assignments(settings.Settings.from_env(chosen).as_json()) == chosen


def test_a_run_against_a_revision_is_repeated_against_its_commit(edited):
    sides = {"main": {"commit": "abc"}, "here": {"commit": "def"}}
    assert pages.again(edited(machine={"sides": sides})).endswith("python -m bench run --against abc")
    sides = {"NAME-a-b": {"commit": "abc", "variables": {"NAME": "a b", "OTHER": "c"}}, "v2": {"commit": "def"}}
    assert pages.again(edited(machine={"sides": sides})).endswith("python -m bench race 'NAME=a b,OTHER=c' def")
    sides["here"] = sides.pop("v2")
    assert pages.again(edited(machine={"sides": sides})).endswith("python -m bench run --against 'NAME=a b,OTHER=c'")


def test_an_issue_tells_where_with_what_and_how_to_repeat(run):
    text = pages.issue(run)
    facts = run.story.header["machine"]
    assert text.startswith(f"{facts['cpu']}, {len(facts['cores'])} cores")
    assert f"torch {facts['packages']['torch']}" in text
    assert "| numpy_manual |" in text
    assert f"    {pages.again(run)}\n" in text
    assert facts["commit"] in text


def test_an_issue_tells_doubts_before_the_table(run):
    text = pages.issue(Run(run.folder, run.story, run.table, ["UNPROVEN: because."]))
    assert text.index("**UNPROVEN: because.**") < text.index("| numpy_manual |")


def test_the_readme_has_steps_first_and_every_control_folded_away(run):
    steps, _, controls = pages.readme(run, "results/x").partition("<details>")
    names = {"numpy_manual", "torch_autograd", "twin", "null", "arithmetic"}
    assert {name for name in names if f"| {name} |" in steps} == {"numpy_manual", "torch_autograd"}
    assert {name for name in names if f"| {name} |" in controls} == {"twin", "null", "arithmetic"}
    assert "](results/x/times.svg)" in steps


def test_the_index_lists_each_run_once_below_its_folder(run):
    text = pages.index(ROOT / "results", [run], [run.folder.parent / "campaign.csv", run.folder / "times.svg"])
    name = run.folder.relative_to(ROOT / "results")
    assert text.count(f"[{run.folder.name}]({name})") == 1
    assert text.index(f"## {name.parent}") < text.index(f"({name})")
    assert f"[campaign.csv]({name.parent}/campaign.csv)" in text
    assert "times.svg" not in text


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "README.md").write_text("a\n<!-- results: m/r -->\nold\n<!-- end of results -->\nb\n")
    return tmp_path


def test_words_around_a_generated_part_stay(checkout):
    text = generated._between(checkout / "README.md", "<!-- results: m/r -->", "new\n", "<!-- end of results -->")
    assert text == "a\n<!-- results: m/r -->\nnew\n<!-- end of results -->\nb\n"
    assert generated.shown(checkout) == checkout / "results" / "m" / "r"


def test_without_marks_or_git_it_is_one_sentence(checkout):
    with pytest.raises(UsageError, match="git cannot list its results: .*; this needs a checkout with git"):
        generated.committed(checkout)
    with pytest.raises(UsageError, match="the lines <!-- settings --> and <!-- end --> do not stand there"):
        generated._between(checkout / "README.md", "<!-- settings -->", "", "<!-- end -->")
    (checkout / "README.md").write_text("a\n")
    with pytest.raises(UsageError, match="no line <!-- results: MACHINE/RUN --> says which run it shows"):
        generated.shown(checkout)
