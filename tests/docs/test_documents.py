"""If these fail, a page or the README shows what no longer works or was never measured."""

import re

import pytest

from bench.analyse.summaries import Run
from bench.paths import ROOT
from tools import pages

README = (ROOT / "README.md").read_text()
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "results/README.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_example_of_a_new_backend_works(bench, tmp_path):
    page = (ROOT / "docs" / "adding-a-backend.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (tmp_path / "numpy_einsum.py").write_text(code)
    path = {"BENCH_PATH": str(tmp_path)}
    done = bench("verify", "numpy_einsum", BENCH_DTYPES="float32,float64", **path)
    assert (done.returncode, done.stdout.count("numpy_einsum")) == (0, 2), done.stdout
    assert len(bench("train", "numpy_einsum", **path).stdout.splitlines()) == 10


def test_the_readme_shows_a_sound_run():
    run = Run.read(pages.readme_run(ROOT))
    assert (run.story.complete, run.doubts) == (True, [])


@pytest.mark.parametrize(
    ("page", "table"),
    [("settings.md", pages.settings_table()), ("files.md", pages.summary_columns())],
)
def test_tables_of_settings_and_columns_are_fresh(page, table):
    """`make results` writes them, like the parts below."""
    assert f" -->\n{table}<!-- end of " in (ROOT / "docs" / page).read_text()


def test_the_readmes_run_and_the_index_are_fresh():
    stale = [page for page, text in pages.texts(ROOT).items() if page.read_text() != text]
    assert stale == []


def _anchors(page):
    """What a link may name after `#`, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page):
    text = page.read_text()
    for target, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
        assert not anchor or anchor in _anchors(page.parent / target), f"{target}#{anchor}"
    if page.name in ("architecture.md", "CONTRIBUTING.md"):
        paths = re.findall(r"`((?:bench|backends|docs|lab|tests|results)/[\w./-]*)`", text)
        assert [path for path in paths if not (ROOT / path).exists()] == []


def test_commands_in_the_pages_exist(bench):
    known = set(re.findall(r"^    (\w+)\s", bench("--help").stdout, re.M))
    used = {word for page in PAGES for word in re.findall(r"-m bench (\w+)", page.read_text())}
    assert {"list", "train", "verify", "run", "summary"} <= known
    assert used <= known
