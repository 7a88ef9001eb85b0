// Where the reader is: `#/`, `#/invocations/{id}`, `#/handlers`, `#/workers`, `#/server`. All that a view
// shows is in its address, filters too, so that a reload, a bookmark and the back button work.

/** The present place. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?", 2);
  const [section = "", ...rest] = path.split("/").filter(Boolean);
  return {
    section: section || "invocations",
    id: rest.length ? decoded(rest.join("/")) : "",
    query: new URLSearchParams(query),
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a place. */
export function address(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const it of [value].flat()) if (it) asked.append(name, it);
  }
  return asked.size ? `#${path}?${asked}` : `#${path}`;
}

/** The address of an invocation. */
export function invocationAddress(id) {
  return address(`/invocations/${encodeURIComponent(id)}`);
}

/** Goes to a place; `state` is kept with it in the history. */
export function go(to, { replace = false, state = null } = {}) {
  if (replace) history.replaceState(state, "", to);
  else history.pushState(state, "", to);
  dispatchEvent(new Event("place"));
}

let list = { to: "#/", state: null };

/** Remembers where in the list the reader is. */
export function rememberList() {
  list = { to: location.hash || "#/", state: history.state };
}

/** Goes back to the list, as it was left. */
export function toList() {
  go(list.to, { state: list.state });
}

/** Calls `moved` whenever the place has changed. */
export function onMove(moved) {
  addEventListener("place", moved);
  addEventListener("popstate", moved);
}
