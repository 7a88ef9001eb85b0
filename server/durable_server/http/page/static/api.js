// The client of the public HTTP endpoints. Paths are relative, so that a proxy may serve the page under a
// path of its own.

/** An error response of the control plane, with its message and reason. */
export class ApiError extends Error {
  constructor(code, body) {
    super(body.message || `the server answered ${code}`);
    this.code = code;
    /** Whether the control plane has answered, and not a proxy before it. */
    this.isExplained = Boolean(body.message);
    const info = (body.details ?? []).find((it) => it.reason);
    this.reason = info?.reason ?? body.status ?? String(code);
  }
}

/** Returns the text of any error, for people. */
export function errorText(error) {
  if (error instanceof ApiError) return `${error.message} (${error.reason})`;
  if (error instanceof TypeError) return "The control plane cannot be reached.";
  return String(error?.message ?? error);
}

// Without this header a change is refused, because no form and no script of another site can add it.
const PAGE_HEADER = { "x-durable-page": "1" };

async function request(method, path, { query, body, signal } = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const it of [value].flat()) if (it !== "" && it !== undefined) parameters.append(name, it);
  }
  const address = parameters.size ? `${path}?${parameters}` : path;
  const response = await fetch(address, {
    method,
    signal,
    cache: "no-store",
    headers: body === undefined ? PAGE_HEADER : { ...PAGE_HEADER, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 204) return {};
  let data = {};
  try {
    data = await response.json();
  } catch {
    if (response.ok) throw new ApiError(response.status, { message: "the answer is no JSON" });
  }
  if (!response.ok) {
    const error = new ApiError(response.status, data);
    if (response.status === 401 && path !== SESSION) dispatchEvent(new CustomEvent("signedout", { detail: error.message }));
    throw error;
  }
  return data;
}

const part = encodeURIComponent;
const SESSION = "session";
let identity = "page";

/** Sets the name under which commands are sent. */
export function actAs(name) {
  identity = name;
}

// `identity` is shown to the next reader; `request_id` deduplicates a repeated request.
function command(fields = {}) {
  return { requestId: identifier(), identity, ...fields };
}

// crypto.randomUUID exists only on loopback and behind TLS.
function identifier() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((it) => it.toString(16).padStart(2, "0")).join("");
}

export const session = () => request("GET", SESSION);
export const signIn = (token) => request("POST", SESSION, { body: { token } });
export const signOut = () => request("DELETE", SESSION);
export const stats = (signal) => request("GET", "v1/stats", { signal });
export const server = (signal) => request("GET", "v1/server", { signal });
export const cluster = (signal) => request("GET", "v1/cluster", { signal });
/** Makes a node give its partitions to others, or takes that back. */
export const drain = (node, undo) => request("POST", `v1/cluster/nodes/${part(node)}:drain`, { body: { undo } });
export const workers = (signal) => request("GET", "v1/workers", { signal });
export const deployments = (signal) => request("GET", "v1/deployments", { signal });
const aboutBuild = (verb, build, body) => request("POST", `v1/deployments/${part(build)}:${verb}`, { body });
export const promoteBuild = (build, fields) => aboutBuild("promote", build, command(fields));
export const rollBackBuild = (build, fields) => aboutBuild("rollback", build, command(fields));
/** Gives a build no new invocations, or takes that back; `fields` says which, and why. */
export const drainBuild = (build, fields) => aboutBuild("drain", build, { identity, ...fields });
export const handlers = (query, signal) => request("GET", "v1/handlers", { query, signal });
export const invocations = (query, signal) => request("GET", "v1/invocations", { query, signal });
export const invocation = (id, signal) => request("GET", `v1/invocations/${part(id)}`, { signal });

/** An invocation with its journal. */
export const run = (id, signal) => request("GET", `v1/invocations/${part(id)}`, { query: { include_journal: "true" }, signal });

/** The state of an invocation: its own, or that of the object key. */
export function state(it, signal) {
  const object = it.handler.slice(0, it.handler.lastIndexOf("."));
  const path = it.key
    ? `v1/objects/${part(object)}/${part(it.key)}/state`
    : `v1/invocations/${part(it.invocationId)}/state`;
  return request("GET", path, { signal });
}

const steer = (verb) => (id, fields) =>
  request("POST", `v1/invocations/${part(id)}:${verb}`, { body: command(fields) });
export const pause = steer("pause");
export const resume = steer("resume");
export const cancel = steer("cancel");
export const restart = steer("restart");
export const purge = (id) => request("DELETE", `v1/invocations/${part(id)}`);

/** Resolves or rejects an awakeable; the outcome is a durable.v1.Outcome. */
export function settle(awakeable, outcome) {
  const path = `v1/awakeables/${part(awakeable)}:resolve`;
  return request("POST", path, { body: { requestId: identifier(), outcome } });
}

/** The URL of the stream of an invocation's changes. */
export function watchAddress(id) {
  return `v1/invocations/${part(id)}/watch?include_journal=true`;
}
