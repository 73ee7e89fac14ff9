// Machine, settings and the command: all that repeating a run needs.

function flat(value, name = "") {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) {
    const plain = value.every((part) => typeof part !== "object" || Array.isArray(part));
    return plain ? [[name, value.map(String).join(", ")]] : value.flatMap((part, i) => flat(part, `${name} ${i}`));
  }
  if (typeof value !== "object") return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, part]) => flat(part, name ? `${name}, ${key}` : key));
}

function showEnvironment(view) {
  const { run } = view;
  const seen = run.doctor.map((text) => element("li", {}, text));
  byId("environment").replaceChildren(
    element("p", {}, "This repeats the run, on the same commit and machine:"),
    element(
      "pre",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Command" },
      element("code", {}, run.command),
    ),
    ...(seen.length ? [element("h3", {}, "What made the machine a bad instrument"), element("ul", {}, ...seen)] : []),
    element(
      "div",
      { class: "columns" },
      facts("Machine and software", flat({ name: run.machine, run: run.name, ...run.facts })),
      facts("Settings", flat(run.settings)),
    ),
  );
}
