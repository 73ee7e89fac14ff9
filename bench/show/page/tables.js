// Elements, tables and their CSV. Data becomes text nodes and attributes, never markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);

// {columns, rows of values} → rows as objects
function objects({ columns, rows } = { columns: [], rows: [] }) {
  return rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
}

function columnsOf(rows) {
  const names = Object.keys(rows.length ? rows[0] : {});
  return names.filter((name) => rows.some((row) => row[name] !== null && row[name] !== undefined && row[name] !== ""));
}

function table(caption, rows) {
  const names = columnsOf(rows);
  const isText = (name) => rows.every((row) => typeof row[name] !== "number");
  const cell = (row, name, i) =>
    element(i ? "td" : "th", { scope: i ? null : "row", class: isText(name) ? "text" : "number" }, readable(name, row[name]));
  const head = names.map((name) =>
    element("th", { scope: "col", class: isText(name) ? "text" : "number" }, name.replaceAll("_", " ")),
  );
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...names.map((name, i) => cell(row, name, i))))),
    ),
  );
}

// Full precision. A text that a spreadsheet would run as a formula gets an apostrophe in front.
function csv(rows) {
  const names = columnsOf(rows);
  const field = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return (
    [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(field).join(",")).join("\n") + "\n"
  );
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// A table that is built when it is opened, and its download.
function tableOfChart(name, caption, rows) {
  const details = element(
    "details",
    { class: "data" },
    element("summary", {}, `Table: ${caption.replace(/\.$/, "")} (${rows.length} row${rows.length === 1 ? "" : "s"})`),
    element("button", { type: "button", onclick: () => download(`${name}.csv`, csv(rows)) }, "Download CSV"),
  );
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 2) details.append(table(caption, rows));
  });
  return details;
}

function facts(caption, rows, heads = null) {
  const shown = rows.filter((row) => row.slice(1).some((value) => value !== "" && value !== null && value !== undefined));
  const head =
    heads &&
    element("thead", {}, element("tr", {}, element("td", {}), ...heads.map((name) => element("th", { scope: "col" }, name))));
  const line = ([name, ...values]) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...values.map((value) => element("td", {}, value)));
  return element("table", { class: "facts" }, element("caption", {}, caption), head, element("tbody", {}, ...shown.map(line)));
}

// How rows are told apart: by the columns in which they differ.
const unlike = (rows, names) => names.filter((name) => new Set(rows.map((row) => row[name])).size > 1);
const called = (row, names) =>
  [row.label ?? row.backend, ...names.map((name) => row[name])].filter((part) => part !== "" && part !== null).join(", ");
function grouped(rows, name) {
  const found = new Map();
  for (const row of rows) {
    const key = name(row);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  return [...found];
}
