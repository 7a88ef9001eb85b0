// Formats times, durations, numbers and states.

const NAMES = 12;

/** Returns the sentence about partitions that an answer lacks, or an empty string. */
export function missingText(partitions, what) {
  if (!partitions?.length) return "";
  return `${what}: no node leads ${names(partitions, "partition")} now.`;
}

/** `partition 3`, `partitions 1, 4 to 8, 11`, `nodes a, b`; a long list ends with `and others`. */
export function names(all, word) {
  const runs = [];
  for (const it of all) {
    const last = runs.at(-1);
    if (last && it === last.to + 1) last.to = it;
    else runs.push({ from: it, to: it });
  }
  const each = runs.flatMap(({ from, to }) => (from === to ? [from] : to === from + 1 ? [from, to] : [`${from} to ${to}`]));
  return `${word}${all.length > 1 ? "s" : ""} ${each.slice(0, NAMES).join(", ")}${each.length > NAMES ? " and others" : ""}`;
}

export const STATES = [
  "scheduled", "pending", "running", "suspended", "backing_off", "paused",
  "completed", "failed", "cancelled",
];
const FINAL = new Set(["completed", "failed", "cancelled"]);

/** The word for a state of the API: `INVOCATION_STATE_BACKING_OFF` is `backing_off`. */
export function stateWord(state) {
  return (state ?? "").replace("INVOCATION_STATE_", "").toLowerCase() || "unknown";
}

/** The state of the API for a word. */
export function stateName(word) {
  return `INVOCATION_STATE_${word.toUpperCase()}`;
}

/** A state as text for people. */
export function stateText(word) {
  return word.replace("_", " ");
}

/** Returns whether this state is final. */
export function isFinal(word) {
  return FINAL.has(word);
}

/** Milliseconds since 1970 of a time of the API; NaN when it is absent. */
export function millis(time) {
  return time ? Date.parse(time) : NaN;
}

/** A duration: `4 ms`, `1.25 s`, `3 min 20 s`, `2 d 4 h`. */
export function span(ms) {
  if (!Number.isFinite(ms)) return "";
  const value = Math.max(0, ms);
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 10_000) return `${(value / 1000).toFixed(2)} s`;
  if (value < 60_000) return `${(value / 1000).toFixed(1)} s`;
  const seconds = Math.round(value / 1000);
  if (seconds < 3600) return two(seconds, 60, "min", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return two(minutes, 60, "h", "min");
  return two(Math.round(minutes / 60), 24, "d", "h");
}

function two(value, size, large, small) {
  const rest = value % size;
  return `${Math.floor(value / size)} ${large}${rest ? ` ${rest} ${small}` : ""}`;
}

/** A duration of the API, `12.500s`, in milliseconds. */
export function spanMillis(text) {
  return text ? Number.parseFloat(text) * 1000 : NaN;
}

/** How long ago, in one unit. */
export function ago(ms, now = Date.now()) {
  if (!Number.isFinite(ms)) return "";
  const seconds = Math.round((now - ms) / 1000);
  const [value, unit] = inUnit(Math.abs(seconds));
  if (Math.abs(seconds) < 2) return "now";
  return seconds > 0 ? `${value}${unit} ago` : `in ${value}${unit}`;
}

function inUnit(seconds) {
  if (seconds < 100) return [seconds, "s"];
  if (seconds < 6000) return [Math.round(seconds / 60), "m"];
  if (seconds < 172_800) return [Math.round(seconds / 3600), "h"];
  return [Math.round(seconds / 86_400), "d"];
}

/** A time, to the millisecond, in the browser's time zone. */
export function moment(ms) {
  if (!Number.isFinite(ms)) return "";
  const it = new Date(ms);
  const two = (value) => String(value).padStart(2, "0");
  const day = `${it.getFullYear()}-${two(it.getMonth() + 1)}-${two(it.getDate())}`;
  const time = `${two(it.getHours())}:${two(it.getMinutes())}:${two(it.getSeconds())}`;
  return `${day} ${time}.${String(it.getMilliseconds()).padStart(3, "0")}`;
}

const WHOLE = new Intl.NumberFormat("en");
/** A number with thousands separators. */
export function count(value) {
  return WHOLE.format(value);
}

/** A rate per second. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : count(Math.round(value));
}

/** `1 step`, `2 steps`, `2 tries`. */
export function plural(number, word) {
  const many = word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;
  return `${count(number)} ${number === 1 ? word : many}`;
}
