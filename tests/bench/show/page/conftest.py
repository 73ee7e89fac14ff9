"""What the page's tests share: one browser for all of them, and pages written from journals made by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.show.page.made import MISSING

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-default-apps", "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser that is on this machine; without one a test is skipped."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is part of the extra dev")
    with api.sync_playwright() as running:
        started = running.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`written(journal, ...)` writes the page of these runs and returns its path."""
    report = pytest.importorskip("bench.show.page", reason=MISSING)

    def write(*journals: Path) -> Path:
        target = tmp_path_factory.mktemp("page") / "report.html"
        target.write_text(report.build(journals, Path("results")), encoding="utf-8")
        return target

    return write
