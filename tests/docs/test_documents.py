"""If these fail, a page or the README shows something that no longer works or was never measured."""

import io
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench.analyse import scaling
from bench.analyse.run import Run
from bench.record import frame
from bench.show import generated, grid, scaling_views
from bench.show.folder import write
from tests.support import read_csv

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
COMMITTED = [path.parent for path in generated.committed(ROOT) if path.name == "journal.jsonl"]
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "results/README.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_example_of_a_new_backend_works(bench, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "adding-a-backend.md").read_text(), re.S)
    (tmp_path / "numpy_einsum.py").write_text(code)
    done = bench("verify", "numpy_einsum", BENCH_PATH=str(tmp_path), BENCH_DTYPES="float32,float64")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("numpy_einsum") == 2
    trained = bench("train", "numpy_einsum", BENCH_PATH=str(tmp_path)).stdout
    assert len(trained.splitlines()) == 10


def test_the_readme_shows_a_sound_run():
    run = Run.read(generated.shown(ROOT))
    assert run.story.complete
    assert run.doubts == []


def test_generated_parts_are_fresh():
    """`python -m bench results` writes them: the README's run, the index of all runs, the table of settings."""
    for page, text in generated.texts(ROOT).items():
        assert page.read_text() == text, page


def test_pictures_are_fresh():
    """A picture shows the run that it lies beside; other versions of matplotlib draw the same a little differently."""
    pinned = re.search(r"^matplotlib==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)[1]
    if pytest.importorskip("matplotlib").__version__ != pinned:
        pytest.skip(f"only matplotlib {pinned} draws what is committed to the last digit")
    drawings = generated.drawings(ROOT)
    assert drawings
    for path, content in drawings.items():
        assert path.read_bytes() == content, path


@pytest.mark.parametrize("folder", COMMITTED)
def test_committed_runs_equal_what_their_journals_say(folder, tmp_path):
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    write(Run.read(copy))
    again, kept = (read_csv(path / "summary.csv") for path in (copy, folder))
    pd.testing.assert_frame_equal(again, kept, rtol=1e-6)  # another BLAS adds in another order, and interpolated places feel it
    for file in ("samples.csv", "summary.md", "environment.json"):
        assert (copy / file).read_text() == (folder / file).read_text(), file


@pytest.mark.parametrize("folder", [folder for folder in COMMITTED if (folder / "scaling.csv").exists()])
def test_committed_sweeps_equal_what_their_journals_say(folder):
    (story,) = frame.stories(folder)
    sweep = scaling.scale(frame.samples(story), frame.singles(story), story.header["settings"]["baseline"])
    for name, file in scaling_views.FILES.items():
        again = pd.read_csv(io.StringIO(getattr(sweep, name).to_csv(index=False)))
        pd.testing.assert_frame_equal(again, pd.read_csv(folder / file), rtol=1e-6)


def test_the_page_on_sweeps_says_what_the_committed_one_does():
    page, said = (ROOT / "docs" / "scaling.md").read_text(), io.StringIO()
    sweeps = [file.parent for file in generated.committed(ROOT) if file.name == "scaling.csv"]
    (story,) = frame.stories(max(sweeps, key=lambda folder: folder.name))
    sweep = scaling.scale(frame.samples(story), frame.singles(story), story.header["settings"]["baseline"])
    scaling_views.show(sweep, grid.console(said, 200))
    (crossing,) = re.findall(r"^\w+\[.* beside .*$", page, re.M)
    assert crossing in said.getvalue().splitlines()
    fits = sweep.fits[sweep.fits["fits"]]
    for row in fits.to_dict("records"):
        middle, low, high = (f"{row[f'overhead_seconds{end}'] * 1e6:.0f}" for end in ("", "_low", "_high"))
        off = f"{row['worst_left_out']:+.1%}".replace("%", " %")
        size = row["worst_shape"].partition("x")[0]
        assert f"| {row['backend']} | {middle} µs | {low}–{high} µs | {off} at N={size} |" in page
    assert f"Of {len(sweep.fits)} lines of the [committed sweep](../results/sweeps) {len(fits)} fit" in page


def test_the_readme_shows_the_two_commands():
    (block,) = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)
    assert [line.partition("#")[0].strip() for line in block.splitlines()] == ["make bench", "make test"]


def _anchors(page: Path) -> set[str]:
    """What a link may name after `#`, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
        assert not anchor or anchor in _anchors(page.parent / target), f"{target}#{anchor}"


def test_commands_in_the_pages_exist(bench):
    known = set(re.findall(r"^    (\w+)\s", bench("--help").stdout, re.M))
    used = {word for page in PAGES for word in re.findall(r"python -m bench (\w+)", page.read_text())}
    assert {"list", "train", "verify", "run", "summary"} <= known
    assert used <= known
