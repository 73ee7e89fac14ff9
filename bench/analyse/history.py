"""The stored runs of a machine as series in time order, each with the change points of its times.

Runs are one series if they measured the same case and share `between_runs.SERIES`, so that their times are judged at all.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analyse.between_runs import KEY, SERIES, Spread, difference, differences, expected, guards_moved, prepared
from bench.analyse.comparison import Comparison, judge_prepared
from bench.analyse.verdicts import FASTER, MARGIN, SLOWER, UNPROVEN, Estimate, call
from bench.errors import missing
from bench.schema.case import CONTROLS, SIDE

PENALTY = 3.0
"""A change point has to lower the squared error by so many times the variance, times the log of the number of runs."""
SHORTEST = 5
"""Runs between change points at least, so that the median of so many is not that of two outliers."""
OUTLIER = 3.0  # standard deviations
FACTS = ("time", "commit", "system", "libc")
"""Of `environment.json`, as columns."""
PLACE = ["machine", "device", "threads"]
"""Columns that a series shares with the controls that were measured with it."""


@dataclass(frozen=True)
class Change:
    """A run from which the times of a series differ from those before."""

    place: int  # of the first run after it in the series
    verdict: str  # FASTER or SLOWER, or `UNPROVEN` where a guard changed as well
    estimate: Estimate  # of the log times after it, minus those before, each up to the next change point
    what: list[str]  # what differs between the records of the two runs next to it


@dataclass(frozen=True)
class Series:
    """One case on one machine."""

    rows: pd.DataFrame  # one for each run that has a time, in time order, as `in_time` returns it
    controls: pd.DataFrame  # those of the same device and threads in these and other runs
    changes: list[Change]

    def beside(self, place: int) -> Comparison:
        """A run compared with the one before it, by what was known then."""
        before, run = self.rows["run"].iloc[place - 1 : place + 1]
        rows = pd.concat([self.rows.iloc[: place + 1], self.controls[self.controls["run"].isin([before, run])]])
        return judge_prepared(rows.assign(part=rows["run"].map({before: "base", run: "head"}).fillna("history")))


def of_rows(rows: pd.DataFrame, ways: Sequence[str] = ()) -> list[Series]:
    """The series in rows as `reading.read` returns them, of these ways or of all. Raises `UsageError` without ruptures."""
    table = in_time(rows)
    control = table["kind"].isin(CONTROLS)
    controls = dict(iter(table[control].groupby(PLACE)))
    measured = table[~control & (table["backend"].isin(ways) | (not ways))].groupby([*KEY, *SERIES], sort=False)
    series = [(own, controls.get(tuple(own[PLACE].iloc[0]), own.iloc[:0])) for _, own in measured]
    return [Series(own, beside, changes(own, beside)) for own, beside in series]


def in_time(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a time to compare, as `prepared` returns them, oldest run first, with what `environment.json` says."""
    places = [*zip(rows["file"], rows[SIDE], strict=True)]
    known = {place: _facts(*place) for place in {*places}}
    table = prepared(rows).assign(**{name: [known[place][name] for place in places] for name in FACTS})
    return table[table["log"].notna()].sort_values(["time", "run"], kind="stable")


def _facts(file: str, side: str) -> dict[str, str]:
    """When a run began, by its record or its folder's name, and on what; empty where it is not known."""
    folder = Path(file).parent
    named = re.match(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", folder.name)
    found = dict.fromkeys(FACTS, "") | {"time": "{}-{}-{}T{}:{}:{}+00:00".format(*named.groups()) if named else ""}
    with suppress(OSError, ValueError, LookupError, AttributeError, TypeError):
        facts = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        facts["commit"] = facts.get("sides", {}).get(side, facts).get("commit")
        found |= {name: str(facts[name]) for name in FACTS if facts.get(name)}
    return found


def changes(rows: pd.DataFrame, controls: pd.DataFrame) -> list[Change]:
    """The change points of a series.

    PELT (Killick, Fearnhead & Eckley 2012) on running medians proposes them; the weakest is dropped until the runs before and
    after each one, compared as those of two sides, are FASTER or SLOWER.
    """
    tamed, proposed = _proposed(rows)
    places = [0, *proposed, len(rows)]
    while len(places) > 2:
        parts = [tamed.iloc[start:end] for start, end in itertools.pairwise(places)]
        found = [_compared(parts, number, len(rows)) for number in range(len(parts) - 1)]
        weakest = max(range(len(found)), key=lambda number: (found[number][0] == "", found[number][1]))
        if found[weakest][0]:
            return [
                _change([rows.iloc[start:place], rows.iloc[place:end]], place, verdict, estimate, controls)
                for start, place, end, (verdict, _, estimate) in zip(places, places[1:], places[2:], found, strict=False)
            ]
        del places[weakest + 1]
    return []


def _proposed(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """The rows with outliers drawn to the running median (winsorized: Yuen 1974), and where PELT would divide them."""
    try:
        import ruptures
    except ModuleNotFoundError:
        raise missing("ruptures", "change points", extra="history") from None
    if len(rows) < 2 * SHORTEST:
        return rows, []
    logs = rows["log"].to_numpy(float)
    errors = rows["relative_error"].astype(float).to_numpy()
    known = errors[np.isfinite(errors)]
    # neither a step nor an outlier moves this; 0.4549 is the median of the square of a standard normal
    seen = float(np.median(np.diff(logs) ** 2)) / (2 * 0.4549)
    variance = max(seen, expected(float(np.mean(known**2)) if len(known) else 0.0))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(logs, SHORTEST // 2, mode="symmetric"), SHORTEST)
    smooth, reach = np.median(windows, axis=1), OUTLIER * math.sqrt(variance)
    found = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(smooth[:, np.newaxis])
    places = [int(place) for place in found.predict(pen=PENALTY * variance * math.log(len(rows)))[:-1]]
    return rows.assign(log=np.clip(logs, smooth - reach, smooth + reach)), places


def _compared(parts: Sequence[pd.DataFrame], number: int, places: int) -> tuple[str, float, Estimate]:
    """FASTER, SLOWER or nothing, of a part and the next, how weak that is, and the difference of their log times.

    Their medians have to differ by the margin as well, for one outlier moves a mean. The p-value is corrected for all places
    where a change could be.
    """
    sides = parts[number : number + 2]
    base, head = (float(np.median(side["log"])) for side in sides)
    if abs(head - base) < math.log1p(MARGIN):
        return "", 2 - abs(head - base), Estimate(head - base, math.inf, 1)
    by_set = {*sides[0]["set"]} != {*sides[1]["set"]}
    others = [part["log"].to_numpy(float) for place, part in enumerate(parts) if place not in (number, number + 1)]
    estimate, _ = difference(sides, Spread() if by_set else Spread.of(others), Spread(), by_set)
    p = min(1.0, estimate.p * places)
    verdict = call(estimate, p)
    return (verdict if verdict in (FASTER, SLOWER) and estimate.mean * (head - base) > 0 else ""), p, estimate


def _change(parts: Sequence[pd.DataFrame], place: int, verdict: str, estimate: Estimate, controls: pd.DataFrame) -> Change:
    """A change point and what changed there; put where the runs around it fit the medians of both parts best.

    An outlier, far from both, has no say: distances are bounded (Fearnhead & Rigaill 2019).
    """
    before, after = parts
    medians = [float(part["log"].median()) for part in parts]
    around = pd.concat([before.iloc[1 - SHORTEST :], after.iloc[: SHORTEST - 1]])
    far = abs(medians[1] - medians[0]) / 2
    nearer = np.diff([np.minimum(abs(around["log"] - median), far) for median in medians], axis=0)[0]  # below 0: to the later
    first = int(np.argmin([nearer[at:].sum() for at in range(1, len(around))])) + 1
    part = controls["run"].map(dict.fromkeys(before["run"], "base") | dict.fromkeys(after["run"], "head"))
    what, limit = differences(around.iloc[first - 1 : first], around.iloc[first : first + 1]), math.log1p(MARGIN)
    for (name, *_), change in guards_moved(controls.assign(part=part)).items():
        if abs(change) > limit:
            verdict = UNPROVEN
            what.append(f"the machine's clock: {name} takes {math.exp(change):.3f} times as long")
    return Change(place + first - min(len(before), SHORTEST - 1), verdict, estimate, what)
