"""One browser for the page's tests, and pages written from journals."""

import shutil
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    """A browser of this machine; without one, tests are skipped."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    with api.sync_playwright() as running:
        started = running.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """`written(journal, ...)` writes the page of these runs and returns its address."""
    page = pytest.importorskip("bench.show.page", reason="the extra report is not installed")

    def write(*journals):
        target = tmp_path_factory.mktemp("page") / "report.html"
        target.write_text(page.build(journals, Path("results")), encoding="utf-8")
        return target.as_uri()

    return write
