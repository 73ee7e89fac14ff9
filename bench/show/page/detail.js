// The chosen backends: what they are, their code, and what it costs.

const number = (value, unit = "") => (isNumber(value) ? `${readable("", value)}${unit}` : "");

function interval(row, name, text) {
  return isNumber(row[name])
    ? text(row[name]) + (isNumber(row[`${name}_low`]) ? ` (${text(row[`${name}_low`])} to ${text(row[`${name}_high`])})` : "")
    : "";
}

function error(row, name) {
  return isNumber(row[name]) ? `${row[name].toExponential(1)}, at most ${percent(row.error_share)} of what is allowed` : "";
}

const FACTS = [
  ["idea", (row) => row.idea],
  ["status", (row) => (row.status === "ok" ? "" : `${row.status}: ${row.reason}`)],
  ["time per step, 95 % interval", (row) => interval(row, "seconds_per_step", seconds)],
  ["a single step, undisturbed", (row) => interval(row, "undisturbed_seconds_per_step", seconds)],
  ["the median of single steps", (row) => interval(row, "typical_seconds_per_step", seconds)],
  ["latency, the loss fetched each step", (row) => interval(row, "latency_seconds_per_step", seconds)],
  ["the device's own clock", (row) => interval(row, "device_seconds_per_step", seconds)],
  [
    "times the baseline's time",
    (row) => (row.key === row.baseline ? "it is the baseline" : interval(row, "ratio", (value) => value.toFixed(3))),
  ],
  ["verdict beside the baseline", (row) => row.verdict],
  ["share of the bound", (row) => (row.bound_by === "peak" ? percent(row.bound_share) : "")],
  ["share of the best seen", (row) => (row.bound_by === "peak" ? "" : percent(row.bound_share))],
  ["first step, with construction", (row) => seconds(row.first_step_seconds)],
  ["has paid for its first step after", (row) => interval(row, "break_even_steps", (steps) => number(steps, " steps") || "never")],
  ["until the last step was queued, per step", (row) => seconds(row.dispatch_seconds_per_step)],
  ["operators per step", (row) => number(row.operators_per_step)],
  ["kernels per step", (row) => number(row.kernels_per_step)],
  ["memory allocated per step", (row) => bytes(row.allocated_bytes_per_step)],
  ["most memory during a step", (row) => bytes(row.peak_bytes_per_step)],
  ["page faults per step", (row) => number(row.minor_faults_per_step)],
  ["error of the loss", (row) => error(row, "error_loss")],
  ["error of the updates", (row) => error(row, "error_state")],
  ["processes and rounds", (row) => (row.rounds ? `${row.processes} and ${row.rounds}` : "")],
  ["libraries", (row) => row.versions],
];

// The price of all differing lines together: the difference of two measured times, in one sentence.
function price([one, other]) {
  const [a, b] = [one.seconds_per_step, other.seconds_per_step];
  if (!isNumber(a) || !isNumber(b)) return "One of the two has no time, so their lines have no price here.";
  const [more, less] = a > b ? [one, other] : [other, one];
  const beside = [one, other].find((row) => row.baseline !== row.key && [one.key, other.key].includes(row.baseline));
  const verdict = beside?.verdict
    ? `. Beside its baseline ${beside.label} takes ${beside.ratio.toFixed(2)} times as long: ${beside.verdict}.`
    : `, ${(more.seconds_per_step / less.seconds_per_step).toFixed(2)} times. A verdict is given only beside the baseline.`;
  return (
    `${more.label} takes ${seconds(Math.abs(a - b))} a step more than ${less.label}: ${seconds(more.seconds_per_step)} and ` +
    `${seconds(less.seconds_per_step)}${verdict} ` +
    "This is the price of all lines that differ together; single lines are not timed."
  );
}

function showChosen(view) {
  const { chosen } = view;
  const parts = [];
  if (chosen.length === 2) {
    parts.push(element("p", { id: "price" }, price(chosen)));
    if (chosen.every((row) => DATA.sources[row.source_hash])) {
      parts.push(
        sideBySide(
          chosen.map((row) => row.label),
          chosen.map((row) => row.source_hash),
        ),
      );
    } else parts.push(element("p", { class: "note" }, "The journal of this run does not hold both sources."));
  } else if (chosen.length) parts.push(listing(chosen[0].label, chosen[0].source_hash));
  else parts.push(element("p", { class: "note" }, "Choose a backend above, or its bar in the chart."));
  for (const row of chosen) {
    if (!DATA.sources[row.source_hash]) continue;
    const file = element("details", {}, element("summary", {}, `The whole file of ${row.label}`));
    file.addEventListener(
      "toggle",
      () => file.open && file.children.length === 1 && file.append(listing(row.label, row.source_hash, true)),
    );
    parts.push(file);
  }
  if (chosen.length) {
    const rows = FACTS.map(([name, value]) => [name, ...chosen.map(value)]);
    parts.push(
      element("h3", {}, "What was proven and measured"),
      facts(
        view.place,
        rows,
        chosen.map((row) => row.label),
      ),
    );
  }
  byId("chosen").replaceChildren(...parts);
}

function lossesFigure(view) {
  const profiles = view.chosen.map((row) => [row, view.run.profiles[row.key]]).filter(([, profile]) => profile?.losses?.length);
  if (!profiles.length) return null;
  const rows = profiles.flatMap(([row, { losses, expected_losses: expected = [] }]) =>
    losses.map((loss, epoch) => ({ backend: row.label, epoch, loss, expected: expected[epoch] ?? null })),
  );
  const plot = () => {
    const reference = profiles[0][1].expected_losses ?? [];
    const trace = (name, y, style, marker) => ({
      name: short(name),
      x: y.map((_, i) => i),
      y,
      mode: "lines+markers",
      line: style,
      marker,
    });
    return {
      height: 300,
      traces: [
        trace("float64 reference", reference, { color: colour("muted"), width: 6 }, { size: 1 }),
        ...profiles.map(([row, { losses }], i) =>
          trace(row.label, losses, lineStyle(i), { size: i ? 12 : 7, symbol: i ? "circle-open" : "circle" }),
        ),
      ],
      layout: {
        xaxis: axis("epoch", { dtick: 1 }),
        yaxis: logAxis(
          "loss, log scale",
          rows.flatMap((row) => [row.loss, row.expected]),
          operations,
        ),
      },
    };
  };
  return {
    name: "losses",
    title: "Loss over ten epochs",
    caption: "Points on the grey line: as the reference has it.",
    rows,
    plot,
    height: 300,
  };
}
