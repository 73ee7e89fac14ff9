// The first chart: time per step by backend, with the bound and the verdicts.

const HEIGHT = { row: 34, slim: 48, more: 90 };

function mainFigure(view) {
  const places = [];
  let y = 0;
  for (const group of view.groups) {
    if (view.groups.length > 1) places.push({ heading: group.name, y: y++ });
    for (const row of group.rows) places.push({ row, y: y++ });
  }
  const points = places.filter((place) => place.row);
  const times = points.map(({ row }) => row.seconds_per_step);
  const bounds = view.groups.map(
    (group) => group.rows.find((row) => isNumber(row.bound_seconds_per_step))?.bound_seconds_per_step,
  );
  const all = [...times, ...bounds.filter(isNumber)];
  const isLog = Math.max(...times) > DATA.wide * Math.min(...times);
  const rows = points.map(({ row }) => Object.fromEntries(SHOWN.map((name) => [name, row[name] ?? null])));
  const caption =
    `Shorter is better${isLog ? "; the scale is logarithmic" : ""}. Whiskers: 95 % intervals. ` +
    (bounds.some(isNumber) ? `Dotted: ${boundName(points.map(({ row }) => row))}, the least time that the work takes here undisturbed. ` : "") +
    "Colour: the verdict beside the baseline, also named in the row. " +
    "Choose one row to read its code, a second to see what differs.";
  const plot = () => mainPlot(view, places, points, bounds, isLog, all);
  const height = mainHeight(places);
  return {
    name: "answer",
    title: "Time per step by backend",
    caption,
    rows,
    plot,
    height,
    onclick: (key) => choose(view, key),
  };
}

// A bound is one where a peak was measured; else it is the best that the run saw.
const boundName = (rows) => (rows.some((row) => row.bound_by === "best seen") ? "best seen" : "bound");

const SHOWN = [
  "label",
  "device",
  "dtype",
  "threads",
  "shape",
  "seconds_per_step",
  "seconds_per_step_low",
  "seconds_per_step_high",
  "ratio",
  "ratio_low",
  "ratio_high",
  "verdict",
  "bound_seconds_per_step",
  "bound_share",
  "bound_by",
  "latency_seconds_per_step",
  "device_seconds_per_step",
  "first_step_seconds",
  "break_even_steps",
  "break_even_steps_low",
  "break_even_steps_high",
];

function mainPlot(view, places, points, bounds, isLog, all) {
  const slim = narrow(); // names and numbers then stand above the bars, not beside them
  const chosen = view.chosen.map((row) => row.key);
  const isBase = (row) => row.key === row.baseline;
  const fill = ({ row }) => (isBase(row) ? colour("baseline") : verdictColour(row));
  const note = (row) =>
    literal(
      isBase(row) ? "baseline" : [isNumber(row.ratio) ? `${row.ratio.toFixed(2)}×` : "", row.verdict].filter(Boolean).join(" "),
    );
  const name = (row) => `${chosen.includes(row.key) ? "▸ " : ""}${short(row.label)}`;
  const hover = ({ row }) =>
    literal(
      [
        `${row.label}:`,
        seconds(row.seconds_per_step),
        spread(row.seconds_per_step_low, row.seconds_per_step_high),
        row.verdict ?? "",
      ].join(" "),
    );
  const whisker = (end, sign) => points.map(({ row }) => (isNumber(row[end]) ? sign * (row[end] - row.seconds_per_step) : 0));
  const text = (y, x, xanchor, words, xshift = 0) => ({
    xref: "paper",
    y,
    x,
    xanchor,
    xshift,
    showarrow: false,
    text: words,
    bgcolor: slim ? colour("bg") : "transparent",
  });
  const annotations = points.flatMap(({ row, y }) =>
    slim
      ? [text(y - 0.27, 0, "left", name(row)), text(y - 0.27, 1, "right", `${seconds(row.seconds_per_step)} ${note(row)}`)]
      : [text(y, 1, "right", seconds(row.seconds_per_step), 66), text(y, 1, "left", note(row), 72)],
  );
  const shapes = [];
  const trace = {
    x: points.map(({ row }) => row.seconds_per_step),
    y: points.map(({ y }) => y + (slim ? 0.2 : 0)),
    customdata: points.map(({ row }) => row.key),
    marker: {
      color: points.map(fill),
      size: 13,
      line: { color: colour("ink"), width: points.map(({ row }) => (chosen.includes(row.key) ? 2.5 : 0)) },
    },
    error_x: {
      array: whisker("seconds_per_step_high", 1),
      arrayminus: whisker("seconds_per_step_low", -1),
      color: colour("ink"),
      thickness: 1.5,
      width: 4,
    },
    hovertext: points.map(hover),
    hoverinfo: "text",
    ...(isLog ? { type: "scatter", mode: "markers" } : { type: "bar", orientation: "h", width: slim ? 0.36 : 0.62 }),
  };
  view.groups.forEach((group, i) => {
    const rows = points.filter(({ row }) => group.rows.includes(row));
    const [first, last] = [rows[0].y - 0.5, rows[rows.length - 1].y + 0.5];
    if (!isNumber(bounds[i])) return;
    const x = bounds[i];
    shapes.push({ type: "line", x0: x, x1: x, y0: first, y1: last, line: { color: colour("limit"), width: 2, dash: "dot" } });
    annotations.push({
      x: isLog ? Math.log10(x) : x,
      y: first,
      yanchor: "bottom",
      showarrow: false,
      text: `${boundName(rows.map(({ row }) => row))} ${seconds(x)}`,
      font: { size: 12 },
    });
  });
  annotations.push(
    ...places
      .filter(({ heading }) => heading)
      .map(({ heading, y }) => text(y, 0, slim ? "left" : "right", literal(heading), slim ? 0 : -6))
      .map((heading) => ({ ...heading, font: { weight: 700 } })),
  );
  return {
    height: mainHeight(places),
    traces: [trace],
    layout: {
      margin: { ...MARGIN, t: 28, l: slim ? 4 : 16, r: slim ? 4 : 204 },
      hovermode: "y",
      dragmode: false,
      shapes,
      annotations,
      xaxis: isLog
        ? logAxis("time per step, log scale", all, roundSeconds, { fixedrange: true })
        : axis("time per step", {
            range: [0, Math.max(...all) * 1.06],
            fixedrange: true,
            nticks: slim ? 5 : 8,
            tickangle: 0,
            ...SECONDS,
          }),
      yaxis: axis("", {
        range: [places.length - 0.5, -0.5],
        tickvals: points.map(({ y }) => y),
        ticktext: points.map(({ row }) => (slim ? "" : name(row))),
        fixedrange: true,
        showgrid: false,
        zeroline: false,
        automargin: !slim,
      }),
    },
  };
}

const mainHeight = (places) => HEIGHT.more + (narrow() ? HEIGHT.slim : HEIGHT.row) * places.length;
