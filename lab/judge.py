"""Reads the runs that `lab.collect` took and prints how often verdicts were right and wrong.

    python -m lab.judge [FOLDER] [--history 3]

Every pair of runs is of unchanged code. Pairs are disjoint, so their outcomes are independent.
A pair's history is runs that ended before both began, as a user would have had them.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench.analyse import comparison
from bench.analyse.comparison import Comparison
from bench.analyse.verdicts import EQUAL, FASTER, SLOWER
from bench.errors import ExitCode, UsageError
from bench.schema.case import SIDE
from lab.collect import FOLDER
from lab.runs import CALM, TARGET, Run, disjoint, earlier, load, multiplied, replaced, unslowed

TIME = "undisturbed_seconds_per_step"
SHARES = (0.01, 0.02, 0.05)
"""Slowdowns whose detection is counted."""
MIN_HISTORY = 3
FEWEST = 5
"""Runs whose mean is exact enough to check another run's interval against it."""
Pair = tuple[Run, Run]
Answers = dict[str, list[bool]]
"""Question → the answer of each comparison, row or run."""


def compare(base: Run, head: pd.DataFrame, history: Sequence[Run]) -> Comparison:
    frames = [unslowed(run) for run in history]
    further = pd.concat(frames, ignore_index=True) if frames else None
    return comparison.judge(unslowed(base), head, further)


def alarms(table: pd.DataFrame) -> bool:
    """Whether any row was called different."""
    return bool(table["verdict"].isin([FASTER, SLOWER]).any())


def is_slower(found: Comparison, step: str) -> bool:
    rows = found.table[found.table["backend"] == step]
    return bool((rows["verdict"] == SLOWER).any())


def of_pairs(
    pairs: Iterable[Pair], runs: Sequence[Run] | None, least: int = MIN_HISTORY, power: bool = True
) -> Answers:
    """What comparisons of pairs say, with earlier `runs` as history, or without history (None).

    Leaves out pairs with fewer than `least` earlier runs. `power` also slows each step in turn.
    """
    answers: Answers = defaultdict(list)
    for base, head in pairs:
        history = earlier((base, head), runs or ())
        if runs is not None and len(history) < least:
            continue
        equal = compare(base, unslowed(head), history)
        answers["UNPROVEN"].append(bool(equal.doubts))
        if equal.doubts:
            continue
        answers["false alarm"].append(alarms(equal.table))
        _count_rows(answers, equal.table)
        for share in SHARES if power else ():
            for step in head.of_kinds("seed")["backend"]:
                found = compare(base, multiplied(head, step, share), history)
                answers[f"+{share:.0%} found, times multiplied"].append(is_slower(found, step))
        for stand_in in head.of_kinds("slowed")["backend"] if power else ():
            found = compare(base, replaced(head, stand_in), history)
            answers[f"{stand_in} found"].append(is_slower(found, TARGET))
    return answers


def _count_rows(answers: Answers, table: pd.DataFrame) -> None:
    """Rows that compare equal code; their true ratio is 1."""
    rows = table[table["ratio"].notna()]
    answers["row EQUAL"] += (rows["verdict"] == EQUAL).tolist()
    inside = (rows["ratio_low"] <= 1) & (rows["ratio_high"] >= 1)
    answers["95 % interval holds the truth"] += inside.tolist()


def of_sides(runs: Sequence[Run]) -> Answers:
    """What runs of `--against HEAD` say about the same code on two sides."""
    answers: Answers = defaultdict(list)
    for run in runs:
        answers["UNPROVEN"].append(run.exit_code == ExitCode.UNPROVEN)
        if run.exit_code == ExitCode.UNPROVEN:
            continue
        first = set(run.of_kinds("twin")[SIDE])  # the A/A control runs on the first side
        rows = run.of_kinds("seed")
        rows = rows[~rows[SIDE].isin(first) & (rows["status"] == "ok")]
        answers["false alarm"].append(alarms(rows))
        _count_rows(answers, rows)
    return answers


def of_tables(runs: Sequence[Run]) -> Answers:
    """What the tables of single runs say."""
    honest = [run.of_kinds("seed", "slowed", "twin") for run in runs]
    return {
        "UNPROVEN": [run.exit_code == ExitCode.UNPROVEN for run in runs],
        "A/A control called different": [alarms(run.of_kinds("twin")) for run in runs],
        "correct step rejected": [bool((rows["status"] != "ok").any()) for rows in honest],
        "95 % interval holds the mean of the other runs": _covered(runs),
    }


def _covered(runs: Sequence[Run]) -> list[bool]:
    """For each ratio to the baseline, whether its interval holds its mean over the other runs."""
    rows = pd.concat([run.of_kinds("seed", "slowed", "twin") for run in runs], ignore_index=True)
    rows = rows[rows["ratio_high"] > rows["ratio_low"]]  # the baseline's own is exactly 1
    logs = pd.Series(np.log(rows["ratio"].astype(float)))
    groups = logs.groupby(rows["backend"])
    count = groups.transform("count")
    means = (groups.transform("sum") - logs) / (count - 1).where(count >= FEWEST)
    others = pd.Series(np.exp(means))
    inside = (rows["ratio_low"] <= others) & (others <= rows["ratio_high"])
    return inside[others.notna()].tolist()


def spreads(runs: Sequence[Run]) -> dict[str, str]:
    """Standard deviation between runs of each step's time, and the slowdown of slowed steps."""
    rows = [run.of_kinds("seed", "slowed").set_index("backend")[TIME].astype(float) for run in runs]
    logs = np.log(pd.DataFrame(rows))
    found = {f"spread of {name}": f"{logs[name].std():.2%}" for name in logs if len(logs) > 1}
    slowed = dict.fromkeys(name for run in runs for name in run.of_kinds("slowed")["backend"])
    return found | {
        f"{name} measured as": f"{np.expm1((logs[name] - logs[TARGET]).mean()):+.2%}"
        for name in slowed
    }


def share_of(answers: Sequence[bool]) -> str:
    """Count and Wilson's 95 % interval: `1 of 20 (1–24 %)`."""
    count, of = sum(answers), len(answers)
    if not of:
        return "none"
    low, high = binomtest(count, of).proportion_ci(method="wilson")
    return f"{count} of {of} ({100 * low:.0f}–{100 * high:.0f} %)"


def report(top: Path, least: int = MIN_HISTORY) -> Iterator[tuple[str, pd.DataFrame]]:
    """Titles and tables: a row for each question, a column for each weather."""
    runs, sides = load(top, "run"), load(top, "against")
    if not runs and not sides:
        raise UsageError(f"{top}: holds no finished run; run `python -m lab.collect {top}` first.")
    calm = runs.get(CALM, [])
    pairs = {name: disjoint(each) for name, each in runs.items()}
    disturbed = [name for name in runs if name != CALM]
    mixed = {name: list(zip(calm, runs[name], strict=False)) for name in disturbed}
    answers: dict[str, dict[str, Answers]] = {
        "Two runs, history of the same weather": {
            name: of_pairs(pairs[name], runs[name], least) for name in runs
        },
        "Two runs, calm history": {name: of_pairs(pairs[name], calm, least) for name in mixed},
        "Two runs, no history": {name: of_pairs(pairs[name], None) for name in runs},
        "A calm run and a disturbed one, calm history": {
            name: of_pairs(mixed[name], calm, least, power=False) for name in mixed
        },
        "One run on two sides, --against HEAD": {name: of_sides(sides[name]) for name in sides},
        "One run's own table": {name: of_tables(runs[name]) for name in runs},
    }
    for title, of in answers.items():
        columns = {name: pd.Series(asked, dtype=object).map(share_of) for name, asked in of.items()}
        yield title, pd.DataFrame(columns).dropna(axis=1, how="all").fillna("")
    times = {name: spreads(each) for name, each in runs.items()}
    yield "Undisturbed times between runs", pd.DataFrame(times).fillna("")


def main(arguments: Sequence[str] | None = None) -> None:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="lab.judge", description=about)
    parser.add_argument("folder", nargs="?", default=FOLDER, type=Path)
    need = "earlier runs that a pair's history needs at least"
    parser.add_argument("--history", type=int, default=MIN_HISTORY, help=need)
    given = parser.parse_args(arguments)
    try:
        for title, table in report(given.folder, given.history):
            if len(table):
                print(f"\n{title}\n{table.to_string()}")
    except UsageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
