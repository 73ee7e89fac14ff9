"""If these fail, someone who opens the page sees errors, a chart that is not there, or a choice that does not work.

In a real browser, one for all tests; a page is opened once, and each test begins without a choice.
"""

import csv
import re

import pytest

from bench import units
from bench.analyse.scaling import TOLERATED
from bench.show import bars
from tests.bench.show.page.made import HOSTILE, TIMES, journal
from tests.made import a_hole

DRAWN = "#figure-answer .chart[data-drawn]"
BOTH = {"devices": ("cpu", "cuda"), "dtypes": ("float32", "float64"), "threads": (1, 2)}


@pytest.fixture(scope="module")
def address(written, tmp_path_factory):
    """A page of two runs; only the later one has losses and every device."""
    folder = tmp_path_factory.mktemp("runs")
    holes = [a_hole(HOSTILE, f"absent {HOSTILE}")]
    early = journal(folder / "20260101T000000Z", cpu=HOSTILE)
    late = journal(folder / "20260102T000000Z", cpu=HOSTILE, names={"slow": HOSTILE}, holes=holes, profile=True, **BOTH)
    return written(early, late).as_uri()


@pytest.fixture(scope="module")
def opened(browser, address):
    """The page, with everything that it asked for and complained of."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.wait_for_selector(DRAWN)
    yield page
    page.close()


@pytest.fixture
def page(opened):
    """The page without a choice."""
    opened.evaluate("history.replaceState(null, '', '#'); render()")
    opened.wait_for_selector(DRAWN)
    return opened


def _option(page, of, text):
    """The value of an option by how its text begins."""
    return page.eval_on_selector_all(f"#{of} option", "(all, text) => all.find((one) => one.text.startsWith(text)).value", text)


def test_every_figure_is_drawn_without_an_error_or_a_request(page, address):
    """It works from a mail attachment: nothing is fetched, and nothing breaks the content security policy."""
    page.evaluate("drawAll()")
    for name in ("answer", "losses", "spread", "controls", "threads", "history", "comparison"):
        assert page.locator(f"#figure-{name} svg.main-svg").count() > 0, name
    assert page.asked == [address]
    assert page.complaints == []


def test_no_text_of_a_journal_becomes_markup_or_code(page):
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert HOSTILE[:20] in page.locator("#figure-answer .ytick text").all_text_contents()[2]
    assert HOSTILE.split("\u2028")[0] in page.locator("#unmeasured").inner_text()


def test_the_first_screen_says_what_was_found(page):
    text = "base takes 300 µs a step; of 2 other ways, 1 is faster and 1 slower."
    assert page.locator("h1").inner_text() == f"cpu: {text}"
    first, *further, compared = page.locator("#also p").all_inner_texts()
    assert first.startswith("Faster: 0.50 (fast) times the baseline's time. Slower: 1.33 (")
    assert [line.split(";")[0] for line in further] == ["cuda: base takes 60.0 µs a step"]
    assert compared.startswith("Run 20260102T000000Z beside 20260101T000000Z: ")
    assert page.eval_on_selector("#also p", "line => getComputedStyle(line).fontWeight") == "400"
    assert page.locator("#figure-answer").bounding_box()["y"] < 400


def test_the_headline_is_short_wherever_it_was_measured(page):
    """The page says before it which device, dtype, threads and shape it is about, as far as they vary."""
    for name in ("device", "dtype", "threads"):
        page.select_option(f"#filter-{name}", "all")
    text = page.locator("h1").inner_text()
    assert text.startswith("cpu, float32, 1 thread: base takes 300 µs a step; ")
    assert len(text.split()) <= 25


def test_a_choice_shows_code_price_and_losses(page):
    page.select_option("#first", _option(page, "first", "fast, cpu"))
    page.select_option("#second", "")
    assert page.locator("#chosen .code").inner_text().split() == ["def", "step(self):", "return", "1"]
    assert page.locator("#figure-losses").is_visible()
    facts = page.locator("#chosen .facts").inner_text()
    assert "0.500" in facts
    assert "2.0e-6, at most 1 % of what is allowed" in facts
    assert re.search(r"operators per step\s+12", facts)


def test_two_choices_show_what_differs_and_what_it_costs(page):
    def lines(kind, side):
        return [text.rstrip("\n") for text in page.locator(f".diff .{kind} .{side} .line").all_text_contents()]

    mine, added = "    h = self.x @ self.w1", ["    h = relu(self.x) @ self.w1", "def relu(x):", "    return x.clamp(min=0)"]
    page.select_option("#first", _option(page, "first", "base, cpu"))
    page.select_option("#second", _option(page, "second", HOSTILE.split("\u2028")[0]))
    assert lines("same", "left") == lines("same", "right") == ["def step(self):", "    # forward", "    return h"]
    assert lines("differs", "left") == [f"−{mine}"]
    assert lines("differs", "right") == [f"+{line}" for line in added]
    page.select_option("#first", _option(page, "first", HOSTILE.split("\u2028")[0]))
    page.select_option("#second", _option(page, "second", "base, cpu"))
    assert lines("differs", "left") == [f"−{line}" for line in added]
    assert lines("differs", "right") == [f"+{mine}"]
    price = page.locator("#price").inner_text()
    assert "µs a step more than base: 400 µs and 300 µs. Beside its baseline" in price
    assert "takes 1.33 times as long: SLOWER." in price


def test_a_click_on_a_bar_chooses(page):
    """The third row of the first group, beside the one that is chosen first."""
    box = page.locator("#figure-answer .bars .point path").nth(2).bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] / 2)
    assert page.eval_on_selector("#second", "one => one.selectedOptions[0].text").startswith(HOSTILE[:20])


def test_a_filter_filters_and_keeps_what_was_chosen(page):
    page.select_option("#first", _option(page, "first", "fast, cpu"))
    page.select_option("#filter-device", "cpu")
    page.select_option("#filter-dtype", "float64")
    assert page.locator("#figure-answer .ytick").count() == 3
    assert page.eval_on_selector("#first", "one => one.selectedOptions[0].text") == "fast"
    assert "cpu · float64 · 1 thread" in page.locator("#about").inner_text()


def test_a_view_can_be_linked(page, browser):
    page.select_option("#filter-threads", "2")
    page.select_option("#second", _option(page, "second", "fast, cuda"))
    other = browser.new_page()
    other.goto(page.url)
    other.wait_for_selector(DRAWN)
    for one in ("#filter-threads", "#filter-device", "#first", "#second"):
        assert other.input_value(one) == page.input_value(one), one
    assert other.locator("#price").inner_text() == page.locator("#price").inner_text()
    other.close()


def test_another_run_is_shown_with_what_it_has(page):
    page.select_option("#filter-run", "20260101T000000Z")
    assert not page.locator("#figure-losses").is_visible()
    assert not page.locator("#threads").is_visible()
    assert page.locator("#filter-device").count() == 0


def test_a_table_downloads_with_all_digits(page):
    page.locator("#figure-answer summary").click()
    with page.expect_download() as waiting:
        page.locator("#figure-answer button").click()
    with open(waiting.value.path(), newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows[:2]] == ["fast", "base"]
    assert rows[2]["label"] == HOSTILE
    assert float(rows[0]["seconds_per_step"]) == pytest.approx(TIMES["fast"], rel=0.01)
    assert len(rows[0]["seconds_per_step"]) > 15
    assert page.locator("#figure-answer tbody tr").count() == len(rows) == 6


def test_numbers_read_as_in_the_terminal(page):
    values = [1.2345e-9, 9.996e-7, 2.97e-4, 0.0123, 5.0, 123.4]
    assert page.evaluate("values => values.map(seconds)", values) == [units.seconds(value) for value in values]
    values = [1.0, 999.0, 999.6, 123_456.0, 999_600.0, 1.5e7, 2.25e9]
    assert page.evaluate("values => values.map(bytes)", values) == [units.size(value) for value in values]


def test_the_scale_turns_logarithmic_where_that_of_the_terminal_does(page):
    def captions(slowest):
        """Of two rows, the second so much slower than the first, and with a bound far below both."""
        return page.evaluate(
            """slowest => {
              const rows = [1, slowest].map((time) => ({ seconds_per_step: time, bound_seconds_per_step: 1e-3 }));
              return mainFigure({ groups: [{ rows }], chosen: [] }).caption;
            }""",
            slowest,
        )

    for slowest in (1.0, 25.0, bars.WIDE, bars.WIDE * 1.01, 1e4):
        assert ("logarithmic" in captions(slowest)) == bars.is_wide([1.0, slowest]), slowest


def test_a_sweep_shows_its_lines_and_what_they_predict(browser, written, tmp_path):
    shapes = [f"{N}x1000x100x10" for N in (1, 64, 1024)]
    with browser.new_page() as page:
        page.goto(written(journal(tmp_path / "20260103T000000Z", shapes=shapes)).as_uri())
        page.wait_for_selector(DRAWN)
        page.evaluate("drawAll()")
        for name in ("scaling", "residuals"):
            assert page.locator(f"#figure-{name} svg.main-svg").count() > 0, name
        caption = page.locator("#figure-residuals figcaption").inner_text()
        assert f"off by more than {TOLERATED * 100:.0f} %" in caption


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(page, width, scheme):
    """Contrast, names, headings and landmarks by axe-core, and no scrolling to the side, with every table open."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed; it is part of the extra dev"
    )
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("render(); drawAll(); document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = axe.Axe().run(page).response
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert "color-contrast" in {one["id"] for one in found["passes"]}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []
    ink = page.eval_on_selector("#figure-answer .xtick text", "one => getComputedStyle(one).fill")
    assert ink == {"light": "rgb(26, 31, 38)", "dark": "rgb(232, 237, 242)"}[scheme]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
