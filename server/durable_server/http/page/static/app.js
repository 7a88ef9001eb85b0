// The page: shows the view of the place that the reader is at.
//
//   router     the place, in the address          live        polls and streams, while somebody looks
//   api        the HTTP endpoints                 throughput  the counts, for all views
//   invocations, filters                          the list
//   invocation, timeline, journal, value, json    one invocation
//   handlers, workers, server                     what there is
//   actions, dialogs, keys                        what a reader can do
//
// A view is a class: made with an element and a place, told by `move` of another place of its own,
// closed when it is left; `keys` holds what single keys do.

import { fill, h } from "./dom.js";
import { Handlers } from "./handlers.js";
import { Invocation } from "./invocation.js";
import { Invocations } from "./invocations.js";
import { help, listen } from "./keys.js";
import { go, here, onMove } from "./router.js";
import { Server } from "./server.js";
import { glance, pulse } from "./throughput.js";
import { Workers } from "./workers.js";

const THEMES = ["system", "dark", "light"];
const SYMBOLS = { system: "◐", dark: "☾", light: "☀" };

const main = document.getElementById("main");
let view = null;
let shown = "";

function move() {
  const place = here();
  const name = `${place.section}/${place.id}`;
  if (view && name === shown) {
    view.move(place);
    return;
  }
  view?.close();
  shown = name;
  document.title = "Durable";
  for (const link of document.querySelectorAll("nav.tabs a")) {
    if (link.dataset.section === place.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view = opened(place);
  scrollTo(0, 0);
}

function opened(place) {
  if (place.section === "invocations") return place.id ? new Invocation(main, place) : new Invocations(main, place);
  const View = { handlers: Handlers, workers: Workers, server: Server }[place.section];
  if (View) return new View(main);
  fill(main, h("p", { class: "empty" }, "There is no such place here. ", h("a", { href: "#/" }, "See the invocations")));
  return null;
}

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function showTheme() {
  const button = document.getElementById("theme");
  button.textContent = SYMBOLS[theme()];
  button.title = `Colours: ${theme()} (g)`;
  button.setAttribute("aria-label", `Colours: ${theme()}. Change`);
}

function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("durable.theme");
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem("durable.theme", next);
  }
  showTheme();
}

function search() {
  const find = () => document.querySelector("[data-filter=find]");
  if (!find()) go("#/");
  find().focus();
}

document.getElementById("theme").addEventListener("click", nextTheme);
document.getElementById("help").addEventListener("click", help);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // a fragment is a place here
  main.focus();
});
showTheme();
glance(document.getElementById("glance"));
listen(() => view, { "/": search, "?": help, g: nextTheme });
onMove(move);
move();
pulse.start();
