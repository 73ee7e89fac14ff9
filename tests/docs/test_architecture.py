"""If these fail, the page that sends people to the right place names one that does not exist, or leaves one out."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
FLOORS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
TOPS = r"bench|backends|docs|lab|tests|results"


def _paths(page: str) -> set[str]:
    """Files and folders of the checkout that a page names in backticks."""
    return set(re.findall(rf"`((?:{TOPS})/[\w./-]*)`", page))


def _floors(line: str) -> list[str]:
    """`show | export` and `(schema)` are how import-linter writes them."""
    return re.findall(r"\w+", line)


@pytest.mark.parametrize("page", [PAGE, GUIDE], ids=["architecture", "contributing"])
def test_what_a_page_names_exists(page):
    assert len(_paths(page)) >= 10
    assert sorted(path for path in _paths(page) if not (ROOT / path).exists()) == []


def test_every_folder_of_bench_is_a_floor_that_the_page_describes():
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "bench").rglob("__init__.py")} - {Path("bench")}
    assert sorted(str(folder) for folder in folders if f"`{folder}/`" not in PAGE) == []


def test_the_page_has_the_floors_in_the_order_that_the_linter_holds():
    """A package or a module of `bench/` per name; `__main__` stands in the row of the command line."""
    table = PAGE.partition("## The floors")[2].partition("\n\n`backends/`")[0]
    rows = [re.findall(r"`bench/(\w+)(?:/|\.py)`", row.split(" | ")[0]) for row in table.splitlines() if row.startswith("| `")]
    assert [sorted(row) for row in rows] == [sorted(_floors(line)) for line in FLOORS if line != "__main__"]
