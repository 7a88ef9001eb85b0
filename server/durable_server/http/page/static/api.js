// The public HTTP endpoints, as the page asks them. Paths are relative, so that a proxy may put the
// page under a folder of its own.

/** An answer that is an error: what the control plane says, and its reason. */
export class ApiError extends Error {
  constructor(code, body) {
    super(body.message || `the server answered ${code}`);
    this.code = code;
    const info = (body.details ?? []).find((it) => it.reason);
    this.reason = info?.reason ?? body.status ?? String(code);
  }
}

/** Says an error of any kind to a person. */
export function said(error) {
  if (error instanceof ApiError) return `${error.message} (${error.reason})`;
  if (error instanceof TypeError) return "The control plane cannot be reached.";
  return String(error?.message ?? error);
}

async function ask(method, path, { query, body, signal } = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const it of [value].flat()) if (it !== "" && it !== undefined) asked.append(name, it);
  }
  const address = asked.size ? `${path}?${asked}` : path;
  const response = await fetch(address, {
    method,
    signal,
    cache: "no-store",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  let data = {};
  try {
    data = await response.json();
  } catch {
    if (response.ok) throw new ApiError(response.status, { message: "the answer is no JSON" });
  }
  if (!response.ok) throw new ApiError(response.status, data);
  return data;
}

const part = encodeURIComponent;

// `identity` is who asked, for the next reader; `request_id` makes a repeated request one request.
function command(fields = {}) {
  return { requestId: identifier(), identity: "page", ...fields };
}

// randomUUID is there on loopback and behind TLS only.
function identifier() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((it) => it.toString(16).padStart(2, "0")).join("");
}

export const stats = (signal) => ask("GET", "v1/stats", { signal });
export const server = (signal) => ask("GET", "v1/server", { signal });
export const workers = (signal) => ask("GET", "v1/workers", { signal });
export const handlers = (query, signal) => ask("GET", "v1/handlers", { query, signal });
export const invocations = (query, signal) => ask("GET", "v1/invocations", { query, signal });
export const invocation = (id, signal) => ask("GET", `v1/invocations/${part(id)}`, { signal });

/** The state of an invocation: its own, or for an object's handler that of the key. */
export function state(it, signal) {
  const object = it.handler.slice(0, it.handler.lastIndexOf("."));
  const path = it.key
    ? `v1/objects/${part(object)}/${part(it.key)}/state`
    : `v1/invocations/${part(it.invocationId)}/state`;
  return ask("GET", path, { signal });
}

const steer = (verb) => (id, fields) =>
  ask("POST", `v1/invocations/${part(id)}:${verb}`, { body: command(fields) });
export const pause = steer("pause");
export const resume = steer("resume");
export const cancel = steer("cancel");
export const restart = steer("restart");
export const purge = (id) => ask("DELETE", `v1/invocations/${part(id)}`);

/** Resolves or rejects an awakeable: the outcome is as in the protos. */
export function settle(awakeable, outcome) {
  const path = `v1/awakeables/${part(awakeable)}:resolve`;
  return ask("POST", path, { body: { requestId: identifier(), outcome } });
}

/** Where the changes of an invocation are streamed. */
export function watchAddress(id) {
  return `v1/invocations/${part(id)}/watch?include_journal=true`;
}
