// The keyboard shortcuts. Letters act only while no text is edited and no dialog is open; the browser's own
// shortcuts, with a modifier, are not changed.

import { isDialogOpen, show } from "./dialogs.js";
import { h } from "./dom.js";

const HELP = [
  ["/", "Search: the failure's text, or an id to open"],
  ["j  k", "Down, up: invocations, or steps of one"],
  ["Enter", "Open the invocation, or the step"],
  ["Esc", "Clear the filters; back to the list; close a question"],
  ["p  r  c", "Pause, resume or retry now, cancel the invocation"],
  ["g", "Dark, light, or as the system says"],
  ["?", "This help"],
];

/** Shows the list of shortcuts. */
export function help() {
  show("Keyboard", h("dl", { class: "keys" }, HELP.map(([keys, words]) => h("div", {}, h("dt", {}, keys.split("  ").map((it) => h("kbd", {}, it))), h("dd", {}, words)))));
}

/** Starts to listen; `view()` returns the present view, whose `keys` are functions by key. */
export function listen(view, common) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isDialogOpen()) return;
    const typing = event.target.matches?.("input:not([type=checkbox]), textarea, select");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = common[event.key] ?? view()?.keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
