// What several shapes or thread counts tell.

const LINE = ["device", "dtype", "threads", "side"];

function scalingFigures(view) {
  const { fits, points, crossings } = view.run.scaling ?? {};
  const here = (lines) => objects(lines).filter((row) => view.fits(row, ["device", "dtype", "threads"]));
  const rows = here(points);
  if (!rows.length) return { scaling: null, residuals: null };
  const varying = unlike(rows, LINE);
  const lines = grouped(rows, (row) => called(row, varying));
  const flops = rows.map((row) => row.flops);
  const plot = () => ({
    height: 460,
    traces: lines.flatMap(([name, mine], i) => [
      {
        name: short(name),
        legendgroup: i,
        x: mine.map((row) => row.flops),
        y: mine.map((row) => row.seconds_per_step),
        mode: "markers",
        marker: { size: 8, color: lineStyle(i).color, symbol: i % 14 < 7 ? "circle" : "diamond-open" },
      },
      {
        legendgroup: i,
        showlegend: false,
        hoverinfo: "skip",
        x: mine.map((row) => row.flops),
        y: mine.map((row) => row.model_seconds_per_step ?? row.seconds_per_step),
        mode: "lines",
        line: isNumber(mine[0].model_seconds_per_step)
          ? { ...lineStyle(i), width: 1.5 }
          : { ...lineStyle(i), width: 1, dash: "dot" },
      },
    ]),
    layout: {
      xaxis: logAxis("floating-point operations a step, log scale", flops, operations),
      yaxis: logAxis(
        "time per step, log scale",
        rows.map((row) => row.seconds_per_step),
        roundSeconds,
      ),
    },
  });
  const residuals = () => ({
    height: 300,
    traces: lines.map(([name, mine], i) => ({
      name: short(name),
      x: mine.map((row) => row.flops),
      y: mine.map((row) => row.left_out),
      mode: "lines+markers",
      line: { ...lineStyle(i), width: 1.5 },
      marker: { size: 5 },
    })),
    layout: {
      xaxis: logAxis("floating-point operations a step, log scale", flops, operations),
      yaxis: axis("measured over predicted, less one", { tickformat: "+.0%" }),
      showlegend: !narrow(),
    },
  });
  const tables = [
    ["scaling", "Overhead and rate of every line, where one fits", here(fits)],
    ["scaling_points", "Points and fitted times", rows],
  ];
  const crossed = here(crossings).map(({ flops: _middle, ...row }) => row); // nothing was measured there
  if (crossed.length) tables.push(["crossings", "Measured sizes between which the faster changes", crossed]);
  return {
    scaling: {
      name: "scaling",
      title: "Time over work",
      caption:
        "Points: measured. Lines: overhead + operations / rate, fitted per process; dotted: no such line fits. " +
        (crossed.length
          ? "Between which sizes the faster changes stands in a table below."
          : "At no two sizes different ones are certainly faster."),
      rows,
      tables,
      plot,
      height: 460,
    },
    residuals: {
      name: "residuals",
      title: "What lines predict",
      caption:
        "How far each point lies from the line through the others. " +
        `Where one is off by more than ${percent(view.run.scaling.tolerated)}, no line fits, and there is no overhead and no rate.`,
      rows,
      plot: residuals,
      height: 300,
    },
  };
}

function threadsFigure(view) {
  const rows = view.steps.filter((row) => isNumber(row.seconds_per_step) && view.fits(row, ["device", "dtype", "shape"]));
  if (new Set(rows.map((row) => row.threads)).size < 2) return null;
  const shown = rows.map((row) => Object.fromEntries(SHOWN.slice(0, 8).map((name) => [name, row[name] ?? null])));
  const varying = unlike(rows, ["device", "dtype", "shape", "side"]);
  const lines = grouped(rows, (row) => called(row, varying));
  const plot = () => ({
    height: 380,
    traces: lines.map(([name, mine], i) => {
      const sorted = mine.toSorted((a, b) => a.threads - b.threads);
      return {
        name: short(name),
        x: sorted.map((row) => row.threads),
        y: sorted.map((row) => row.seconds_per_step),
        error_y: whiskers(sorted),
        mode: "lines+markers",
        line: lineStyle(i),
      };
    }),
    layout: { xaxis: axis("threads", { type: "category" }), yaxis: axis("time per step", { rangemode: "tozero", ...SECONDS }) },
  });
  return {
    name: "threads",
    title: "Time per step over threads",
    caption: "Whiskers: 95 % intervals.",
    rows: shown,
    plot,
    height: 380,
  };
}
