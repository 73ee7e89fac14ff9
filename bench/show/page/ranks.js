// What a step in ranks consists of: one rank's part alone, the collective alone, and what only both together take.

const SHARED = [
  "label",
  "device",
  "dtype",
  "threads",
  "shape",
  "ranks",
  "undisturbed_seconds_per_step",
  "local_seconds_per_step",
  "collective_seconds_per_step",
  "strong_efficiency",
  "strong_efficiency_low",
  "strong_efficiency_high",
  "weak_efficiency",
  "weak_efficiency_low",
  "weak_efficiency_high",
];

function ranksFigure(view) {
  const rows = view.steps
    .filter((row) => row.ranks > 1 && isNumber(row.undisturbed_seconds_per_step) && isNumber(row.local_seconds_per_step))
    .filter((row) => view.fits(row, ["device", "dtype", "threads"]))
    .map((row) => Object.fromEntries(SHARED.map((name) => [name, row[name] ?? null])));
  if (!rows.length) return null;
  const varying = unlike(rows, ["device", "dtype", "threads", "shape"]);
  const height = 110 + 34 * rows.length;
  const rest = (row) => row.undisturbed_seconds_per_step - row.local_seconds_per_step - (row.collective_seconds_per_step ?? 0);
  const bar = (name, line, value) => ({
    name,
    type: "bar",
    orientation: "h",
    x: rows.map(value),
    y: rows.map((_, i) => i),
    marker: { color: lineStyle(line).color },
  });
  const plot = () => ({
    height,
    traces: [
      bar("one rank's part alone", 0, (row) => row.local_seconds_per_step),
      bar("the collective alone", 1, (row) => row.collective_seconds_per_step ?? 0),
      bar("only both together", 2, (row) => Math.max(0, rest(row))),
    ],
    layout: {
      barmode: "stack",
      xaxis: axis("undisturbed time per step", { rangemode: "tozero", ...SECONDS }),
      yaxis: axis("", {
        tickvals: rows.map((_, i) => i),
        ticktext: rows.map((row) => short(called(row, varying))),
        range: [rows.length - 0.5, -0.5],
      }),
    },
  });
  return {
    name: "ranks",
    title: "What a step in ranks takes",
    caption:
      "Strong scaling: the shape is that of one process, shared. Weak scaling: it is as many times it as there are ranks. " +
      "Where the parts alone take longer than the step, the bar ends behind it.",
    rows,
    plot,
    height,
  };
}
