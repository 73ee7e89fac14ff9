// Several runs: their times one after another, and the verdicts beside the first.

function historyFigure(view) {
  const rows = objects(DATA.history).filter((row) => view.fits(row));
  const runs = [...new Set(rows.map((row) => row.run))];
  if (runs.length < 2) return null;
  const varying = unlike(rows, [...DATA.dimensions, "side"]);
  const place = new Map(runs.map((run, i) => [run, i + 1]));
  const plot = () => ({
    height: 380,
    traces: grouped(rows, (row) => called(row, varying)).map(([name, mine], i) => ({
      name: short(name),
      x: mine.map((row) => place.get(row.run)),
      y: mine.map((row) => row.seconds_per_step),
      error_y: runs.length > 60 ? null : whiskers(mine),
      text: mine.map((row) => literal(`${row.run}: ${name} ${seconds(row.seconds_per_step)}`)),
      hoverinfo: "text",
      mode: runs.length > 60 ? "lines" : "lines+markers",
      line: { ...lineStyle(i), width: 1.5 },
      marker: { size: 6 },
    })),
    layout: {
      xaxis: axis("run", { tickangle: 0, ...(runs.length > 12 ? { nticks: 6 } : { dtick: 1 }) }),
      yaxis: axis("time per step", SECONDS),
    },
  });
  const several = new Set(rows.map((row) => row.machine)).size > 1 ? " Runs of several machines stand here." : "";
  return {
    name: "history",
    title: `Time per step over ${runs.length} runs`,
    caption:
      `Run 1 is ${runs[0]}, run ${runs.length} is ${runs[runs.length - 1]}. A time that moves may be the machine.${several}`,
    rows,
    plot,
    height: 380,
  };
}

function comparisonFigure(view) {
  const found = DATA.comparisons.find((one) => one.head === view.run.name);
  if (!found) return null;
  const rows = objects(found.table).filter((row) => view.fits(row));
  const judged = rows.filter((row) => isNumber(row.ratio));
  const varying = unlike(judged, [...DATA.dimensions, "side"]);
  const counts = grouped(rows, (row) => row.verdict || "not judged")
    .map(([verdict, mine]) => `${mine.length} ${verdict}`)
    .join(", ");
  const caption =
    `${[...found.doubts, ...found.lost].join(" ")} ` +
    `Time in ${found.head} over that in ${found.base}: ${counts}. ` +
    `Below 1 is faster. EQUAL: within ±${percent(found.margin, 1)}, the band. The table says why a row is undecided.`;
  const plot = () => ({
    height: HEIGHT.more + HEIGHT.row * judged.length,
    traces: [
      {
        x: judged.map((row) => row.ratio),
        y: judged.map((_, i) => i),
        mode: "markers",
        hoverinfo: "text",
        hovertext: judged.map((row) => literal(`${row.backend}: ${row.ratio.toFixed(3)} ${row.verdict}. ${row.reason ?? ""}`)),
        marker: {
          size: 11,
          color: judged.map(verdictColour),
        },
        error_x: {
          array: judged.map((row) => row.ratio_high - row.ratio),
          arrayminus: judged.map((row) => row.ratio - row.ratio_low),
          width: 4,
          color: colour("ink"),
          thickness: 1.5,
        },
      },
    ],
    layout: {
      margin: { ...MARGIN, r: narrow() ? 100 : 120 },
      shapes: [
        {
          type: "rect",
          x0: 1 / (1 + found.margin),
          x1: 1 + found.margin,
          yref: "paper",
          y0: 0,
          y1: 1,
          fillcolor: colour("line"),
          opacity: 0.5,
          line: { width: 0 },
          layer: "below",
        },
      ],
      annotations: judged.map((row, i) => ({
        xref: "paper",
        x: 1,
        xanchor: "left",
        y: i,
        showarrow: false,
        text: row.verdict || "not judged",
      })),
      xaxis: axis("ratio of times", { tickformat: ".3~f", nticks: narrow() ? 4 : 8 }),
      yaxis: axis("", {
        range: [judged.length - 0.5, -0.5],
        tickvals: judged.map((_, i) => i),
        ticktext: judged.map((row) => short(called(row, varying))),
        showgrid: false,
        zeroline: false,
      }),
    },
  });
  return {
    name: "comparison",
    title: `${found.head} beside ${found.base}`,
    caption,
    rows,
    plot: judged.length ? plot : null,
    height: HEIGHT.more + HEIGHT.row * judged.length,
  };
}
