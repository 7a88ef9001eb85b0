// The session: who is signed in, and what that permits. The control plane decides about every request; this is
// only so that the page does not offer what would be refused. Tabs tell each other when it changes.

import * as api from "./api.js";

const channel = new BroadcastChannel("durable.session");
const PLACE = "durable.place";

/** Whether callers must sign in, who has, and the names of the issuers with which one can. */
export const session = {
  authenticates: false,
  /** Null while nobody is signed in; undefined while it is not known. */
  identity: undefined,
  issuers: [],
};

/** Asks who is signed in. */
export async function load() {
  Object.assign(session, await api.session());
  if (session.authenticates && session.identity) api.actAs(session.identity.name);
}

/** Returns whether an RPC may be made: for a handler, or without one for any. */
export function may(rpc, handler) {
  const { identity } = session;
  if (identity === undefined) return true; // the control plane has not answered yet, and will decide
  const patterns = identity?.may[rpc];
  if (!patterns) return false;
  if (handler === undefined) return true;
  return handler.startsWith(identity.namespace) && patterns.some((it) => matches(it, handler));
}

function matches(pattern, name) {
  const [head, ...pieces] = pattern.split("*");
  if (pieces.length === 0) return name === head;
  if (!name.startsWith(head)) return false;
  const tail = pieces.pop();
  let at = head.length;
  for (const it of pieces) {
    const found = name.indexOf(it, at);
    if (found < 0) return false;
    at = found + it.length;
  }
  return name.length - tail.length >= at && name.endsWith(tail);
}

/** Signs in with a token; then the page begins anew. */
export async function signIn(token) {
  await api.signIn(token);
  begin();
}

/** Signs out; then the page begins anew, in all tabs. */
export async function signOut() {
  await api.signOut();
  begin();
}

function begin() {
  channel.postMessage("changed");
  location.reload();
}

/** Remembers the present place while the browser is at an issuer. */
export function rememberPlace() {
  sessionStorage.setItem(PLACE, location.hash);
}

/** Returns the place that was remembered, once; empty for none. */
export function takePlace() {
  const place = sessionStorage.getItem(PLACE) ?? "";
  sessionStorage.removeItem(PLACE);
  return place;
}

channel.addEventListener("message", () => location.reload());
