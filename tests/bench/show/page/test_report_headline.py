"""If these fail, the first sentence on the page says more, less or other than the verdicts do."""

import pytest

from tests.bench.show.page.made import MISSING

words = pytest.importorskip("bench.show.page.headline", reason=MISSING)


def _row(label, ratio, verdict, status="ok"):
    return {
        "key": label, "label": label, "baseline": "base", "status": status, "ratio": ratio, "verdict": verdict,
        "seconds_per_step": ratio and 3e-4 * ratio,
    }  # fmt: skip


BASE = _row("base", 1.0, None)


def _say(*rows, doubts=(), margin=0.01):
    return words.headline([BASE, *rows], {"base": BASE}, margin, [*doubts])


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([_row("a", 0.5, "FASTER")], "base takes 300 µs a step. a is faster, at 0.50 times its time."),
        ([_row("a", 2.0, "SLOWER")], "base takes 300 µs a step. a is slower, at 2.00 times its time."),
        ([_row("a", 1.001, "EQUAL")], "base takes 300 µs a step. a is equal to it within 1.0%."),
        (
            [_row("a", 1.3, "UNDECIDED")],
            "base takes 300 µs a step. a is undecided: neither a difference nor equality is proven.",
        ),
        ([_row("a", 1.3, None)], "base takes 300 µs a step. a has no verdict."),
        (
            [_row("b", 3.0, "SLOWER"), _row("a", 2.0, "SLOWER")],
            "base takes 300 µs a step. All 2 other ways are slower, from 2.00 (a) to 3.00 times its time (b).",
        ),
        (
            [_row("a", 0.5, "FASTER"), _row("b", 2.0, "SLOWER"), _row("c", 3.0, "SLOWER")],
            "base takes 300 µs a step. a is faster, at 0.50 times its time; 2 of 3 other ways are slower, from 2.00 (b) to "
            "3.00 times its time (c).",
        ),
        ([], "base takes 300 µs a step; nothing beside it has a verdict."),
        (
            [_row("a", None, None, "wrong")],
            "base takes 300 µs a step; nothing beside it has a verdict; 1 without a number, see below for why.",
        ),
    ],
)
def test_each_verdict_in_its_own_words(rows, says):
    assert _say(*rows) == says


def test_a_run_that_doubts_itself_calls_nothing_faster_or_slower():
    text = _say(_row("a", 0.5, "FASTER"), _row("b", 2.0, "SLOWER"), doubts=["UNPROVEN: the twin ..."])
    assert text == (
        "Unproven: this run cannot tell a difference from none. base takes 300 µs a step, 2 other ways were seen at 0.50 to "
        "2.00 times that."
    )


def test_a_run_without_numbers_says_so():
    assert words.headline([_row("a", None, None, "failed")], {}, 0.01, []) == (
        "No way of writing the step got a number here; 1 without a number, see below for why."
    )


def test_a_comparison_counts_its_verdicts():
    found = words.beside("h", "b", ["EQUAL", "UNDECIDED", "UNDECIDED", ""], [])
    assert found == "Run h beside b: 1 equal, 2 undecided, 1 not judged."
    found = words.beside("h", "b", ["FASTER"], ["UNPROVEN: it rained."])
    assert found == "Unproven: h cannot be compared with b. UNPROVEN: it rained."
