"""If these fail, the first sentence on the page is long, or says other things than the verdicts."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.analyse.run import Run
from tests.bench.show.page.made import HOSTILE, MISSING, journal

words = pytest.importorskip("bench.show.page.headline", reason=MISSING)
data = pytest.importorskip("bench.show.page.data", reason=MISSING)

MOST = 25 - 5
"""Words of a sentence; before it the page may name device, dtype, threads and shape."""


def _row(label, ratio, verdict, status="ok", baseline="base"):
    return {
        "key": label, "label": label, "baseline": baseline, "status": status, "ratio": ratio,
        "verdict": verdict, "seconds_per_step": ratio and 3e-4 * ratio,
    }  # fmt: skip


BASE = _row("base", 1.0, None)
KILLED = BASE | {"status": "incomplete", "seconds_per_step": None}
A, B, C = _row("a", 0.5, "FASTER"), _row("b", 2.0, "SLOWER"), _row("c", 3.0, "SLOWER")
FASTER = "Faster: 0.50 (a) times the baseline's time."
SLOWER = "Slower: 2.00 (b) to 3.00 (c) times the baseline's time."
UNDECIDED = "Undecided: neither a difference nor equality is proven."
TAKES, LOST = "base takes 300 µs a step;", "1 without a number; below is why."
UNPROVEN = ["UNPROVEN: the twin ..."]
OWN = [_row("a@new", 0.5, "FASTER", baseline="a"), _row("b@new", 2.0, "SLOWER", baseline="b")]


@pytest.mark.parametrize(
    ("rows", "base", "doubts", "text", "details"),
    [
        ([A], BASE, [], f"{TAKES} a is faster.", FASTER),
        ([B], BASE, [], f"{TAKES} b is slower.", "Slower: 2.00 (b) times the baseline's time."),
        ([_row("a", 1.0, "EQUAL")], BASE, [], f"{TAKES} a is equal.", "Equal: within 1.0%."),
        ([_row("a", 1.3, "UNDECIDED")], BASE, [], f"{TAKES} a is undecided.", UNDECIDED),
        ([_row("a", 1.3, None)], BASE, [], f"{TAKES} a is undecided.", UNDECIDED),
        ([C, B], BASE, [], f"{TAKES} both other ways are slower.", SLOWER),
        ([A, A, A], BASE, [], f"{TAKES} all 3 other ways are faster.", None),
        (
            [A, B, C, _row("d", 1.0, "EQUAL")], BASE, [],
            f"{TAKES} of 4 other ways, 1 is faster, 2 slower and 1 equal.",
            f"{FASTER} {SLOWER} Equal: within 1.0%.",
        ),
        ([], BASE, [], f"{TAKES} nothing beside it has a verdict.", ""),
        ([_row("a", None, None, "wrong")], BASE, [], None, LOST),
        (
            [A, C], BASE, UNPROVEN, "Unproven: this run cannot tell a difference from none.",
            "base takes 300 µs a step. Seen, not proven: 0.50 (a) to 3.00 (c) times the "
            "baseline's time.",
        ),
        ([A], KILLED, [], "base was not finished; a is faster.", f"{FASTER} {LOST}"),
        (
            OWN, None, [],
            "Each way has its own baseline; of 2 other ways, 1 is faster and 1 slower.", None,
        ),
        (
            [_row("a", None, None, "failed")], None, [],
            "No way of writing the step got a number here.", LOST,
        ),
    ],
)  # fmt: skip
def test_each_verdict_in_its_own_words(rows, base, doubts, text, details):
    bases = [base] if base else []
    found = words.headline([*bases, *rows], {"base": base}, 0.01, doubts)
    assert text is None or found.text == text
    assert details is None or found.details == details


@pytest.mark.parametrize(
    ("label", "shown"),
    [("a" * 40, "a" * 27 + "…"), (HOSTILE, "<b></script><img…"), ("a" * 28, "a" * 28)],
)
def test_a_long_name_takes_little_of_the_sentence_and_stands_whole_below(label, shown):
    found = words.headline([BASE, A | {"label": label}], {"base": BASE}, 0.01, [])
    assert found.text.endswith(f"; {shown} is faster.")
    assert f"({label})" in found.details


VERDICTS = ["FASTER", "SLOWER", "EQUAL", "UNDECIDED"]
MANY = [_row(verdict, 1.0, verdict, baseline=verdict) for verdict in VERDICTS]
RATIOS, LABELS = st.floats(1e-3, 1e3), st.text()
MEASURED = st.builds(
    _row, LABELS, RATIOS, st.sampled_from([*VERDICTS, None]),
    baseline=st.sampled_from(["base", "other"]),
)  # fmt: skip
STATUSES = st.sampled_from(["wrong", "failed", "incomplete", "unavailable"])
UNMEASURED = st.builds(_row, LABELS, st.none(), st.none(), STATUSES)
DOUBTS = st.lists(st.sampled_from([*UNPROVEN, "INCOMPLETE: the run ..."]), max_size=2)


@settings(deadline=None, derandomize=True)
@example(MANY, BASE, [])
@given(
    rows=st.lists(MEASURED | UNMEASURED, max_size=40),
    base=st.builds(_row, LABELS, RATIOS | st.none(), st.none()),
    doubts=DOUBTS,
)
def test_it_is_short_and_true_to_the_verdicts_whatever_was_measured(rows, base, doubts):
    """Every count is that of its verdict."""
    found = words.headline(rows, {row["baseline"]: base for row in rows}, 0.01, doubts)
    assert len(found.text.split()) <= MOST
    assert found.text.endswith(".")
    compared = [row for row in rows if row["ratio"] and row["key"] != row["baseline"]]
    verdicts = [row["verdict"] or "UNDECIDED" for row in compared]
    if any(doubt.startswith("UNPROVEN") for doubt in doubts):
        assert not re.search("faster|slower|equal", found.text) or not compared
    elif len(set(verdicts)) > 1:
        counts = re.findall(r"(\d+) (?:is |are )?(faster|slower|equal|undecided)", found.text)
        said = {word.upper(): int(count) for count, word in counts}
        assert said == {each: verdicts.count(each) for each in set(verdicts)}
    elif verdicts:
        assert found.text.endswith(f" {verdicts[0].lower()}.")


def test_the_page_has_both_parts(tmp_path):
    run = Run.read(journal(tmp_path / "r"))
    (found,) = data.headlines(data.summary(run), 0.01, run.doubts)
    assert found["text"] == f"{TAKES} of 2 other ways, 1 is faster and 1 slower."
    assert found["details"] == (
        "Faster: 0.50 (fast) times the baseline's time. "
        "Slower: 1.33 (slow) times the baseline's time."
    )


def test_a_comparison_counts_its_verdicts():
    found = words.beside("h", "b", ["EQUAL", "UNDECIDED", "UNDECIDED", ""], [])
    assert found == "Run h beside b: 1 equal, 2 undecided, 1 not judged."
    found = words.beside("h", "b", ["FASTER"], ["UNPROVEN: it rained."])
    assert found == "Unproven: h cannot be compared with b. UNPROVEN: it rained."
