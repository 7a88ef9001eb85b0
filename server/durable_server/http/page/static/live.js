// Asking again and again, but only while somebody looks: a hidden tab asks nothing and holds no
// connection. One request at a time; after an error the pause doubles, to 30 s at most.

import { said } from "./api.js";
import { text } from "./dom.js";

const SECONDS_MAX = 30;
const REFUSED_MS = 3000;
const SILENT = "The control plane does not answer. What is shown may be old; trying again.";

/**
 * Calls `work(signal)` now and then every `seconds`, until `close`. An error that is the request's own
 * goes to `failed`; one that says that nobody is there is shown above the view.
 */
export function poll(seconds, work, failed = (error) => reach(said(error))) {
  let timer = 0;
  let pause = seconds;
  let asking = null;
  let closed = false;
  let held = false;

  async function turn() {
    clearTimeout(timer);
    if (closed || document.hidden) return;
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      await work(mine.signal);
      pause = seconds;
      reach();
    } catch (error) {
      if (mine.signal.aborted) return;
      pause = Math.min(pause * 2, SECONDS_MAX);
      if (error instanceof TypeError || error.code === 503) reach(SILENT);
      else failed(error);
    } finally {
      if (asking === mine) asking = null;
      if (!closed && !held && !mine.signal.aborted) timer = setTimeout(turn, pause * 1000);
    }
  }

  function seen() {
    if (document.hidden) clearTimeout(timer);
    else if (!held) turn();
  }

  document.addEventListener("visibilitychange", seen);
  turn();
  return {
    now: turn,
    /** Asks once more only when it is told to, or goes on by itself. */
    hold(on) {
      held = on;
      if (on) clearTimeout(timer);
      else turn();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      asking?.abort();
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

/**
 * Streams server-sent events while somebody looks. `heard(name, data)` gets each one; `begun()` is
 * called before the first of a connection, which holds the whole present form.
 */
export function stream(address, { begun, heard }) {
  let source = null;
  let over = false;

  function open() {
    if (source || over || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("open", () => {
      begun();
      reach();
    });
    source.addEventListener("invocation", (event) => heard("invocation", JSON.parse(event.data)));
    source.addEventListener("end", () => {
      close();
      heard("end", null);
    });
    source.addEventListener("error", (event) => {
      if (event.data) heard("error", JSON.parse(event.data));
      else if (source?.readyState === EventSource.CLOSED) refused();
      else reach(SILENT); // the browser tries again by itself
    });
  }

  // An answer that is no stream: the browser gives up, and does not say why.
  function refused() {
    source = null;
    setTimeout(open, REFUSED_MS);
    heard("refused", null);
  }

  function close() {
    source?.close();
    source = null;
    over = true;
    document.removeEventListener("visibilitychange", seen);
  }

  function seen() {
    if (!document.hidden) open();
    else {
      source?.close();
      source = null;
    }
  }

  document.addEventListener("visibilitychange", seen);
  open();
  return { close };
}

/** Says above the view what is wrong; without words that nothing is. */
function reach(words = "") {
  const trouble = document.getElementById("trouble");
  trouble.hidden = words === "";
  text(trouble, words);
}
