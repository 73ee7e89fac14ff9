// Every chart and what it shows of the view.

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
  const limits = view.groups.map((group) => group.rows.find((row) => isNumber(row.limit_seconds_per_step))?.limit_seconds_per_step);
  const all = [...times, ...limits.filter(isNumber)];
  const isLog = Math.max(...all) / Math.min(...all) > 20;
  const rows = points.map(({ row }) => Object.fromEntries(SHOWN.map((name) => [name, row[name] ?? null])));
  const caption =
    `Shorter is better${isLog ? "; the scale is logarithmic" : ""}. Whiskers: 95 % intervals. ` +
    (limits.some(isNumber) ? "Dotted: the limit, the least time this machine was seen to need for the work. " : "") +
    "Colour: the verdict beside the baseline, also named in the row. Choose one row to read its code, a second to see what differs.";
  const plot = () => mainPlot(view, places, points, limits, isLog, all);
  const height = mainHeight(places);
  return { name: "answer", title: "Time per step by backend", caption, rows, plot, height, onclick: (key) => choose(view, key) };
}

const SHOWN = [
  "label", "device", "dtype", "threads", "shape", "seconds_per_step", "seconds_per_step_low", "seconds_per_step_high", "ratio",
  "ratio_low", "ratio_high", "verdict", "limit_seconds_per_step", "limit_share", "latency_seconds_per_step",
  "device_seconds_per_step", "first_step_seconds", "break_even_steps",
];

function mainPlot(view, places, points, limits, isLog, all) {
  const slim = narrow(); // names and numbers then stand above the bars, not beside them
  const chosen = view.chosen.map((row) => row.key);
  const isBase = (row) => row.key === row.baseline;
  const fill = ({ row }) => colour(isBase(row) ? "baseline" : { FASTER: "faster", SLOWER: "slower" }[row.verdict] ?? "equal");
  const note = (row) => literal(isBase(row) ? "baseline" : [isNumber(row.ratio) ? `${row.ratio.toFixed(2)}×` : "", row.verdict].filter(Boolean).join(" "));
  const name = (row) => `${chosen.includes(row.key) ? "▸ " : ""}${short(row.label)}`;
  const hover = ({ row }) => literal(`${row.label}: ${seconds(row.seconds_per_step)} ${spread(row.seconds_per_step_low, row.seconds_per_step_high)} ${row.verdict ?? ""}`);
  const whisker = (end, sign) => points.map(({ row }) => (isNumber(row[end]) ? sign * (row[end] - row.seconds_per_step) : 0));
  const text = (y, x, xanchor, words, xshift = 0) => ({ xref: "paper", y, x, xanchor, xshift, showarrow: false, text: words, bgcolor: slim ? colour("bg") : "transparent" });
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
    marker: { color: points.map(fill), size: 13, line: { color: colour("ink"), width: points.map(({ row }) => (chosen.includes(row.key) ? 2.5 : 0)) } },
    error_x: { array: whisker("seconds_per_step_high", 1), arrayminus: whisker("seconds_per_step_low", -1), color: colour("ink"), thickness: 1.5, width: 4 },
    hovertext: points.map(hover),
    hoverinfo: "text",
    ...(isLog ? { type: "scatter", mode: "markers" } : { type: "bar", orientation: "h", width: slim ? 0.36 : 0.62 }),
  };
  view.groups.forEach((group, i) => {
    const rows = points.filter(({ row }) => group.rows.includes(row));
    const [first, last] = [rows[0].y - 0.5, rows[rows.length - 1].y + 0.5];
    if (!isNumber(limits[i])) return;
    const x = limits[i];
    shapes.push({ type: "line", x0: x, x1: x, y0: first, y1: last, line: { color: colour("limit"), width: 2, dash: "dot" } });
    annotations.push({ x: isLog ? Math.log10(x) : x, y: first, yanchor: "bottom", showarrow: false, text: `limit ${seconds(x)}`, font: { size: 12 } });
  });
  annotations.push(...places.filter(({ heading }) => heading).map(({ heading, y }) => text(y, 0, slim ? "left" : "right", literal(heading), slim ? 0 : -6)).map((heading) => ({ ...heading, font: { weight: 700 } })));
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
        : axis("time per step", { range: [0, Math.max(...all) * 1.06], fixedrange: true, nticks: slim ? 5 : 8, tickangle: 0, ...SECONDS }),
      yaxis: axis("", { range: [places.length - 0.5, -0.5], tickvals: points.map(({ y }) => y), ticktext: points.map(({ row }) => (slim ? "" : name(row))), fixedrange: true, showgrid: false, zeroline: false, automargin: !slim }),
    },
  };
}

const mainHeight = (places) => HEIGHT.more + (narrow() ? HEIGHT.slim : HEIGHT.row) * places.length;

const middle = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

function spreadFigure(view) {
  const chosen = view.chosen.filter((row) => view.run.rounds[row.key]);
  if (!chosen.length) return null;
  const rows = chosen.flatMap((row) => {
    let visit = 0;
    return view.run.rounds[row.key].flatMap((blocks, process) =>
      blocks.map((took, block) => ({ backend: row.label, visit: visit++, process, block, seconds_per_step: took })),
    );
  });
  const plot = () => {
    const traces = chosen.flatMap((row, i) => {
      const mine = rows.filter((one) => one.backend === row.label);
      const medians = mine.map((one) => middle(view.run.rounds[row.key][one.process]));
      const { color } = lineStyle(i);
      const common = { name: short(row.label), legendgroup: i };
      const hover = mine.map((one) => literal(`${row.label}, process ${one.process}, block ${one.block}: ${seconds(one.seconds_per_step)}`));
      return [
        { ...common, x: mine.map((one) => one.visit), y: mine.map((one) => one.seconds_per_step), mode: "markers", marker: { color, size: 5, symbol: i ? "circle-open" : "circle" }, text: hover, hoverinfo: "text" },
        { ...common, x: mine.map((one) => one.visit), y: medians, mode: "lines", line: { color, width: 2, shape: "hvh" }, showlegend: false, hoverinfo: "skip" },
        { ...common, y: mine.map((one) => one.seconds_per_step), type: "histogram", orientation: "h", xaxis: "x2", marker: { color, opacity: 0.6 }, nbinsy: 60, showlegend: false, hoverinfo: "skip" },
      ];
    });
    return {
      height: 380,
      traces,
      layout: { barmode: "overlay", xaxis: axis("visit, in the order of measuring", { domain: [0, 0.84] }), xaxis2: axis("rounds", { domain: [0.86, 1], nticks: 3, tickangle: 0, visible: !narrow() }), yaxis: axis("time per step", SECONDS) },
    };
  };
  const unit = view.run.every_round ? "A point is a round in throughput, a line the median of its process" : "A point is the median of a process";
  const caption = `${unit}; a slope is drift, two bands in the histogram are two modes. Rounds to six digits.`;
  return { name: "spread", title: "Time per step over the run", caption, rows, plot, height: 380 };
}

function controlsFigure(view) {
  const controls = view.rows.filter((row) => ["twin", "yardstick"].includes(row.kind) && view.run.rounds[row.key] && view.fits(row, row.kind === "twin" ? DATA.place : ["device", "threads"]));
  const varying = unlike(controls, ["device", "dtype", "threads"]);
  const seen = controls.map((row) => ({ row, medians: view.run.rounds[row.key].map(middle) }));
  if (!seen.length) return null;
  const rows = seen.flatMap(({ row, medians }) =>
    medians.map((took, process) => ({ control: row.label, kind: row.kind, key: row.key, process, seconds_per_step: took, ratio_to_its_median: took / middle(medians) })),
  );
  const plot = () => ({
    height: 340,
    traces: seen.map(({ row, medians }, i) => ({
      name: short(called(row, varying)),
      x: medians.map((_, process) => process),
      y: medians.map((took) => took / middle(medians)),
      mode: "lines+markers",
      line: { ...lineStyle(i), width: row.kind === "twin" ? 3 : 1.5 },
      marker: { size: 5 },
    })),
    layout: { xaxis: axis("process, in the order of measuring"), yaxis: axis("over its own median", { tickformat: "~%" }) },
  });
  const caption = "Fixed work, so what moves here moved on the machine and not in a step. Lines that move together are neighbours or clocks.";
  return { name: "controls", title: "Twin and yardsticks over the run", caption, rows, plot };
}

function limitFigure(view) {
  const rows = view.shown.filter((row) => isNumber(row.limit_share)).map((row) => Object.fromEntries([...SHOWN.slice(0, 6), "limit_seconds_per_step", "limit_share", "flop_per_second"].map((name) => [name, row[name] ?? null])));
  if (!rows.length) return null;
  const height = HEIGHT.more + 26 * rows.length;
  const name = (row) => short([row.label, ...(view.groups.length > 1 ? [view.groups.find((group) => group.rows.some((one) => one.label === row.label && DATA.place.every((part) => one[part] === row[part]))).name] : [])].join(", "));
  const plot = () => ({
    height,
    traces: [{ type: "bar", orientation: "h", x: rows.map((row) => row.limit_share), y: rows.map((_, i) => i), text: rows.map((row) => percent(row.limit_share)), textposition: "outside", cliponaxis: false, marker: { color: colour("q1") }, hoverinfo: "skip" }],
    layout: { xaxis: axis("limit over time per step", { range: [0, Math.max(1, ...rows.map((row) => row.limit_share)) * 1.05], tickformat: ".0%" }), yaxis: axis("", { tickvals: rows.map((_, i) => i), ticktext: rows.map(name), autorange: "reversed", showgrid: false }) },
  });
  const caption = "The limit is the larger of operations over the fastest product's rate and bytes over the fastest copy's, as measured in the same blocks, plus what a step that does nothing costs.";
  return { name: "limit", title: "How much of the possible speed is used", caption, rows, plot, height };
}
