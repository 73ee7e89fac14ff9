// Sources: highlighted, and two of them beside each other line by line.

function codeWords(words) {
  return words.map(([kind, text]) => (kind ? element("span", { class: kind }, text) : document.createTextNode(text)));
}

function linesOf(hash, whole = false) {
  return DATA.sources[hash]?.[whole ? "lines" : "step"] ?? [];
}

function listing(label, hash, whole = false) {
  const lines = linesOf(hash, whole);
  if (!lines.length) return element("p", { class: "note" }, "The journal of this run does not hold the source.");
  return element(
    "div",
    { class: "code scroll", tabindex: "0", role: "region", "aria-label": `${whole ? "File" : "Step"} of ${label}` },
    ...lines.map((words) => element("div", { class: "line" }, ...codeWords(words), "\n")),
  );
}

// Groups of lines that differ, in the order of the two hashes given.
function differing(one, other) {
  const known = DATA.differences[`${one} ${other}`];
  if (known) return known;
  return (DATA.differences[`${other} ${one}`] ?? []).map(([a, b, c, d]) => [c, d, a, b]);
}

function sideBySide(labels, hashes) {
  const sides = hashes.map((hash) => linesOf(hash));
  const groups = hashes[0] === hashes[1] ? [] : differing(...hashes);
  const rows = [];
  let [i, j] = [0, 0];
  for (const [a, b, c, d] of [...groups, [sides[0].length, sides[0].length, sides[1].length, sides[1].length]]) {
    for (; i < a; i += 1, j += 1) rows.push(diffRow("same", [sides[0][i]], [sides[1][j]]));
    if (a < b || c < d) rows.push(diffRow("differs", sides[0].slice(a, b), sides[1].slice(c, d)));
    [i, j] = [b, d];
  }
  const count = (from, to) => groups.reduce((sum, group) => sum + group[to] - group[from], 0);
  const caption = groups.length
    ? `${count(0, 1)} of the lines of ${labels[0]} (−) and ${count(2, 3)} of ${labels[1]} (+) differ; the others are the same.`
    : "Both have the same lines.";
  const head = element("tr", {}, ...labels.map((label) => element("th", { scope: "col" }, label)));
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `${labels[0]} and ${labels[1]}, line by line` },
    element(
      "table",
      { class: "diff" },
      element("caption", {}, caption),
      element("thead", {}, head),
      element("tbody", {}, ...rows),
    ),
  );
}

// A group of lines is one row, so that on a narrow screen those of one side stay together.
function diffRow(kind, left, right) {
  const line = (words, sign) =>
    element(
      "div",
      { class: "line" },
      kind === "differs" ? element("span", { class: "sign" }, sign) : null,
      ...codeWords(words),
      "\n",
    );
  const cell = (lines, sign, side) =>
    element("td", { class: lines.length ? `${side} code` : "empty" }, ...lines.map((words) => line(words, sign)));
  return element("tr", { class: kind }, cell(left, "−", "left"), cell(right, "+", "right"));
}
