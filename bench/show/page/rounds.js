// What one run tells beside its estimates: every round, the controls, and the share of the bound.

const middle = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
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
      const hover = mine.map((one) =>
        literal(`${row.label}, process ${one.process}, block ${one.block}: ${seconds(one.seconds_per_step)}`),
      );
      return [
        {
          ...common,
          x: mine.map((one) => one.visit),
          y: mine.map((one) => one.seconds_per_step),
          mode: "markers",
          marker: { color, size: 5, symbol: i ? "circle-open" : "circle" },
          text: hover,
          hoverinfo: "text",
        },
        {
          ...common,
          x: mine.map((one) => one.visit),
          y: medians,
          mode: "lines",
          line: { color, width: 2, shape: "hvh" },
          showlegend: false,
          hoverinfo: "skip",
        },
        {
          ...common,
          y: mine.map((one) => one.seconds_per_step),
          type: "histogram",
          orientation: "h",
          xaxis: "x2",
          marker: { color, opacity: 0.6 },
          nbinsy: 60,
          showlegend: false,
          hoverinfo: "skip",
        },
      ];
    });
    return {
      height: 380,
      traces,
      layout: {
        barmode: "overlay",
        xaxis: axis("visit, in the order of measuring", { domain: [0, 0.84] }),
        xaxis2: axis("rounds", { domain: [0.86, 1], nticks: 3, tickangle: 0, visible: !narrow() }),
        yaxis: axis("time per step", SECONDS),
      },
    };
  };
  const unit = view.run.every_round
    ? "A point is a round in throughput, a line the median of its process"
    : "A point is the median of a process";
  const caption = `${unit}; a slope is drift, two bands in the histogram are two modes. Rounds to six digits.`;
  return { name: "spread", title: "Time per step over the run", caption, rows, plot, height: 380 };
}

function controlsFigure(view) {
  const controls = view.rows.filter(
    (row) =>
      ["twin", "guard"].includes(row.kind) &&
      view.run.rounds[row.key] &&
      view.fits(row, row.kind === "twin" ? DATA.dimensions : ["device", "threads"]),
  );
  const varying = unlike(controls, ["device", "dtype", "threads"]);
  const seen = controls.map((row) => ({ row, medians: view.run.rounds[row.key].map(middle) }));
  if (!seen.length) return null;
  const rows = seen.flatMap(({ row, medians }) =>
    medians.map((took, process) => ({
      control: row.label,
      kind: row.kind,
      key: row.key,
      process,
      seconds_per_step: took,
      ratio_to_its_median: took / middle(medians),
    })),
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
  const caption =
    "Fixed work, so what moves here moved on the machine and not in a step. Lines that move together are neighbours or clocks.";
  return { name: "controls", title: "Twin and guard over the run", caption, rows, plot };
}

// A row's label, with its device, dtype, threads and shape where these vary.
function placed(view, row) {
  const same = (one) => one.label === row.label && DATA.dimensions.every((part) => one[part] === row[part]);
  const groups = view.groups.length > 1 ? [view.groups.find((group) => group.rows.some(same)).name] : [];
  return short([row.label, ...groups].join(", "));
}

function limitFigure(view) {
  const rows = view.shown
    .filter((row) => isNumber(row.bound_share))
    .map((row) =>
      Object.fromEntries(
        [...SHOWN.slice(0, 6), "bound_seconds_per_step", "bound_share", "bound_by", "flop_per_second"].map((name) => [
          name,
          row[name] ?? null,
        ]),
      ),
    );
  if (!rows.length) return null;
  const height = HEIGHT.more + 26 * rows.length;
  const name = (row) => placed(view, row);
  const plot = () => ({
    height,
    traces: [
      {
        type: "bar",
        orientation: "h",
        x: rows.map((row) => row.bound_share),
        y: rows.map((_, i) => i),
        text: rows.map((row) => percent(row.bound_share)),
        textposition: "outside",
        cliponaxis: false,
        marker: { color: colour("q1") },
        hoverinfo: "skip",
      },
    ],
    layout: {
      xaxis: axis("bound over undisturbed time per step", {
        range: [0, Math.max(1, ...rows.map((row) => row.bound_share)) * 1.05],
        tickformat: ".0%",
      }),
      yaxis: axis("", { tickvals: rows.map((_, i) => i), ticktext: rows.map(name), autorange: "reversed", showgrid: false }),
    },
  });
  const caption =
    "The bound is the larger of operations over the peak of arithmetic and bytes over the peak of reading, as measured in the " +
    "same blocks, plus what a call that does nothing costs. Where no peak could be measured it is the best that the run saw.";
  return { name: "limit", title: "How much of the possible speed is used", caption, rows, plot, height };
}
