"""`summary.csv` of three made runs, compared as text: every change of a column shows here.

`python -m tests.bench.analyse.test_golden` writes the files anew; look at the difference.
"""

import re
from pathlib import Path

import pytest

from bench.analyse import summaries
from bench.record import journal
from bench.schema.summary import ONLY_OK, SUMMARY
from tests.made import a_case, a_hole, story, write

GOLDEN = Path(__file__).parent / "golden"
STEP = {"flops": 25_984_000, "bytes": 1_066_560}
TIMES = {
    "base": 300e-6, "slow": 390e-6, "quick": 150e-6, "twin": 301e-6, "arithmetic": 200e-6,
    "null": 1e-7, "peak_arithmetic": 1e-3, "peak_traffic": 2e-3,
}  # fmt: skip
WORK = {"peak_arithmetic": {"flops": 250_000_000}, "peak_traffic": {"bytes": 20_000_000}}


def seconds(name, number, block):
    """Uneven, and the same on every machine."""
    return TIMES[name] * (1 + 0.001 * ((1 + ord(name[0]) % 10) * (3 * number + block) % 11 - 5))


def plain():
    """Every kind of row, each call timed, as on a CPU."""
    cases = [a_case(name, **WORK.get(name, STEP)) for name in TIMES]
    profile = {
        "record": "profile", "pass": 7, "case": "slow", "kernels": 0.0,
        "allocated_bytes": 4096.0, "peak_bytes": 1024.0,
    }  # fmt: skip
    settings = {"processes": 8}
    return story(seconds, 8, 2, 8, cases=cases, singly=True, extra=[profile], settings=settings)


def sides():
    """Two revisions; on the later one a step is slower and another is wrong."""
    then = [a_case(name, side="then") for name in ("base", "slow", "twin")]
    now = [a_case(case["name"], side="now", baseline=case["key"]) for case in then[:2]]
    wrong = {"pass": 2, "status": "wrong", "reason": "slow updates w1 wrongly"}
    facts = {"then": {"commit": "abc"}, "now": {"variables": {"OPENBLAS_CORETYPE": "Haswell"}}}
    return story(
        seconds, 4, 2, cases=[*then, *now], settings={"processes": 4}, machine={"sides": facts},
        extra=[{"record": "failure", "case": "slow", **wrong}],
        work=lambda case: 1.05 if case["side"] == "now" else 1,
    )  # fmt: skip


def incomplete():
    """Killed in the third pass of five, with a step that could not run."""
    holes = [a_hole("needs the library absent, which is not installed")]
    return story(seconds, 3, 2, end=False, settings={"processes": 5}, holes=holes)


RUNS = {"plain": plain, "sides": sides, "incomplete": incomplete}


def text_of(run, folder):
    """With nine digits of each number: another processor rounds the last ones in another way."""
    table = summaries.summarise(journal.read(write(run, folder)))
    text = summaries.only_ok_times(table).to_csv(index=False)
    numbers = r"(?<![^,\n])-?\d+\.\d+(e-?\d+)?(?![^,\n])"
    return re.sub(numbers, lambda number: f"{float(number[0]):.9g}", text)


@pytest.mark.parametrize("name", RUNS)
def test_a_summary_is_what_it_was(name, tmp_path):
    assert text_of(RUNS[name](), tmp_path) == (GOLDEN / f"{name}.csv").read_text()


def test_a_time_and_what_follows_from_it_is_for_rows_that_are_ok():
    derived = ("ratio", "flop", "bound", "break", "verdict", "processes_to")
    follows = {name for name in SUMMARY if "seconds" in name or name.startswith(derived)}
    assert follows - {*ONLY_OK} == set()
    assert len(SUMMARY) == len(set(SUMMARY))


if __name__ == "__main__":
    import tempfile

    for name, run in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / f"{name}.csv").write_text(text_of(run(), Path(folder)))
