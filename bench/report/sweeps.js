// What several shapes, thread counts or runs tell.

const unlike = (rows, names) => names.filter((name) => new Set(rows.map((row) => row[name])).size > 1);
const called = (row, names) => [row.label ?? row.backend, ...names.map((name) => row[name])].filter((part) => part !== "" && part !== null).join(", ");
const LINE = ["device", "dtype", "threads", "side"];

function grouped(rows, name) {
  const found = new Map();
  for (const row of rows) {
    const key = name(row);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  return [...found];
}

const whiskers = (rows) => ({
  array: rows.map((row) => (row.seconds_per_step_high ?? row.seconds_per_step) - row.seconds_per_step),
  arrayminus: rows.map((row) => row.seconds_per_step - (row.seconds_per_step_low ?? row.seconds_per_step)),
  width: 3,
  thickness: 1,
});

function scalingFigures(view) {
  const { fits, points, crossings } = view.run.scaling ?? {};
  const here = (table) => objects(table).filter((row) => view.fits(row, ["device", "dtype", "threads"]));
  const rows = here(points);
  if (!rows.length) return { scaling: null, residuals: null };
  const varying = unlike(rows, LINE);
  const lines = grouped(rows, (row) => called(row, varying));
  const flops = rows.map((row) => row.flops);
  const plot = () => ({
    height: 460,
    traces: lines.flatMap(([name, mine], i) => [
      { name: short(name), legendgroup: i, x: mine.map((row) => row.flops), y: mine.map((row) => row.seconds_per_step), mode: "markers", marker: { size: 8, color: lineStyle(i).color, symbol: i % 14 < 7 ? "circle" : "diamond-open" } },
      { legendgroup: i, showlegend: false, hoverinfo: "skip", x: mine.map((row) => row.flops), y: mine.map((row) => row.model_seconds_per_step), mode: "lines", line: { ...lineStyle(i), width: 1.5 } },
    ]),
    layout: { xaxis: logAxis("floating-point operations a step, log scale", flops, operations), yaxis: logAxis("time per step, log scale", rows.map((row) => row.seconds_per_step), roundSeconds) },
  });
  const residuals = () => ({
    height: 300,
    traces: lines.map(([name, mine], i) => ({ name: short(name), x: mine.map((row) => row.flops), y: mine.map((row) => row.residual), mode: "lines+markers", line: { ...lineStyle(i), width: 1.5 }, marker: { size: 5 } })),
    layout: { xaxis: logAxis("floating-point operations a step, log scale", flops, operations), yaxis: axis("measured over fitted, less one", { tickformat: "+.0%" }), showlegend: !narrow() },
  });
  const tables = [["scaling", "Overhead and rate of every line", here(fits)], ["scaling_points", "Points and fitted times", rows]];
  if (here(crossings).length) tables.push(["crossings", "Where lines cross", here(crossings)]);
  const crossed = here(crossings).length ? "Where lines cross stands in a table below." : "No two lines cross beyond their intervals.";
  return {
    scaling: { name: "scaling", title: "Time over work", caption: `Points: measured. Lines: overhead + operations / rate, fitted per process. ${crossed}`, rows, tables, plot, height: 460 },
    residuals: { name: "residuals", title: "Residuals", caption: "How far each point lies from its line: where a line is no line, overhead and rate mean little.", rows, plot: residuals, height: 300 },
  };
}

function threadsFigure(view) {
  const rows = view.steps.filter((row) => isNumber(row.seconds_per_step) && view.fits(row, ["device", "dtype", "shape"]));
  if (new Set(rows.map((row) => row.threads)).size < 2) return null;
  const shown = rows.map((row) => Object.fromEntries([...SHOWN.slice(0, 8)].map((name) => [name, row[name] ?? null])));
  const varying = unlike(rows, ["device", "dtype", "shape", "side"]);
  const lines = grouped(rows, (row) => called(row, varying));
  const plot = () => ({
    height: 380,
    traces: lines.map(([name, mine], i) => {
      const sorted = [...mine].sort((a, b) => a.threads - b.threads);
      return { name: short(name), x: sorted.map((row) => row.threads), y: sorted.map((row) => row.seconds_per_step), error_y: whiskers(sorted), mode: "lines+markers", line: lineStyle(i) };
    }),
    layout: { xaxis: axis("threads", { type: "category" }), yaxis: axis("time per step", { rangemode: "tozero", ...SECONDS }) },
  });
  return { name: "threads", title: "Time per step over threads", caption: "Whiskers: 95 % intervals.", rows: shown, plot, height: 380 };
}

function historyFigure(view) {
  const rows = objects(DATA.history)
    .map((row) => ({ ...row, shape: ["N", "D_in", "H", "D_out"].map((size) => row[size]).join("x") }))
    .filter((row) => view.fits(row));
  const runs = [...new Set(rows.map((row) => row.run))];
  if (runs.length < 2) return null;
  const varying = unlike(rows, [...DATA.place, "side"]);
  const place = new Map(runs.map((run, i) => [run, i + 1]));
  const plot = () => ({
    height: 380,
    traces: grouped(rows, (row) => called(row, varying)).map(([name, mine], i) => ({
      name: short(name), x: mine.map((row) => place.get(row.run)), y: mine.map((row) => row.seconds_per_step), error_y: runs.length > 60 ? null : whiskers(mine),
      text: mine.map((row) => literal(`${row.run}: ${name} ${seconds(row.seconds_per_step)}`)), hoverinfo: "text",
      mode: runs.length > 60 ? "lines" : "lines+markers", line: { ...lineStyle(i), width: 1.5 }, marker: { size: 6 },
    })),
    layout: { xaxis: axis("run", { tickangle: 0, ...(runs.length > 12 ? { nticks: 6 } : { dtick: 1 }) }), yaxis: axis("time per step", SECONDS) },
  });
  const several = new Set(rows.map((row) => row.machine)).size > 1 ? " Runs of several machines stand here." : "";
  return { name: "history", title: `Time per step over ${runs.length} runs`, caption: `Run 1 is ${runs[0]}, run ${runs.length} is ${runs[runs.length - 1]}. As measured, not relative to the yardsticks: what moves may be the machine.${several}`, rows, plot, height: 380 };
}

function comparisonFigure(view) {
  const found = DATA.comparisons.find((one) => one.head === view.run.name);
  if (!found) return null;
  const all = objects(found.table).map((row) => ({ ...row, shape: ["N", "D_in", "H", "D_out"].map((size) => row[size]).join("x") }));
  const rows = all.filter((row) => view.fits(row));
  const judged = rows.filter((row) => isNumber(row.ratio));
  const varying = unlike(judged, [...DATA.place, "side"]);
  const counts = grouped(rows, (row) => row.verdict || "not judged").map(([verdict, mine]) => `${mine.length} ${verdict}`).join(", ");
  const caption =
    `${[...found.doubts, ...found.lost].join(" ")} Time in ${found.head} over that in ${found.base}, relative to the yardsticks of both: ${counts}. ` +
    `Below 1 is faster. EQUAL: within ±${percent(found.margin, 1)}, the band. The table says why a row is undecided.`;
  const plot = () => ({
    height: HEIGHT.more + HEIGHT.row * judged.length,
    traces: [{
      x: judged.map((row) => row.ratio), y: judged.map((_, i) => i), mode: "markers", hoverinfo: "text", hovertext: judged.map((row) => literal(`${row.backend}: ${row.ratio.toFixed(3)} ${row.verdict}. ${row.reason ?? ""}`)),
      marker: { size: 11, color: judged.map((row) => colour({ FASTER: "faster", SLOWER: "slower" }[row.verdict] ?? "equal")) },
      error_x: { array: judged.map((row) => row.ratio_high - row.ratio), arrayminus: judged.map((row) => row.ratio - row.ratio_low), width: 4, color: colour("ink"), thickness: 1.5 },
    }],
    layout: {
      margin: { ...MARGIN, r: narrow() ? 100 : 120 },
      shapes: [{ type: "rect", x0: 1 / (1 + found.margin), x1: 1 + found.margin, yref: "paper", y0: 0, y1: 1, fillcolor: colour("line"), opacity: 0.5, line: { width: 0 }, layer: "below" }],
      annotations: judged.map((row, i) => ({ xref: "paper", x: 1, xanchor: "left", y: i, showarrow: false, text: row.verdict || "not judged" })),
      xaxis: axis("ratio of times", { tickformat: ".3~f", nticks: narrow() ? 4 : 8 }),
      yaxis: axis("", { range: [judged.length - 0.5, -0.5], tickvals: judged.map((_, i) => i), ticktext: judged.map((row) => short(called(row, varying))), showgrid: false, zeroline: false }),
    },
  });
  return { name: "comparison", title: `${found.head} beside ${found.base}`, caption, rows, plot: judged.length ? plot : null, height: HEIGHT.more + HEIGHT.row * judged.length };
}

function showFigures(view) {
  const { scaling, residuals } = scalingFigures(view);
  const figures = {
    answer: { answer: view.shown.length ? mainFigure(view) : null },
    code: { losses: lossesFigure(view) },
    spread: { spread: spreadFigure(view) },
    controls: { controls: controlsFigure(view) },
    limit: { limit: limitFigure(view) },
    scaling: { scaling, residuals },
    threads: { threads: threadsFigure(view) },
    runs: { comparison: comparisonFigure(view), history: historyFigure(view) },
  };
  for (const [place, named] of Object.entries(figures)) {
    for (const [name, figure] of Object.entries(named)) figure ? show(place, figure) : hide(name);
    if (!["answer", "code"].includes(place)) byId(place).hidden = Object.values(named).every((figure) => !figure);
  }
}
