"use strict";
// Numbers as people read them, as in bench/units.py; everywhere else on this page they are seconds, bytes and plain ratios.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function digits(value) {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  if (value === 0) return "0";
  const text = value.toPrecision(3);
  return text.includes("e") ? value.toExponential(1) : text;
}

function seconds(value) {
  if (!isNumber(value)) return "";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  for (const [unit, scale] of DATA.units.times) {
    if (size >= scale * 0.9995) return `${sign}${digits(size / scale)} ${unit}`;
  }
  return `${sign}${digits(size / 1e-9)} ns`;
}

// 200 µs where `seconds` says 200 µs, and 2 ms where it says 2.00 ms: for the round numbers of an axis.
const roundSeconds = (value) => seconds(value).replace(/\.0+ /, " ");

function bytes(value) {
  if (!isNumber(value)) return "";
  for (const [unit, scale] of DATA.units.sizes) {
    if (value >= scale * 0.9995) return `${digits(value / scale)} ${unit}`;
  }
  return `${value.toFixed(0)} B`;
}

function operations(value) {
  for (const [unit, scale] of [
    ["T", 1e12],
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ]) {
    if (value >= scale) return `${+(value / scale).toPrecision(3)}${unit}`;
  }
  return String(+value.toPrecision(3));
}

function rate(value) {
  return isNumber(value) ? `${digits(value / 1e9)} G/s` : "";
}

function percent(value, places = 0) {
  return isNumber(value) ? `${(value * 100).toFixed(places)} %` : "";
}

function spread(low, high) {
  return isNumber(low) && isNumber(high) ? `±${percent((high - low) / (high + low), 1)}` : "";
}

// What a column of a table holds is told by its name, here as in every file of a run.
function readable(name, value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (/seconds/.test(name)) return seconds(value);
  if (/share|residual|left_out/.test(name)) return percent(value, 1);
  if (/bytes/.test(name)) return bytes(value);
  if (/per_second/.test(name)) return rate(value);
  if (/ratio/.test(name)) return value.toFixed(3);
  if (/flop/.test(name)) return operations(value);
  return Number.isInteger(value) && value < 1e6 ? String(value) : value.toPrecision(3);
}
