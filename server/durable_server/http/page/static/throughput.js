// Throughput: the counts of `/v1/stats`, which one poll for all views requests every two seconds, and their
// differences as rates. The counts are of kept invocations, so retention lowers the rates; a rate below zero
// is shown as zero.

import * as api from "./api.js";
import { fill, h, svg, text } from "./dom.js";
import { isFinal, plural, rate, stateWord } from "./format.js";
import { poll } from "./live.js";

const SECONDS = 2;
const SAMPLES = 90;
const SAMPLES_MIN = 20;

/** The newest counts, and the rates since this page was opened. Dispatches "counts" when they change. */
export const pulse = new (class extends EventTarget {
  /** The pairs of handler and state with their counts; null before the first answer. */
  counts = null;
  total = 0;
  workers = 0;
  /** The partitions that the counts lack. */
  missing = [];
  /** Started and finished per second, oldest first. */
  rates = [];
  #last = null;
  #poll = null;

  start() {
    this.#poll = poll(SECONDS, async (signal) => this.#take(await api.stats(signal)));
  }

  close() {
    this.#poll?.close();
  }

  /** Requests the counts now. */
  now() {
    this.#poll?.now();
  }

  #take(answer) {
    this.counts = (answer.counts ?? []).map((it) => ({
      handler: it.handler ?? "",
      word: stateWord(it.state),
      count: Number(it.count ?? 0),
    }));
    this.total = Number(answer.totalCount ?? 0);
    this.workers = answer.workerCount ?? 0;
    this.missing = answer.missingPartitions ?? [];
    // Without some partitions the counts are too small, and larger again with them: neither is a rate.
    if (this.missing.length === 0) this.#sample();
    this.dispatchEvent(new Event("counts"));
  }

  #sample() {
    const ended = this.counts.filter((it) => isFinal(it.word)).reduce((sum, it) => sum + it.count, 0);
    const sample = { time: performance.now(), total: this.total, ended };
    if (this.#last) {
      const seconds = (sample.time - this.#last.time) / 1000;
      this.rates.push({
        started: Math.max(0, (sample.total - this.#last.total) / seconds),
        ended: Math.max(0, (sample.ended - this.#last.ended) / seconds),
      });
      if (this.rates.length > SAMPLES) this.rates.shift();
    }
    this.#last = sample;
  }
})();

/** Draws numbers as a line with the area below it; the scale begins at zero. */
export function drawSparkline(values, width, height, label) {
  const top = Math.max(...values, 1e-9);
  const step = width / (Math.max(values.length, SAMPLES_MIN) - 1);
  const first = width - (values.length - 1) * step;
  const points = values.map((it, index) => {
    const y = height - 1 - (it / top) * (height - 3);
    return `${(first + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  const box = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  box.append(svg("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }));
  if (points.length > 1) {
    box.append(
      svg("polygon", { points: `${first.toFixed(1)},${height} ${points.join(" ")} ${width},${height}` }),
      svg("polyline", { points: points.join(" ") }),
    );
  }
  return box;
}

/** Shows the throughput in the page's head. */
export function showThroughput(element) {
  const line = h("span", { class: "glance-line" });
  const number = h("b", {});
  const staff = h("span", { class: "glance-workers" });
  fill(element, line, h("span", { title: "Invocations finished for a second" }, number, "/s"), staff);
  pulse.addEventListener("counts", () => {
    const values = pulse.rates.map((it) => it.ended);
    text(number, rate(values.at(-1) ?? 0));
    fill(line, drawSparkline(values, 90, 22, "Invocations finished for a second, while this page was shown"));
    text(staff, plural(pulse.workers, "worker"));
    staff.classList.toggle("bad", pulse.workers === 0);
  });
}
