// The page's state, kept in the fragment of its address, and everything that follows from it.

const DATA = JSON.parse(byId("data").textContent);
const latest = DATA.runs[DATA.runs.length - 1];
const ALL = "all";

function fragment() {
  const found = new URLSearchParams(location.hash.slice(1));
  const run = DATA.runs.find((one) => one.name === found.get("run")) ?? latest;
  const state = { run: run.name, device: ALL, ...run.start };
  for (const name of DATA.dimensions) if (found.has(name)) state[name] = found.get(name);
  return { ...state, chosen: found.has("chosen") ? found.getAll("chosen").filter(Boolean).slice(0, 2) : null };
}

function remember(changes) {
  const state = { ...fragment(), ...changes };
  const kept = new URLSearchParams();
  for (const name of ["run", ...DATA.dimensions]) if (state[name] !== undefined) kept.set(name, state[name]);
  for (const key of state.chosen?.length ? state.chosen : state.chosen ? [""] : []) kept.append("chosen", key);
  history.replaceState(null, "", `#${kept}`);
  render();
}

function look() {
  const state = fragment();
  const run = DATA.runs.find((one) => one.name === state.run);
  const rows = objects(run.table);
  const steps = rows.filter((row) => !DATA.controls.includes(row.kind));
  const values = Object.fromEntries(DATA.dimensions.map((name) => [name, [...new Set(steps.map((row) => String(row[name])))]]));
  for (const name of DATA.dimensions)
    if (state[name] !== ALL && !values[name].includes(String(state[name]))) state[name] = run.start[name] ?? ALL;
  const fits = (row, names = DATA.dimensions) =>
    names.every((name) => state[name] === ALL || row[name] === undefined || String(row[name]) === String(state[name]));
  const here = steps.filter((row) => fits(row));
  const shown = here.filter((row) => isNumber(row.seconds_per_step)).toSorted((a, b) => a.seconds_per_step - b.seconds_per_step);
  const varying = unlike(here, DATA.dimensions);
  const told = (row) => named(row, varying);
  const groups = [...new Set(here.map(told))].map((name) => ({ name, rows: shown.filter((row) => told(row) === name) }));
  const view = { state, run, rows, steps, values, fits, here, shown, groups: groups.filter((group) => group.rows.length) };
  const place = DATA.dimensions.filter((name) => !varying.includes(name) && here.length);
  view.place = place.map((name) => named(here[0], [name])).join(" · ");
  view.chosen = (state.chosen ?? usual(view))
    .map((key) => resolve(view, key))
    .filter((row, i, all) => row && all.indexOf(row) === i);
  return view;
}

const named = (row, names) => names.map((name) => (name === "threads" ? threads(row[name]) : row[name])).join(", ");
const threads = (count) => `${count} thread${count === 1 ? "" : "s"}`;

// Without a choice: the baseline, and on the same device the quickest of the first ways, whose lines differ least; else of all.
function usual({ groups }) {
  const rows = groups[0]?.rows ?? [];
  const base = rows.find((row) => row.key === row.baseline);
  const others = rows.filter((row) => row !== base);
  return [base, others.find((row) => row.kind === "seed") ?? others[0]].filter(Boolean).map((row) => row.key);
}

// A choice outlives a filter: the same backend is looked for among the rows that are shown.
function resolve({ rows, here, shown }, key) {
  const one = rows.find((row) => row.key === key);
  const same = one ? [...shown, ...here].filter((row) => row.label === one.label) : [];
  return same.find((row) => row.key === key) ?? same.find((row) => row.device === one.device) ?? same[0];
}

function choose(view, key) {
  const keys = view.chosen.map((row) => row.key);
  remember({ chosen: keys.includes(key) ? keys.filter((one) => one !== key) : [...keys.slice(0, 1), key] });
}

function selection(id, label, options, value, onchange) {
  const made = options.map(([key, text]) => element("option", { value: key, selected: String(key) === String(value) }, text));
  return element(
    "label",
    { for: id },
    label,
    element("select", { id, onchange: (event) => onchange(event.target.value) }, ...made),
  );
}

// Rebuilt whole; the keyboard stays where it was.
function replace(id, parts) {
  const focused = document.activeElement?.id;
  byId(id).replaceChildren(...parts);
  if (focused && byId(id).contains(byId(focused))) byId(focused).focus();
}

function showFilters(view) {
  const parts = [];
  if (DATA.runs.length > 1) {
    const runs = DATA.runs.map((run) => [run.name, run.name]);
    parts.push(selection("filter-run", "run", runs, view.run.name, (run) => remember({ run })));
  }
  for (const name of DATA.dimensions) {
    if (view.values[name].length < 2) continue;
    const options = [[ALL, ALL], ...view.values[name].map((value) => [value, value])];
    parts.push(selection(`filter-${name}`, name, options, view.state[name], (value) => remember({ [name]: value })));
  }
  replace("filters", parts);
}

function showChooser(view) {
  const option = (row) => [
    row.key,
    view.groups.length > 1
      ? `${row.label}, ${view.groups.find((group) => group.rows.includes(row))?.name ?? row.status}`
      : row.label,
  ];
  const options = [["", "none"], ...view.here.filter((row) => row.source_hash).map(option)];
  const keys = view.chosen.map((row) => row.key);
  const pick = (i) => (key) => remember({ chosen: Object.assign([...keys], { [i]: key }).filter(Boolean) });
  replace("chooser", [
    selection("first", "backend", options, keys[0] ?? "", pick(0)),
    selection("second", "beside", options, keys[1] ?? "", pick(1)),
  ]);
}

function showAnswer(view) {
  const headlines = view.run.headlines.filter((headline) => view.fits(headline));
  const varying = unlike(headlines, DATA.dimensions);
  const texts = headlines.map(({ text, ...where }) => (varying.length ? `${named(where, varying)}: ${text}` : text));
  byId("headline").textContent = texts[0] ?? "No step was measured here.";
  const further = texts.slice(1).map((text, i) => `${text} ${headlines[i + 1].details}`);
  const more = further.length > 3 ? [element("p", {}, `${further.length - 3} further combinations are below.`)] : [];
  const run = DATA.comparisons.find((one) => one.head === view.run.name);
  const compared = run ? [element("p", {}, element("a", { href: "#runs", onclick: jump }, run.text))] : [];
  const lines = [headlines[0]?.details, ...further.slice(0, 3)].filter(Boolean).map((text) => element("p", {}, text));
  byId("also").replaceChildren(...lines, ...more, ...compared);
  byId("doubts").replaceChildren(...view.run.doubts.map((text) => element("li", {}, text)));
  byId("about").textContent = [
    view.run.facts.cpu,
    ...(view.run.facts.gpus ?? []).map((gpu) => gpu.name),
    view.place,
    view.run.facts.time?.slice(0, 10),
  ]
    .filter(Boolean)
    .join(" · ");
  const without = view.here.filter((row) => !isNumber(row.seconds_per_step));
  const reasons = without.map((row) =>
    element("li", {}, `${row.label} [${row.device}, ${row.dtype}] is ${row.status}: ${row.reason}`),
  );
  byId("unmeasured").replaceChildren(
    ...(reasons.length ? [element("h2", {}, "Without a number"), element("ul", {}, ...reasons)] : []),
  );
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
  for (const [section, byName] of Object.entries(figures)) {
    for (const [name, figure] of Object.entries(byName)) {
      if (figure) show(section, figure);
      else hide(name);
    }
    if (!["answer", "code"].includes(section)) byId(section).hidden = Object.values(byName).every((figure) => !figure);
  }
}

// A link to a section would take the fragment's place.
function jump(event) {
  event.preventDefault();
  const target = document.querySelector(event.currentTarget.getAttribute("href"));
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}

function render() {
  const view = look();
  showAnswer(view);
  showFilters(view);
  showChooser(view);
  showChosen(view);
  showFigures(view);
  showEnvironment(view);
  byId("left-out").replaceChildren(...DATA.left_out.map((text) => element("li", {}, text)));
}

addEventListener("hashchange", render);
document.querySelector(".skip").addEventListener("click", jump);
dark.addEventListener("change", render);
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  render();
  drawAll();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  render();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("chooser").addEventListener("submit", (event) => event.preventDefault());
render();
