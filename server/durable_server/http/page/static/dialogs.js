// Dialogs and notes. A dialog is a <dialog>: the browser keeps the focus in it and closes it at Escape. Its
// action runs while it is open, so that an error is shown where the input can be corrected.

import { errorText } from "./api.js";
import { fill, h } from "./dom.js";

const NOTE_MS = 6000;

/**
 * Opens a dialog, then calls `act(values)`; `values` has the values of the `fields` by name. Resolves to
 * what `act` returned, or to undefined when the user closed the dialog.
 */
export function openDialog({ title, words, fields = [], confirm, danger = false, act }) {
  return new Promise((resolve) => {
    let result;
    const problem = h("p", { class: "form-error", role: "alert" });
    const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm);
    const back = h("button", { type: "button", on: { click: () => dialog.close() } }, "Back");
    const form = h(
      "form",
      {},
      h("h2", {}, title),
      words && h("p", {}, words),
      fields.map((it) => it.element),
      problem,
      h("div", { class: "buttons" }, back, go),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      fill(problem);
      go.disabled = true;
      try {
        result = await act(Object.fromEntries(fields.map((it) => [it.name, it.value()])));
        dialog.close();
      } catch (error) {
        fill(problem, errorText(error));
      } finally {
        go.disabled = false;
      }
    });
    const dialog = open(form, () => resolve(result));
    (fields[0]?.input ?? go).focus();
  });
}

/** Shows content until the user closes it. */
export function show(title, ...content) {
  const close = h("button", { type: "button", class: "primary", on: { click: () => dialog.close() } }, "Close");
  const dialog = open(
    h("div", { class: "sheet" }, h("h2", {}, title), ...content, h("div", { class: "buttons" }, close)),
    () => {},
  );
  close.focus();
}

function open(content, closed) {
  const dialog = h("dialog", {}, content);
  dialog.setAttribute("aria-label", content.querySelector("h2").textContent);
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // a click outside of it
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Closes what is open. */
export function closeDialogs() {
  for (const it of document.querySelectorAll("dialog[open]")) it.close();
}

/** Returns whether a dialog is open. */
export function isDialogOpen() {
  return document.querySelector("dialog[open]") !== null;
}

let fieldNumber = 0;

function labelled(name, label, input, hint, value) {
  input.id = `field-${(fieldNumber += 1)}`;
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, label),
    input,
    hint && h("p", { class: "faint" }, hint),
  );
  return { name, input, element, value };
}

/** A field for a line of text. */
export function textField(name, label, hint = "") {
  const input = h("input", { type: "text", autocomplete: "off", maxlength: 1000 });
  return labelled(name, label, input, hint, () => input.value.trim());
}

/** A field for JSON; `checked(text)` throws an error that says what is wrong. */
export function jsonField(name, label, first, checked) {
  const input = h("textarea", { rows: 6, spellcheck: "false", class: "code" });
  input.value = first;
  return labelled(name, label, input, "", () => checked(input.value));
}

/** A field for a whole number within bounds. */
export function numberField(name, label, first, max, hint) {
  const input = h("input", { type: "number", min: 0, max, step: 1 });
  input.value = String(first);
  return labelled(name, label, input, hint, () => Number.parseInt(input.value || "0", 10));
}

/** A checkbox. */
export function switchField(name, label, hint) {
  const input = h("input", { type: "checkbox" });
  const element = h("div", { class: "field" }, h("label", { class: "check" }, input, label), h("p", { class: "faint" }, hint));
  return { name, input, element, value: () => input.checked };
}

/** Shows a note that disappears after a while; one about an error stays. */
export function note(words, bad = false) {
  const box = h("div", { class: bad ? "note bad" : "note" }, words);
  box.append(h("button", { type: "button", class: "small quiet", "aria-label": "Dismiss", on: { click: () => box.remove() } }, "✕"));
  document.getElementById("notes").append(box);
  if (!bad) setTimeout(() => box.remove(), NOTE_MS);
}
