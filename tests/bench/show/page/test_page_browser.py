"""If these fail, someone who opens the page sees errors, or a choice that does not work."""

import shutil
from pathlib import Path

import pytest

from tests.bench.show.page.made import HOSTILE, SHAPE, journal

report = pytest.importorskip("bench.show.page", reason="the extra report is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRAWN = ".view:not([hidden]) .chart svg.main-svg"


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    with api.sync_playwright() as running:
        yield running.chromium.launch(executable_path=program, args=arguments)


@pytest.fixture(scope="module")
def loaded(browser, tmp_path_factory):
    """A page of two runs, with everything that it asked for and complained of; the later run has two devices, dtypes and
    shapes."""
    folder = tmp_path_factory.mktemp("runs")
    early = journal(folder / "20260101T000000Z", cpu=HOSTILE, lines={"7": 4e-4, "9": 1e-5})
    many = {"devices": ("cpu", "cuda"), "dtypes": ("float32", "float64"), "shapes": (SHAPE, f"16{SHAPE[2:]}")}
    late = journal(folder / "20260102T000000Z", names={"slow": HOSTILE}, cpu=HOSTILE, **many)
    target = folder / "report.html"
    target.write_text(report.build([early, late], Path("results")), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="light")
    opened.asked, opened.complaints, opened.address = [], [], target.as_uri()
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.goto(opened.address)
    opened.wait_for_selector(DRAWN)
    return opened


@pytest.fixture
def page(loaded):
    """The same page for all tests, with its early run chosen; whatever a test does, it asks for nothing more and does not
    complain."""
    loaded.select_option("[name=run]", "0")
    loaded.wait_for_selector(DRAWN)
    yield loaded
    assert loaded.asked == [loaded.address]
    assert loaded.complaints == []
    assert loaded.evaluate("window.hacked") is None
    assert loaded.locator("img").count() == 0


def _shown(page):
    """The sentence about one place."""
    return page.locator(".view:not([hidden]) h2").last.inner_text()


def test_selectors_show_what_was_chosen_and_hide_what_does_not_vary(page):
    page.select_option("[name=run]", "1")
    page.select_option("[name=device]", "cuda")
    page.wait_for_selector(DRAWN)
    page.select_option("[name=dtype]", "float64")
    page.select_option("[name=shape]", f"16{SHAPE[2:]}")
    note = page.locator(".view:not([hidden]) .note").first.inner_text()
    assert note.endswith(f"cuda · float64 · 1 thread · 16{SHAPE[2:]}")
    assert _shown(page).startswith(f"At 16{SHAPE[2:]}: fast is the fastest of 3 ways")
    assert page.locator("[name=threads]").is_hidden()
    page.select_option("[name=run]", "0")
    assert _shown(page) == "fast is the fastest of 3 ways; it takes 160 µs less a step than base."
    assert page.locator("[name=device]").is_hidden()
    assert "2026-01-02 03:04; cpu · float32 · 1 thread" in page.locator("[name=run] option").first.inner_text()
    assert page.locator(".run:not([hidden])").count() == 1


def test_two_ways_are_read_side_by_side_with_the_times_of_lines(page):
    page.select_option("[name=left]", label="base")
    page.select_option("[name=right]", label="slow")
    assert page.locator("#price").inner_text() == "slow takes 170 µs more a step than base."
    left, right = page.locator("#code .way").all()
    times = [line.inner_text() for line in left.locator(".time").all()]
    assert times == ["293 µs", "293 µs", "7.3 µs", "7.3 µs"], "scaled to the step"
    assert right.locator(".time").count() == 0
    tops = [way.locator(".update").bounding_box()["y"] for way in (left, right)]
    assert tops[0] == tops[1]
    widths = [bar.bounding_box()["width"] for bar in left.locator(".line > .time:not(.sum) + .bar").all()]
    assert widths[1] == pytest.approx(widths[0] / 40, abs=0.1)


def test_a_heading_sorts_and_sorts_back(page):
    rows = page.locator(".run:not([hidden]) table").first.locator("tbody th")
    assert rows.all_inner_texts() == ["fast", "base", "slow"]
    head = page.locator(".run:not([hidden]) th button", has_text="ratio").first
    head.click()
    head.click()
    assert rows.all_inner_texts() == ["slow", "base", "fast"]


@pytest.mark.parametrize(("width", "scheme", "run"), [(1400, "light", "0"), (390, "dark", "1")])
def test_it_is_accessible_fits_and_follows_the_scheme(page, width, scheme, run):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.select_option("[name=run]", run)
    found = axe.Axe().run(page).response
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert "color-contrast" in {one["id"] for one in found["passes"]}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.eval_on_selector(f"{DRAWN} .xtick text", "one => getComputedStyle(one).fill")
    assert ink == {"light": "rgb(26, 31, 38)", "dark": "rgb(232, 237, 242)"}[scheme]
