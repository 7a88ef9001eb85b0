// Polling and streaming, only while the page is visible: a hidden tab sends nothing and holds no connection.
// One request at a time; after an error the pause doubles, up to 30 s.

import { errorText } from "./api.js";
import { text } from "./dom.js";

const SECONDS_MAX = 30;
const REFUSED_MS = 3000;
const UNREACHABLE = "The control plane does not answer. What is shown may be old; trying again.";

/**
 * Calls `work(signal)` at once and then every `seconds`, until `close`. An error of the request itself
 * goes to `failed`; an unreachable control plane is shown above the view.
 */
export function poll(seconds, work, failed = (error) => showProblem(errorText(error))) {
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
    try {
      await work(mine.signal);
      pause = seconds;
      showProblem();
    } catch (error) {
      if (mine.signal.aborted) return;
      pause = Math.min(pause * 2, SECONDS_MAX);
      if (error instanceof TypeError || error.code === 503) showProblem(UNREACHABLE);
      else failed(error);
    } finally {
      if (request === mine) request = null;
      if (!closed && !held && !mine.signal.aborted) timer = setTimeout(turn, pause * 1000);
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
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}

/**
 * Streams server-sent events while the page is visible. `onEvent(name, data)` gets each one; `onOpen()`
 * is called before the first event of a connection, which has the full present state.
 */
export function stream(address, { onOpen, onEvent }) {
  let source = null;
  let over = false;

  function open() {
    if (source || over || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("open", () => {
      onOpen();
      showProblem();
    });
    source.addEventListener("invocation", (event) => onEvent("invocation", JSON.parse(event.data)));
    source.addEventListener("end", () => {
      close();
      onEvent("end", null);
    });
    source.addEventListener("error", (event) => {
      if (event.data) onEvent("error", JSON.parse(event.data));
      else if (source?.readyState === EventSource.CLOSED) refused();
      else showProblem(UNREACHABLE); // the browser reconnects by itself
    });
  }

  // The response was not a stream; the browser gives up without a reason.
  function refused() {
    source = null;
    setTimeout(open, REFUSED_MS);
    onEvent("refused", null);
  }

  function close() {
    source?.close();
    source = null;
    over = true;
    document.removeEventListener("visibilitychange", onVisibility);
  }

  function onVisibility() {
    if (!document.hidden) open();
    else {
      source?.close();
      source = null;
    }
  }

  document.addEventListener("visibilitychange", onVisibility);
  open();
  return { close };
}

/** Shows a problem above the view; an empty text removes it. */
function showProblem(words = "") {
  const trouble = document.getElementById("trouble");
  trouble.hidden = words === "";
  text(trouble, words);
}
