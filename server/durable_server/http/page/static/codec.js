// Values that a codec of the SDK has encoded, such as encrypted ones: decoded by the codec endpoint of the user,
// which the browser asks itself. The control plane names its address in the document and permits it in the
// document's policy, and sees neither keys nor plain values. The user may switch decoding off, for this browser.

const ENCODED = "application/x-durable-";
const ENCRYPTED = "application/x-durable-encrypted";
const SETTING = "durable.codec";
const KEPT_MAX = 500; // decoded values, so that a view that is rendered again does not ask again

const address = document.querySelector("meta[name=codec-endpoint]")?.content.replace(/\/+$/, "") ?? "";
const kept = new Map();
let waiting = null;

/** Whether the control plane has named a codec endpoint. */
export const isOffered = address !== "";

/** The address of the codec endpoint; empty without one, and while decoding is switched off. */
export function endpoint() {
  return localStorage.getItem(SETTING) === "off" ? "" : address;
}

/** Switches decoding on or off. */
export function toggle() {
  if (endpoint()) localStorage.setItem(SETTING, "off");
  else localStorage.removeItem(SETTING);
}

/** Whether a payload is encoded. */
export function isEncoded(payload) {
  return (payload.contentType ?? "").startsWith(ENCODED);
}

/** The id of the key that a payload is encrypted with; empty for another one. */
export function keyId(payload) {
  if (payload.contentType !== ENCRYPTED) return "";
  const data = atob(payload.data ?? "");
  return data.length < 4 ? "" : data.slice(4, 4 + data.charCodeAt(3));
}

/** Resolves to the decoded payload. All that are asked for at the same time go in one request. */
export function decoded(payload) {
  const known = kept.get(payload.data);
  if (known) return known;
  const found = ask("decode", payload);
  if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value);
  kept.set(payload.data, found);
  found.catch(() => kept.delete(payload.data)); // the endpoint may be there the next time
  return found;
}

/** Resolves to the payload to send: encoded, if there is a codec endpoint. */
export async function encoded(payload) {
  if (!endpoint()) return payload;
  const [made] = await post("encode", [payload]);
  return result(made);
}

function ask(verb, payload) {
  if (!waiting) {
    const batch = [];
    const answers = Promise.resolve().then(() => {
      waiting = null;
      return post(verb, batch);
    });
    waiting = { batch, answers };
  }
  const { batch, answers } = waiting;
  const index = batch.push({ contentType: payload.contentType, data: payload.data, metadata: payload.metadata }) - 1;
  return answers.then((all) => result(all[index]));
}

function result(it) {
  if (it?.error) throw new Error(it.error);
  return it ?? {};
}

async function post(verb, payloads) {
  let response;
  try {
    response = await fetch(`${address}/${verb}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ payloads }),
      cache: "no-store",
      credentials: "include", // whoever runs the endpoint may want to know who asks
    });
  } catch {
    throw new Error(`The codec endpoint ${address} cannot be reached, or does not permit this page.`);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`The codec endpoint says: ${body.message ?? response.status}`);
  if (body.payloads?.length !== payloads.length) throw new Error("The codec endpoint does not answer as it should.");
  return body.payloads;
}
