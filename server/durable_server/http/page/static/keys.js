// The keyboard. Letters act only while nothing is typed into and no question is open; the browser's own
// shortcuts, with a modifier, are left alone.

import { asking, show } from "./dialogs.js";
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

/** Shows what the keys do. */
export function help() {
  show("Keyboard", h("dl", { class: "keys" }, HELP.map(([keys, words]) => h("div", {}, h("dt", {}, keys.split("  ").map((it) => h("kbd", {}, it))), h("dd", {}, words)))));
}

/** Listens; `view()` is what is shown, whose `keys` hold functions by key. */
export function listen(view, common) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || asking()) return;
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
