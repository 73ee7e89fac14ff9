"use strict";
// Figures and texts are made in Python; this script shows the part of them that is chosen.

const byId = (id) => document.getElementById(id);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const choice = byId("choice").elements;
const pair = byId("pair").elements;
const views = all(".view").map((node) => ({
  node,
  place: JSON.parse(node.dataset.place),
  ways: JSON.parse(node.dataset.ways),
  pair: JSON.parse(node.dataset.pair),
  usual: JSON.parse(node.dataset.usual),
}));

function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => new Option(text, key, false, key === value)));
  select.closest("label").hidden = options.length < 2;
}

// The view that has the changed value and most of the others, and rather the problem's usual shape.
function choose(changed) {
  const wanted = Object.fromEntries([...choice].map((select) => [select.name, select.value]));
  const agree = ({ place, usual }) => Object.keys(wanted).filter((name) => place[name] === wanted[name]).length + usual / 2;
  const possible = views.filter(
    ({ place }) => place.run === wanted.run && (changed === "run" || place[changed] === wanted[changed]),
  );
  return possible.toSorted((a, b) => agree(b) - agree(a))[0];
}

function showView(view) {
  const ofRun = views.filter(({ place }) => place.run === view.place.run);
  for (const select of choice) {
    if (select.name === "run") {
      select.value = view.place.run;
      select.closest("label").hidden = select.options.length < 2;
    } else {
      const values = [...new Set(ofRun.map(({ place }) => place[select.name]))];
      fill(select, values.map((value) => [value, value]), view.place[select.name]);
    }
  }
  for (const other of views) other.node.hidden = other !== view;
  all(".run").forEach((node, number) => (node.hidden = String(number) !== view.place.run));
  all(".chart", view.node).forEach(draw);
  byId("code").hidden = view.ways.length === 0;
  const names = view.ways.map((way, number) => [String(number), way.label]);
  fill(pair.left, names, String(view.pair[0] ?? 0));
  fill(pair.right, names, String(view.pair[1] ?? 0));
  showCode(view);
}

function seconds(value) {
  const [unit, size] = [["s", 1], ["ms", 1e-3], ["µs", 1e-6], ["ns", 1e-9]].find((one) => value >= one[1] * 0.9995) ?? ["ns", 1e-9];
  return `${value / size >= 100 ? Math.round(value / size) : (value / size).toPrecision(3)} ${unit}`;
}

function showCode(view) {
  const chosen = [pair.left, pair.right].map((select) => view.ways[Number(select.value)]);
  const longest = Math.max(...chosen.flatMap((way) => Object.values(way?.lines ?? {})));
  all("#code .way").forEach((node, side) => showWay(node, chosen[side], longest));
  const ran = chosen.some((way) => way?.mean);
  const [left, right] = chosen.map((way) => (ran ? way?.seconds_per_step : way?.time));
  const change = `${seconds(Math.abs(right - left))} ${right > left ? "more" : "less"} a step than ${chosen[0]?.label}`;
  byId("price").textContent = chosen[0] === chosen[1] ? "" : `${chosen[1].label} takes ${change}${ran ? " as it ran" : ""}.`;
}

// A way's code; where its lines were timed, each has its time and a bar, and each phase their sum.
function showWay(node, way, longest) {
  if (!way) return;
  const head = document.createElement("h3");
  head.textContent = way.heading;
  const note = Object.assign(document.createElement("p"), { className: "note", textContent: way.note });
  node.replaceChildren(head, note, byId(`source-${way.source_hash}`).content.cloneNode(true));
  for (const phase of all(".phase", node)) {
    let sum = 0;
    for (const line of all(".line", phase)) {
      const took = way.lines[line.dataset.line];
      sum += took ?? 0;
      if (took !== undefined) mark(line, took, took / longest);
      if (line.textContent.includes("backward(")) {
        for (const [name, part] of way.backward.toReversed()) {
          const inside = line.cloneNode();
          inside.append(Object.assign(document.createElement("code"), { textContent: `        ${name}` }));
          mark(inside, part, 0);
          line.after(inside);
        }
      }
    }
    if (sum && !phase.matches(".before, .after")) mark(phase.firstElementChild, sum, 0);
  }
  node.classList.toggle("timed", Object.keys(way.lines).length > 0);
}

function mark(line, took, share) {
  const time = document.createElement("span");
  const bar = document.createElement("span");
  time.className = share ? "time" : "time sum";
  time.textContent = `${(took * 1e6).toFixed(took < 1e-5 ? 1 : 0)} µs`;
  bar.className = "bar";
  bar.style.width = `${3 * share}rem`;
  line.append(time, bar);
}

function sort(button) {
  const head = button.closest("th");
  const column = head.cellIndex;
  const down = head.ariaSort === "ascending" ? -1 : 1;
  const value = ({ cells: { [column]: cell } }) => cell.dataset.value ?? cell.textContent;
  const body = head.closest("table").tBodies[0];
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // without a value: last, in both orders
    return down * (Number.isNaN(a - b) ? a.localeCompare(b) : a - b);
  };
  body.append(...[...body.rows].toSorted((a, b) => compare(value(a), value(b))));
  for (const other of head.parentNode.cells) other.ariaSort = "none";
  head.ariaSort = down > 0 ? "ascending" : "descending";
}

function draw(node) {
  const { data, layout } = JSON.parse(node.dataset.figure);
  node.style.height = `${layout.height}px`;
  if (window.Plotly) window.Plotly.react(node, data, layout, { displayModeBar: false, responsive: true });
}

// Plotly is compressed to a third of its size; the page's policy knows the script by its hash.
async function unpack() {
  const packed = Uint8Array.from(atob(byId("plotly").textContent), (character) => character.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
  all(".view:not([hidden]) .chart").forEach(draw);
}

if (views.length) {
  const shown = () => views.find(({ node }) => !node.hidden);
  byId("choice").addEventListener("change", (event) => showView(choose(event.target.name)));
  byId("pair").addEventListener("change", () => showCode(shown()));
  for (const button of all("th button")) button.addEventListener("click", () => sort(button));
  showView(choose("run"));
  unpack();
}
