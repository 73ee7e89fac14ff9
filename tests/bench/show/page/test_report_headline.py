"""If these fail, the first sentence on the page is long, or says more, less or other than the verdicts do."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.analyse.run import Run
from tests.bench.show.page.made import HOSTILE, MISSING, journal

words = pytest.importorskip("bench.show.page.headline", reason=MISSING)
data = pytest.importorskip("bench.show.page.data", reason=MISSING)

RESULTS = Path(__file__).parents[4] / "results"
MOST = 25 - 5
"""Words of a sentence; the page may say before it where that was: cpu, float32, 1 thread, 64x1000x100x10."""


def _row(label, ratio, verdict, status="ok", baseline="base"):
    return {
        "key": label, "label": label, "baseline": baseline, "status": status, "ratio": ratio, "verdict": verdict,
        "seconds_per_step": ratio and 3e-4 * ratio,
    }  # fmt: skip


BASE = _row("base", 1.0, None)


def _say(*rows, doubts=(), margin=0.01):
    return words.headline([BASE, *rows], {"base": BASE}, margin, [*doubts])


@pytest.mark.parametrize(
    ("rows", "text", "details"),
    [
        ([_row("a", 0.5, "FASTER")], "a is faster", "Faster: 0.50 (a) times the baseline's time."),
        ([_row("a", 2.0, "SLOWER")], "a is slower", "Slower: 2.00 (a) times the baseline's time."),
        ([_row("a", 1.001, "EQUAL")], "a is equal", "Equal: within 1.0%."),
        ([_row("a", 1.3, "UNDECIDED")], "a is undecided", "Undecided: neither a difference nor equality is proven."),
        ([_row("a", 1.3, None)], "a is undecided", "Undecided: neither a difference nor equality is proven."),
        (
            [_row("b", 3.0, "SLOWER"), _row("a", 2.0, "SLOWER")],
            "both other ways are slower",
            "Slower: 2.00 (a) to 3.00 (b) times the baseline's time.",
        ),
        ([_row(name, 1.0, "EQUAL") for name in "abc"], "all 3 other ways are equal", "Equal: within 1.0%."),
        (
            [_row("a", 0.5, "FASTER"), _row("b", 2.0, "SLOWER"), _row("c", 3.0, "SLOWER"), _row("d", 1.0, "EQUAL")],
            "of 4 other ways, 1 is faster, 2 slower and 1 equal",
            "Faster: 0.50 (a) times the baseline's time. Slower: 2.00 (b) to 3.00 (c) times the baseline's time. "
            "Equal: within 1.0%.",
        ),
        ([], "nothing beside it has a verdict", ""),
        ([_row("a", None, None, "wrong")], "nothing beside it has a verdict", "1 without a number; below is why."),
    ],
)
def test_each_verdict_in_its_own_words(rows, text, details):
    assert _say(*rows) == (f"base takes 300 µs a step; {text}.", details)


def test_a_run_that_doubts_itself_calls_nothing_faster_or_slower():
    found = _say(_row("a", 0.5, "FASTER"), _row("b", 2.0, "SLOWER"), doubts=["UNPROVEN: the twin ..."])
    assert found.text == "Unproven: this run cannot tell a difference from none."
    assert found.details == ("base takes 300 µs a step. Seen, not proven: 0.50 (a) to 2.00 (b) times the baseline's time.")


def test_a_run_without_numbers_says_so():
    assert words.headline([_row("a", None, None, "failed")], {}, 0.01, []) == (
        "No way of writing the step got a number here.",
        "1 without a number; below is why.",
    )


def test_rows_with_baselines_of_their_own_are_not_said_to_stand_beside_one():
    """With several interpreters each row stands beside its own backend on the first of them."""
    rows = [_row("a@new", 0.5, "FASTER", baseline="a@old"), _row("b@new", 2.0, "SLOWER", baseline="b@old")]
    text = words.headline(rows, {}, 0.01, []).text
    assert text == "Each way has its own baseline; of 2 other ways, 1 is faster and 1 slower."


def test_a_baseline_that_was_not_finished_has_no_time():
    """A run that is killed in its last block may have finished every row but this one."""
    killed = BASE | {"status": "incomplete", "seconds_per_step": None}
    found = words.headline([killed, _row("a", 0.5, "FASTER")], {"base": killed}, 0.01, [])
    assert found == (
        "base was not finished; a is faster.",
        "Faster: 0.50 (a) times the baseline's time. 1 without a number; below is why.",
    )


@pytest.mark.parametrize(("label", "shown"), [("a" * 40, "a" * 27 + "…"), (HOSTILE, "<b></script><img…"), ("a" * 28, "a" * 28)])
def test_a_long_name_takes_little_of_the_sentence_and_stands_whole_below(label, shown):
    found = _say(_row(label, 0.5, "FASTER"))
    assert found.text.endswith(f"; {shown} is faster.")
    assert f"({label})" in found.details


VERDICTS = st.sampled_from(["FASTER", "SLOWER", "EQUAL", "UNDECIDED", None])
RATIOS = st.floats(1e-3, 1e3)
MEASURED = st.builds(_row, st.text(), RATIOS, VERDICTS, baseline=st.sampled_from(["base", "other"]))
UNMEASURED = st.builds(_row, st.text(), st.none(), st.none(), st.sampled_from(["wrong", "failed", "incomplete", "unavailable"]))


@settings(deadline=None, derandomize=True)
@example([_row(verdict, 1.0, verdict, baseline=verdict) for verdict in ("FASTER", "SLOWER", "EQUAL", "UNDECIDED")], BASE, [])
@given(
    rows=st.lists(MEASURED | UNMEASURED, max_size=40),
    base=st.builds(_row, st.text(), RATIOS | st.none(), st.none()),
    doubts=st.lists(st.sampled_from(["UNPROVEN: the twin ...", "INCOMPLETE: the run ..."]), max_size=2),
)
def test_it_is_short_and_true_to_the_verdicts_whatever_was_measured(rows, base, doubts):
    """Every count is that of its verdict, and no number of rows, no name and no verdict makes the sentence long."""
    found = words.headline(rows, {row["baseline"]: base for row in rows}, 0.01, doubts)
    assert len(found.text.split()) <= MOST
    assert found.text.endswith(".")
    compared = [row for row in rows if row["ratio"] and row["key"] != row["baseline"]]
    verdicts = [row["verdict"] or "UNDECIDED" for row in compared]
    if any(doubt.startswith("UNPROVEN") for doubt in doubts):
        assert not re.search("faster|slower|equal", found.text) or not compared
    elif len(set(verdicts)) > 1:
        counts = re.findall(r"(\d+) (?:is |are )?(faster|slower|equal|undecided)", found.text)
        assert {word.upper(): int(count) for count, word in counts} == {each: verdicts.count(each) for each in set(verdicts)}
    elif verdicts:
        assert found.text.endswith(f" {verdicts[0].lower()}.")


@pytest.mark.parametrize("path", sorted(RESULTS.rglob("journal.jsonl")), ids=lambda path: path.parent.name)
def test_it_is_short_for_every_stored_run(path):
    run = Run.read(path)
    found = data.headlines(data.summary(run), 0.01, run.doubts)
    assert found
    assert max(len(each["text"].split()) for each in found) <= MOST


def test_the_page_has_both_parts(tmp_path):
    run = Run.read(journal(tmp_path / "r"))
    (found,) = data.headlines(data.summary(run), 0.01, run.doubts)
    assert found["text"] == "base takes 300 µs a step; of 2 other ways, 1 is faster and 1 slower."
    assert found["details"] == ("Faster: 0.50 (fast) times the baseline's time. Slower: 1.33 (slow) times the baseline's time.")


def test_a_comparison_counts_its_verdicts():
    found = words.beside("h", "b", ["EQUAL", "UNDECIDED", "UNDECIDED", ""], [])
    assert found == "Run h beside b: 1 equal, 2 undecided, 1 not judged."
    found = words.beside("h", "b", ["FASTER"], ["UNPROVEN: it rained."])
    assert found == "Unproven: h cannot be compared with b. UNPROVEN: it rained."
