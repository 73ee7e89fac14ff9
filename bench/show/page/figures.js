// Charts in general: colours of the theme, texts that Plotly must not read as markup, and drawing when one comes into sight.

const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = () => innerWidth < 640;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const verdictColour = (row) => colour({ FASTER: "faster", SLOWER: "slower" }[row.verdict] ?? "equal");

// Okabe & Ito's palette, then the same once more with dashes.
function lineStyle(line) {
  return { color: colour(`q${(line % 7) + 1}`), dash: line % 14 < 7 ? "solid" : "dash" };
}

// Plotly takes a small part of HTML for markup, in names and in hover texts alike.
function literal(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "%\u200b{");
}

// In a chart there is room for so much of a name; tables have all of it.
function short(text) {
  const room = narrow() ? 18 : 28;
  return literal(text.length > room ? `${text.slice(0, room - 1)}…` : text);
}

function axis(title, more = {}) {
  const line = colour("line");
  return {
    title: { text: title, standoff: 8, font: { size: 13 } },
    gridcolor: line,
    linecolor: line,
    zerolinecolor: line,
    automargin: true,
    ...more,
  };
}

const PAPER = 660; // pixels that fit between the margins of A4 and of Letter
const SECONDS = { tickformat: "~s", ticksuffix: "s", hoverformat: ".4s" };
// 1, 2, 5 of every decade, or the decades alone where there are many; Plotly itself leaves the units of most away.
function logAxis(title, values, text, more = {}) {
  const found = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...found), Math.max(...found)].map((value) => Math.log10(value));
  const tickvals = [];
  for (let decade = Math.floor(low) - 1; decade <= high + 1; decade += 1) {
    for (const digit of high - low > (narrow() ? 1.5 : 4) ? [1] : [1, 2, 5]) tickvals.push(digit * 10 ** decade);
  }
  return axis(title, {
    type: "log",
    tickvals,
    ticktext: tickvals.map(text),
    tickangle: 0,
    range: [low - 0.1, high + 0.1],
    ...more,
  });
}

const MARGIN = { l: 16, r: 16, t: 16, b: 40 };

function layout(more) {
  return {
    font: { family: "system-ui, sans-serif", size: 13, color: colour("ink") },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    margin: MARGIN,
    hovermode: "closest",
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink") }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemsizing: "constant" },
    ...more,
  };
}

const whiskers = (rows) => ({
  array: rows.map((row) => (row.seconds_per_step_high ?? row.seconds_per_step) - row.seconds_per_step),
  arrayminus: rows.map((row) => row.seconds_per_step - (row.seconds_per_step_low ?? row.seconds_per_step)),
  width: 3,
  thickness: 1,
});

const inSight = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
  { rootMargin: "300px" },
);
const waiting = new Map();

// Plotly lies in the page compressed, a third of its size; as a script it is what the page's policy knows by its hash.
async function unpack() {
  const packed = Uint8Array.from(atob(byId("plotly").textContent), (character) => character.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
  for (const node of waiting.keys()) {
    inSight.unobserve(node);
    inSight.observe(node);
  }
}
unpack();

function draw(node) {
  const figure = waiting.get(node);
  if (!figure || !window.Plotly) return;
  waiting.delete(node);
  const plot = figure.plot();
  node.style.height = `${plot.height}px`;
  const paper = document.documentElement.classList.contains("printing") ? { width: PAPER } : {};
  Plotly.react(node, plot.traces, layout({ ...plot.layout, ...paper }), { displayModeBar: false, responsive: true });
  node.removeAllListeners("plotly_click");
  if (figure.onclick) node.on("plotly_click", (event) => figure.onclick(event.points[0].customdata));
  node.dataset.drawn = "true";
}

// A figure's texts and table at once, its chart as soon as it is near the screen.
function show(place, figure) {
  let whole = byId(`figure-${figure.name}`);
  if (!whole) {
    const chart = element("div", { class: "chart", role: "img" });
    whole = element("figure", { id: `figure-${figure.name}` }, element("p", { class: "title" }), chart, element("figcaption"));
    document.querySelector(`[data-figures="${place}"]`).append(whole);
  }
  const [title, node, caption] = whole.children;
  title.textContent = figure.title;
  caption.textContent = figure.caption;
  while (whole.children.length > 3) whole.lastChild.remove();
  whole.append(...(figure.tables ?? [[figure.name, figure.title, figure.rows]]).map((parts) => tableOfChart(...parts)));
  whole.hidden = false;
  node.hidden = !figure.plot;
  if (!figure.plot) return;
  node.setAttribute("aria-label", `${figure.title}. ${figure.caption} The numbers are in the table below the chart.`);
  node.style.height = `${figure.height ?? 340}px`;
  delete node.dataset.drawn;
  waiting.set(node, figure);
  inSight.unobserve(node);
  inSight.observe(node);
}

function hide(name) {
  const whole = byId(`figure-${name}`);
  if (whole) whole.hidden = true;
}

function drawAll() {
  [...waiting.keys()].forEach(draw);
}
