// The router: `#/`, `#/invocations/{id}`, `#/diff/{id}/{id}`, `#/handlers`, `#/workers`, `#/deployments`,
// `#/server`. All that a view shows is in its address, filters too, so that reload, bookmarks and the back
// button work.

/** The current route: the parsed address. */
export function currentRoute() {
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

/** The address of a path with a query. */
export function address(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const it of [value].flat()) if (it) parameters.append(name, it);
  }
  return parameters.size ? `#${path}?${parameters}` : `#${path}`;
}

/** The address of an invocation. */
export function invocationAddress(id) {
  return address(`/invocations/${encodeURIComponent(id)}`);
}

/** The address of the comparison of two runs. */
export function diffAddress(first, second) {
  return address(`/diff/${encodeURIComponent(first)}/${encodeURIComponent(second)}`);
}

/** Goes to an address; `state` is kept with it in the history. */
export function go(to, { replace = false, state = null } = {}) {
  if (replace) history.replaceState(state, "", to);
  else history.pushState(state, "", to);
  dispatchEvent(new Event("address"));
}

let list = { to: "#/", state: null };

/** Remembers the present page of the list. */
export function rememberList() {
  list = { to: location.hash || "#/", state: history.state };
}

/** Goes back to the remembered page of the list. */
export function toList() {
  go(list.to, { state: list.state });
}

/** Calls `moved` whenever the address has changed. */
export function onMove(moved) {
  addEventListener("address", moved);
  addEventListener("popstate", moved);
}
