"""The questions that the campaign answers about each weather, a row of `instrument.csv` each.

Between two runs pairs are disjoint, and what is learnt comes from earlier runs alone; within a run it is held against the
others of its weather. What is counted is counted by `shares.py`, what is said comes from `ours.py` and `others.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
from others import Pyperf, PytestBenchmark
from ours import ALARMS, EXACT, SLOWED, TARGET, Judged, Run, compared, teachers, without
from shares import counted, covered, far_off, pairs
from steps import SEED

from bench.analyse.between_runs import QUIET, UNDISTURBED
from bench.analyse.verdicts import EQUAL, SLOWER, UNDECIDED
from bench.schema.case import SIDE

LEARN = 10
"""Earlier runs from which on a pair is judged by what they taught."""
Row = dict[str, object]
Pair = tuple[Run, Run]
HAS_NUMBER = "ok"
"""The status of a row whose step was proven and timed to the end."""


def between_runs(runs: Sequence[Run], calm: Sequence[Run], weather: str, learn: int = LEARN) -> Iterator[Row]:
    """Pairs of runs under one weather: by its own earlier runs, by calm earlier runs, and by nothing, as on a new machine."""
    lessons = {"the same weather": runs, "calm": calm if weather != "calm" else [], "nothing": []}
    for learned, lesson in lessons.items():
        if learned != "nothing" and not lesson:
            continue
        taught = [(pair, teachers(*pair, lesson)) for pair in pairs(runs)]
        about: Row = {"pairs": "disjoint", "learned": learned}
        chosen = [(pair, earlier) for pair, earlier in taught if learned == "nothing" or len(earlier) >= learn]
        if chosen:
            yield from (about | row for row in _pairs(chosen))


def after_calm(runs: Sequence[Run], calm: Sequence[Run], learn: int = LEARN) -> Iterator[Row]:
    """A calm run and then one under another weather, of identical code: what a machine does to whoever compares on it."""
    taught = [((base, head), teachers(base, head, calm)) for base, head in zip(calm, runs, strict=False)]
    judged = [compared(base, without(head.table), earlier) for (base, head), earlier in taught if len(earlier) >= learn]
    if judged:
        yield from ({"pairs": "calm and disturbed", "learned": "calm", "slowdown": 0.0} | row for row in _equal(judged))


def _equal(judged: Sequence[Judged]) -> Iterator[Row]:
    """Of comparisons of identical code. One that is UNPROVEN calls nothing different, and is counted by itself."""
    proven = [one for one in judged if not one.unproven]
    verdicts = [one.said.get(step) for one in proven for step in SEED]
    yield counted("comparison UNPROVEN", [one.unproven for one in judged])
    yield counted("false alarm in a comparison", [bool(one.alarms) for one in proven])
    yield counted("false alarm in a row", [verdict in ALARMS for verdict in verdicts])
    yield counted("row EQUAL", [verdict == EQUAL for verdict in verdicts])
    yield counted("row UNDECIDED", [verdict == UNDECIDED for verdict in verdicts])


def _pairs(taught: Sequence[tuple[Pair, Sequence[Run]]]) -> Iterator[Row]:
    equal = [compared(base, without(head.table), earlier) for (base, head), earlier in taught]
    yield from ({"slowdown": 0.0, "injected": 0.0} | row for row in _equal(equal))
    proven = [one for one, judged in zip(taught, equal, strict=True) if not judged.unproven]
    for slowdown, stand_in in SLOWED.items():
        having = [(pair, earlier) for pair, earlier in proven if has(pair[1], stand_in)]
        if not having:
            continue
        judged = [compared(base, without(head.table, stand_in), earlier) for (base, head), earlier in having]
        about: Row = {"slowdown": slowdown, "injected": injected([head for (_, head), _ in having], stand_in)}
        yield about | counted("slowdown found", [one.said.get(TARGET) == SLOWER for one in judged])
        yield about | counted("others accused", [bool(one.alarms - {TARGET}) for one in judged])
    for share in EXACT:
        for step in SEED:
            said = [compared(base, head.with_slower(step, share), earlier).said.get(step) for (base, head), earlier in proven]
            about = {"slowdown": share, "injected": share, "backend": step}
            yield about | counted("slowdown found, recorded times multiplied", [verdict == SLOWER for verdict in said])
            yield about | counted("EQUAL called, recorded times multiplied", [verdict == EQUAL for verdict in said])


def has(run: Run, stand_in: str) -> bool:
    """Whether it measured that slowed step: a campaign may go without, for all of its runs or for some."""
    return stand_in in set(run.table["backend"])


def injected(runs: Sequence[Run], stand_in: str) -> float:
    """By which share a slowed step was slower than its original, in the same blocks; the mean over runs."""
    logs = [np.log(ratio) for run in runs for ratio in run.table.loc[run.table["backend"] == stand_in, "ratio"].dropna()]
    return float(np.expm1(mean(logs))) if logs else float("nan")


def within_runs(runs: Sequence[Run]) -> Iterator[Row]:
    """What a run's own table says: about its A/A control, about a slowed step beside its original, and by its intervals."""
    tables = [run.table.set_index("backend") for run in runs]
    about: Row = {"pairs": "within a run", "slowdown": 0.0}
    twins = [table["verdict"].get("twin") for table in tables]
    yield about | counted("A/A control called different", [verdict in ALARMS for verdict in twins])
    yield about | counted("run UNPROVEN", [bool(run.doubts) for run in runs])
    honest = [table.loc[table["kind"].isin(["seed", "slowed", "twin"]), "status"] for table in tables]
    yield about | counted("honest step without a number", [bool((status != HAS_NUMBER).any()) for status in honest])
    for slowdown, stand_in in SLOWED.items():
        said = [table["verdict"][stand_in] for run, table in zip(runs, tables, strict=True) if has(run, stand_in)]
        if not said:
            continue
        size: Row = {"slowdown": slowdown, "injected": injected(runs, stand_in)}
        yield about | size | counted("slowdown found", [verdict == SLOWER for verdict in said])
    steps = [step for step in (*SEED, *SLOWED.values(), "twin") if any(ratio_is_known(table, step) for table in tables)]
    value, low, high = (_logs(tables, column, steps) for column in ("ratio", "ratio_low", "ratio_high"))
    inside = covered(value, low, high)
    yield about | counted("95 % interval holds the mean of the other runs", [each for name in inside for each in inside[name]])
    for step, answers in inside.items():
        row = counted("95 % interval holds the mean of the other runs", answers)
        yield about | {"backend": step} | row
    freedom = pd.DataFrame([table["processes"].reindex(steps).astype(float) - 1 for table in tables]).reset_index(drop=True)
    yield about | counted("table with a ratio far off its long-run mean", far_off(value, low, high, freedom))


def against_itself(runs: Sequence[Run]) -> Iterator[Row]:
    """Runs of identical code on two sides, in processes of their own: every ratio of the later side is 1 in truth."""
    about: Row = {"pairs": "against itself", "slowdown": 0.0}
    tables = [later_side(run.table) for run in runs]
    sure = [table for run, table in zip(runs, tables, strict=True) if not run.doubts]
    yield about | counted("run UNPROVEN", [bool(run.doubts) for run in runs])
    yield about | counted("false alarm in a comparison", [bool(table["verdict"].isin(ALARMS).any()) for table in sure])
    rows = pd.concat(sure, ignore_index=True) if sure else tables[0][:0]
    for question, yes in {
        "false alarm in a row": rows["verdict"].isin(ALARMS),
        "row EQUAL": rows["verdict"] == EQUAL,
        "row UNDECIDED": rows["verdict"] == UNDECIDED,
        "95 % interval holds the truth": (rows["ratio_low"] <= 1) & (rows["ratio_high"] >= 1),
    }.items():
        yield about | counted(question, yes.tolist())


def later_side(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a number whose baseline is the same step on the first side, where the A/A control is."""
    first = set(table.loc[table["kind"] == "twin", SIDE])
    return table[(table["kind"] == "seed") & (table["status"] == HAS_NUMBER) & ~table[SIDE].isin(first)]


def ratio_is_known(table: pd.DataFrame, step: str) -> bool:
    """Of a baseline to itself nothing is to be known."""
    return bool(table["ratio_high"].get(step, np.nan) > table["ratio_low"].get(step, np.nan))


def _logs(tables: Sequence[pd.DataFrame], column: str, steps: Sequence[str]) -> pd.DataFrame:
    """A row per run, a column per step."""
    rows = [np.log(table[column].reindex(list(steps)).astype(float)) for table in tables]
    return pd.DataFrame(rows).reset_index(drop=True)


def spreads(runs: Sequence[Run]) -> Iterator[Row]:
    """Standard deviations between runs of a step's time, raw and relative to yardsticks alone and mixed, and of its ratio."""
    if len(runs) < 2:
        return
    tables = [run.table[run.table["status"] == HAS_NUMBER].set_index("backend") for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table.index))
    median, quick, ratio, calm = (_logs(tables, name, names) for name in ("seconds_per_step", QUIET, "ratio", UNDISTURBED))
    for step in SEED:
        texts = [table["yardsticks"].get(step) for table in tables]
        shares = pd.DataFrame([dict(part.split(":") for part in text.split()) for text in texts if text]).astype(float).mean()
        ways = {"raw, median": median[step], "raw, quiet": quick[step], "of the ratio within a run": ratio[step]}
        ways |= {f"relative to {name}": calm[step] - calm[str(name)] for name in shares.index}
        ways |= {"raw, undisturbed": calm[step], "relative to the mix": calm[step] - calm[list(shares.index)] @ shares}
        for way, logs in ways.items():
            question = f"spread between runs, {way}"
            yield {"question": question, "backend": step, "of": len(logs.dropna()), "share": logs.std()}


def of_other_tools(folders: Sequence[Path], tool: PytestBenchmark | Pyperf, sizes: dict[str, float]) -> Iterator[Row]:
    """Pairs of another tool's runs under one weather; `sizes` tells by how much each slowed step was slower."""
    for slowdown, stand_in in {0.0: None, **SLOWED}.items():
        answers = [tool.say(base, head, stand_in) for base, head in pairs(folders)]
        said = [one for one in answers if one is not None]
        if not said:
            continue
        about: Row = {"pairs": "disjoint", "slowdown": slowdown, "injected": sizes[stand_in] if stand_in else 0.0}
        if stand_in:
            yield about | counted("slowdown found", [one.get(TARGET) == SLOWER for one in said])
            yield about | counted("others accused", [bool({*one} - {TARGET}) for one in said])
        else:
            yield about | counted("false alarm in a comparison", [bool(one) for one in said])
            yield about | counted("false alarm in a row", [name in one for one in said for name in SEED])
