// Polling and streaming, only while the page is visible: a hidden tab sends nothing and holds no connection.
// One request at a time; after an error the pause doubles, up to 10 s. When the control plane answers one poll
// again, all others ask at once too.

import { errorText } from "./api.js";
import { report, reportUnreachable } from "./trouble.js";

const SECONDS_MAX = 10;
const SLOW_MS = 6000;
const SILENT_MS = 25_000;
const REFUSED_MS = 3000;
const GATEWAY = new Set([502, 503, 504]);

const failing = new Set();

/**
 * Calls `work(signal)` at once and then every `seconds`, until `close`. An error of the request itself
 * goes to `failed`; that the control plane does not answer is shown above the view.
 */
export function poll(seconds, work, failed) {
  const source = {};
  let timer = 0;
  let pause = seconds;
  let request = null;
  let closed = false;
  let held = false;

  async function turn() {
    clearTimeout(timer);
    if (closed || document.hidden) return;
    request?.abort();
    const mine = (request = new AbortController());
    const slow = setTimeout(() => reportUnreachable(source), SLOW_MS);
    const silent = setTimeout(() => mine.abort(new TypeError("no answer")), SILENT_MS);
    try {
      await work(mine.signal);
      pause = seconds;
      report(source);
      if (failing.delete(turn)) retryAll();
    } catch (error) {
      if (request !== mine) return;
      pause = Math.min(pause * 2, SECONDS_MAX);
      if (!held) failing.add(turn);
      if (isOutage(error)) reportOutage(source, error);
      else report(source, failed ? "" : errorText(error));
      if (!isOutage(error)) failed?.(error);
    } finally {
      clearTimeout(slow);
      clearTimeout(silent);
      if (request === mine) {
        request = null;
        if (!closed && !held) timer = setTimeout(turn, pause * 1000);
      }
    }
  }

  function onVisibility() {
    if (document.hidden) clearTimeout(timer);
    else if (!held) turn();
  }

  document.addEventListener("visibilitychange", onVisibility);
  turn();
  return {
    now: turn,
    /** Suspends or resumes the regular calls; `now` works in both cases. */
    hold(on) {
      held = on;
      if (on) clearTimeout(timer);
      else turn();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      request?.abort();
      request = null;
      failing.delete(turn);
      report(source);
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}

function retryAll() {
  const turns = [...failing];
  failing.clear();
  for (const turn of turns) turn();
}

/**
 * Streams server-sent events while the page is visible. `onEvent(name, data)` gets each one; `onOpen()`
 * is called before the first event of a connection, which has the full present state.
 */
export function stream(address, { onOpen, onEvent }) {
  const source = {};
  let events = null;
  let over = false;

  function open() {
    if (events || over || document.hidden) return;
    events = new EventSource(address);
    events.addEventListener("open", () => {
      onOpen();
      report(source);
    });
    events.addEventListener("invocation", (event) => onEvent("invocation", JSON.parse(event.data)));
    events.addEventListener("end", () => {
      close();
      onEvent("end", null);
    });
    events.addEventListener("error", (event) => {
      if (event.data) onEvent("error", JSON.parse(event.data));
      else if (events?.readyState === EventSource.CLOSED) refused();
      else reportUnreachable(source); // the browser reconnects by itself
    });
  }

  // The response was not a stream; the browser gives up without a reason.
  function refused() {
    events = null;
    setTimeout(open, REFUSED_MS);
    onEvent("refused", null);
  }

  function close() {
    events?.close();
    events = null;
    over = true;
    report(source);
    document.removeEventListener("visibilitychange", onVisibility);
  }

  function onVisibility() {
    if (!document.hidden) open();
    else {
      events?.close();
      events = null;
    }
  }

  document.addEventListener("visibilitychange", onVisibility);
  open();
  return {
    close,
    /** Returns whether it is tried again after a refusal, and shows the reason if so. */
    refusedBy(error) {
      if (over || !isOutage(error)) return false;
      reportOutage(source, error);
      return true;
    },
  };
}

function isOutage(error) {
  return error instanceof TypeError || GATEWAY.has(error.code);
}

// Shows above the view why a source gets no answer now.
function reportOutage(source, error) {
  if (error.isExplained) report(source, `The control plane cannot answer now: ${error.message}. Trying again.`);
  else reportUnreachable(source);
}
