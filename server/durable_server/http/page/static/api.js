// The client of the public HTTP endpoints. Paths are relative, so that a proxy may serve the page under a
// path of its own.

/** An error response of the control plane, with its message and reason. */
export class ApiError extends Error {
  constructor(code, body) {
    super(body.message || `the server answered ${code}`);
    this.code = code;
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

// `identity` is shown to the next reader; `request_id` deduplicates a repeated request.
function command(fields = {}) {
  return { requestId: identifier(), identity: "page", ...fields };
}

// crypto.randomUUID exists only on loopback and behind TLS.
function identifier() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((it) => it.toString(16).padStart(2, "0")).join("");
}

export const stats = (signal) => request("GET", "v1/stats", { signal });
export const server = (signal) => request("GET", "v1/server", { signal });
export const workers = (signal) => request("GET", "v1/workers", { signal });
export const handlers = (query, signal) => request("GET", "v1/handlers", { query, signal });
export const invocations = (query, signal) => request("GET", "v1/invocations", { query, signal });
export const invocation = (id, signal) => request("GET", `v1/invocations/${part(id)}`, { signal });

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
