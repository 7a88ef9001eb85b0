// The sign-in: a token, or the page of an issuer. And who is signed in, in the page's head.

import { errorText } from "./api.js";
import { note } from "./dialogs.js";
import { attribute, fill, h } from "./dom.js";
import { rememberPlace, session, signIn, signOut } from "./session.js";

/** Shows the sign-in in an element; `words` say why, if somebody was signed in before. */
export function showSignIn(main, words = "") {
  const token = h("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true });
  const problem = h("p", { class: "form-error", role: "alert" }, words);
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h(
    "form",
    { class: "card sign-in", "aria-label": "Sign in" },
    h("h1", {}, "Sign in"),
    h("div", { class: "field" }, h("label", { for: "token" }, "Token"), token, h("p", { class: "faint" }, "An API token (durable token create) or a JWT. It is sent once; the browser keeps a session of at most 8 hours.")),
    problem,
    h("div", { class: "buttons" }, button, session.issuers.map(issuerLink)),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(problem);
    button.disabled = true;
    try {
      await signIn(token.value.trim());
    } catch (error) {
      fill(problem, errorText(error));
      token.select();
    } finally {
      button.disabled = false;
    }
  });
  document.title = "Sign in · Durable";
  attribute(document.body, "data-signed-out", true);
  fill(main, form);
  token.focus();
}

function issuerLink(name) {
  const address = `session/begin?${new URLSearchParams({ issuer: name })}`;
  return h("a", { class: "button", href: address, on: { click: rememberPlace } }, `Sign in with ${name}`);
}

/** Shows who is signed in, and a way out. */
export function showWho(element) {
  const { identity } = session;
  attribute(element, "hidden", !session.authenticates || !identity);
  if (!identity) return;
  const out = async () => {
    try {
      await signOut();
    } catch (error) {
      note(errorText(error), true);
    }
  };
  const scopes = [identity.namespace && `namespace ${identity.namespace}`, ...identity.scopes].filter(Boolean).join(", ");
  fill(
    element,
    h("bdi", { title: scopes }, identity.name),
    identity.kind === "session" && h("button", { type: "button", class: "small quiet", on: { click: out } }, "Sign out"),
  );
}
