"""The page's figures, as Plotly's JSON.

Text and grid get their colors from the style sheet, which knows light from dark; the colors here
are visible on both.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from bench.analyse.history import Series
from bench.analyse.verdicts import FASTER, SLOWER
from bench.show.grid import MEAN, UNDISTURBED, Row, is_baseline, is_wide
from bench.show.runs import name as name_of
from bench.show.sentences import AS_IT_RAN
from bench.units import percent, seconds, span

Json = dict[str, Any]
ROW, AXIS, RIGHT, LEGEND = 58, 46, 164, 26
"""Pixels: a way, the axis, the words at the right, the legend."""
COLORS = {FASTER: "#0072b2", SLOWER: "#d55e00"}
BASE, OTHER, HEAD = "#5d6b7a", "#8a94a0", "#9467bd"
EDGES = (0.5, 0.8, 0.95, 1.05, 1.25, 2.0)
SCALE = ("#4a9fdc", "#86c0ea", "#c0ddf2", "#e6e9ec", "#f7d9bb", "#f2b27a", "#e88a3c")
"""Below, between and above the ratios `EDGES`: blue is faster; all are legible under dark text."""
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#9467bd", "#7f7f7f")
"""Of the ways that are named over time; the others are pale."""
LOGARITHMIC = "time of a step, logarithmic"
BEHIND = "rgba(127, 127, 127, 0.25)"
NAME = 36
"""Characters that a name has at most."""


def bars(rows: Sequence[Row]) -> Json | None:
    """A way per line: solid the undisturbed time, pale the time as it ran, whiskers 95 %."""
    colors = [BASE if is_baseline(row) else COLORS.get(row["verdict"], OTHER) for row in rows]
    ran, times = ([row[name] for row in rows] for name in (MEAN, "time"))
    low, high = ([row[end] or row["time"] for row in rows] for end in ("low", "high"))
    shape = {"type": "bar", "orientation": "h", "width": 0.36}
    traces: list[Json] = [
        {"x": ran, "marker": {"color": colors, "opacity": 0.35}, "name": AS_IT_RAN, **shape},
        {"x": [row[UNDISTURBED] for row in rows], "marker": {"color": colors}, "name": "undisturbed", **shape},
        {"x": times, "error_x": _errors(times, low, high), "mode": "markers", "marker": {"size": 1}},
    ]
    told = [f"{'' if row['mean'] else seconds(row['time']) + ' · '}{seconds(row[MEAN])} {AS_IT_RAN}" for row in rows]
    return _line_by_line(traces, rows, told, [*ran, *times, *high])


def pairs(rows: Sequence[Row], names: Sequence[str]) -> Json | None:
    """A way per line with the two times `row["times"]` as dots."""
    traces = []
    for side, (name, color, symbol) in enumerate(zip(names, (BASE, HEAD), ("circle-open", "circle"), strict=True)):
        marker = {"color": color, "size": 12, "symbol": symbol, "line": {"width": 2}}
        traces.append({"x": [row["times"][side] for row in rows], "name": _text(name), "mode": "markers", "marker": marker})
    told = [" → ".join(seconds(time) if time else "no time" for time in row["times"]) for row in rows]
    return _line_by_line(traces, rows, told, [time for row in rows for time in row["times"] if time], dots=True)


def over_time(series: Sequence[Series]) -> Json:
    """A line per way over time, those that changed and the quickest by name; change points are vertical."""
    traces: list[Json] = []
    marks: dict[str, list[str]] = {}
    order = sorted(series, key=lambda one: (not one.changes, one.rows["log"].iloc[-1]))
    for number, one in reversed([*enumerate(order)]):
        named, label, times = number < len(LINES), _text(name_of(one)), one.rows["log"].map(math.exp)
        color = LINES[number] if named else OTHER
        errors = _errors(times, *(one.rows[f"{UNDISTURBED}{end}"].fillna(times) for end in ("_low", "_high")))
        traces.append({
            "x": [*one.rows["time"]], "y": [*times],
            "error_y": {**errors, "visible": named, "color": color, "thickness": 1, "width": 0},
            "mode": "lines+markers", "marker": {"size": 5}, "name": label, "showlegend": named, "legendrank": number,
            "line": {"color": color, "width": 2 if named else 1}, "opacity": 1 if named else 0.35,
            "hovertemplate": f"{label}<br>%{{y:.3s}}s<br>%{{x}}<extra></extra>",
        })  # fmt: skip
        for change in one.changes:
            by = f"{name_of(one)} {percent(math.expm1(change.estimate.mean))}"
            marks.setdefault(one.rows["time"].iloc[change.place], change.what or [by])
    line, shapes, notes = {"color": OTHER, "dash": "dot", "width": 1.5}, [], []
    for time, what in marks.items():
        shapes.append({"type": "line", "x0": time, "x1": time, "y0": 0, "y1": 1, "yref": "paper", "line": line})
        notes.append({"x": time, "y": 1, "yref": "paper", "xanchor": "right", "yanchor": "top", "textangle": -90,
                      "text": _text(", ".join(what)), "bgcolor": BEHIND})  # fmt: skip
    decades = {math.floor(log / math.log(10)) for one in series for log in one.rows["log"]}
    ticks = [digit * 10.0**decade for decade in sorted(decades) for digit in (1, 1.5, 2, 3, 4, 5, 7)]
    scale = {"type": "log", "tickvals": ticks, "ticktext": [*map(seconds, ticks)], "title": {"text": LOGARITHMIC}}
    margin = {"l": 72, "r": 12, "t": 40, "b": AXIS}
    return _figure(traces, 460, margin, {"type": "date", "showgrid": False}, scale, notes, shapes=shapes)


def heat_map(rows: Sequence[Row]) -> Json:
    """Ways by shapes, with their ratios in colors and figures."""
    at = {(row["backend"], row["shape"]): row for row in rows if row["ratio"]}
    names = list(dict.fromkeys(name for name, _ in at))
    shapes = sorted({row["shape"] for row in rows}, key=lambda shape: [*map(int, shape.split("x"))])

    def cells(value: Callable[[Row], Any]) -> list[list[Any]]:
        grid = [[at.get((name, shape)) for shape in shapes] for name in names]
        return [[row and value(row) for row in line] for line in grid]

    trace = {
        "type": "heatmap", "z": cells(lambda row: sum(row["ratio"] > edge for edge in EDGES)),
        "text": cells(lambda row: f"{row['ratio']:.2f}"), "texttemplate": "%{text}",
        "customdata": cells(lambda row: "<br>".join([_text(row["backend"]), seconds(row["time"]), *_words(row)])),
        "hovertemplate": "%{customdata}<extra></extra>", "hoverongaps": False, "xgap": 2, "ygap": 2,
        "zmin": -0.5, "zmax": len(SCALE) - 0.5,
        "showscale": False,  # the figures say more
        "colorscale": [[(n + end) / len(SCALE), color] for n, color in enumerate(SCALE) for end in (0, 1)],
    }  # fmt: skip
    sizes = [shape.split("x") for shape in shapes]
    varies = [len(set(each)) > 1 for each in zip(*sizes, strict=True)]
    places = ["x".join(size for size, differs in zip(each, varies, strict=True) if differs) for each in sizes]
    across, down = (
        {"tickvals": [*range(len(texts))], "ticktext": texts, "automargin": True, "showgrid": False, "zeroline": False}
        for texts in (places, [*map(_text, names)])
    )
    across["range"], down["range"] = [-0.5, len(shapes) - 0.5], [len(names) - 0.5, -0.5]
    return _figure([trace], 80 + 30 * len(names), {"l": 8, "r": 8, "t": 20, "b": 40}, across, down)


def _errors(times: Iterable[float], low: Iterable[float], high: Iterable[float]) -> Json:
    """Whiskers from `low` to `high`."""
    up, down = ([abs(end - time) for time, end in zip(times, ends, strict=True)] for ends in (high, low))
    return {"type": "data", "array": up, "arrayminus": down, "symmetric": False}


def _line_by_line(
    traces: Sequence[Json], rows: Sequence[Row], told: list[str], times: Sequence[float], dots: bool = False
) -> Json | None:
    """A way's name and times above what is drawn, ratio and verdict at the right, and an axis that reaches all `times`,
    logarithmic where they are far apart; dots have a legend and need no zero. None without a way."""
    if not rows:
        return None
    notes = []
    for number, row in enumerate(rows):
        above = {"x": 0, "yanchor": "bottom", "yshift": 9, "text": f"{_text(row['backend'])}   {told[number]}"}
        right = {"x": 1, "xshift": 8, "yanchor": "top", "yshift": 8, "align": "left", "text": "<br>".join(_words(row, dots))}
        notes += [{"xref": "paper", "y": number, "xanchor": "left", **note} for note in (above, right)]
    scale: Json = {"zeroline": False, "tickformat": "~s", "ticksuffix": "s"}
    if is_wide(times):
        ends = [math.floor(math.log10(min(times))), math.log10(1.1 * max(times))]
        scale |= {"type": "log", "range": ends, "dtick": 1, "title": {"text": LOGARITHMIC}}
    else:
        ends = [0.9 * min(times, default=0) if dots else 0, 1.03 * max(times, default=1)]
        scale |= {"range": ends, "nticks": 5, "title": {"text": "time of a step"}}
    lines = {"visible": False, "range": [len(rows) - 0.45, -0.55]}
    traces = [{**trace, "y": [*range(len(rows))], "hoverinfo": "skip"} for trace in traces]
    top = LEGEND if dots else 4
    margin = {"l": 4, "r": RIGHT, "t": top, "b": AXIS}
    return _figure(traces, top + AXIS + ROW * len(rows), margin, scale, lines, notes, showlegend=dots)


def _figure(
    traces: Sequence[Json], height: int, margin: Json, x: Json, y: Json, notes: Sequence[Json] = (), **layout: Any
) -> Json:
    layout |= {"xaxis": {"fixedrange": True, **x}, "yaxis": {"fixedrange": True, **y}, "height": height, "margin": margin}
    layout |= {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "barmode": "overlay", "dragmode": False}
    layout |= {"font": {"family": "system-ui, sans-serif", "size": 12}}
    layout |= {"legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}}
    layout["annotations"] = [{"showarrow": False} | note for note in notes]
    return {"data": [{"type": "scatter"} | trace for trace in traces], "layout": layout}


def _text(text: str) -> str:
    """For Plotly, which reads some HTML."""
    return escape(text if len(text) <= NAME else f"{text[: NAME - 1]}…", quote=False)


def _words(row: Row, as_change: bool = False) -> list[str]:
    """Ratio and verdict in words, and their interval below them."""
    if "key" in row and is_baseline(row):
        return ["baseline"]
    if not row["ratio"]:
        return ["no ratio"]
    ratio = percent(row["ratio"] - 1) if as_change else f"{row['ratio']:.3f} times"
    interval = span(row["ratio_low"], row["ratio_high"]) if row["ratio_low"] else ""
    ran = AS_IT_RAN if row.get("of_means") else ""
    return [f"{ratio} · {(row['verdict'] or 'not judged').lower()}", " ".join(filter(None, (interval, ran)))]
